"""Draws the live screen within the size of the terminal: one table of sites, incidents, and the site under the cursor."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.text import Text

from monitoring.display.drawing.brief import brief_window, clock_text
from monitoring.display.drawing.columns import Cell, Column, columns, site_line, state_text, title_line
from monitoring.display.drawing.events import counts_text, event_lines, events, unmeasured_note
from monitoring.display.drawing.grid import beside, bounded, heading, marked, wrapped
from monitoring.display.drawing.pane import forecast_text, pane_lines
from monitoring.display.drawing.sparkline import Scale
from monitoring.display.view_model.ranking import by_state, state_counts, states_text
from monitoring.display.view_model.values import SiteKey, SiteRow, View
from monitoring.display.view_model.viewing import Choice, SiteLine, SiteList, older_windows, place_of
from monitoring.display.words import (
    GLYPHS,
    label,
    local_text,
    plural,
    reason_text,
    source_text,
)
from monitoring.names import printable

WITH_PANE = 150
"""From this width on, the site under the cursor has a pane."""

PANE_SHARE = 0.31
PANE_WIDTHS = (48, 76)
SEPARATOR = " │ "

WITH_FOOTER = 8
"""From this height on, the last line names the keys."""

NOWHERE: SiteKey = ("", "")
"""The cursor if it is not shown."""

REASON_LINES = 2

LEAST_EVENTS = 2
"""The least number of lines for incidents: the heading and the newest one."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a person has chosen: sites, cursor (None: the worst site), and `top`, the first line of the table to show."""

    choice: Choice = field(default_factory=Choice)
    cursor: SiteKey | None = None
    top: int = 0


@dataclass(frozen=True, slots=True)
class Drawing:
    """The drawn lines, and what they show: `keys` are all sites in order, of which `page` are shown from index `top` on.

    `first` is the line of the first site on the screen.
    """

    lines: Sequence[Text]
    keys: Sequence[SiteKey] = ()
    top: int = 0
    page: int = 0
    first: int = 0


