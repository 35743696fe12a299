"""What the rows of one site add up to: from many small sums to the statistics of a window."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from monitoring.models import PHASES, Bucket, Cause, ResponseTimes, SiteStats, Window
from monitoring.stats import bucket_range, percentile
from monitoring.store import schema
from monitoring.store.schema import CAUSE, SITE_BITS, STATUS, Columns, Row


@dataclass(slots=True)
class Mark:
    """One mark of a sparkline, added up."""

    count: int = 0
    sum_us: int = 0
    failures: int = 0

    def bucket(self) -> Bucket:
        return Bucket(self.sum_us / self.count if self.count else None, self.failures)


NO_MARK = Mark()


def _cell_of(row: Row, width_ms: int) -> tuple[int, int, int | None]:
    """The mark, status and cause of a row."""
    return (row[0] >> SITE_BITS) // width_ms, row[STATUS], row[CAUSE]


def _known(times: Sequence[int | None]) -> list[int]:
    return [time for time in times if time is not None]


@dataclass(slots=True)
class Sums:
    """The checks of one site, added up. `responses` are packed (four bytes each), `loose_responses` are not (µs)."""

    checks: int = 0
    good: int = 0
    covers: int = 0
    good_covers: int = 0
    last_failure: int | None = None
    response_sum: int = 0
    phases: list[int] = field(default_factory=lambda: [0] * (2 * len(PHASES)))  # pairs of count and sum
    statuses: Counter[int] = field(default_factory=Counter)
    causes: Counter[Cause] = field(default_factory=Counter)
    marks: dict[int, Mark] = field(default_factory=dict)
    responses: list[bytes] = field(default_factory=list)
    loose_responses: list[int] = field(default_factory=list)

    def add_minutes(self, last_failure: int | None, numbers: Sequence[int]) -> None:
        """Sums of whole minutes; `numbers` stand in the order of `schema.SUMS`."""
        checks, good, covers, good_covers, _, _, sum_us, _, _, *phases = numbers
        self._add(checks, good, covers, good_covers, sum_us, phases)
        self._fail_at(last_failure)

    def add_marks(self, first: int, second: int, *sums: int) -> None:
        """Responses, their sum and failures: of whole minutes, and of their first halves, which lie in mark `first`."""
        count, sum_us, failures, early_count, early_sum, early_failures = sums
        self._mark(first, early_count, early_sum, early_failures)
        self._mark(second, count - early_count, sum_us - early_sum, failures - early_failures)

    def add_counts(self, statuses: str | None, causes: str | None, times: int) -> None:
        """Statuses and causes (JSON objects) that so many minutes had alike."""
        for status, count in json.loads(statuses or "{}").items():
            self.statuses[int(status)] += count * times
        for cause, count in json.loads(causes or "{}").items():
            self.causes[Cause(cause)] += count * times

    def add_cell(self, mark: int, status: int, cause: int | None, numbers: Sequence[int | None]) -> None:
        """Checks with the same mark, status and cause."""
        count, covers, key, responses, sum_us, *phases = (number or 0 for number in numbers)
        if status:
            self.statuses[status] += count
        if cause is None:
            self._add(count, count, covers, covers, sum_us, phases)
            self._mark(mark, responses, sum_us, 0)
        else:
            self._add(count, 0, covers, 0, 0, ())
            self.causes[schema.CAUSES[cause]] += count
            self._fail_at(key >> SITE_BITS)
            self._mark(mark, 0, 0, count)

    def add_rows(self, rows: Sequence[Row], width_ms: int) -> None:
        """Rows of table `checks`, in order of time."""
        for (mark, status, cause), group in groupby(rows, lambda row: _cell_of(row, width_ms)):
            columns = Columns(*zip(*group, strict=True))
            times = (columns.response, *(getattr(columns, phase) for phase in PHASES))
            counted = [number for known in map(_known, times) for number in (len(known), sum(known))]
            self.add_cell(mark, status, cause, (len(columns.id), sum(columns.covers), columns.id[-1], *counted))
            if cause is None:
                self.loose_responses += _known(columns.response)

    def _add(self, checks: int, good: int, covers: int, good_covers: int, sum_us: int, phases: Sequence[int]) -> None:
        self.checks += checks
        self.good += good
        self.covers += covers
        self.good_covers += good_covers
        self.response_sum += sum_us
        if phases:
            self.phases = [total + number for total, number in zip(self.phases, phases, strict=True)]

    def _fail_at(self, time_ms: int | None) -> None:
        if time_ms is not None:
            self.last_failure = max(self.last_failure or 0, time_ms)

    def _mark(self, number: int, count: int, sum_us: int, failures: int) -> None:
        mark = self.marks.setdefault(number, Mark())
        mark.count += count
        mark.sum_us += sum_us
        mark.failures += failures

    def stats(self, host: str, marks: range) -> SiteStats:
        phases = zip(self.phases[::2], self.phases[1::2], strict=True)
        return SiteStats(
            host=host,
            checks=self.checks,
            available=self.good,
            covered_ms=self.covers,
            available_ms=self.good_covers,
            response=self._response_times(),
            phases_us={name: sum_us / count for name, (count, sum_us) in zip(PHASES, phases, strict=True) if count},
            statuses=self.statuses,
            causes=self.causes,
            last_failure_ms=self.last_failure,
            trend=tuple(self.marks.get(number, NO_MARK).bucket() for number in marks),
        )

    def _response_times(self) -> ResponseTimes | None:
        ordered = [*memoryview(b"".join(self.responses)).cast("I"), *self.loose_responses]
        ordered.sort()  # quick: the packed ones are runs in order
        if not ordered:
            return None
        p50, p95, p99 = (percentile(ordered, percent) for percent in (50, 95, 99))
        return ResponseTimes(self.response_sum / len(ordered), ordered[0], ordered[-1], p50, p95, p99)


def merge(sums: Mapping[str, Sums], window: Window) -> dict[str, SiteStats]:
    """The statistics of every host that has a check."""
    marks = bucket_range(window)
    return {host: total.stats(host, marks) for host, total in sums.items() if total.checks}
