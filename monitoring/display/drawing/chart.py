"""The response times of a window, and how its checks failed, as bars of several lines. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import zip_longest

from rich.text import Text

from monitoring.display.drawing.brief import brief_seconds
from monitoring.display.drawing.sparkline import BARS, UNMEASURED, Scale, height_us, mostly_failed
from monitoring.display.view_model.series import Mark
from monitoring.models import Bucket, Cause

LETTERS: Mapping[Cause, str] = {
    Cause.DNS: "d",
    Cause.CONNECT: "c",
    Cause.TLS: "l",
    Cause.TIMEOUT: "t",
    Cause.STATUS: "s",
    Cause.CONTENT: "b",
    Cause.SLOW: "w",
    Cause.REDIRECTS: "r",
    Cause.PROTOCOL: "p",
    Cause.ERROR: "e",
}
"""The letter of each cause in a strip: lower case if less than half of the checks failed, else upper case."""

GOOD_MARK = "▁"
AXIS = 7


def cause_strip(trend: Sequence[Bucket], width: int) -> Text:
    """A letter for each mark with failed checks, repeated to fill the width."""
    each = max(1, width // max(1, len(trend)))
    return Text.assemble(*((mark * each, style) for mark, style in map(_cause_mark, trend)))


def time_strip(marks: Sequence[Mark], width: int) -> Text:
    """The same of marks of which some time may not be measured: that much of each is `·`, wherever in it that was.

    What was measured stands beside what was measured before or after; of the last mark, if nothing was before, at the end:
    a monitor that has just begun still measures. Of a mark that is not over there is only its part.
    """
    longest_ms = max((mark.length_ms for mark in marks), default=1)
    each = max(1, width // max(1, len(marks)))
    strip, goes_on = Text(), False
    for mark, after in zip_longest(marks, marks[1:]):
        cells = max(1, round(each * mark.length_ms / longest_ms))
        judged_ms = mark.covered_ms - mark.maintenance_ms
        known = min(cells, max(1, round(cells * judged_ms / max(1, mark.length_ms)))) if judged_ms > 0 else 0
        begins = not goes_on and (after is None or after.covered_ms > after.maintenance_ms)
        letter, style = _cause_mark(Bucket(None, mark.failures, mark.checks, cause=_main_cause(mark)))
        parts = [(letter * known, style), (UNMEASURED * (cells - known), "weak")]
        for text, token in reversed(parts) if begins else parts:
            strip.append(text, token)
        goes_on = known == cells or (known > 0 and begins)
    return strip


def _main_cause(mark: Mark) -> Cause | None:
    """By which most of its checks failed."""
    return max(mark.causes, key=lambda cause: (mark.causes[cause], cause), default=None)


def mark_legend(marks: Iterable[Mark]) -> str:
    """The letters that a strip of marks holds."""
    return _legend({_main_cause(mark) for mark in marks})


def cause_legend(trend: Sequence[Bucket]) -> str:
    """ "T timeout  S status": the letters that a strip holds."""
    return _legend({mark.cause for mark in trend})


def _legend(occur: Collection[Cause | None]) -> str:
    return "  ".join(f"{letter.upper()} {cause}" for cause, letter in LETTERS.items() if cause in occur)


def _cause_mark(mark: Bucket) -> tuple[str, str]:
    if mark.failures and mark.cause:
        letter = LETTERS[mark.cause]
        return (letter.upper() if mostly_failed(mark) else letter), "bad"
    return (GOOD_MARK, "good") if mark.checks else (UNMEASURED, "weak")


def chart_lines(trend: Sequence[Bucket], width: int, height: int) -> Sequence[Text]:
    """Bars on a logarithmic scale, labelled with the longest and the shortest time."""
    scale = Scale.of([trend])
    ends = {0: scale.shortest_us}
    if scale.longest_us > scale.shortest_us:  # else all bars stand at the bottom
        ends[height - 1] = scale.longest_us
    each = max(1, (width - AXIS - 1) // max(1, len(trend)))
    lines = []
    for row in range(height - 1, -1, -1):
        time_us = ends.get(row)
        named = brief_seconds(time_us) if time_us and any(map(height_us, trend)) else ""
        line = Text(f"{named:>{AXIS}} ", "weak")
        for mark in trend:
            line.append(_bar(mark, scale, row, height) * each, "bad" if mark.failures else "good")
        lines.append(line)
    return lines


def _bar(mark: Bucket, scale: Scale, row: int, height: int) -> str:
    """The part of a mark's bar that lies in one line of the chart."""
    time_us = height_us(mark)
    if time_us is None:
        return "x" if mark.failures and row == 0 else " "
    eighths = 1 + int(scale.place(time_us) * (height * len(BARS) - 1))
    inside = min(len(BARS), eighths - row * len(BARS))
    return BARS[inside - 1] if inside > 0 else " "
