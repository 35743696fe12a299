"""Questions while the local file cannot be written: what it holds, and what waits in memory."""

from collections.abc import Callable, Collection, Mapping, Sequence

from monitoring import stats
from monitoring.errors import StoreError
from monitoring.models import Alert, CheckResult, Downtime, Failure, SiteStats, Window
from monitoring.store.journal import Journal
from monitoring.store.local import LocalStore


class MemoryReader:
    """Keeps `AlertReader` by the pure functions of `monitoring.stats`: slow, and right."""

    kind = "local"

    def __init__(self, local: LocalStore, journal: Journal) -> None:
        self._local = local
        self._journal = journal

    def results(self, window: Window) -> Sequence[CheckResult]:
        waiting = self._journal.waiting()  # first: what is committed in between is then seen twice, not missed
        found = {(result.time_ms, result.host): result for result in self._read(self._local.results, window)}
        for point in waiting:
            if isinstance(point, CheckResult) and window.from_ms <= point.time_ms < window.until_ms:
                found[point.time_ms, point.host] = point
        return [found[key] for key in sorted(found)]

    def _read(self, question: Callable[[Window], Sequence[CheckResult]], window: Window) -> Sequence[CheckResult]:
        try:
            return question(window)
        except StoreError:
            return ()

    def stats(self, window: Window) -> Mapping[str, SiteStats]:
        return stats.summarise(self.results(window), window)

    def downtime(self, window: Window, hosts: Collection[str] | None = None) -> Mapping[str, Downtime]:
        return stats.downtime(self._decisive(window), window, hosts)

    def failures(self, window: Window, hosts: Collection[str]) -> Mapping[str, Sequence[Failure]]:
        return stats.failures(self._decisive(window), window, hosts)

    def _decisive(self, window: Window) -> Sequence[CheckResult]:
        """What alerts are decided by."""
        return [*self._read(self._local.earlier_checks, window), *self.results(window)]

    def alerts(self, window: Window) -> Sequence[Alert]:
        waiting = [point for point in self._journal.waiting() if isinstance(point, Alert)]
        inside = [alert for alert in waiting if window.from_ms <= alert.time_ms < window.until_ms]
        stored = {(alert.time_ms, alert.host): alert for alert in (*self._local.alerts(window), *inside)}
        return [stored[key] for key in sorted(stored)]

    def last_alerts(self) -> Mapping[str, Alert]:
        return self._local.last_alerts()

    def last_time(self) -> int | None:
        return self._local.last_time()

    def close(self) -> None:
        """Nothing of its own."""
