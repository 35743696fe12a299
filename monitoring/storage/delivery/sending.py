"""Sends points to a database. Finds those that it refuses with few requests, and describes them as ranges."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from typing import Any, TypeAlias

from monitoring import fields
from monitoring.errors import StoreRefused, untraced
from monitoring.models import Alert, CheckResult
from monitoring.statistics.summary import SiteSummary, Span
from monitoring.storage.base import Points, Refusal

Point: TypeAlias = CheckResult | Alert | SiteSummary

_PLACES = {field.point: place for place, field in enumerate(fields.CHECK_FIELDS)}
_by_host = attrgetter("host")
_key = attrgetter("kind", "host", "field", "by_age")


def by_kind(points: Points) -> Mapping[str, Sequence[Point]]:
    """Points in the order in which they are sent: a summary comes after the finer points that it is compared with."""
    summaries = {span.kind: [one for one in points.summaries if one.span is span] for span in Span}
    return {"checks": points.checks, "alerts": points.alerts, **summaries}


def send(write: Callable[[Points], None], kind: str, points: Sequence[Any]) -> list[Refusal]:
    """Write points of one kind; return what was refused. Raises `StoreUnavailable` and `StoreDenied` as `write` does.

    When the database says that it dropped all points of a request, that is believed. Otherwise suspects are sent apart from
    the rest, until each request is taken whole or refused whole. So no point counts as refused on suspicion, and none as
    stored unless the database took its request.
    """
    error = _refusal(write, kind, points) if points else None
    if error is None:
        return []
    if len(points) == 1 or (error.dropped is not None and error.dropped >= len(points)):
        return list(_refusals(kind, points, error))
    return send_apart(write, kind, points, _suspects(points, error))


def send_apart(write: Callable[[Points], None], kind: str, points: Sequence[Any], suspects: Sequence[Any]) -> list[Refusal]:
    """The same, with the suspects in a request of their own."""
    if not suspects:
        return send(write, kind, points)
    apart = set(map(id, suspects))
    return send(write, kind, suspects) + send(write, kind, [point for point in points if id(point) not in apart])


def _refusal(write: Callable[[Points], None], kind: str, points: Sequence[Any]) -> StoreRefused | None:
    """Write them; return the refusal, if any, without its traceback, which would keep a request of megabytes."""
    try:
        write(Points(**{kind if kind in ("checks", "alerts") else "summaries": points}))
    except StoreRefused as error:
        return untraced(error)
    return None


def _suspects(points: Sequence[Point], error: StoreRefused) -> Sequence[Point]:
    """Some of these, but not all: those that were probably refused, or one half."""
    if error.by_age and error.dropped:
        return sorted(points, key=time_of)[: error.dropped]
    having = [point for point in points if _has(point, error.field)]
    if 0 < len(having) < len(points):
        return having
    hosts = sorted({point.host for point in points})
    if len(hosts) == 1:
        return points[: len(points) // 2]
    half = set(hosts[: len(hosts) // 2])  # by whole sites: mostly all points of a site are refused
    return [point for point in points if point.host in half]


def _has(point: Point, field: str) -> bool:
    place = _PLACES.get(field)
    if place is None or not isinstance(point, CheckResult):
        return True  # every point of this kind has the field
    return fields.values(point)[place] not in (None, "")


def time_of(point: Point) -> int:
    return point.start_ms if isinstance(point, SiteSummary) else point.time_ms


def _refusals(kind: str, points: Iterable[Point], error: StoreRefused) -> Iterator[Refusal]:
    for host, found in groupby(sorted(points, key=_by_host), _by_host):
        times = [time_of(point) for point in found]
        yield Refusal(kind, host, min(times), max(times), len(times), error.field, str(error), error.by_age)


def counted_once(refusals: Iterable[Refusal], known: Iterable[Refusal], points: Points) -> Iterator[Refusal]:
    """These refusals of some points, counting only those that are not yet on record as refused."""
    before = {_key(it): it for it in known}
    own: defaultdict[tuple[str, str], list[Point]] = defaultdict(list)
    for kind, found in by_kind(points).items() if before else ():
        for point in found:
            own[kind, point.host].append(point)
    for one in refusals:
        old = before.get(_key(one))
        if old is None or one.last_ms < old.first_ms or old.last_ms < one.first_ms:
            yield one
        else:
            others = (it for it in own[one.kind, one.host] if not old.first_ms <= time_of(it) <= old.last_ms)
            yield replace(one, count=min(one.count, sum(_has(it, one.field) for it in others)))


def like_refused(kind: str, points: Sequence[Any], refusals: Iterable[Refusal]) -> Sequence[Any]:
    """Points of a site and with a field of which the database has refused points of this kind."""
    fields_of: defaultdict[str, set[str]] = defaultdict(set)
    for it in refusals:
        if it.kind == kind and not it.by_age:
            fields_of[it.host].add(it.field)
    if not fields_of:
        return ()
    return [point for point in points if any(_has(point, field) for field in fields_of.get(point.host, ()))]
