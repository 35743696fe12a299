"""Compares a database with a local file by counting points: what it has lost, and where it knows more than the file."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from math import inf
from typing import Any

from monitoring.errors import StoreDenied
from monitoring.models import AlertType, Window
from monitoring.statistics.summary import Span
from monitoring.statistics.windows import joined
from monitoring.storage.base import Backend, Counts, Refusal
from monitoring.storage.sqlite.store import LocalStore
from monitoring.units import DAY_MS, HOUR_MS

RECENT_MS = 600_000
"""How far back points are compared while contact lasts."""

COUNTED_AT_ONCE = 2_000
"""A question counts the points or minutes of so many hours (times sites), which takes some tenths of a second."""

DAYS_AT_ONCE = 32
MOST_DAYS = 4_096
"""How far back whole days are compared: eleven years."""

COMPARED_WITH: Mapping[Span, Sequence[str]] = {Span.HOUR: ("checks", "minutes"), Span.DAY: ("minutes", "hours")}
"""Which finer points say whether a database knows more checks than the summary of an hour or a day."""


class Comparison:
    """Compares what was delivered by the file's own record, except what was refused."""

    def __init__(self, file: LocalStore, backend: Backend) -> None:
        self._file = file
        self._backend = backend
        self._delivered = file.delivered()
        self._refusals: defaultdict[tuple[str, str], list[Refusal]] = defaultdict(list)
        for refusal in file.refusals():
            self._refusals[refusal.kind, refusal.host].append(refusal)

    def recently_lost(self) -> bool:
        """Whether the database lacks points of the past ten minutes, or alerts."""
        return bool(self._lacking(self._until_newest(RECENT_MS), "checks")) or self.lost_alerts()

    def _until_newest(self, length_ms: int) -> Window:
        until_ms = self._delivered.newest_ms + 1
        return Window(max(0, until_ms - length_ms), until_ms)

    def lost_alerts(self) -> bool:
        """Whether the database lacks alerts of an hour of the past day, or older open ones."""
        day = self._until_newest(DAY_MS)
        return bool(self._lacking(day, "alerts", Span.HOUR)) or self._lacks_open_alerts(day.from_ms)

    def _lacks_open_alerts(self, before_ms: int) -> bool:
        """Whether it lacks open alerts from before this moment. (A token for writing only cannot find out.)"""
        alerts = self._file.last_alerts().items()
        is_open = {host: it.time_ms for host, it in alerts if it.type is AlertType.ALERT and it.time_ms < before_ms}
        try:
            known = self._backend.last_alerts() if is_open else {}
        except StoreDenied:
            return False
        lacking = [(host, at_ms) for host, at_ms in is_open.items() if host not in known or known[host].time_ms < at_ms]
        return any(not self._refused("alerts", host, Window(at_ms, at_ms + 1)) for host, at_ms in lacking)

    def _lacking(self, window: Window, kind: str, each: Span | None = None) -> Counts:
        """The numbers of points in the file, in each span (or in the window) of which the database has fewer."""
        wanted = self._file.counts(window, kind, each)
        found = self._backend.counts(window, kind, each) if wanted else {}
        spans = {at_ms: Window(at_ms, at_ms + each.length_ms) if each else window for at_ms, _ in wanted}
        lacking = {key: number - found.get(key, 0) for key, number in wanted.items()}
        return {
            (at_ms, host): wanted[at_ms, host]
            for (at_ms, host), number in lacking.items()
            if number > 0 and number > self._refused(kind, host, spans[at_ms])
        }

    def _refused(self, kind: str, host: str, window: Window) -> float:
        """How many points of the window may be lacking because they were refused."""
        counts = [it.count for it in self._refusals.get((kind, host), ()) if overlaps(it, window)]
        # A summary sums up many checks, and what refuses alerts refuses them all.
        return sum(counts) if kind == "checks" or not counts else inf

    def lost(self) -> Sequence[Window]:
        """The times of which the database lacks something, in order, neighbours joined.

        Compared are the points and the minutes of the past hour, the hours of the past day, and all days. A lost shard has
        lost everything of its time, so hours and days show it. Where the past hour lacks points or minutes, perhaps because
        their measurement was dropped, these are compared back to the beginning.
        """
        return joined([*self._lost_summaries(), *self._back_from(self._delivered.newest_ms + 1, "checks")])

    def _lost_summaries(self) -> Iterator[Window]:
        until_ms = Span.MINUTE.start_of(self._delivered.summarised_ms)
        hour_ms, day_ms = Span.HOUR.start_of(until_ms), Span.DAY.start_of(until_ms)
        yield from self._back_from(until_ms, Span.MINUTE.kind)
        yield from self._lost_spans(Window(max(0, hour_ms - DAY_MS), hour_ms), Span.HOUR)
        for end_ms in range(day_ms, max(0, day_ms - MOST_DAYS * DAY_MS), -DAYS_AT_ONCE * DAY_MS):
            yield from self._lost_spans(Window(max(0, end_ms - DAYS_AT_ONCE * DAY_MS), end_ms), Span.DAY)

    def _lost_spans(self, window: Window, span: Span) -> Iterator[Window]:
        """The hours or days whose summaries count fewer checks there, and that would be sent again."""
        lacking = self._lacking(window, span.kind, span)
        for start_ms, _ in lacking.keys() - superseded(self._backend, span, lacking):
            yield Window(start_ms, start_ms + span.length_ms)

    def _back_from(self, until_ms: int, kind: str) -> Iterator[Window]:
        """The past hour if it lacks points of this kind, and then every earlier span that lacks some."""
        lengths = [HOUR_MS] * 24 + [DAY_MS] * MOST_DAYS
        for number, length_ms in enumerate(lengths):
            window = Window(max(0, until_ms - length_ms), until_ms)
            if window.length_ms == 0:
                return
            if self._lacking(window, kind):
                yield window
            elif number == 0:
                return
            until_ms = window.from_ms


def without_superseded(backend: Backend, kind: str, points: Sequence[Any]) -> Sequence[Any]:
    """Points of a kind, without hours and days of which the database knows more checks than this file.

    The file may lack what was measured before it was begun, or after the copy that it was put back from. Its summary would
    be all that is left of that time once finer points have expired.
    """
    span = next((span for span in COMPARED_WITH if span.kind == kind), None)
    if span is None:
        return points
    own = {(one.start_ms, one.host): one for one in points}
    known = superseded(backend, span, {key: one.summary.checks for key, one in own.items()})
    return [one for key, one in own.items() if key not in known]


def superseded(backend: Backend, span: Span, own: Counts) -> Collection[tuple[int, str]]:
    """The hours or days, of those in `own`, of which finer points in the database count more checks than `own`."""
    known: set[tuple[int, str]] = set()
    hosts = len({host for _, host in own})
    length_ms = max(1, COUNTED_AT_ONCE // max(1, hosts)) * HOUR_MS
    for run in joined(Window(start_ms, start_ms + span.length_ms) for start_ms, _ in own):
        for finer in COMPARED_WITH[span]:
            found = Counter[tuple[int, str]]()
            for from_ms in range(run.from_ms, run.until_ms, length_ms):  # so that no question takes long
                part = Window(from_ms, min(from_ms + length_ms, run.until_ms))
                found.update(backend.counts(part, finer, span))
            known |= {key for key, checks in found.items() if checks > own.get(key, checks)}
    return known


def overlaps(refusal: Refusal, window: Window) -> bool:
    """Whether refused points may lie in this window."""
    return refusal.first_ms < window.until_ms and window.from_ms <= refusal.last_ms