def draw_screen(
    seen: View,
    look: Look,
    windows_ms: Sequence[int],
    width: int,
    height: int,
    footer: Text | None = None,
    sites: SiteList | None = None,
) -> Drawing:
    """The whole screen: at most `height` lines of at most `width` cells. `windows_ms` have a column of availability.

    If there is no room for everything, the least important is left out first: older incidents, good sites, the keys.
    `sites` are those of `seen`, for a caller that draws it more than once.
    """
    sites = sites or SiteList(seen.reports)
    lines = sites.chosen(look.choice)
    left, pane_width = _widths(width) if lines else (width, 0)
    table_columns = columns(left, windows_ms, look.choice.window_ms)
    ages = _ages_text(seen, None if pane_width else {column.key for column in table_columns})
    head = _head_lines(seen, look, width, ages)[: max(1, height // 3)]
    foot = [footer] if footer and height >= WITH_FOOTER else []
    room = max(0, height - len(head) - len(foot))
    incidents = _incident_lines(seen, sites.lines, left, room)
    if not lines:
        body, top, page = [Text(f" {_nothing(seen, look)}", "weak"), *incidents], 0, 0
    else:
        table = _Table(lines, look, seen, table_columns, left)
        reason = _reason_lines(table.under_cursor.now, left) if not pane_width and height >= WITH_FOOTER else []
        body, top, page = table.above(reason, incidents, room)
        if pane_width:
            pane = pane_lines(table.under_cursor, look.choice.window_ms, seen.now_ms, pane_width, room)
            body = beside(body[:room], pane, left, Text(SEPARATOR, "weak"))
    body += [Text("")] * (room - len(body)) if foot else []
    whole = bounded([*head, *body[:room], *foot], width, height)
    return Drawing(whole, [line.key for line in lines], top, page, len(head) + 1)


def draw_all(seen: View, width: int) -> Sequence[Text]:
    """All sites and all incidents in the windows that have been read, without a limit of lines."""
    lengths = [report.length_ms for report in seen.reports]
    look = Look(Choice(window_ms=min(lengths, default=Choice().window_ms)), cursor=NOWHERE)
    room = sum(len(report.rows) for report in seen.reports) + len(seen.alerts) + len(seen.ongoing) + 100
    return draw_screen(seen, look, lengths, min(width, WITH_PANE - 1), room).lines


def _widths(width: int) -> tuple[int, int]:
    """The widths of the table and of the pane beside it; 0: there is no pane."""
    if width < WITH_PANE:
        return width, 0
    least, most = PANE_WIDTHS
    pane_width = min(most, max(least, int(width * PANE_SHARE)))
    return width - pane_width - len(SEPARATOR), pane_width


def _nothing(seen: View, look: Look) -> str:
    if not seen.reports:
        return seen.absence
    choice = look.choice
    if choice.wanted or choice.location is not None:
        return "no site of this filter has a fault" if choice.only_faults else "no site fits this filter"
    return "no site has a fault" if choice.only_faults else "no sites"


def _head_lines(seen: View, look: Look, width: int, ages: str) -> list[Text]:
    """The head: the number of sites in each state, the window, the time, the store, and notes."""
    source = source_text(seen.header.source, seen.header.why) + ages
    notes = [line for note in seen.notes for line in marked("!", printable(note), "warning", width)]
    sites, right = _sites_and_clock(seen, look, width)
    spare = width - sites.cell_len - len(right)
    together = f" · {source}"
    if len(together) + 2 <= spare:
        return [Text.assemble(sites, (together, "weak"), " " * (spare - len(together)), (right, "weak")), *notes]
    first = Text.assemble(sites, " " * max(0, spare), (right, "weak"))
    return [first, *(Text(f" {line}", "weak") for line in wrapped(source, width - 1)), *notes]


def _sites_and_clock(seen: View, look: Look, width: int) -> tuple[Text, str]:
    """The first line's left and right part. If there is no room for both, the states lose their words, not the clock."""
    clock = clock_text(seen.now_ms)
    live = local_text(seen.now_ms) if look.cursor == NOWHERE else f"{brief_window(look.choice.window_ms)}  {clock}"
    counts = state_counts(seen.reports[0].rows) if seen.reports else ()
    sites = Text()
    for has_words in (True, False):
        sites = Text.assemble(" ", (plural(seen.header.sites, "site"), "title"))
        for state, count in counts:
            sites.append("  ").append_text(state_text(state, f"{count} {state}" if has_words else str(count)))
        if look.choice.only_faults:
            sites.append("  only faults", "title")
        for right in (live, clock, clock[:8]):
            if width - sites.cell_len - len(right) >= 2:
                return sites, right
    return sites, ""


def _ages_text(seen: View, shown: Collection[str] | None) -> str:
    """The ages of windows that are older than the newest, because their numbers may contradict each other.

    `shown` are the names of the windows on the screen; None: all are.
    """
    older = older_windows({report.length_ms: report.window.until_ms for report in seen.reports})
    by_end: dict[str, list[str]] = {}
    for length_ms, end_ms in older.items():
        if shown is None or brief_window(length_ms) in shown:
            by_end.setdefault(clock_text(end_ms)[:8], []).append(brief_window(length_ms))
    said = [f"{' '.join(windows)} of {end}" for end, windows in by_end.items()]
    return f" · {', '.join(said)}" if said else ""


def _reason_lines(row: SiteRow, width: int) -> list[Text]:
    """Why the site under the cursor fails, for a screen without a pane."""
    if not row.detail:
        return []
    said = wrapped(f"{label(row.host, row.name, row.location)}: {reason_text(row.detail)}", width - 2)
    return [Text(f"  {line}", "bad") for line in said[:REASON_LINES]]


def _incident_lines(seen: View, every: Sequence[SiteLine], width: int, room: int) -> list[Text]:
    """The number of incidents, and as many of them as fit."""
    rows: Mapping[SiteKey, SiteRow] = {line.key: line.now for line in every}
    names = {**seen.header.names, **{row.host: row.name for row in rows.values()}}

    known_until = seen.unmeasured

    def outlook(key: SiteKey) -> str:
        """The remark on an open outage: its forecast or, if the site is no longer measured, since when."""
        if key in known_until:
            return unmeasured_note(known_until[key], seen.now_ms)
        return forecast_text(rows[key]) if key in rows else ""

    found = events(seen, outlook)
    lines = event_lines(found[:room], names, seen.now_ms, width, known_until)
    return [heading(" INCIDENTS", counts_text(found, seen.now_ms)), *lines]


class _Table:
    """The table of sites, scrolled so that the cursor is visible."""

    def __init__(self, lines: Sequence[SiteLine], look: Look, seen: View, chosen: Sequence[Column], width: int) -> None:
        self._lines = lines
        self._width = width
        self._look = look
        self._now_ms = seen.now_ms
        self._columns = chosen
        self._place = place_of(look.cursor, [line.key for line in lines])

    @property
    def under_cursor(self) -> SiteLine:
        return self._lines[self._place]

    def lines(self, room: int) -> tuple[list[Text], int, int]:
        """The lines that fit, the index of the first site shown, and the number of sites shown."""
        count = len(self._lines)
        page = max(1, room - 1 if count <= room - 1 else room - 2)
        top = min(max(self._look.top, self._place - page + 1), self._place, max(0, count - page))
        shown = self._lines[top : top + page]
        window_ms = self._look.choice.window_ms
        scale = Scale.of(line.shown(window_ms).stats.trend for line in shown)
        drawn = [
            site_line(
                self._columns,
                Cell(line, window_ms, self._now_ms, scale),
                self._look.cursor != NOWHERE and line is self.under_cursor,
            )
            for line in shown
        ]
        hidden = [*self._lines[:top], *self._lines[top + page :]]
        rest = [Text(f" {_rest_text(hidden, top, self._width - 1)}", "weak")] if hidden else []
        return [title_line(self._columns), *drawn, *rest][: max(0, room)], top, page

    def above(self, reason: Sequence[Text], incidents: Sequence[Text], room: int) -> tuple[list[Text], int, int]:
        """The same with what stands below the table, of which some incidents stay whatever the number of sites."""
        most = max(room - len(incidents), room - max(LEAST_EVENTS, room // 3)) if room > LEAST_EVENTS else room
        drawn, top, page = self.lines(most - len(reason))
        return [*drawn, *reason, *incidents], top, page


def _rest_text(hidden: Sequence[SiteLine], above: int, width: int) -> str:
    """ "… 2 more, all up"; "… 12 more (3 above): 1 failing, 11 up"; "… 9 above, all up"; "… 12 more: ▲ 1  ● 11"."""
    counts = by_state(line.now.status.state for line in hidden)
    more = f"… {len(hidden)} more" + (f" ({above} above)" if above else "")
    more = f"… {above} above" if above == len(hidden) else more
    said = f"{more}{states_text(counts)}"
    if len(counts) == 1 or cell_len(said) <= width:
        return said
    return f"{more}: {'  '.join(f'{GLYPHS[state]} {count}' for state, count in counts)}"
