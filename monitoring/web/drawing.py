"""Bars, charts and badges as SVG. The texts in them are escaped; colours come from the page's style sheet."""

from collections.abc import Sequence
from itertools import groupby

from markupsafe import Markup, escape

from monitoring.display.overview import Day
from monitoring.display.words import plural
from monitoring.models import Bucket, State

HEIGHT = 20
LEAST = 7
"""Of `HEIGHT`: the shortest outage of a day is still seen."""

WIDTH, CHART_HEIGHT = 600, 120
"""Of a chart, in the units of its drawing."""

BADGE_COLOURS = {
    State.UP: "#1a7f37",
    State.FAILING: "#8a5a00",
    State.DOWN: "#b3261e",
    State.RECOVERING: "#0b6a8f",
    State.UNKNOWN: "#5c6370",
    State.PAUSED: "#5c6370",
}
"""White letters on each have a contrast of at least 4.5."""


def days_svg(days: Sequence[Day]) -> Markup:
    """A bar for each day: green as far as it was up, red above it, grey where nobody measured."""
    paths = {"up": "", "down": "", "unknown": ""}
    start = 0
    for lost, run in groupby(map(_lost, days)):
        width = sum(1 for _ in run)
        if lost is None:
            paths["unknown"] += f"M{start} 0h{width}v{HEIGHT}h-{width}z"
        else:
            if lost < HEIGHT:
                paths["up"] += f"M{start} {lost}h{width}V{HEIGHT}h-{width}z"
            if lost:
                paths["down"] += f"M{start} 0h{width}v{lost}h-{width}z"
        start += width
    drawn = Markup("").join(Markup('<path class="{}" d="{}"/>').format(name, d) for name, d in paths.items() if d)
    shape = Markup('<svg class="days" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>')
    return shape.format(max(1, len(days)), HEIGHT, days_text(days), drawn)


def days_text(days: Sequence[Day]) -> str:
    """The bars in words: "90 days: 2 with downtime, 3 not measured"."""
    lost = [_lost(day) for day in days]
    down, unknown = sum(bool(it) for it in lost), lost.count(None)
    return f"{plural(len(days), 'day')}: {down} with downtime, {unknown} not measured"


def _lost(day: Day) -> int | None:
    """How much of a bar's height is down; None: nothing was measured."""
    if not day.covered_ms:
        return None
    down_ms = day.covered_ms - day.available_ms
    return max(LEAST, round(HEIGHT * down_ms / day.covered_ms)) if down_ms else 0


def chart_svg(trend: Sequence[Bucket], label: str) -> Markup:
    """Mean response times from 0 to the slowest as bars; below the axis a mark wherever a check failed."""
    slowest = max((mark.mean_us or 0.0 for mark in trend), default=0.0)
    step = WIDTH / max(1, len(trend))
    good = bad = unknown = ""
    for place, mark in enumerate(trend):
        left, width = f"{place * step + 1:.1f}", f"{step - 2:.1f}"
        if mark.mean_us is not None and slowest:
            height = max(1.0, mark.mean_us / slowest * CHART_HEIGHT)
            good += f"M{left} {CHART_HEIGHT - height:.1f}h{width}V{CHART_HEIGHT}h-{width}z"
        if mark.failures:
            bad += f"M{left} {CHART_HEIGHT + 3}h{width}v9h-{width}z"
        if mark.mean_us is None and not mark.failures:
            unknown += f"M{left} {CHART_HEIGHT - 3}h{width}v3h-{width}z"
    drawn = [
        Markup('<path class="{}" d="{}"/>').format(name, d)
        for name, d in (("bar", good), ("down", bad), ("unknown", unknown))
        if d
    ]
    shape = Markup('<svg class="chart" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>')
    return shape.format(WIDTH, CHART_HEIGHT + 14, label, Markup("").join(drawn))


def badge_svg(name: str, state: State, availability: str) -> str:
    """A badge that tells state and availability; widths are estimated, as badges of other services do it."""
    value = f"{state} {availability}".strip()
    left, right = _width(name), _width(value)
    total = left + right
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="20" role="img" aria-label="{name}: {value}">'
        "<title>{name}: {value}</title>"
        '<rect width="{total}" height="20" rx="3" fill="#3b4048"/>'
        '<path d="M{left} 0h{inner}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-{inner}z" fill="{colour}"/>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        '<text x="6" y="14" textLength="{name_length}">{name}</text>'
        '<text x="{value_x}" y="14" textLength="{value_length}">{value}</text></g></svg>'
    ).format(
        total=total,
        left=left,
        inner=right - 3,
        colour=BADGE_COLOURS[state],
        name=escape(name),
        value=value,
        name_length=left - 12,
        value_x=left + 6,
        value_length=right - 12,
    )


def _width(text: str) -> int:
    return 12 + sum(7 if mark.isascii() else 12 for mark in text)


def favicon_svg(state: State) -> str:
    """A disc in the colour of the worst state, with a mark in it where sites are down."""
    mark = '<path d="M5 5l6 6M11 5l-6 6" stroke="#fff" stroke-width="2"/>' if state is State.DOWN else ""
    colour = BADGE_COLOURS[state]
    disc = f'<circle cx="8" cy="8" r="8" fill="{colour}"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">{disc}{mark}</svg>'
