"""Summaries of the checks of one site in a span of time, so that a window is the sum of a few spans. Pure.

All values are integers. The summary of a minute keeps every response time, so percentiles from minutes are exact. Summaries
of hours and days keep a sketch instead (`monitoring.statistics.sketch`), so their percentiles are within 1 %.
"""

import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import Enum
from operator import attrgetter
from typing import Any, TypeVar

from monitoring.models import PHASES, Bucket, Cause, CheckResult, ResponseTimes, SiteStats
from monitoring.statistics import percentiles
from monitoring.units import DAY_MS, HOUR_MS, MINUTE_MS

TIMES = "I"
"""The type code of arrays of response times: microseconds in four bytes."""

NO_PHASES = (0,) * len(PHASES)

Key = TypeVar("Key")


class Span(Enum):
    """The length of a summary, and the name of its kind. Summaries begin at whole multiples of their length (UTC)."""

    MINUTE = MINUTE_MS, "minutes"
    HOUR = HOUR_MS, "hours"
    DAY = DAY_MS, "days"

    def __init__(self, length_ms: int, kind: str) -> None:
        self.length_ms = length_ms
        self.kind = kind

    def start_of(self, time_ms: int) -> int:
        """The start of the span that contains this time."""
        return time_ms // self.length_ms * self.length_ms


FINER = {Span.HOUR: Span.MINUTE, Span.DAY: Span.HOUR}
"""An hour is the sum of its minutes, a day the sum of its hours."""


@dataclass(slots=True)
class Summary:
    """The sums over some checks. `covers_ms` is the time that they cover, `down_ms` the time that failed ones cover.

    Responses and phases are counts and sums (microseconds) over available checks. `times` has their response times in
    ascending order; it is empty if a `sketch` replaces it (see `monitoring.statistics.sketch`; 0: empty).
    `last_failure_ms`, `shortest_us` and `longest_us` are None if there was none. `statuses` and `causes` are counts.
    `checks` and `covers_ms` include the checks during maintenance, of which `maintenance` and `maintenance_ms` are the
    number and the time; all other values exclude them.
    """

    checks: int = 0
    failures: int = 0
    covers_ms: int = 0
    down_ms: int = 0
    responses: int = 0
    responses_us: int = 0
    shortest_us: int | None = None
    longest_us: int | None = None
    phase_counts: tuple[int, ...] = NO_PHASES
    phases_us: tuple[int, ...] = NO_PHASES
    last_failure_ms: int | None = None
    statuses: Mapping[int, int] = field(default_factory=dict)
    causes: Mapping[Cause, int] = field(default_factory=dict)
    times: "array[int]" = field(default_factory=lambda: array(TIMES))
    sketch: int = 0
    maintenance: int = 0
    maintenance_ms: int = 0

    @classmethod
    def of(cls, checks: Iterable[CheckResult]) -> "Summary":
        """The summary of these checks of one site, with every response time."""
        every = list(checks)
        judged = [check for check in every if not check.maintenance]
        good = [check for check in judged if check.cause is None]
        failed = [check for check in judged if check.cause is not None]
        times = sorted(check.response_us for check in good if check.response_us is not None)
        phases = [[took for check in good if (took := check.phases_us[place]) is not None] for place in range(len(PHASES))]
        return cls(
            checks=len(every),
            failures=len(failed),
            covers_ms=sum(check.covers_ms for check in every),
            down_ms=sum(check.covers_ms for check in failed),
            responses=len(times),
            responses_us=sum(times),
            shortest_us=times[0] if times else None,
            longest_us=times[-1] if times else None,
            phase_counts=tuple(map(len, phases)),
            phases_us=tuple(map(sum, phases)),
            last_failure_ms=max((check.time_ms for check in failed), default=None),
            statuses=dict(Counter(check.status for check in judged if check.status)),
            causes=dict(Counter(check.cause for check in failed if check.cause)),
            times=array(TIMES, times),
            maintenance=len(every) - len(judged),
            maintenance_ms=sum(check.covers_ms for check in every if check.maintenance),
        )

    @property
    def judged(self) -> int:
        """The number of checks outside of maintenance: those that count as up or down."""
        return self.checks - self.maintenance

    def with_sketch(self) -> "Summary":
        """The same with a sketch in place of the times, as for hours and days."""
        return merge([self], exact=False)

    def mark(self) -> Bucket:
        """This summary as a mark of a sparkline."""
        sums = Mark()
        sums.add(self.judged, self.failures, self.responses, self.responses_us, self.causes)
        return sums.bucket(self.times)


@dataclass(frozen=True, slots=True)
class SiteSummary:
    """The summary of one site in the span that begins at `start_ms`."""

    host: str
    span: Span
    start_ms: int
    summary: Summary


_SUMS = attrgetter(
    *("checks", "failures", "covers_ms", "down_ms", "responses", "responses_us"), *("maintenance", "maintenance_ms")
)


