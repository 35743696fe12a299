"""Draws a state and a snapshot as the lines of a screen. Pure: no terminal, no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

from rich.cells import cell_len
from rich.text import Text

from monitoring.display.drawing.columns import ROOMY
from monitoring.display.drawing.events import Event, event_lines, events_of, unmeasured_note
from monitoring.display.drawing.grid import bounded, fit, heading, keys_line, marked, wrapped
from monitoring.display.drawing.guide import term_lines
from monitoring.display.drawing.screen import Look, draw_screen
from monitoring.display.drawing.site_screen import SiteView, site_screen
from monitoring.display.text.explanation import explanation_lines
from monitoring.display.view_model.incidents import Incident
from monitoring.display.view_model.overview import last_data
from monitoring.display.view_model.values import SiteKey, View
from monitoring.display.view_model.viewing import Order, SiteLine, SiteList
from monitoring.display.words import label, local_text, local_time, plural, window_text
from monitoring.models import State as SiteState
from monitoring.names import printable
from monitoring.units import DAY_MS
from monitoring.viewer.keys import help_parts
from monitoring.viewer.snapshot import Snapshot
from monitoring.viewer.state import Place, Scene, State, cursor_line

RECENT_MS = DAY_MS
"""The age up to which incidents are shown below the list of sites."""
MONTH_MS = 30 * DAY_MS
MOST_EVENTS = 1_000
"""How many incidents to list, newest ones."""

WITH_HINT = 3
"""From this height on, a text that goes on says so in its last line."""

FOOTERS: Mapping[Place, str] = {
    Place.SITES: "? help  / filter  ! faults  s sort  w window  enter site  a incidents  q quit",
    Place.SITE: "esc back  w window  ← → time  e explain  a incidents  y copy  ? help  q quit",
    Place.INCIDENTS: "esc back  enter site  e explain  y copy  ? help  q quit",
    Place.EXPLANATION: "esc back  ← → time  y copy  ? help  q quit",
    Place.HELP: "esc back  q quit",
}


@dataclass(frozen=True, slots=True)
class Frame:
    """The lines of a screen, and what keys and clicks on it act on.

    `rows` maps lines of the screen to lines of the list; `cursor` is the line of the list with the cursor. `copied` is what
    the key for copying takes: the line with the cursor, or the whole text.
    """

    lines: Sequence[Text]
    scene: Scene
    rows: Mapping[int, int] = field(default_factory=dict)
    cursor: int | None = None
    copied: Sequence[Text] = ()

    @property
    def kept(self) -> Sequence[Text]:
        """The lines that stay in the terminal: without the keys and without blank lines at the end."""
        lines = list(self.lines[:-1])
        while lines and not lines[-1].plain.strip():
            lines.pop()
        return lines


class Renderer:
    """Draws one snapshot as often as needed. Expensive parts are computed once."""

    def __init__(self, snapshot: Snapshot, windows_ms: Sequence[int]) -> None:
        self.snapshot = snapshot
        self._windows_ms = windows_ms

    @property
    def view(self) -> View:
        return self.snapshot.overview.view

    @cached_property
    def lines(self) -> Mapping[SiteKey, SiteLine]:
        """The lines of the list of sites, by site."""
        return {line.key: line for line in self.sites.lines}

    @cached_property
    def sites(self) -> SiteList:
        return SiteList(self.view.reports)

    @cached_property
    def names(self) -> Mapping[str, str | None]:
        """The configured names by host."""
        return {host: site.name for host, site in self.snapshot.sites.items()}

    @cached_property
    def events(self) -> Sequence[Event]:
        """The newest incidents, open ones first."""
        return events_of(self.snapshot.overview.incidents[:MOST_EVENTS], self._unmeasured_text)

    def _unmeasured_text(self, key: SiteKey) -> str:
        """The remark on an open outage of a site that is no longer measured; "" if it is."""
        until_ms = self.snapshot.overview.measured_until_ms(key)
        return "" if until_ms is None else unmeasured_note(until_ms, self.view.now_ms)

    @cached_property
    def locations(self) -> Sequence[str]:
        return sorted({row.location for row in self.snapshot.overview.rows})

    @cached_property
    def recent(self) -> View:
        """The view with the alerts of the past day."""
        from_ms = self.view.now_ms - RECENT_MS
        recent = [it for it in self.snapshot.overview.incidents if it.is_open or it.last.time_ms >= from_ms]
        alerts = [alert for it in recent for alert in (it.alert, it.recovery) if alert]
        return replace(self.view, alerts=tuple(sorted(alerts, key=lambda alert: alert.time_ms)))

    def frame(self, state: State, width: int, height: int) -> Frame:
        """The screen in this size."""
        banner = self._banner(state, width)
        footer = _footer(state, width)
        room = max(1, height - len(banner) - 1)
        if state.place is Place.SITES:
            return self._sites(state, banner, footer, width, height)
        head = self._head(state)
        scene = self._scene(page=max(1, room - len(head)))
        if state.place is Place.INCIDENTS:
            return self._list(state, [*banner, *head], footer, scene, width, height)
        text = self._text(state, width)
        scroll = max(0, min(state.scroll, len(text) - scene.page))
        shown = list(text[scroll : scroll + scene.page])
        hidden = len(text) - scroll - len(shown)
        if hidden and scene.page >= WITH_HINT:
            shown[-1] = Text(f" {plural(hidden + 1, 'more line')}: ↓", "weak")
        lines = [*banner, *head, *shown, *[Text("")] * (scene.page - len(shown)), footer]
        return Frame(bounded(lines, width, height), replace(scene, length=len(text)), copied=text)

    def _scene(self, page: int) -> Scene:
        incidents = [event.last for event in self.events]
        return Scene(
            incidents=incidents,
            locations=self.locations,
            windows_ms=self._windows_ms,
            clock_ms=self.snapshot.clock_ms or self.view.now_ms,
            page=page,
        )

    # The sites

    def _sites(self, state: State, banner: Sequence[Text], footer: Text, width: int, height: int) -> Frame:
        look = Look(state.choice, state.cursor, state.scroll)
        room = max(1, height - len(banner))
        shown = shown_windows(self._windows_ms, width)
        drawing = draw_screen(self.recent, look, shown, width, room, footer, self.sites)
        first = drawing.first + len(banner)
        rows = {first + place: drawing.top + place for place in range(min(drawing.page, len(drawing.keys) - drawing.top))}
        scene = replace(self._scene(page=drawing.page), keys=drawing.keys)
        cursor = cursor_line(state, scene)
        lines = bounded([*banner, *drawing.lines], width, height)
        return Frame(lines, scene, rows, cursor, [lines[y] for y, line in rows.items() if line == cursor and y < len(lines)])

    # The incidents

    def _list(self, state: State, head: Sequence[Text], footer: Text, scene: Scene, width: int, height: int) -> Frame:
        cursor = cursor_line(state, scene)
        top = max(0, min(cursor - scene.page // 2, len(self.events) - scene.page))
        shown = self.events[top : top + scene.page]
        drawn = event_lines(shown, self.names, self.view.now_ms, width, self.snapshot.overview.unmeasured)
        lines = [_with_cursor(line, top + place == cursor, width) for place, line in enumerate(drawn)]
        lines = lines or [Text(" no incidents so far" if self.view.reports else f" {self.view.absence}", "weak")]
        rows = {len(head) + place: top + place for place in range(len(drawn))}
        whole = [*head, *lines, *[Text("")] * (scene.page - len(lines)), footer]
        return Frame(bounded(whole, width, height), scene, rows, cursor, drawn[cursor - top : cursor - top + 1])

    # Texts

    def _head(self, state: State) -> list[Text]:
        if state.place is Place.EXPLANATION:
            facts = self.snapshot.facts_of(state.site)
            at_ms = facts.at_ms if facts and facts.at_ms else self.view.now_ms
            return [heading(" EXPLANATION", f"at {local_text(at_ms)}"), Text("")]
        if state.place is Place.INCIDENTS:
            still_open = sum(it.is_open for it in self.snapshot.overview.incidents)
            found = f"{len(self.snapshot.overview.incidents)} recorded, {still_open} open"
            return [heading(" INCIDENTS", found), Text("")]
        return []

    def _text(self, state: State, width: int) -> Sequence[Text]:
        if state.place is Place.HELP:
            return _help(width)
        if state.place is Place.SITE:
            return self._site(state, width)
        return self._explanation(state, width)

    def _site(self, state: State, width: int) -> Sequence[Text]:
        line = self.lines.get(state.site) if state.site else None
        if line is None:
            return [Text(f" {self._absence(state)}", "weak")]
        facts = self.snapshot.facts_of(state.site)
        seen = SiteView(
            line,
            state.choice.window_ms,
            self.view.now_ms,
            facts.checks if facts else (),
            facts.explanation if facts else None,
            events_of(self._incidents_of(line.key), self._unmeasured_text),
            (facts.error or "") if facts else "",
            facts.hours if facts else (),
            {report.length_ms: report.window.until_ms for report in self.view.reports},
        )
        return site_screen(seen, width)

    def _incidents_of(self, key: SiteKey) -> Sequence[Incident]:
        from_ms = self.view.now_ms - MONTH_MS
        return [
            it for it in self.snapshot.overview.incidents if it.key == key and (it.is_open or it.last.time_ms >= from_ms)
        ]

    def _explanation(self, state: State, width: int) -> Sequence[Text]:
        facts = self.snapshot.facts_of(state.site)
        if facts is None or (facts.explanation is None and facts.error is None):
            return [Text(" reading …", "weak")]
        if facts.explanation is None:
            return [Text(f" {printable(facts.error or '')}", "warning")]
        source = self.view.header.source
        location = state.site[1] if state.site else ""
        found = explanation_lines(facts.explanation, location, source, partial(_moment_text, facts.explanation.at_ms))
        return [Text(f" {part}") for line in found for part in (_folded(line, width - 1) or [""])]

    def _absence(self, state: State) -> str:
        """Why nothing is known of the site on the screen."""
        if not self.view.reports:
            return self.view.absence
        return f"{label(state.site[0], None)} is not configured any more" if state.site else "no site"

    # The frame around it

    def _banner(self, state: State, width: int) -> list[Text]:
        """What a person must not overlook: that the past is shown, a pause, old data, a filter."""
        lines = []
        if self.snapshot.at_ms is not None or state.at_ms is not None:
            at_ms = self.snapshot.at_ms if state.at_ms is None else state.at_ms
            reading = "" if self.snapshot.at_ms == state.at_ms and self.snapshot.is_complete else "  reading …"
            when = local_text(at_ms or self.view.now_ms)
            lines.append(fit(Text(f" PAST  {when}  {window_text(state.choice.window_ms)}{reading}", "past"), width))
        if state.is_paused:
            lines.append(fit(Text(f" PAUSED  {local_text(self.view.now_ms)}  p: go on", "past"), width))
        if self._is_old(state):
            lines += marked("!", f"nothing new was measured{last_data(self.snapshot.overview)}", "warning", width)
        if choice := _choice_text(state):
            lines.append(Text(f" {choice}", "weak"))
        return bounded(lines, width, 4)

    def _is_old(self, state: State) -> bool:
        """Are the data too old to show the present?"""
        rows = [row for row in self.snapshot.overview.rows if row.status.state is not SiteState.PAUSED]
        is_live = self.snapshot.at_ms is None and state.at_ms is None
        return is_live and bool(rows) and all(row.status.state is SiteState.UNKNOWN for row in rows)


def shown_windows(windows_ms: Sequence[int], width: int, *, of_one_site: bool = False) -> Sequence[int]:
    """The windows on the screen beside the chosen one: 10m, 1h, 24h, and 30d if there is room; for one site all."""
    if of_one_site:
        return windows_ms
    return [it for it in windows_ms if it <= DAY_MS or (it == MONTH_MS and width >= ROOMY)]


def _choice_text(state: State) -> str:
    """The filter, location and order of the list, if they are not the usual ones."""
    choice, said = state.choice, []
    if state.place is not Place.SITES:
        return ""
    if choice.wanted:
        said.append(f"filter: {printable(choice.wanted)}")
    if choice.location is not None:
        said.append(f"location: {printable(choice.location) or 'without a name'}")
    if choice.order is not Order.STATE or choice.is_reversed:
        said.append(f"sorted by {choice.order}{', reversed' if choice.is_reversed else ''}")
    return "  ".join(said)


def _moment_text(now_ms: int, moment_ms: int) -> str:
    """A moment, without its date if that is the same as that of now."""
    moment, now = local_time(moment_ms), local_time(now_ms)
    return f"{moment:%H:%M:%S}" if moment.date() == now.date() else f"{moment:%d %b %H:%M:%S}"


def _footer(state: State, width: int) -> Text:
    if state.prompt:
        return _prompt_line(f" {state.prompt.kind}: ", printable(state.prompt.text), width)
    if state.message:
        return fit(Text(f" {printable(state.message)}", "title"), width)
    return keys_line(FOOTERS[state.place], width)


def _prompt_line(before: str, text: str, width: int) -> Text:
    """The prompt with the end of the typed text, and the cursor."""
    room = max(1, width - len(before) - 1)
    while cell_len(text) > room:
        text = text[1:]
    return Text.assemble((before, "title"), text, (" ", "cursor"))


def _with_cursor(line: Text, is_marked: bool, width: int) -> Text:
    if not is_marked:
        return line
    shown = fit(line, width)
    shown.plain = ">" + shown.plain[1:]
    shown.stylize("title")
    return shown


def _help(width: int) -> Sequence[Text]:
    lines: list[Text] = []
    for title, terms in help_parts().items():
        lines += [*([Text("")] if lines else []), Text(f" {title}", "title"), *term_lines(terms, width)]
    return lines


def _folded(line: str, width: int) -> list[str]:
    """A long line, wrapped with its indentation."""
    indent = len(line) - len(line.lstrip())
    if cell_len(line) <= width:
        return [line]
    return [f"{' ' * indent}{part}" for part in wrapped(line, max(8, width - indent))]
