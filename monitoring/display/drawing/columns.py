"""The table of sites. The width of the terminal alone decides which columns there are, so that they never jump."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text

from monitoring.display.drawing.brief import brief_duration, brief_percent, brief_seconds, brief_window
from monitoring.display.drawing.grid import fit, fit_name
from monitoring.display.drawing.sparkline import Scale, sparkline
from monitoring.display.drawing.theme import STATE_TOKENS
from monitoring.display.view_model.ranking import HEALTHY
from monitoring.display.view_model.values import SiteRow
from monitoring.display.view_model.viewing import SiteLine
from monitoring.display.words import GLYPHS, label, percent_text, reason_text
from monitoring.models import ResponseTimes, State
from monitoring.units import DAY_MS

NEEDS: Mapping[str, int] = {
    "state": 24,
    "why": 34,
    "10m": 41,
    "1h": 48,
    "now": 56,
    "24h": 68,
    "trend": 78,
    "p95": 96,
    "30d": 106,
    "p50": 106,
}
"""The width from which on each column is shown. The site's name is always shown."""

ROOMY = 106
"""From this width on, states are written out and percentages have two decimals."""

LONG_TREND = 118
"""From this width on, a trend has all marks of its window instead of ten."""

SHORT_MARKS = 10
MARKS = {600_000: 10}
MOST_MARKS = 20

LEAST_NAME, MOST_NAME = 8, 40
NAME_SHARE = 0.55
"""The share of the remaining width that goes to the site's name; the rest goes to the reason of its failure."""

BRIEF_STATES = {State.RECOVERING: "recov", State.MAINTENANCE: "maint"}

ANSWERING = frozenset((State.UP, State.RECOVERING))


@dataclass(frozen=True, slots=True)
class Cell:
    """The input for drawing one cell."""

    line: SiteLine
    window_ms: int
    now_ms: int
    scale: Scale

    @property
    def row(self) -> SiteRow:
        """The site in the chosen window."""
        return self.line.shown(self.window_ms)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of exactly `width` cells, with `gap` blanks before it."""

    key: str
    title: str
    width: int
    draw: Callable[[Cell], Text]
    right: bool = False
    gap: int = 1


def columns(width: int, windows_ms: Sequence[int], window_ms: int) -> Sequence[Column]:
    """The columns of a table of this width. `windows_ms` have a column of availability; `window_ms` is the chosen window.

    Before the columns, a line has two cells for the cursor and the glyph of the state.
    """
    wide, ratio = width >= ROOMY, 6 if width >= ROOMY else 5
    found = [
        Column("state", "STATE", 15 if wide else 12, _state if wide else _brief_state),
        *(
            Column(name, name, ratio, _availability(length_ms, 2 if wide else 1), right=True)
            for length_ms in windows_ms
            for name in (brief_window(length_ms),)
        ),
        Column("now", "NOW", 6, _now, right=True),
        Column("p50", "P50", 6, _response(lambda response: response.p50_us), right=True),
        Column("p95", "P95", 6, _response(lambda response: response.p95_us), right=True),
        _trend_column(width, window_ms),
    ]
    found = [column for column in found if width >= NEEDS.get(column.key, NEEDS["24h"])]
    left = max(1, width - 3 - sum(column.gap + column.width for column in found))
    if width < NEEDS["why"]:
        return [Column("site", "SITE", left, _site, gap=1), *found]
    name = min(MOST_NAME, max(LEAST_NAME, int((left - 2) * NAME_SHARE)))
    why = Column("why", "WHY", max(1, left - 2 - name), _why, gap=2)
    return [Column("site", "SITE", name, _site, gap=1), *found, why]


def title_line(chosen: Sequence[Column]) -> Text:
    """The line of titles."""
    return _joined(Text("  "), [Text(column.title, "weak") for column in chosen], chosen)


def site_line(chosen: Sequence[Column], cell: Cell, marked: bool) -> Text:
    """The line of a site. `marked`: the cursor is on it."""
    state = cell.line.now.status.state
    begin = Text.assemble((">" if marked else " ", "title"), (GLYPHS[state], STATE_TOKENS[state]))
    return _joined(begin, [column.draw(cell) for column in chosen], chosen)


def state_text(state: State, text: str = "") -> Text:
    """A state as its glyph and its word, or its glyph and a text that contains the word."""
    return Text(f"{GLYPHS[state]} {text or state}", STATE_TOKENS[state])


def _joined(begin: Text, cells: Sequence[Text], chosen: Sequence[Column]) -> Text:
    line = begin.copy()
    for cell, column in zip(cells, chosen, strict=True):
        line.append(" " * column.gap)
        if column.key == "site":
            line.append_text(fit_name(cell.plain, column.width, str(cell.style)))
        else:
            line.append_text(fit(cell, column.width, column.right))
    return line


def _trend_column(width: int, window_ms: int) -> Column:
    marks = MARKS.get(window_ms, MOST_MARKS) if width >= LONG_TREND else SHORT_MARKS
    return Column("trend", f"TREND {brief_window(window_ms)}", marks, _trend(marks), gap=2)


def _site(cell: Cell) -> Text:
    row = cell.line.now
    return Text(label(row.host, row.name, row.location), "weak" if row.status.state in {State.UNKNOWN, State.PAUSED} else "")


def _state(cell: Cell) -> Text:
    return _state_since(cell, str(cell.line.now.status.state))


def _brief_state(cell: Cell) -> Text:
    state = cell.line.now.status.state
    return _state_since(cell, BRIEF_STATES.get(state, str(state)))


def _state_since(cell: Cell, word: str) -> Text:
    status = cell.line.now.status
    since = "" if status.since_ms is None else f" {brief_duration(cell.now_ms - status.since_ms)}"
    return Text(word + since, STATE_TOKENS[status.state])


def _availability(length_ms: int, decimals: int) -> Callable[[Cell], Text]:
    def draw(cell: Cell) -> Text:
        row = cell.line.row(length_ms)
        if row is None or row.availability is None:
            return Text("-", "weak")
        availability = row.availability
        style = "" if availability == 100 else "warning" if cell.line.now.status.state in HEALTHY else "bad"
        return Text(brief_percent(percent_text(availability, decimals)), style)

    return draw


def _now(cell: Cell) -> Text:
    """The mean of the newest mark with an answer, if the site answers now."""
    row = cell.line.now
    if row.status.state not in ANSWERING:
        return _time(None)
    return _time(next((mark.mean_us for mark in reversed(row.stats.trend) if mark.mean_us is not None), None))


def _response(part: Callable[[ResponseTimes], float]) -> Callable[[Cell], Text]:
    def draw(cell: Cell) -> Text:
        response = cell.row.stats.response
        return _time(None if response is None else part(response))

    return draw


def _time(time_us: float | None) -> Text:
    return Text(brief_seconds(time_us), "weak" if time_us is None else "")


def _trend(marks: int) -> Callable[[Cell], Text]:
    return lambda cell: sparkline(cell.row.stats.trend, cell.scale, marks)


def _why(cell: Cell) -> Text:
    """The reason of the failure or, without one, a warning that the certificate expires soon."""
    row = cell.line.now
    if row.detail:
        return Text(reason_text(row.detail).removeprefix("status "), "bad")
    due_ms = row.certificate_due_ms(cell.now_ms)
    if due_ms is None:
        return Text("")
    return Text("cert expired" if due_ms <= cell.now_ms else f"cert {(due_ms - cell.now_ms) // DAY_MS} d", "warning")
