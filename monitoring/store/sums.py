"""What the rows of one site add up to: from many small sums to the statistics of a window."""

from array import array
from collections.abc import Sequence
from operator import add
from typing import Any

from monitoring.models import PHASES, Bucket, Cause, ResponseTimes, SiteStats
from monitoring.stats import PERCENTS, percentile
from monitoring.store.packing import counts
from monitoring.store.schema import CAUSES, SITE_BITS, SUMS

NOTHING = (0,) * len(SUMS)
NO_MARK = Bucket()


class Sums:
    """The checks of one site, added up.

    `marks` is how many marks its sparkline has; `in_sketch`: percentiles are those of a long window.
    """

    def __init__(self, marks: int, *, in_sketch: bool = False) -> None:
        self._in_sketch = in_sketch
        self._numbers: Sequence[int] = NOTHING  # in the order of schema.SUMS
        self._last_failure: int | None = None
        self._statuses: list[str] = []  # as the columns of `minutes`
        self._causes: list[str] = []
        self._times, self._summed, self._failures = ([0] * marks for _ in range(3))  # of each mark
        self._packed: list[bytes] = []  # response times, four bytes each
        self._loose: list[str] = []  # response times, with commas between them
        self._sketches: list[bytes] = []  # response times, as in `hours` and `days`
        self._extremes: list[int] = []  # the shortest and the longest of those

    @property
    def checks(self) -> int:
        return self._numbers[0]

    def add(self, values: Sequence[Any]) -> None:
        """The columns of `minutes` after the key: of one row, or of many added up."""
        *counted, responses = values
        self._add_counted(counted)
        self._packed.append(responses)

    def add_rolled(self, values: Sequence[Any]) -> None:
        """The columns of `hours` or `days` after the key, those that are only in `minutes` as 0, without the sketch."""
        *counted, shortest, longest = values
        self._add_counted(counted)
        if shortest is not None:
            self._extremes += shortest, longest

    def add_sketch(self, packed: bytes) -> None:
        self._sketches.append(packed)

    def _add_counted(self, values: Sequence[Any]) -> None:
        *numbers, last_failure, statuses, causes = values
        self._numbers = list(map(add, self._numbers, numbers))
        if statuses:
            self._statuses.append(statuses)
        if causes:
            self._causes.append(causes)
            self._fail_at(last_failure)

    def add_piece(self, marks: tuple[int, int], values: Sequence[Any]) -> None:
        """The same of a minute, or of a piece of one, whose halves lie in the marks at these places."""
        self.add(values)
        checks, good, _, _, early_failures, times, sum_us, early_times, early_sum, *_ = values
        self.add_mark(marks[0], early_times, early_sum, early_failures)
        self.add_mark(marks[1], times - early_times, sum_us - early_sum, checks - good - early_failures)

    def add_mark(self, place: int, times: int, sum_us: int, failures: int) -> None:
        """Response times of available checks, their sum, and failures, in one mark."""
        if times or failures:  # else it may be one that the window does not reach
            self._times[place] += times
            self._summed[place] += sum_us
            self._failures[place] += failures

    def add_good(
        self, mark: int, status: int, responses: str | None, count: int, covers: int, times: int, sum_us: int, *phases: int
    ) -> None:
        """Available checks with the same mark and status."""
        self._numbers = list(map(add, self._numbers, (count, count, covers, covers, 0, times, sum_us, 0, 0, *phases)))
        self.add_mark(mark, times, sum_us, 0)
        if status:
            self._statuses.append(f"{status}:{count}")
        if responses:
            self._loose.append(responses)

    def add_failed(self, mark: int, status: int, cause: int, newest: int, count: int, covers: int) -> None:
        """Failed checks with the same mark, status and cause; `newest` is the last one's key."""
        self._numbers = list(map(add, self._numbers, (count, 0, covers, *NOTHING[3:])))
        self.add_mark(mark, 0, 0, count)
        self._causes.append(f"{CAUSES[cause]}:{count}")
        self._fail_at(newest >> SITE_BITS)
        if status:
            self._statuses.append(f"{status}:{count}")

    def _fail_at(self, time_ms: int) -> None:
        self._last_failure = max(self._last_failure or 0, time_ms)

    def stats(self, host: str) -> SiteStats:
        checks, good, covers, good_covers, _, responses, response_sum, _, _, *phases = self._numbers
        sums = zip(PHASES, phases[::2], phases[1::2], strict=True)
        return SiteStats(
            host=host,
            checks=checks,
            available=good,
            covered_ms=covers,
            available_ms=good_covers,
            response=self._response_times(responses, response_sum),
            phases_us={name: sum_us / count for name, count, sum_us in sums if count},
            statuses={int(status): count for status, count in counts(self._statuses).items()},
            causes={Cause(cause): count for cause, count in counts(self._causes).items()},
            last_failure_ms=self._last_failure,
            trend=tuple(
                [
                    Bucket(sum_us / times if times else None, failures) if times or failures else NO_MARK
                    for times, sum_us, failures in zip(self._times, self._summed, self._failures, strict=True)
                ]
            ),
        )

    def _response_times(self, count: int, sum_us: int) -> ResponseTimes | None:
        if not count:
            return None
        ordered = self._ordered()
        if not self._in_sketch:
            p50, p95, p99 = (percentile(ordered, percent) for percent in PERCENTS)
            return ResponseTimes(sum_us / count, ordered[0], ordered[-1], p50, p95, p99)
        from monitoring import sketch

        extremes = [*self._extremes, ordered[0], ordered[-1]] if ordered else self._extremes
        shortest, longest = min(extremes), max(extremes)
        merged = sum(map(sketch.unpack, self._sketches), sketch.of(ordered))
        return ResponseTimes(sum_us / count, shortest, longest, *sketch.percentiles(merged, shortest, longest))

    def _ordered(self) -> list[int]:
        """The response times that are known one by one."""
        ordered = array("I", b"".join(self._packed)).tolist()
        if self._loose:
            ordered += map(int, ",".join(self._loose).split(","))
        ordered.sort()
        return ordered
