"""What a database has lost of what a local file delivered, and where it knows more: found by counting, not by trust."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain

from monitoring.models import Window
from monitoring.statistics.summary import SiteSummary, Span
from monitoring.storage.base import Backend, DeliveryRecord, LocalFile, Refusal
from monitoring.storage.delivery.sending import SPAN_KINDS

HOUR_MS = Span.HOUR.length_ms
DAY_MS = Span.DAY.length_ms

RECENT_MS = 600_000
"""How far back a look goes at a database that has not been out of reach."""

MANY = 1 << 40

COUNTED_AT_ONCE = 2_000
"""Hours of one site whose points or minutes are counted by one question: some tenths of a second."""

DAYS_AT_ONCE = 32
MOST_DAYS = 4_096
"""How far back whole days are compared: eleven years."""


class Comparison:
    """Compares what was delivered: up to the marks of the file's record, but for what was refused."""

    def __init__(self, file: LocalFile, backend: Backend) -> None:
        self._file = file
        self._backend = backend
        self._refusals = file.refusals()
        self._delivered: DeliveryRecord = file.delivered()

    def recently_lost(self) -> bool:
        """Does the database lack points of the past ten minutes, or alerts of the past day?"""
        return self._lacks(self._until_newest(RECENT_MS), None) or self.lost_alerts()

    def _until_newest(self, length_ms: int) -> Window:
        until_ms = self._delivered.newest_ms + 1
        return Window(max(0, until_ms - length_ms), until_ms)

    def lost_alerts(self) -> bool:
        """Does the database lack alerts of the past day?"""
        window = self._until_newest(DAY_MS)
        wanted = {(alert.host, alert.time_ms) for alert in self._file.alerts(window)}
        if not wanted:
            return False
        lacking = wanted - {(alert.host, alert.time_ms) for alert in self._backend.alerts(window)}
        refused = [refusal for refusal in self._refusals if refusal.kind == "alerts"]
        return any(
            not any(it.host == host and it.first_ms <= time_ms <= it.last_ms for it in refused) for host, time_ms in lacking
        )

    def lost(self) -> Sequence[Window]:
        """The hours and days of which the database lacks something, in order, those that touch as one.

        Points of the past hour are counted, summaries of its minutes, of the past day's hours and of all days. A shard is
        lost with all that it had of a time, so that hours and days show it. Where the past hour lacks points or minutes
        alone (their measurement was dropped), these are counted all the way back.
        """
        return joined([*self._by_summaries(), *self._back_from(self._delivered.newest_ms + 1, None)])

    def _by_summaries(self) -> Iterator[Window]:
        until_ms = Span.MINUTE.start_of(self._delivered.summarised_ms)
        hour_ms, day_ms = Span.HOUR.start_of(until_ms), Span.DAY.start_of(until_ms)
        yield from self._back_from(until_ms, Span.MINUTE)
        yield from self._lost_spans(Window(max(0, hour_ms - DAY_MS), hour_ms), Span.HOUR)
        for count in range(0, MOST_DAYS, DAYS_AT_ONCE):
            end_ms = day_ms - count * DAY_MS
            if end_ms > 0:
                yield from self._lost_spans(Window(max(0, end_ms - DAYS_AT_ONCE * DAY_MS), end_ms), Span.DAY)

    def _lost_spans(self, window: Window, span: Span) -> Iterator[Window]:
        """The spans of the window whose summaries do not tell of as many checks as they should."""
        if not self._lacks(window, span):
            return
        count = window.length_ms // span.length_ms
        if count <= 1:
            if self._should_have(window, span):
                yield window
            return
        middle_ms = window.from_ms + count // 2 * span.length_ms
        yield from self._lost_spans(Window(window.from_ms, middle_ms), span)
        yield from self._lost_spans(Window(middle_ms, window.until_ms), span)

    def _should_have(self, window: Window, span: Span) -> bool:
        """Would this hour or day be sent again? (See `without_superseded`.)"""
        wanted = self._file.check_counts(window, span)
        finer = finer_counts(self._backend, window, span, wanted)
        found = self._backend.check_counts(window, span)
        return any(found.get(host, 0) < count and finer[host] <= count for host, count in wanted.items())

    def _back_from(self, until_ms: int, span: Span | None) -> Iterator[Window]:
        """The past hour if it lacks points or such summaries, and then whatever lacks some before it."""
        lengths = [HOUR_MS] * 24 + [DAY_MS] * MOST_DAYS
        for number, length_ms in enumerate(lengths):
            window = Window(max(0, until_ms - length_ms), until_ms)
            if window.length_ms == 0:
                return
            if self._lacks(window, span):
                yield window
            elif number == 0:
                return
            until_ms = window.from_ms

    def _lacks(self, window: Window, span: Span | None) -> bool:
        """Are there sites of which the database has fewer checks than it should?"""
        wanted = self._file.check_counts(window, span)
        if not wanted:
            return False
        found = self._backend.check_counts(window, span)
        refused = self._refused(window, span)
        return any(found.get(host, 0) + refused[host] < count for host, count in wanted.items())

    def _refused(self, window: Window, span: Span | None) -> Counter[str]:
        """At most how many checks of each host may be absent because they were refused."""
        refused: Counter[str] = Counter()
        for refusal in self._refusals:
            if overlaps(refusal, window):
                if span is None and refusal.kind == "checks":
                    refused[refusal.host] += refusal.count
                elif span is not None and refusal.kind == SPAN_KINDS[span]:
                    refused[refusal.host] += MANY  # nobody knows of how many checks those summaries told
        return refused


