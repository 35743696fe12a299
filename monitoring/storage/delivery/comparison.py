"""What a database has lost of that which a local file delivered: found by counting on both sides, not by trust."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from monitoring.models import Window
from monitoring.statistics.summary import Span
from monitoring.storage.base import Backend, DeliveryRecord, LocalFile, Refusal
from monitoring.storage.delivery.sending import SPAN_KINDS

HOUR_MS = Span.HOUR.length_ms
DAY_MS = Span.DAY.length_ms

RECENT_MS = 600_000
"""How far back a look goes at a database that has not been out of reach."""

MANY = 1 << 40

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
        """Does the database lack points of the past ten minutes?"""
        until_ms = self._delivered.newest_ms + 1
        return self._lacks(Window(max(0, until_ms - RECENT_MS), until_ms), None)

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
            yield window
            return
        middle_ms = window.from_ms + count // 2 * span.length_ms
        yield from self._lost_spans(Window(window.from_ms, middle_ms), span)
        yield from self._lost_spans(Window(middle_ms, window.until_ms), span)

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
