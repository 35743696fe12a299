"""The response times of a window, and how its checks failed, as bars of several lines. Pure."""

from collections.abc import Mapping, Sequence

from rich.text import Text

from monitoring.display.drawing.brief import brief_seconds
from monitoring.display.drawing.sparkline import BARS, UNMEASURED, Scale, height_us, mostly_failed
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
"""What a strip shows of each cause: small where less than half of the checks failed, else a capital."""

GOOD_MARK = "▁"
AXIS = 7


def cause_strip(trend: Sequence[Bucket], width: int) -> Text:
    """A letter a mark where checks failed, as often as it fits the width."""
    each = max(1, width // max(1, len(trend)))
    return Text.assemble(*((mark * each, style) for mark, style in map(_cause_mark, trend)))


def cause_legend(trend: Sequence[Bucket]) -> str:
    """ "T timeout  S status": the letters that a strip holds."""
    occur = {mark.cause for mark in trend if mark.cause}
    return "  ".join(f"{letter.upper()} {cause}" for cause, letter in LETTERS.items() if cause in occur)


def _cause_mark(mark: Bucket) -> tuple[str, str]:
    if mark.failures and mark.cause:
        letter = LETTERS[mark.cause]
        return (letter.upper() if mostly_failed(mark) else letter), "bad"
    return (GOOD_MARK, "good") if mark.checks else (UNMEASURED, "weak")


def chart_lines(trend: Sequence[Bucket], width: int, height: int) -> Sequence[Text]:
    """Bars on a logarithmic scale of their own, with the longest and the shortest time beside it."""
    scale = Scale.of([trend])
    each = max(1, (width - AXIS - 1) // max(1, len(trend)))
    lines = []
    for row in range(height - 1, -1, -1):
        time_us = {height - 1: scale.longest_us, 0: scale.shortest_us}.get(row)
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
