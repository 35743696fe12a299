"""The contract of the notification outbox: what the local file keeps of every notification, sent or not.

Each state change becomes one entry for each channel that wants it, in the transaction that stores the alert record; so does
a certificate that expires soon, in the one that stores the check which saw it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from monitoring.models import Alert, CheckResult, Window


class Event(StrEnum):
    """What a channel may be told of."""

    ALERT = "alert"
    RECOVERY = "recovery"
    REMINDER = "reminder"  # a site is still down
    CERTIFICATE = "certificate"  # a site's certificate expires soon

    @property
    def is_state_change(self) -> bool:
        return self in (Event.ALERT, Event.RECOVERY)


class Delivery(StrEnum):
    """What has become of an entry."""

    PENDING = "pending"
    SENT = "sent"
    LATE = "late"  # sent, but later than people would expect
    FAILED = "failed"  # it will not be sent any more


@dataclass(frozen=True, slots=True)
class Entry:
    """One event for one channel. `channel` is the channel's label, `alert` the record that it is about.

    Of a certificate the record is no alert: it says when it expires (`start_ms`), and from when on that is told (`time_ms`).

    `time_ms` is when it happened: of a reminder, when it was due. `done_ms` is when it was sent or given up (None: it is
    pending), `reason` why the last attempt failed ("": none did).
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
        """What no two entries of a file share: channel, host, time, event."""
        return self.channel, self.alert.host, self.time_ms, self.event


Route = Callable[[Alert, Collection[str]], Collection[str]]
"""The channels (by label) for a state change, given the channels that have an entry for the beginning of that outage."""


class CertificateWarning(NamedTuple):
    """A certificate that expires soon: what to keep of it, told once, and the sentence for people."""

    entries: Sequence[Entry]
    text: str


WARNED = ""
"""The channel of the entry that says, once a site, threshold and certificate, that people have been warned."""

Warn = Callable[[CheckResult, Collection[Alert], int], CertificateWarning | None]
"""What to tell of the certificate that a check saw, given what was told of this site's before, and the time now (ms)."""


def never(check: CheckResult, told: Collection[Alert], now_ms: int) -> None:
    """No certificate is told of."""


def nowhere(alert: Alert, told: Collection[str]) -> Collection[str]:  # noqa: ARG001 - keeps `Route`
    """There are no channels."""
    return ()


class NotificationStore(Protocol):
    """What a local file keeps of notifications. Methods may be called from any thread; all raise `StoreError`."""

    def set_route(self, route: Route, channels: Collection[str], now_ms: int, warn: Warn = never) -> None:
        """From now on state changes are for these channels, and `warn` says what to tell of certificates.

        What waits for other channels is given up: nobody will send it.
        """

    def add_reminders(self, reminders: Sequence[Entry]) -> None:
        """Keep these, but for those that are there already."""

    def pending_notifications(self, channel: str) -> Sequence[Entry]:
        """What the channel has yet to send, in order of (time, host)."""

    def last_told(self, channel: str) -> Mapping[str, Entry]:
        """The newest alert or recovery of each host that this channel has sent."""

    def set_delivery(self, entries: Sequence[Entry]) -> None:
        """Keep state, time and reason of these; their records may be yet to be stored."""

    def deliveries(self, window: Window) -> Sequence[Entry]:
        """All entries of channels for events of a window, in order of (time, host, channel)."""
