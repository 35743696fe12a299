"""Questions while the local file cannot be written: what it holds, and what waits in memory."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from heapq import merge
from operator import attrgetter
from typing import TypeVar

from monitoring.errors import StoreError
from monitoring.models import Alert, CheckResult, Downtime, Failure, LastState, SiteStats, Window
from monitoring.statistics import reference
from monitoring.statistics.reference import NONE_ENDED, Ended
from monitoring.statistics.status import advance
from monitoring.statistics.summary import Summary
from monitoring.storage.base import LocalReader
from monitoring.storage.delivery.writer import Point

in_order = attrgetter("time_ms", "host")

ALWAYS = Window(0, 1 << 62)

Waiting = TypeVar("Waiting", CheckResult, Alert)


class UnwrittenReader:
    """Keeps `LocalReader` by the pure functions of `statistics.reference`: slow, and right.

    A file that cannot even be read counts as empty: what waits in memory is all that is known then. What waits is always
    asked for first: a point that is committed in between is then seen twice, and counted once, not missed.
    """

    kind = "local"

    def __init__(self, file: LocalReader, unwritten: Callable[[], Sequence[Point]]) -> None:
        """`unwritten` gives the points that the file does not hold yet."""
        self._file = file
        self._unwritten = unwritten

    def results(self, window: Window, hosts: Collection[str] | None = None) -> Iterator[CheckResult]:
        waiting, last = self._waiting(CheckResult, window), None
        for check in merge(self._stored(window), waiting, key=in_order):
            if (last is None or in_order(last) != in_order(check)) and (hosts is None or check.host in hosts):
                yield check
            last = check

    def _waiting(self, kind: type[Waiting], window: Window = ALWAYS) -> Sequence[Waiting]:
        """What waits in memory, in order of (time, host)."""
        points = (point for point in self._unwritten() if isinstance(point, kind))
        return sorted((point for point in points if window.from_ms <= point.time_ms < window.until_ms), key=in_order)

    def _stored(self, window: Window) -> Iterator[CheckResult]:
        with suppress(StoreError):
            yield from self._file.results(window)

    def stats(self, window: Window, *, exact: bool) -> Mapping[str, SiteStats]:
        return reference.summarise(self.results(window), window, exact=exact)

    def downtime(
        self, window: Window, hosts: Collection[str] | None = None, ended: Ended = NONE_ENDED
    ) -> Mapping[str, Downtime]:
        return reference.downtime(self.results(window), window, hosts, ended)

    def failures(self, window: Window, hosts: Collection[str]) -> Mapping[str, Sequence[Failure]]:
        return reference.failures(self.results(window), window, hosts)

    def summaries(self, window: Window) -> Mapping[str, Summary]:
        by_host: dict[str, list[CheckResult]] = {}
        for check in self.results(window):
            by_host.setdefault(check.host, []).append(check)
        return {host: Summary.of(checks) for host, checks in by_host.items()}

    def alerts(self, window: Window) -> Sequence[Alert]:
        found = {in_order(alert): alert for alert in self._waiting(Alert, window)}
        with suppress(StoreError):
            found |= {in_order(alert): alert for alert in self._file.alerts(window)}
        return [found[key] for key in sorted(found)]

    def last_alerts(self) -> Mapping[str, Alert]:
        waiting, newest = self._waiting(Alert), dict[str, Alert]()
        with suppress(StoreError):
            newest |= self._file.last_alerts()
        for alert in waiting:
            if alert.host not in newest or newest[alert.host].time_ms <= alert.time_ms:
                newest[alert.host] = alert
        return newest

    def last_states(self, before_ms: int) -> Mapping[str, LastState]:
        waiting, found = self._waiting(CheckResult, Window(0, before_ms)), dict[str, LastState]()
        with suppress(StoreError):
            found |= self._file.last_states(before_ms)
        for check in waiting:
            known = found.get(check.host)
            if known is None or known.last_ms < check.time_ms:
                found[check.host] = advance(known, check)
        return found

    def last_time(self) -> int | None:
        times = [point.time_ms for point in self._unwritten()]
        with suppress(StoreError):
            stored = self._file.last_time()
            times += [] if stored is None else [stored]
        return max(times, default=None)

    def missing(self, window: Window) -> int:
        return self._file.missing(window)

    def close(self) -> None:
        """Nothing of its own."""
