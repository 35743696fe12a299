"""Bars, charts and badges as SVG. Their texts are escaped; colours come from the style sheet of the page."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from markupsafe import Markup

from monitoring.display.view_model.series import Mark, causes_of
from monitoring.display.words import plural
from monitoring.models import State

HEIGHT = 20
LEAST_DOWN = 7
"""The smallest part of `HEIGHT` for downtime, so that even a short outage is visible."""

LEAST_MEASURED = 2
"""The smallest part of `HEIGHT` for measured time, so that even a few checks are visible."""

WIDTH, CHART_HEIGHT, GAP, STRIP = 600, 120, 3, 24
"""The measures of a chart in SVG units: response times, and below them a strip with failures."""

LEAST_FAILED = 4
"""The smallest part of `STRIP` for failures, so that one failure among many checks is visible."""

BADGE_COLOURS = {
    State.UP: "#1a7f37",
    State.FAILING: "#8a5a00",
    State.DOWN: "#b3261e",
    State.RECOVERING: "#0b6a8f",
    State.MAINTENANCE: "#6f42c1",
    State.UNKNOWN: "#5c6370",
    State.PAUSED: "#5c6370",
}
"""White letters have a contrast of at least 4.5 on each of them."""


def days_svg(days: Sequence[Mark]) -> Markup:
    """A bar for each day, from the bottom: green for up, red for down, maintenance, and grey for time without checks."""
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
    """One path for each colour."""
    return Markup("".join(f'<path class="{name}" d="{d}"/>' for name, d in paths.items() if d))  # noqa: S704 - our own


def days_text(days: Sequence[Mark]) -> str:
    """The bars in words: "90 days: 2 with downtime, 1 with maintenance, 3 not measured"."""
    down, unknown = sum(day.down_ms > 0 for day in days), sum(not day.covered_ms for day in days)
    maintained = sum(day.maintenance_ms > 0 for day in days)
    work = f", {maintained} with maintenance" if maintained else ""
    return f"{plural(len(days), 'day')}: {down} with downtime{work}, {unknown} not measured"


def _parts(day: Mark) -> tuple[int, int, int]:
    """The heights of the unmeasured, maintenance and down parts of a bar. A plain tuple, because there are so many bars."""
    covered_ms, available_ms, whole_ms = day.covered_ms, day.available_ms, day.length_ms
    if covered_ms == available_ms >= whole_ms:
        return (0, 0, 0) if covered_ms else (HEIGHT, 0, 0)
    whole_ms, work_ms = max(whole_ms, covered_ms), day.maintenance_ms
    unknown = HEIGHT - max(LEAST_MEASURED if covered_ms else 0, round(HEIGHT * covered_ms / whole_ms))
    down = work = 0
    if down_ms := covered_ms - work_ms - available_ms:
        down = min(HEIGHT, max(LEAST_DOWN, round(HEIGHT * down_ms / whole_ms)))
    if work_ms:
        work = min(HEIGHT - down, max(LEAST_DOWN, round(HEIGHT * work_ms / whole_ms)))
    return min(unknown, HEIGHT - down - work), work, down


def series_svg(marks: Sequence[Mark], label: str) -> Markup:
    """A chart of the 50th and 95th percentiles of response times, with failures by cause below the axis."""
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
    """The parts of the strip below the axis for one mark: class, top and height, the most frequent cause first."""
    begin = float(CHART_HEIGHT + GAP)
    for cause, count in causes_of([mark]).items():
        height = max(LEAST_FAILED, STRIP * count / mark.checks)
        yield f"cause {cause}", begin, min(height, CHART_HEIGHT + GAP + STRIP - begin)
        begin = min(begin + height, CHART_HEIGHT + GAP + STRIP)


def badge_svg(name: str, state: State, value: str) -> str:
    """A badge in the colour of the state. The widths of texts are estimated, as in badges of other services."""
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
    """A disc in the colour of the worst state, with a cross if sites are down."""
    mark = '<path d="M5 5l6 6M11 5l-6 6" stroke="#fff" stroke-width="2"/>' if state is State.DOWN else ""
    colour = BADGE_COLOURS[state]
    disc = f'<circle cx="8" cy="8" r="8" fill="{colour}"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">{disc}{mark}</svg>'
