"""Questions while the local file cannot be written: what it holds, and what waits in memory."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from heapq import merge
from itertools import chain
from operator import attrgetter

from monitoring.errors import StoreError
from monitoring.models import Alert, CheckResult, Downtime, Failure, History, SiteStats, Window
from monitoring.statistics import reference
from monitoring.statistics.status import advance
from monitoring.statistics.summary import Summary
from monitoring.storage.base import LocalReader
from monitoring.storage.delivery.writer import Point

in_order = attrgetter("time_ms", "host")


class UnwrittenReader:
    """Keeps `LocalReader` by the pure functions of `monitoring.statistics.reference`: slow, and right.

    A file that cannot even be read counts as empty: what waits in memory is all that is known then.
    """

    kind = "local"

    def __init__(self, file: LocalReader, unwritten: Callable[[], Sequence[Point]]) -> None:
        """`unwritten` gives the points that the file does not hold yet."""
        self._file = file
        self._unwritten = unwritten

    def results(self, window: Window) -> Iterator[CheckResult]:
        waiting = self._waiting_checks(window)  # first: what is committed in between is then seen twice, not missed
        last: CheckResult | None = None
        for check in merge(self._stored(window), waiting, key=in_order):
            if last is None or in_order(last) != in_order(check):
                yield check
            last = check

    def _waiting_checks(self, window: Window) -> Sequence[CheckResult]:
        checks = [point for point in self._unwritten() if isinstance(point, CheckResult) and _lies_in(window, point)]
        return sorted(checks, key=in_order)

    def _stored(self, window: Window) -> Iterator[CheckResult]:
        try:
            yield from self._file.results(window)
        except StoreError:
            return

    def stats(self, window: Window, *, exact: bool) -> Mapping[str, SiteStats]:
        return reference.summarise(self.results(window), window, exact=exact)

    def downtime(self, window: Window, hosts: Collection[str] | None = None) -> Mapping[str, Downtime]:
        return reference.downtime(self._decisive(window), window, hosts)

    def failures(self, window: Window, hosts: Collection[str]) -> Mapping[str, Sequence[Failure]]:
        return reference.failures(self._decisive(window), window, hosts)

    def _decisive(self, window: Window) -> Iterator[CheckResult]:
        """What alerts are decided from."""
        return chain(self.earlier_checks(window), self.results(window))

    def earlier_checks(self, window: Window) -> Sequence[CheckResult]:
        try:
            return self._file.earlier_checks(window)
        except StoreError:
            return ()

    def summaries(self, window: Window) -> Mapping[str, Summary]:
        by_host: dict[str, list[CheckResult]] = {}
        for check in self.results(window):
            by_host.setdefault(check.host, []).append(check)
        return {host: Summary.of(checks) for host, checks in by_host.items()}

    def alerts(self, window: Window) -> Sequence[Alert]:
        waiting = self._waiting_alerts()
        try:
            stored = self._file.alerts(window)
        except StoreError:
            stored = ()
        found = {in_order(alert): alert for alert in (*stored, *waiting) if _lies_in(window, alert)}
        return [found[key] for key in sorted(found)]

    def last_alerts(self) -> Mapping[str, Alert]:
        waiting = self._waiting_alerts()
        try:
            stored = self._file.last_alerts()
        except StoreError:
            stored = {}
        newest = dict(stored)
        for alert in waiting:
            if alert.host not in newest or newest[alert.host].time_ms <= alert.time_ms:
                newest[alert.host] = alert
        return newest

    def _waiting_alerts(self) -> Sequence[Alert]:
        return sorted((point for point in self._unwritten() if isinstance(point, Alert)), key=in_order)

    def last_states(self, before_ms: int) -> Mapping[str, History]:
        waiting = self._waiting_checks(Window(0, before_ms))
        try:
            found = dict(self._file.last_states(before_ms))
        except StoreError:
            found = {}
        for check in waiting:
            known = found.get(check.host)
            if known is None or known.last_ms < check.time_ms:
                found[check.host] = advance(known, check)
        return found

    def last_time(self) -> int | None:
        waiting = [point.time_ms for point in self._unwritten()]
        try:
            stored = self._file.last_time()
        except StoreError:
            stored = None
        return max([*waiting, *([] if stored is None else [stored])], default=None)

    def missing(self, window: Window) -> int:
        return self._file.missing(window)

    def close(self) -> None:
        """Nothing of its own."""


def _lies_in(window: Window, point: Point) -> bool:
    return window.from_ms <= point.time_ms < window.until_ms
