"""Adds up a window from summaries and their parts, for every store. Pure."""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from monitoring.models import Bucket, Cause, SiteStats
from monitoring.statistics.summary import TIMES, Mark, Summary, merge, pack_times, site_stats, unpack_times

NO_CHECKS = Bucket()
"""The mark of a time without any: one for all, because most marks of long windows may be such."""


class SiteTotals:
    """Adds up the window of one site from parts that do not overlap; each lies within one mark of the sparkline."""

    def __init__(self, *, exact: bool) -> None:
        self._exact = exact
        self._sums: list[Summary] = []
        self._sketch = 0
        self._times: defaultdict[int, list[bytes]] = defaultdict(list)  # in pieces that ascend
        self._marks: defaultdict[int, Mark] = defaultdict(Mark)

    def add(self, parts: Iterable[tuple[int, Summary]]) -> None:
        """Add summaries, each with the number of its mark, and keep only their sum. Takes their times."""
        known = list(parts)
        for number, part in known:
            self._marks[number].add(part.judged, part.failures, part.responses, part.responses_us, part.causes)
            if self._exact:
                self._times[number].append(pack_times(part.times))
                part.times = array(TIMES)
        self._sums = [merge([*self._sums, *(part for _, part in known)], exact=self._exact)]

    def add_sum(self, part: Summary) -> None:
        """Add a summary without times. What it has of the marks is added apart."""
        self._sums.append(part)

    def add_sketch(self, sketch: int) -> None:
        """Add the response times of hours and days."""
        self._sketch += sketch

    def add_mark(
        self, number: int, checks: int, failures: int, responses: int, responses_us: int, causes: Mapping[Cause, int]
    ) -> None:
        """Add to one mark, and to nothing else."""
        self._marks[number].add(checks, failures, responses, responses_us, causes)

    def add_times(self, number: int, times: bytes) -> None:
        """Add the response times of one mark, as of `pack_times` and in ascending order."""
        self._times[number].append(times)

    def summary(self) -> Summary:
        """The sum of all parts."""
        return self._summary(unpack_times(b"".join(chain.from_iterable(self._times.values()))))

    def _summary(self, unordered: Iterable[int]) -> Summary:
        times = array(TIMES, sorted(unordered))
        measured = Summary(sketch=self._sketch, times=array(TIMES) if self._exact else times)
        if times:
            measured.shortest_us, measured.longest_us = times[0], times[-1]
        found = merge([*self._sums, measured], exact=self._exact)
        if self._exact:  # they are in order already: `merge` would look at each again
            found.times = times
        return found

    def stats(self, host: str, marks: range) -> SiteStats | None:
        """The statistics of the site; None if it has no checks. `marks`: see `windows.bucket_range`."""
        times = [_ascending(self._times.get(mark, ())) if self._exact else () for mark in marks]
        total = self._summary(chain.from_iterable(times)) if self._exact else self.summary()
        trend = [
            self._marks[mark].bucket(own) if mark in self._marks else NO_CHECKS
            for mark, own in zip(marks, times, strict=True)
        ]
        return site_stats(host, total, trend) if total.checks else None


def _ascending(pieces: Sequence[bytes]) -> Sequence[int]:
    return unpack_times(pieces[0]) if len(pieces) == 1 else sorted(unpack_times(b"".join(pieces)))
