"""A store in memory for the evaluator: it answers by the pure functions of `monitoring.statistics.reference`, at once."""

from bisect import bisect_left, insort
from collections.abc import Collection, Iterator, Mapping, Sequence
from operator import attrgetter

from monitoring.models import Alert, CheckResult, Downtime, Failure, LastState, SiteStats, Window
from monitoring.statistics import reference
from monitoring.statistics.reference import NONE_ENDED, Ended
from monitoring.statistics.status import advance
from monitoring.statistics.summary import Summary
from monitoring.storage.base import OwnReader

by_time = attrgetter("time_ms")


class MemoryStore:
    """Keeps `OwnReader` and `AlertStore`."""

    kind = "local"

    def __init__(self) -> None:
        self._results: list[CheckResult] = []
        self._alerts: list[Alert] = []

    def record(self, point: CheckResult | Alert) -> None:
        if isinstance(point, Alert):
            insort(self._alerts, point, key=by_time)
        else:
            insort(self._results, point, key=by_time)

    def commit(self) -> None:
        """Everything is readable at once."""

    def own_reader(self) -> OwnReader:
        return self

    def results(self, window: Window, hosts: Collection[str] | None = None) -> Iterator[CheckResult]:
        first, last = (bisect_left(self._results, bound, key=by_time) for bound in (window.from_ms, window.until_ms))
        return (check for check in self._results[first:last] if hosts is None or check.host in hosts)

    def stats(self, window: Window, *, exact: bool) -> Mapping[str, SiteStats]:
        return reference.summarise(self.results(window), window, exact=exact)

    def summaries(self, window: Window) -> Mapping[str, Summary]:
        hosts = {check.host for check in self.results(window)}
        return {host: Summary.of(check for check in self.results(window) if check.host == host) for host in hosts}

    def downtime(
        self, window: Window, hosts: Collection[str] | None = None, ended: Ended = NONE_ENDED
    ) -> Mapping[str, Downtime]:
        return reference.downtime(self.results(window), window, hosts, ended)

    def failures(self, window: Window, hosts: Collection[str]) -> Mapping[str, Sequence[Failure]]:
        return reference.failures(self.results(window), window, hosts)

    def alerts(self, window: Window) -> Sequence[Alert]:
        return [alert for alert in self._alerts if window.from_ms <= alert.time_ms < window.until_ms]

    def last_alerts(self) -> Mapping[str, Alert]:
        return {alert.host: alert for alert in self._alerts}

    def last_states(self, before_ms: int) -> Mapping[str, LastState]:
        found: dict[str, LastState] = {}
        for check in self.results(Window(0, before_ms)):
            found[check.host] = advance(found.get(check.host), check)
        return found

    def missing(self, window: Window) -> int:
        return 0

    def last_time(self) -> int | None:
        times = [*map(by_time, self._results), *map(by_time, self._alerts)]
        return max(times, default=None)

    def close(self) -> None:
        """Nothing to free."""
