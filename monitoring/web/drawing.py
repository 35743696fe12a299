"""Bars, charts and badges as SVG. The texts in them are escaped; colours come from the page's style sheet."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from markupsafe import Markup

from monitoring.display.view_model.series import Mark, causes_of
from monitoring.display.words import plural
from monitoring.models import State

HEIGHT = 20
LEAST = 7
"""Of `HEIGHT`: the shortest outage of a day is still seen."""

SEEN = 2
"""Of `HEIGHT`: so is that a day was measured at all."""

WIDTH, CHART_HEIGHT, GAP, STRIP = 600, 120, 3, 24
"""Of a chart, in the units of its drawing: response times, and the strip below them in which failures are."""

LEAST_FAILED = 4
"""Of `STRIP`: one failure among many checks is still seen."""

BADGE_COLOURS = {
    State.UP: "#1a7f37",
    State.FAILING: "#8a5a00",
    State.DOWN: "#b3261e",
    State.RECOVERING: "#0b6a8f",
    State.MAINTENANCE: "#6f42c1",
    State.UNKNOWN: "#5c6370",
    State.PAUSED: "#5c6370",
}
"""White letters on each have a contrast of at least 4.5."""


def days_svg(days: Sequence[Mark]) -> Markup:
    """A bar for each day: green as far as it was up; above it red, then maintenance, then grey as far as nobody measured."""
    paths = {"up": "", "down": "", "maintenance": "", "unknown": ""}
    start = 0
    for parts, run in groupby(map(_parts, days)):
        width, top = len(list(run)), 0
        for name, height in zip(("unknown", "maintenance", "down"), parts, strict=True):
            if height:
                paths[name] += f"M{start} {top}h{width}v{height}h-{width}z"
                top += height
        if top < HEIGHT:
            paths["up"] += f"M{start} {top}h{width}V{HEIGHT}h-{width}z"
        start += width
    frame = f'<svg class="days" viewBox="0 0 {max(1, len(days))} {HEIGHT}" preserveAspectRatio="none" role="img"'
    return Markup(f'{frame} aria-label="{days_text(days)}">{_paths(paths)}</svg>')  # noqa: S704 - numbers and our own words


def _paths(paths: Mapping[str, str]) -> Markup:
    """What is drawn in each colour."""
    return Markup("".join(f'<path class="{name}" d="{d}"/>' for name, d in paths.items() if d))  # noqa: S704 - our own


def days_text(days: Sequence[Mark]) -> str:
    """The bars in words: "90 days: 2 with downtime, 1 with maintenance, 3 not measured"."""
    down, unknown = sum(day.down_ms > 0 for day in days), sum(not day.covered_ms for day in days)
    maintained = sum(day.maintenance_ms > 0 for day in days)
    work = f", {maintained} with maintenance" if maintained else ""
    return f"{plural(len(days), 'day')}: {down} with downtime{work}, {unknown} not measured"


def _parts(day: Mark) -> tuple[int, int, int]:
    """How much of a bar's height nobody measured, is maintenance, is down. Plain numbers: there are many thousand bars."""
    covered_ms, available_ms, whole_ms = day.covered_ms, day.available_ms, day.length_ms
    if covered_ms == available_ms >= whole_ms:
        return (0, 0, 0) if covered_ms else (HEIGHT, 0, 0)
    whole_ms, work_ms = max(whole_ms, covered_ms), day.maintenance_ms
    unknown = HEIGHT - max(SEEN if covered_ms else 0, round(HEIGHT * covered_ms / whole_ms))
    down = work = 0
    if lost_ms := covered_ms - work_ms - available_ms:
        down = min(HEIGHT, max(LEAST, round(HEIGHT * lost_ms / whole_ms)))
    if work_ms:
        work = min(HEIGHT - down, max(LEAST, round(HEIGHT * work_ms / whole_ms)))
    return min(unknown, HEIGHT - down - work), work, down


def series_svg(marks: Sequence[Mark], label: str) -> Markup:
    """The 50th and 95th percentile of response times as steps from 0 to the slowest; below the axis failures by cause."""
    slowest = max((mark.p95_us or 0.0 for mark in marks), default=0.0)
    step = WIDTH / max(1, len(marks))
    paths: dict[str, str] = {"unknown": "", "p95": "", "p50": ""}
    for place, mark in enumerate(marks):
        left, width = f"{place * step:.1f}", f"{step:.1f}"
        if not mark.checks:
            paths["unknown"] += f"M{left} 0h{width}v{CHART_HEIGHT}h-{width}z"
        for name, time_us in (("p95", mark.p95_us), ("p50", mark.p50_us)):
            if time_us is not None and slowest:
                paths[name] += f"M{left} {CHART_HEIGHT * (1 - time_us / slowest):.1f}h{width}"
        for name, begin, height in _failed(mark):
            paths[name] = paths.get(name, "") + f"M{left} {begin:.1f}h{width}v{height:.1f}h-{width}z"
    shape = Markup('<svg class="series" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>')
    return shape.format(WIDTH, CHART_HEIGHT + GAP + STRIP, label, _paths(paths))


def _failed(mark: Mark) -> Iterator[tuple[str, float, float]]:
    """The failures of a mark as parts of the strip below the axis, the most frequent cause first."""
    begin = float(CHART_HEIGHT + GAP)
    for cause, count in causes_of([mark]).items():
        height = max(LEAST_FAILED, STRIP * count / mark.checks)
        yield f"cause {cause}", begin, min(height, CHART_HEIGHT + GAP + STRIP - begin)
        begin = min(begin + height, CHART_HEIGHT + GAP + STRIP)


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
        name=name,
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
