"""All details of one site, as a text that may be longer than the screen. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rich.text import Text

from monitoring.alerts.explain import Explanation
from monitoring.display.drawing.brief import brief_percent, brief_seconds, brief_window
from monitoring.display.drawing.chart import chart_lines, mark_legend, time_strip
from monitoring.display.drawing.events import Event, event_lines
from monitoring.display.drawing.grid import beside, heading, wrapped
from monitoring.display.drawing.pane import cause_lines, certificate_lines, state_lines, time_lines
from monitoring.display.drawing.sparkline import height_us
from monitoring.display.text.explanation import forecast_text, window_sum_text
from monitoring.display.view_model.series import Mark
from monitoring.display.view_model.values import SiteRow, unmeasured
from monitoring.display.view_model.viewing import SiteLine, older_windows
from monitoring.display.words import (
    cause_text,
    duration_text,
    local_time,
    percent_text,
    reason_text,
    whole_percent_text,
)
from monitoring.models import PHASES, CheckResult
from monitoring.statistics.windows import coverage
from monitoring.units import DAY_MS

TWO_COLUMNS = 120
"""From this width on, measurements are on the left and decisions on the right."""

BETWEEN = "   "
CHART_HEIGHT = 6
PHASE_GLYPHS: Mapping[str, str] = {"resolve": "░", "connect": "▒", "tls": "▓", "processing": "█", "transfer": "▄"}
"""The pattern of each phase in a stacked bar. It needs no colours."""


@dataclass(frozen=True, slots=True)
class SiteView:
    """A site with its details. `events` are its outages of 30 days, newest first.

    `note` says why `checks` and `explanation` are missing. `hours` are those of the past day (empty: being read). `until_ms`
    are the ends of the windows that have been read, by their length.
    """

    line: SiteLine
    window_ms: int
    now_ms: int
    checks: Sequence[CheckResult] = ()
    explanation: Explanation | None = None
    events: Sequence[Event] = ()
    note: str = ""
    hours: Sequence[Mark] = ()
    until_ms: Mapping[int, int] = field(default_factory=dict)

    @property
    def row(self) -> SiteRow:
        """The site in the chosen window."""
        return self.line.shown(self.window_ms)


Section = Callable[[SiteView, int], list[Text]]


def site_screen(seen: SiteView, width: int) -> Sequence[Text]:
    """All lines, of at most `width` cells."""
    head = state_lines(seen.line.now, seen.now_ms, width)
    measured: Sequence[Section] = (_timeline, _response, _phases, _windows)
    decided: Sequence[Section] = (_rule, _events, _last_checks)
    if width < TWO_COLUMNS:
        return [*head, *_sections(seen, (_timeline, _response, _phases, _rule, _windows, _events, _last_checks), width)]
    left = (width - len(BETWEEN)) // 2
    right = width - len(BETWEEN) - left
    return [*head, *beside(_sections(seen, measured, left), _sections(seen, decided, right), left, Text(BETWEEN))]


def _sections(seen: SiteView, sections: Sequence[Section], width: int) -> list[Text]:
    lines: list[Text] = []
    for section in sections:
        if found := section(seen, width):
            lines += [Text(""), *found]
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return lines


def _timeline(seen: SiteView, width: int) -> list[Text]:
    """The past day: a letter where checks failed, by cause, and what it adds up to."""
    row, hours = seen.line.row(DAY_MS), seen.hours
    if row is None or not hours:
        return [heading("Past 24h", seen.note or "reading …")]
    strip = time_strip(hours, width)
    begin, end = (f"{local_time(moment_ms):%d %b %H:%M}" for moment_ms in (hours[0].start_ms, hours[-1].end_ms))
    axis = Text(f"{begin}{end:>{max(len(end) + 1, strip.cell_len - len(begin))}}", "weak")
    return [heading("Past 24h", mark_legend(hours)), strip, axis, *cause_lines(row, width)]


def _response(seen: SiteView, width: int) -> list[Text]:
    row = seen.row
    is_exact = any(mark.p95_us is not None for mark in row.stats.trend)
    title = heading(f"Response time {brief_window(seen.window_ms)}", f"{'p95' if is_exact else 'mean'} by mark")
    if not any(map(height_us, row.stats.trend)):
        return [title, Text("no good check", "weak")]
    return [title, *chart_lines(row.stats.trend, width, CHART_HEIGHT), *time_lines(row)]


def _phases(seen: SiteView, width: int) -> list[Text]:
    """A stacked bar of all phases, and a legend."""
    row = seen.row
    found: Mapping[str, float] = row.stats.phases_us
    total = sum(found.values())
    if not total:
        return []
    bar = Text("")
    until = 0.0
    for name in PHASES:
        until += found.get(name, 0.0)
        bar.append(PHASE_GLYPHS[name] * (round(until / total * width) - bar.cell_len), "good")
    legend = "  ".join(f"{PHASE_GLYPHS[name]} {name} {brief_seconds(found[name])}" for name in PHASES if name in found)
    return [heading("Phases", f"mean {brief_seconds(total)}"), bar, *(Text(text) for text in wrapped(legend, width))]


def _windows(seen: SiteView, _: int) -> list[Text]:
    """Each window with its availability, how much of it was measured, its times, and when it was read if not just now."""
    titles = Text(f"{'':5}{'avail':>8}{'measured':>10}{'checks':>9}{'p50':>8}{'p95':>8}", "weak")
    older = older_windows(seen.until_ms)
    lines = [_window_line(length_ms, row) for length_ms, row in sorted(seen.line.rows.items())]
    for length_ms, line in zip(sorted(seen.line.rows), lines, strict=True):
        if length_ms in older:
            line.append(f"  {local_time(older[length_ms]):%H:%M:%S}", "weak")
    if older:
        titles.append("     until")
    return [heading("Windows"), titles, *lines, *certificate_lines(seen.line.now, seen.now_ms)]


def _window_line(length_ms: int, row: SiteRow) -> Text:
    times = row.stats.response
    measured = whole_percent_text(coverage(row.stats.covered_ms, length_ms))
    return Text(
        f"{brief_window(length_ms):5}{brief_percent(percent_text(row.availability)):>8}{measured:>8} %{row.stats.checks:>9}"
        f"{brief_seconds(times.p50_us if times else None):>8}{brief_seconds(times.p95_us if times else None):>8}"
    )


def _rule(seen: SiteView, width: int) -> list[Text]:
    """The sum that the rule evaluates now, and the forecast."""
    found = seen.explanation
    if found is None:
        return [heading("Rule"), Text(seen.note or "reading …", "weak")]
    said = [window_sum_text(found)]
    if found.forecast and found.site.enabled:
        said.append(forecast_text(found.forecast))
    return [heading("Rule", f"window {duration_text(found.site.rule.window_ms)}"), *_wrapped(said, width)]


def _wrapped(texts: Sequence[str], width: int) -> list[Text]:
    return [Text(line) for text in texts for line in wrapped(text, width)]


def _events(seen: SiteView, width: int) -> list[Text]:
    row = seen.line.now
    names = {row.host: row.name}
    title = heading("Incidents, 30d", "" if seen.events else "none")
    return [title, *event_lines(seen.events, names, seen.now_ms, width, unmeasured({row.key: row.status}))]


def _last_checks(seen: SiteView, _: int) -> list[Text]:
    if not seen.checks:
        return [heading("Last checks", seen.note or ("reading …" if seen.explanation is None else "none"))]
    return [heading("Last checks"), *map(_check_line, reversed(seen.checks))]


def _check_line(check: CheckResult) -> Text:
    status = str(check.status) if check.status else "-"
    line = Text(f"{local_time(check.time_ms):%d %b %H:%M:%S}  {status:>3}  {brief_seconds(check.response_us):>6}  ")
    if check.available:
        return line.append("good", "good")
    return line.append(cause_text(check.cause, reason_text(check.detail)), "bad")
