"""One kind of points into a database; what it will not take is found with few requests, and kept as ranges."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import TypeAlias

from monitoring import fields
from monitoring.errors import StoreRefused
from monitoring.models import Alert, CheckResult
from monitoring.statistics.summary import SiteSummary
from monitoring.storage.base import SPAN_KINDS, Points, Refusal

Point: TypeAlias = CheckResult | Alert | SiteSummary

KINDS = ("checks", "alerts", *SPAN_KINDS.values())

_PLACES = {field.point: place for place, field in enumerate(fields.CHECK_FIELDS)}


@dataclass(frozen=True, slots=True)
class Batch:
    """Points of one kind, to be sent in one request."""

    kind: str
    points: Sequence[Point]

    def as_points(self) -> Points:
        return Points(
            checks=[point for point in self.points if isinstance(point, CheckResult)],
            alerts=[point for point in self.points if isinstance(point, Alert)],
            summaries=[point for point in self.points if isinstance(point, SiteSummary)],
        )

    def without(self, others: Sequence[Point]) -> "Batch":
        taken = set(map(id, others))
        return Batch(self.kind, [point for point in self.points if id(point) not in taken])


def batches(points: Points, most: int) -> Iterator[Batch]:
    """These points by kind, at most so many in one."""
    by_kind: dict[str, Sequence[Point]] = {"checks": points.checks, "alerts": points.alerts}
    for span, kind in SPAN_KINDS.items():
        by_kind[kind] = [summary for summary in points.summaries if summary.span is span]
    for kind, own in by_kind.items():
        yield from (Batch(kind, own[first : first + most]) for first in range(0, len(own), most))


def send(write: Callable[[Points], None], batch: Batch) -> list[Refusal]:
    """Write a batch; returns what was refused of it. Raises `StoreUnavailable` and `StoreDenied` as `write` does.

    An answer that says that all points of a request were dropped is believed. Otherwise those that it objects to are
    sent apart from the rest until every request is taken whole or refused whole: nothing is refused by suspicion, and
    nothing counts as stored that no request was thanked for.
    """
    if not batch.points:
        return []
    try:
        write(batch.as_points())
    except StoreRefused as error:
        if len(batch.points) == 1 or (error.dropped is not None and error.dropped >= len(batch.points)):
            return list(_refusals(batch, error))
        suspects = Batch(batch.kind, _suspects(batch.points, error))
        return send(write, suspects) + send(write, batch.without(suspects.points))
    return []


def _suspects(points: Sequence[Point], error: StoreRefused) -> Sequence[Point]:
    """Some of these, and not all: those that were probably refused, or one half."""
    ordered = sorted(points, key=time_of)
    if error.by_age and error.dropped:
        return ordered[: error.dropped]
    having = [point for point in ordered if _has(point, error.field)]
    return having if 0 < len(having) < len(ordered) else ordered[: len(ordered) // 2]


def _has(point: Point, field: str) -> bool:
    place = _PLACES.get(field)
    if place is None or not isinstance(point, CheckResult):
        return True  # all of its kind have it
    return fields.values(point)[place] not in (None, "")


def time_of(point: Point) -> int:
    return point.start_ms if isinstance(point, SiteSummary) else point.time_ms


def _refusals(batch: Batch, error: StoreRefused) -> Iterator[Refusal]:
    by_host = attrgetter("host")
    for host, found in groupby(sorted(batch.points, key=by_host), by_host):
        times = [time_of(point) for point in found]
        yield Refusal(
            kind=batch.kind,
            host=host,
            first_ms=min(times),
            last_ms=max(times),
            count=len(times),
            field=error.field,
            reason=str(error),
            by_age=error.by_age,
        )


def takes_what_it_refused(points: Points, refusals: Iterable[Refusal]) -> bool:
    """Did a database that took all of these points refuse others like them: of that site, and with that field?"""
    refused = {(it.kind, it.host, it.field) for it in refusals if not it.by_age}
    return any(
        (batch.kind, point.host, field) in refused
        for batch in batches(points, len(points))
        for field in {field for kind, _, field in refused if kind == batch.kind}
        for point in batch.points
        if _has(point, field)
    )


def kinds_to_retry(refusals: Iterable[Refusal]) -> Collection[str]:
    """The kinds of which something was refused that may be taken some day, in their order."""
    refused = {refusal.kind for refusal in refusals if not refusal.by_age}
    return [kind for kind in KINDS if kind in refused]
