"""Splits a window into parts that summaries answer and parts that need the checks. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from monitoring.models import Window
from monitoring.statistics.summary import Span
from monitoring.statistics.windows import bucket_width_ms


@dataclass(frozen=True, slots=True)
class Plan:
    """A window in disjoint parts: whole days, hours and minutes to read as summaries, and the rest to read as checks."""

    days: Sequence[Window]
    hours: Sequence[Window]
    minutes: Sequence[Window]
    checks: Sequence[Window]

    def summaries(self) -> Iterator[tuple[Span, Window]]:
        """The parts to read as summaries, the longest spans first."""
        for span, parts in ((Span.DAY, self.days), (Span.HOUR, self.hours), (Span.MINUTE, self.minutes)):
            yield from ((span, part) for part in parts)


def plan(window: Window, summarised_until_ms: int, *, exact: bool) -> Plan:
    """How to add up a window if summaries exist of everything before `summarised_until_ms` (a whole minute).

    Exact percentiles need response times, which only minutes keep. Otherwise the plan takes the longest spans that lie
    within the window and within one mark of its sparkline (`windows.bucket_width_ms`).
    """
    width_ms = bucket_width_ms(window, exact=exact)
    spans = [span for span in (Span.DAY, Span.HOUR, Span.MINUTE) if width_ms % span.length_ms == 0]
    if exact:
        spans = spans[-1:]
    parts: dict[Span, list[Window]] = {span: [] for span in Span}
    left = [window] if window.length_ms > 0 else []
    for span in spans:
        rest: list[Window] = []
        for gap in left:
            inner = _whole(gap, span, summarised_until_ms)
            if inner is None:
                rest.append(gap)
            else:
                parts[span].append(inner)
                rest += _around(gap, inner)
        left = rest
    return Plan(parts[Span.DAY], parts[Span.HOUR], parts[Span.MINUTE], sorted(left, key=lambda gap: gap.from_ms))


def in_marks(gap: Window, width_ms: int) -> Iterator[Window]:
    """The gap, split at the borders of marks of this width."""
    for mark in range(gap.from_ms // width_ms, (gap.until_ms - 1) // width_ms + 1):
        yield Window(max(mark * width_ms, gap.from_ms), min((mark + 1) * width_ms, gap.until_ms))


def _whole(gap: Window, span: Span, until_ms: int) -> Window | None:
    """The whole spans within this gap that end by `until_ms`; None if there are none."""
    start_ms = span.start_of(gap.from_ms + span.length_ms - 1)
    end_ms = span.start_of(min(gap.until_ms, until_ms))
    return Window(start_ms, end_ms) if start_ms < end_ms else None


def _around(gap: Window, inner: Window) -> list[Window]:
    ends = (Window(gap.from_ms, inner.from_ms), Window(inner.until_ms, gap.until_ms))
    return [end for end in ends if end.length_ms > 0]
