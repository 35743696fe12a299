"""What the checks of one site in a span of time add up to, so that spans can be added up instead of checks. Pure.

Everything is an integer. A summary of a minute keeps its response times, so that percentiles of windows made of minutes
are exact. Summaries of hours and days keep a sketch instead (`monitoring.sketch`): their percentiles are within 1 %.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import chain

from monitoring import stats
from monitoring.models import PHASES, Bucket, Cause, CheckResult, ResponseTimes, SiteStats

TIMES = "I"
"""Type code of arrays of response times: microseconds, four bytes each."""

NO_PHASES = (0,) * len(PHASES)


class Span(Enum):
    """How long summaries are. They begin at whole multiples of their length (UTC)."""

    MINUTE = 60_000
    HOUR = 3_600_000
    DAY = 86_400_000

    @property
    def length_ms(self) -> int:
        return self.value

    def start_of(self, time_ms: int) -> int:
        """The start of the span that this moment lies in."""
        return time_ms // self.value * self.value


@dataclass(slots=True)
class Summary:
    """What checks add up to. `covers_ms` and `down_ms` are the schedule they stand for, `down_ms` that of failed ones.

    Responses and phases are those of available checks: counts, and sums in microseconds. `times` are their response
    times in ascending order, empty where `sketch` (see `monitoring.sketch`; 0: empty) stands for them.
    `last_failure_ms`, `shortest_us` and `longest_us` are None when there was none. Statuses and causes are counts.
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

    @classmethod
    def of(cls, checks: Iterable[CheckResult]) -> "Summary":
        """Of checks of one site; its times are exact."""
        every = list(checks)
        good = [check for check in every if check.cause is None]
        failed = [check for check in every if check.cause is not None]
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
            statuses=dict(Counter(check.status for check in every if check.status)),
            causes=dict(Counter(check.cause for check in failed if check.cause)),
            times=array(TIMES, times),
        )

    def rolled(self) -> "Summary":
        """The same with a sketch in the place of its times, as hours and days have it."""
        return merge([self], exact=False)

    def mark(self) -> Bucket:
        """Its mark in a sparkline."""
        return Bucket(self.responses_us / self.responses if self.responses else None, self.failures)


@dataclass(frozen=True, slots=True)
class SiteSummary:
    """The summary of one site in the span that begins at `start_ms`."""

    host: str
    span: Span
    start_ms: int
    summary: Summary


def merge(parts: Sequence[Summary], *, exact: bool) -> Summary:
    """What these add up to: with all their times if `exact` (all of them must have them), else with a sketch."""
    statuses: Counter[int] = Counter()
    causes: Counter[Cause] = Counter()
    for part in parts:
        statuses.update(part.statuses)
        causes.update(part.causes)
    return Summary(
        checks=sum(part.checks for part in parts),
        failures=sum(part.failures for part in parts),
        covers_ms=sum(part.covers_ms for part in parts),
        down_ms=sum(part.down_ms for part in parts),
        responses=sum(part.responses for part in parts),
        responses_us=sum(part.responses_us for part in parts),
        shortest_us=min((part.shortest_us for part in parts if part.shortest_us is not None), default=None),
        longest_us=max((part.longest_us for part in parts if part.longest_us is not None), default=None),
        phase_counts=tuple(map(sum, zip(*(part.phase_counts for part in parts), strict=True))) or NO_PHASES,
        phases_us=tuple(map(sum, zip(*(part.phases_us for part in parts), strict=True))) or NO_PHASES,
        last_failure_ms=max((part.last_failure_ms for part in parts if part.last_failure_ms is not None), default=None),
        statuses=dict(statuses),
        causes=dict(causes),
        times=array(TIMES, sorted(chain.from_iterable(part.times for part in parts))) if exact else array(TIMES),
        sketch=0 if exact else sum(map(_sketch, parts)),
    )


def _sketch(part: Summary) -> int:
    if part.sketch or not part.times:
        return part.sketch
    from monitoring import sketch  # late: its buckets take a while

    return sketch.of(part.times)


def site_stats(host: str, summed: Summary, trend: Sequence[Bucket]) -> SiteStats:
    """The statistics of a window whose checks add up to `summed`; `trend` are its marks."""
    return SiteStats(
        host=host,
        checks=summed.checks,
        available=summed.checks - summed.failures,
        covered_ms=summed.covers_ms,
        available_ms=summed.covers_ms - summed.down_ms,
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
    )


def _response_times(summed: Summary) -> ResponseTimes | None:
    if summed.shortest_us is None or summed.longest_us is None:
        return None
    mean_us, shortest_us, longest_us = summed.responses_us / summed.responses, summed.shortest_us, summed.longest_us
    if summed.times:
        p50, p95, p99 = (stats.percentile(summed.times, percent) for percent in stats.PERCENTS)
    else:
        from monitoring import sketch

        p50, p95, p99 = sketch.percentiles(summed.sketch, shortest_us, longest_us)
    return ResponseTimes(mean_us, shortest_us, longest_us, p50, p95, p99)
