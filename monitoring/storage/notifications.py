"""The contract of the notification outbox: what the local file keeps of every notification, sent or not.

Each state change becomes one entry for each channel that wants it, in the transaction that stores the alert record.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from monitoring.models import Alert, Window


class Event(StrEnum):
    """What a channel may be told of."""

    ALERT = "alert"
    RECOVERY = "recovery"
    REMINDER = "reminder"  # a site is still down


class Delivery(StrEnum):
    """What has become of an entry."""

    PENDING = "pending"
    SENT = "sent"
    LATE = "late"  # sent, but later than people would expect
    FAILED = "failed"  # it will not be sent any more


@dataclass(frozen=True, slots=True)
class Entry:
    """One event for one channel. `channel` is the channel's label, `alert` the record that it is about.

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


def nowhere(alert: Alert, told: Collection[str]) -> Collection[str]:  # noqa: ARG001 - keeps `Route`
    """There are no channels."""
    return ()


class NotificationStore(Protocol):
    """What a local file keeps of notifications. Methods may be called from any thread; all raise `StoreError`."""

    def set_route(self, route: Route, channels: Collection[str], now_ms: int) -> None:
        """From now on state changes are for these channels. What waits for others is given up: nobody will send it."""

    def add_reminders(self, reminders: Sequence[Entry]) -> None:
        """Keep these, but for those that are there already."""

    def pending_notifications(self, channel: str) -> Sequence[Entry]:
        """What the channel has yet to send, in order of (time, host)."""

    def last_told(self, channel: str) -> Mapping[str, Entry]:
        """The newest alert or recovery of each host that this channel has sent."""

    def set_delivery(self, entries: Sequence[Entry]) -> None:
        """Keep state, time and reason of these; their records may be yet to be stored."""

    def deliveries(self, window: Window) -> Sequence[Entry]:
        """All entries for events of a window, in order of (time, host, channel)."""
