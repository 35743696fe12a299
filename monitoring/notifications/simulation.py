"""Simulates which messages a channel would have sent for a history of state changes. Pure."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

from monitoring.models import Alert, AlertType, Window
from monitoring.notifications.grouping import PlanningContext, plan, recoveries_to_confirm
from monitoring.storage.notifications import Entry, Event
from monitoring.units import DAY_MS

IsUnstable = Callable[[str, Window], bool]
"""Was the availability of this host in this window below its recovery threshold?"""


def messages(
    before: Iterable[Alert], changes: Sequence[Alert], watched: int, is_unstable: IsUnstable
) -> Iterator[Sequence[str]]:
    """The hosts in each message about `changes`, the state changes of all sites in order of time; without reminders.

    The changes `before` have been sent already. `watched` is the number of sites.
    """
    channel, coming = _SimulatedChannel(watched, is_unstable), deque(changes)
    for alert in before:
        channel.has_sent(alert)
    again_ms: int | None = None
    while coming or again_ms is not None:
        now_ms = min(moment_ms for moment_ms in (coming[0].time_ms if coming else None, again_ms) if moment_ms is not None)
        while coming and coming[0].time_ms <= now_ms:
            channel.add(coming.popleft())
        sent, again_ms = channel.step(now_ms)
        yield from sent


class _SimulatedChannel:
    """A channel without a service: its pending entries, and the hosts that it has reported as down."""

    def __init__(self, watched: int, is_unstable: IsUnstable) -> None:
        self._watched = watched
        self._is_unstable = is_unstable
        self._pending: dict[str, list[Entry]] = {}
        self._reported_down: set[str] = set()
        self._outages: dict[str, deque[int]] = {}
        self._newest: dict[str, Alert] = {}

    def has_sent(self, alert: Alert) -> None:
        self._note(alert)
        self._mark_sent(alert)

    def add(self, alert: Alert) -> None:
        self._note(alert)
        self._pending.setdefault(alert.host, []).append(Entry("", Event(alert.type), alert.time_ms, alert))

    def step(self, now_ms: int) -> tuple[Sequence[Sequence[str]], int | None]:
        """The hosts in each message that is sent now, and the time of the next step (None: at the next change)."""
        if not self._pending:
            return (), None
        for times_ms in map(self._outages.get, self._pending):
            while times_ms and times_ms[0] < now_ms - DAY_MS:
                times_ms.popleft()
        unstable = {host for host, entries in self._pending.items() if self._is_unconfirmed(entries, now_ms)}
        context = PlanningContext(self._reported_down, self._outages, self._watched, unstable, self._newest)
        newest = [entries[-1] for entries in self._pending.values()]  # enough, and a site may flap all day
        found = plan(newest, context, now_ms)
        for update in chain.from_iterable(group.updates for group in found.groups):
            self._mark_sent(update.last.alert)
            del self._pending[update.host]  # all of it was in the message
        return [[update.host for update in group.updates] for group in found.groups], found.again_ms

    def _is_unconfirmed(self, entries: Sequence[Entry], now_ms: int) -> bool:
        recoveries = recoveries_to_confirm(entries, now_ms)
        return any(self._is_unstable(entry.alert.host, Window(entry.time_ms, now_ms)) for entry in recoveries)

    def _note(self, alert: Alert) -> None:
        self._newest[alert.host] = alert
        if alert.type is AlertType.ALERT:
            self._outages.setdefault(alert.host, deque()).append(alert.time_ms)

    def _mark_sent(self, alert: Alert) -> None:
        (self._reported_down.add if alert.type is AlertType.ALERT else self._reported_down.discard)(alert.host)