def without_superseded(backend: Backend, span: Span, summaries: Iterable[SiteSummary]) -> Iterator[SiteSummary]:
    """Without the hours, or days, of which the database knows more checks from what is finer.

    A file lacks what was measured before it was begun, or after the copy that it was put back from. Its summary would
    stand for all that was measured once what is finer has become too old.
    """
    by_start: dict[int, list[SiteSummary]] = {}
    for one in summaries:
        by_start.setdefault(one.start_ms, []).append(one)
    for run in joined(Window(start_ms, start_ms + span.length_ms) for start_ms in by_start):
        starts = range(run.from_ms, run.until_ms, span.length_ms)
        yield from _not_superseded(backend, span, [by_start[start_ms] for start_ms in starts])


def _not_superseded(backend: Backend, span: Span, spans: Sequence[Sequence[SiteSummary]]) -> Iterator[SiteSummary]:
    """Those of spans that follow each other: all where the database knows no more of any site, else half by half."""
    own: Counter[str] = Counter()
    for one in chain.from_iterable(spans):
        own[one.host] += one.summary.checks
    window = Window(spans[0][0].start_ms, spans[-1][0].start_ms + span.length_ms)
    known = finer_counts(backend, window, span, own)
    superseded = {host for host, checks in own.items() if known[host] > checks}
    middle = len(spans) // 2
    if superseded and middle:
        yield from _not_superseded(backend, span, spans[:middle])
        yield from _not_superseded(backend, span, spans[middle:])
    else:
        yield from (one for one in chain.from_iterable(spans) if one.host not in superseded)


def finer_counts(backend: Backend, window: Window, span: Span, hosts: Collection[str]) -> Mapping[str, int]:
    """How many checks of each of these hosts the database knows from what is finer than hours, or days."""
    finer: tuple[Span | None, ...] = (None, Span.MINUTE) if span is Span.HOUR else (Span.MINUTE, Span.HOUR)
    found = dict.fromkeys(hosts, 0)
    for other in finer:
        for host, checks in _counted(backend, window, other, len(hosts)).items():
            found[host] = max(checks, found.get(host, 0))
    return found


def _counted(backend: Backend, window: Window, span: Span | None, sites: int) -> Counter[str]:
    """So much at once that no question takes long."""
    length_ms = max(1, COUNTED_AT_ONCE // max(1, sites)) * HOUR_MS
    found: Counter[str] = Counter()
    for from_ms in range(window.from_ms, window.until_ms, length_ms):
        found.update(backend.check_counts(Window(from_ms, min(from_ms + length_ms, window.until_ms)), span))
    return found


def overlaps(refusal: Refusal, window: Window) -> bool:
    """Does something that was refused lie in this window?"""
    return refusal.first_ms < window.until_ms and window.from_ms <= refusal.last_ms


def joined(windows: Iterable[Window]) -> Sequence[Window]:
    """The same time in as few windows as possible, in order."""
    found: list[Window] = []
    for window in sorted(windows, key=lambda window: window.from_ms):
        if found and window.from_ms <= found[-1].until_ms:
            found[-1] = Window(found[-1].from_ms, max(found[-1].until_ms, window.until_ms))
        else:
            found.append(window)
    return found
