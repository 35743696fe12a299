"""The transitions that others recorded, each of them told once."""

from bisect import insort
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from monitoring.models import Alert, Window
from monitoring.statistics.status import outage_is_open

END_MS = 7_258_118_400_000
"""The year 2200: whatever the clocks of the monitors said that wrote the history."""

DELIVERED_WITHIN_MS = 86_400_000
"""How far before the newest record older ones are still looked for: a database may get them late."""


class AlertLog:
    """What is known of the history of alerts, and which window of it may hold something new.

    It is of one location, whose name its alerts bear.
    """

    def __init__(self, location: str = "") -> None:
        self._location = location
        self._known: set[tuple[int, str]] = set()
        self._by_host: defaultdict[str, list[Alert]] = defaultdict(list)
        self._newest_ms = 0

    def window(self) -> Window:
        """What is to be asked for: at first everything."""
        return Window(max(0, self._newest_ms - DELIVERED_WITHIN_MS), END_MS)

    def take(self, history: Iterable[Alert]) -> list[Alert]:
        """What of this was not known yet, in the order given."""
        unknown = (alert for alert in history if (alert.time_ms, alert.host) not in self._known)
        new = [replace(alert, location=self._location) for alert in unknown]
        for alert in new:
            self._known.add((alert.time_ms, alert.host))
            self._newest_ms = max(self._newest_ms, alert.time_ms)
            insort(self._by_host[alert.host], alert, key=lambda it: it.time_ms)
        return new

    def last(self, host: str, before_ms: int = END_MS) -> Alert | None:
        """The newest transition of a site that was decided before a moment."""
        return next((alert for alert in reversed(self._by_host.get(host, ())) if alert.time_ms < before_ms), None)

    def ongoing(self, hosts: Collection[str] | None = None) -> Sequence[Alert]:
        """The outages (of these hosts; None: of all) that are not over, oldest first."""
        newest = (alerts[-1] for host, alerts in self._by_host.items() if hosts is None or host in hosts)
        return sorted(filter(outage_is_open, newest), key=lambda alert: alert.start_ms)
