"""The messages in which a channel tells a history of state changes when it sends them all at once. Pure."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

from monitoring.models import Alert, AlertType, Window
from monitoring.notifications.grouping import Surroundings, must_have_been_steady, plan
from monitoring.storage.notifications import Entry, Event
from monitoring.units import DAY_MS

IsUnsteady = Callable[[str, Window], bool]
"""Was this host available for less of these milliseconds than its recovery needs?"""


def messages(
    before: Iterable[Alert], changes: Sequence[Alert], watched: int, is_unsteady: IsUnsteady
) -> Iterator[Sequence[str]]:
    """The hosts of which each message tells: of `changes`, the state changes of all sites in order of time.

    Those `before` were told. `watched`: how many sites there are. Reminders are left out.
    """
    channel, coming = _Channel(watched, is_unsteady), deque(changes)
    for alert in before:
        channel.has_told(alert)
    again_ms: int | None = None
    while coming or again_ms is not None:
        now_ms = min(moment_ms for moment_ms in (coming[0].time_ms if coming else None, again_ms) if moment_ms is not None)
        while coming and coming[0].time_ms <= now_ms:
            channel.take(coming.popleft())
        told, again_ms = channel.look(now_ms)
        yield from told


class _Channel:
    """A channel without a service: what waits, and what those whom it tells know."""

    def __init__(self, watched: int, is_unsteady: IsUnsteady) -> None:
        self._watched = watched
        self._is_unsteady = is_unsteady
        self._pending: dict[str, list[Entry]] = {}
        self._reported_down: set[str] = set()
        self._outages: dict[str, deque[int]] = {}

    def has_told(self, alert: Alert) -> None:
        self._know(alert)
        self._tell(alert)

    def take(self, alert: Alert) -> None:
        self._know(alert)
        self._pending.setdefault(alert.host, []).append(Entry("", Event(alert.type), alert.time_ms, alert))

    def look(self, now_ms: int) -> tuple[Sequence[Sequence[str]], int | None]:
        """What is told now, and when to look again (None: when more happens)."""
        if not self._pending:
            return (), None
        for times_ms in map(self._outages.get, self._pending):
            while times_ms and times_ms[0] < now_ms - DAY_MS:
                times_ms.popleft()
        unsteady = {host for host, entries in self._pending.items() if self._waits(entries, now_ms)}
        around = Surroundings(self._reported_down, self._outages, self._watched, unsteady)
        newest = [entries[-1] for entries in self._pending.values()]  # by it alone is decided, of a site that flaps all day
        found = plan(newest, around, now_ms)
        for news in chain.from_iterable(group.news for group in found.groups):
            self._tell(news.last.alert)
            del self._pending[news.host]  # all of it was in the message
        return [[news.host for news in group.news] for group in found.groups], found.again_ms

    def _waits(self, entries: Sequence[Entry], now_ms: int) -> bool:
        recoveries = must_have_been_steady(entries, now_ms)
        return any(self._is_unsteady(entry.alert.host, Window(entry.time_ms, now_ms)) for entry in recoveries)

    def _know(self, alert: Alert) -> None:
        if alert.type is AlertType.ALERT:
            self._outages.setdefault(alert.host, deque()).append(alert.time_ms)

    def _tell(self, alert: Alert) -> None:
        (self._reported_down.add if alert.type is AlertType.ALERT else self._reported_down.discard)(alert.host)
