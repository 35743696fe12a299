"""The values of the notification outbox: what the local file stores about every notification.

A state change becomes an entry for each channel that wants it, in the transaction that stores the alert record. So does a
certificate that expires soon, in the transaction that stores the check which saw it.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from monitoring.models import Alert, CheckResult


class Event(StrEnum):
    """What a notification may be about."""

    ALERT = "alert"
    RECOVERY = "recovery"
    REMINDER = "reminder"  # a site is still down
    CERTIFICATE = "certificate"  # a site's certificate expires soon

    @property
    def is_state_change(self) -> bool:
        return self in (Event.ALERT, Event.RECOVERY)


class Delivery(StrEnum):
    """The state of an entry."""

    PENDING = "pending"
    SENT = "sent"
    LATE = "late"  # sent, but later than people would expect
    FAILED = "failed"  # given up


@dataclass(frozen=True, slots=True)
class Entry:
    """One event for one channel. `channel` is the channel's label, `alert` the record of the event.

    The record of a certificate is no alert: it says when that expires (`start_ms`), and since when people are warned
    (`time_ms`).

    `time_ms` is when the event happened, or when a reminder was due. `done_ms` is when the entry was sent or given up
    (None: it is pending). `reason` is why the last attempt failed ("": none has).
    """

    channel: str
    event: Event
    time_ms: int
    alert: Alert
    state: Delivery = Delivery.PENDING
    done_ms: int | None = None
    reason: str = ""

    @property
    def key(self) -> tuple[str, str, int, str]:
        """Channel, host, time, event: no two entries of a file have the same."""
        return self.channel, self.alert.host, self.time_ms, self.event


Route = Callable[[Alert, Collection[str]], Collection[str]]
"""The channels (by label) for a state change, given those that have an entry for the beginning of the outage."""


class CertificateWarning(NamedTuple):
    """The entries to store about a certificate that expires soon, and the sentence for people."""

    entries: Sequence[Entry]
    text: str


HISTORY_DELETED = "history deleted"
"""The `detail` of the record that ends an outage, for those who were told of it, because its alert record was purged."""

WARNED = ""
"""The channel of the entry which records that people have been warned of a site's certificate."""

Warn = Callable[[CheckResult, Collection[Alert], int], CertificateWarning | None]
"""The warning about the certificate that a check saw, given the records of earlier ones of the site and the time (ms)."""


def never(check: CheckResult, warned: Collection[Alert], now_ms: int) -> None:
    """No warning."""


def nowhere(alert: Alert, notified: Collection[str]) -> Collection[str]:  # noqa: ARG001 - keeps `Route`
    """No channels."""
    return ()
