"""What a running monitor asks while its file cannot be written: the file answers, and so do the points in memory."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from heapq import merge
from operator import attrgetter

from monitoring.errors import StoreError
from monitoring.models import Alert, CheckResult, Downtime, Failure, SiteStats, Window
from monitoring.statistics import reference
from monitoring.statistics.reference import NONE_ENDED, Ended
from monitoring.storage.delivery.writer import Point
from monitoring.storage.sqlite.store import LocalStore

in_order = attrgetter("time_ms", "host")


class UnwrittenReader:
    """Keeps `OwnReader` by the pure functions of `statistics.reference`: slow, and right.

    A file that cannot be read counts as empty. The points in memory are read before the file: one that is committed in
    between is then seen twice and counted once, and not missed.
    """

    def __init__(self, file: LocalStore, unwritten: Callable[[], Sequence[Point]]) -> None:
        """`unwritten` gives the points that the file does not hold yet."""
        self._file = file
        self._unwritten = unwritten

    def results(self, window: Window) -> Iterator[CheckResult]:
        """All checks of the window, in order of (time, host)."""
        waiting, last = [point for point in self._waiting(window) if isinstance(point, CheckResult)], None
        for check in merge(self._stored(window), waiting, key=in_order):
            if last is None or in_order(last) != in_order(check):
                yield check
            last = check

    def _waiting(self, window: Window) -> Sequence[Point]:
        return sorted((it for it in self._unwritten() if window.from_ms <= it.time_ms < window.until_ms), key=in_order)

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

    def alerts(self, window: Window) -> Sequence[Alert]:
        found = {in_order(alert): alert for alert in self._waiting(window) if isinstance(alert, Alert)}
        with suppress(StoreError):
            found |= {in_order(alert): alert for alert in self._file.alerts(window)}
        return [found[key] for key in sorted(found)]