def merge(parts: Sequence[Summary], *, exact: bool) -> Summary:
    """The sum of these summaries. If `exact`, it keeps all times, which every part must have; otherwise it has a sketch."""
    checks, failures, covers_ms, down_ms, responses, responses_us, *maintenance = _columns(map(_SUMS, parts), 8)
    times = array(TIMES)
    for part in parts:
        times.extend(part.times)
    ordered = sorted(times)  # fast: `sorted` merges runs that are ascending already
    return Summary(
        checks=checks,
        failures=failures,
        covers_ms=covers_ms,
        down_ms=down_ms,
        responses=responses,
        responses_us=responses_us,
        shortest_us=min((part.shortest_us for part in parts if part.shortest_us is not None), default=None),
        longest_us=max((part.longest_us for part in parts if part.longest_us is not None), default=None),
        phase_counts=_columns((part.phase_counts for part in parts), len(PHASES)),
        phases_us=_columns((part.phases_us for part in parts), len(PHASES)),
        last_failure_ms=max((part.last_failure_ms for part in parts if part.last_failure_ms is not None), default=None),
        statuses=_counted(part.statuses for part in parts),
        causes=_counted(part.causes for part in parts),
        times=array(TIMES, ordered) if exact else array(TIMES),
        sketch=0 if exact else sum(part.sketch for part in parts) + _sketch_of(ordered),
        maintenance=maintenance[0],
        maintenance_ms=maintenance[1],
    )


def _columns(rows: Iterable[Sequence[int]], width: int) -> tuple[int, ...]:
    """The sum of each column."""
    return tuple(map(sum, zip(*rows, strict=True))) or (0,) * width


def _counted(parts: Iterable[Mapping[Key, int]]) -> dict[Key, int]:
    totals: dict[Key, int] = {}
    for part in parts:
        for key, count in part.items():
            totals[key] = totals.get(key, 0) + count
    return totals


def _sketch_of(ordered: Sequence[int]) -> int:
    if not ordered:
        return 0
    from monitoring.statistics import sketch  # late: computing its buckets takes a while

    return sketch.of(ordered)


class Mark:
    """Adds up the values of one mark of a sparkline."""

    __slots__ = ("_causes", "_sums")

    def __init__(self) -> None:
        self._sums = (0, 0, 0, 0)
        self._causes: dict[Cause, int] = {}

    def add(self, checks: int, failures: int, responses: int, responses_us: int, causes: Mapping[Cause, int]) -> None:
        known = self._sums
        self._sums = known[0] + checks, known[1] + failures, known[2] + responses, known[3] + responses_us
        if causes:
            self._causes = _counted((self._causes, causes))

    def bucket(self, times: Sequence[int]) -> Bucket:
        """The finished mark. `times` are all response times in ascending order, empty if percentiles are not exact."""
        checks, failures, responses, responses_us = self._sums
        return Bucket(
            responses_us / responses if responses else None,
            failures,
            checks,
            percentiles.percentile(times, percentiles.SLOW) if times else None,
            max(self._causes, key=lambda cause: (self._causes[cause], cause)) if self._causes else None,
        )


def site_stats(host: str, summed: Summary, trend: Sequence[Bucket]) -> SiteStats:
    """The statistics of a window from the sum over its checks and the marks of its sparkline."""
    return SiteStats(
        host=host,
        checks=summed.checks,
        available=summed.judged - summed.failures,
        covered_ms=summed.covers_ms,
        available_ms=summed.covers_ms - summed.down_ms - summed.maintenance_ms,
        response=_response_times(summed),
        phases_us={
            name: total / count
            for name, total, count in zip(PHASES, summed.phases_us, summed.phase_counts, strict=True)
            if count
        },
        statuses=summed.statuses,
        causes=summed.causes,
        last_failure_ms=summed.last_failure_ms,
        trend=tuple(trend),
        maintenance=summed.maintenance,
        maintenance_ms=summed.maintenance_ms,
    )


def _response_times(summed: Summary) -> ResponseTimes | None:
    if summed.shortest_us is None or summed.longest_us is None:
        return None
    mean_us, shortest_us, longest_us = summed.responses_us / summed.responses, summed.shortest_us, summed.longest_us
    if summed.times:
        p50, p95, p99 = (percentiles.percentile(summed.times, percent) for percent in percentiles.PERCENTS)
    else:
        from monitoring.statistics import sketch

        p50, p95, p99 = sketch.percentiles(summed.sketch, shortest_us, longest_us)
    return ResponseTimes(mean_us, shortest_us, longest_us, p50, p95, p99)


_ALL = attrgetter(*(one.name for one in fields(Summary)))


def packed(summary: Summary) -> tuple[Any, ...]:
    """The values of a summary in the order of its fields, for databases: the times and the sketch are bytes.

    Append new fields at the end, with a default, because stored summaries lack them.
    """
    sketched = b""
    if summary.sketch:
        from monitoring.statistics import sketch

        sketched = sketch.pack(summary.sketch)
    *sums, times, _, maintenance, maintenance_ms = _ALL(summary)
    return (*sums, pack_times(times), sketched, maintenance, maintenance_ms)


def unpacked(values: Sequence[Any]) -> Summary:
    """The inverse of `packed`. Raises ValueError if the times or the sketch are malformed."""
    *plain, times, sketched, maintenance, maintenance_ms = values
    plain += (unpack_times(times), 0, maintenance, maintenance_ms)
    found = Summary(*plain)
    if sketched:
        from monitoring.statistics import sketch

        found.sketch = sketch.read(sketched)
    return found


def pack_times(times: "array[int]") -> bytes:
    """Response times as every store keeps them: four bytes each, little-endian."""
    return _little_endian(times).tobytes()


def unpack_times(packed: bytes | bytearray) -> "array[int]":
    """The inverse of `pack_times`. Raises ValueError if the length is not a multiple of four."""
    times = array(TIMES)
    times.frombytes(packed)
    return _little_endian(times)


def _little_endian(times: "array[int]") -> "array[int]":
    """Convert between this machine's byte order and little-endian."""
    if sys.byteorder == "little":
        return times
    swapped = times[:]
    swapped.byteswap()
    return swapped
