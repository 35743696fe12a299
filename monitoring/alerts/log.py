"""The alert records that have been read so far, so that each is shown only once."""

from bisect import insort
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from monitoring.models import Alert, Window
from monitoring.statistics.status import outage_is_open
from monitoring.units import DAY_MS, MINUTE_MS, SECOND_MS

END_MS = 7_258_118_400_000
"""The year 2200: later than any record, even of a monitor whose clock was wrong."""

LATE_MS = DAY_MS
"""How far to look back from the newest known record, because a database may receive records late."""

WHOLE_EVERY_MS = MINUTE_MS
"""How often everything is read again: what is gone was purged, or older than retention."""

SETTLED_MS = 30 * SECOND_MS
"""A newer record may be on its way to the store that is read now: another one was read before."""


class AlertLog:
    """The alert history of one location. Each of its records carries the name of the location."""

    def __init__(self, location: str = "") -> None:
        self._location = location
        self._known: set[tuple[int, str]] = set()
        self._by_host: defaultdict[str, list[Alert]] = defaultdict(list)
        self._newest_ms = 0
        self._whole_ms = -WHOLE_EVERY_MS
        self.purged = 0
        """How often a site's newest record was gone: retention never takes that."""

    def window(self) -> Window:
        """The window to read for new records: at first, all of time."""
        return Window(max(0, self._newest_ms - LATE_MS), END_MS)

    def read(self, ask: Callable[[Window], Iterable[Alert]], now_ms: int) -> list[Alert]:
        """Ask the store what there is; returns what was not known, and forgets what is gone. A record is never new twice."""
        is_whole = now_ms - self._whole_ms >= WHOLE_EVERY_MS
        window = Window(0, END_MS) if is_whole else self.window()
        found = list(ask(window))
        if is_whole:
            self._whole_ms = now_ms
        self._forget(Window(window.from_ms, max(window.from_ms, now_ms - SETTLED_MS)), found)
        return self.add(found)

    def _forget(self, window: Window, but: Iterable[Alert]) -> None:
        """Forget the records of a window but these."""
        there = {(alert.time_ms, alert.host) for alert in but}
        for host, alerts in list(self._by_host.items()):
            left = [it for it in alerts if not window.from_ms <= it.time_ms < window.until_ms or (it.time_ms, host) in there]
            self.purged += left[-1:] != alerts[-1:]
            self._by_host[host] = left
            if not left:
                del self._by_host[host]

    def add(self, found: Iterable[Alert]) -> list[Alert]:
        """Remember these records. Returns those that are new, in the given order."""
        unknown = (alert for alert in found if (alert.time_ms, alert.host) not in self._known)
        new = [replace(alert, location=self._location) for alert in unknown]
        for alert in new:
            self._known.add((alert.time_ms, alert.host))
            self._newest_ms = max(self._newest_ms, alert.time_ms)
            insort(self._by_host[alert.host], alert, key=lambda it: it.time_ms)
        return new

    def hosts(self) -> Collection[str]:
        """The hosts that have records."""
        return self._by_host.keys()

    def of(self, host: str) -> Sequence[Alert]:
        """The records of a site, oldest first."""
        return self._by_host.get(host, ())

    def last(self, host: str, before_ms: int = END_MS) -> Alert | None:
        """The newest record of a site before this moment."""
        return next((alert for alert in reversed(self._by_host.get(host, ())) if alert.time_ms < before_ms), None)

    def ongoing(self, hosts: Collection[str] | None = None) -> Sequence[Alert]:
        """The open outages of these hosts (None: of all), oldest first."""
        newest = (alerts[-1] for host, alerts in self._by_host.items() if hosts is None or host in hosts)
        return sorted(filter(outage_is_open, newest), key=lambda alert: alert.start_ms)
