"""Draws the live screen and the closing one, within the size of the terminal."""

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Group, RenderableType
from rich.text import Text

from monitoring.display.grid import DIM, Column, bounded, marked, row_line, title_line, total, value, wrapped
from monitoring.display.plain import CLOSING_ROWS, run_text
from monitoring.display.ranking import (
    closing_rest_text,
    closing_shown_and_rest,
    longest_outages,
    shown_and_rest,
    state_counts,
)
from monitoring.display.table import Block, state_text, table_lines
from monitoring.display.values import Closing, ClosingRow, StatsReport, View
from monitoring.display.words import (
    NOTHING,
    WAITING,
    alert_detail,
    alert_sentence,
    duration_text,
    label,
    ongoing_text,
    percent_text,
    plural,
    printable,
    source_text,
    time_text,
    with_sign,
)
from monitoring.models import Alert, AlertType

ALERT_LOOKS = {AlertType.ALERT: ("✖", "red"), AlertType.RECOVERY: ("✔", "green")}

LEAST_TABLE = 6
"""Two tables are shown only if each has so many lines: one blank, titles, three sites, the rest."""

LEAST_ALERTS = 4
"""With so many lines, the alerts have a title and a blank line above it."""

ROOMY = 14
"""On a screen of so many lines, blank lines separate its parts."""


def render_screen(view: View, width: int, height: int) -> RenderableType:
    """The whole screen: at most `height` lines of at most `width` cells, for a terminal of just that size.

    What does not fit is left out, the least important first: blank lines, the longer window, good sites, older alerts.
    """
    head = _head_lines(view, width)[: max(1, height // 3)]
    room = height - len(head)
    tables_want = sum(2 + max(1, len(report.rows)) for report in view.reports) or 2
    alerts_want = len(_alert_lines(view, width, height))
    alerts = _alert_lines(view, width, max(room - tables_want, min(alerts_want, max(LEAST_ALERTS - 1, room // 3))))
    tables = _table_part(view, width, room - len(alerts), spaced=height >= ROOMY)
    return Group(*bounded([*head, *tables, *alerts], width, height))


def render_closing(closing: Closing, width: int) -> RenderableType:
    """The summary of a run: what is still down, the run, its sites, its alerts, its notes, and where all of it lies."""
    shown, rest = closing_shown_and_rest(closing.rows, CLOSING_ROWS)
    lines = [line for alert in closing.still_down for line in _still_down(alert, closing, width)]
    lines += [Text(line, "bold") for line in wrapped(f"Monitored {run_text(closing)}", width)]
    lines += _closing_table(closing, shown, width)
    lines += [Text(f"… and {closing_rest_text(rest)}", DIM)] if rest else []
    lines += [line for alert in closing.past for line in _alert_text(alert, closing.names.get(alert.host), width)]
    lines += [line for note in closing.notes for line in marked("!", note, "yellow", width)]
    lines += [Text(line, DIM) for line in wrapped(closing.stored, width)] if closing.stored else []
    return Group(*bounded(lines, width, len(lines)))


def history_text(alert: Alert, name: str | None) -> Text:
    """A state change in the history of alerts: the sentence, and the details below it."""
    mark, style = ALERT_LOOKS[alert.type]
    sentence = alert_sentence(alert, label(alert.host, name))
    return Text.assemble((f"{mark} {sentence}", style), (f"\n  {alert_detail(alert)}", DIM))


def _head_lines(view: View, width: int) -> list[Text]:
    """How many sites are in which state, the time, the source of the numbers, and notes; in one line if they fit."""
    header = view.header
    sites, source = Text(plural(header.sites, "site"), "bold"), source_text(header.source, header.why)
    right = _now_line(view, width - sites.cell_len - 2)
    notes = [line for note in header.notes for line in marked("!", printable(note), "yellow", width)]
    together = Text.assemble(sites, (f" · {source}", DIM))
    if together.cell_len + 2 + right.cell_len <= width:
        return [_ends(together, right, width), *notes]
    return [_ends(sites, right, width), *(Text(line, DIM) for line in wrapped(source, width)), *notes]


def _now_line(view: View, room: int) -> Text:
    """How many sites are in each state, and as much of date and time as there is room for."""
    states, now = Text("  ").join(_state_texts(view.reports)), time_text(view.now_ms)[:19] + "Z"
    for stamp in (now, now[11:]):
        whole = Text.assemble(states, "  ", (stamp, DIM))
        if whole.cell_len <= room:
            return whole
    return states


def _state_texts(reports: Sequence[StatsReport]) -> list[Text]:
    counts = state_counts(reports[0].rows) if reports else []
    return [state_text(state, f"{count} {state}") for state, count in counts]


def _ends(left: Text, right: Text, width: int) -> Text:
    return Text.assemble(left, " " * max(2, width - left.cell_len - right.cell_len), right)


def _table_part(view: View, width: int, room: int, spaced: bool) -> list[Text]:
    """The tables in at most `room` lines, each with a blank line above if the screen is `spaced`."""
    above = [Text("")] if spaced else []
    if not view.reports:
        return [*above, Text(WAITING, DIM)]
    blocks = _blocks(view.reports, room, 1 + len(above))
    return [line for lines in table_lines(blocks, view.now_ms, width) for line in [*above, *lines]]


def _blocks(reports: Sequence[StatsReport], room: int, top: int) -> list[Block]:
    """What each table shows if it has `top` lines above its rows; only the first where two would be too short."""
    least = sum(min(LEAST_TABLE, top + len(report.rows)) for report in reports)
    blocks, left = [], room
    chosen = reports if room >= least else reports[:1]
    for place, report in enumerate(chosen):
        shown, rest = shown_and_rest(report.rows, left // (len(chosen) - place) - top)
        blocks.append(Block(report, shown, rest))
        left -= top + len(shown) + bool(rest)
    return blocks


def _alert_lines(view: View, width: int, room: int) -> list[Text]:
    """Open outages and the newest state changes in at most `room` lines; the newest state change is shown in any case."""
    none = "" if view.past or view.ongoing else "  none"
    title = [Text(""), Text.assemble(("Alerts", "bold"), (none, DIM))]
    title = title[max(0, LEAST_ALERTS - room) :]
    left = room - len(title)
    newest = _newest(view, width, left - min(len(view.ongoing), left // 2))
    ongoing = _ongoing(view, width, left - len(newest))
    return [*title, *ongoing, *_newest(view, width, left - len(ongoing))][: max(0, room)]


def _ongoing(view: View, width: int, room: int) -> list[Text]:
    """The open outages, those that last longest first, whole or summed up."""
    texts = [_ongoing_text(alert, view, width) for alert in view.ongoing[: max(0, room)]]
    lines: list[Text] = []
    for place, text in enumerate(texts):
        more = len(view.ongoing) - place - 1
        if len(lines) + len(text) + bool(more) > room:
            return [*lines, Text(f"✖ {more + 1} {'more ' if place else ''}ongoing", "bold red")][: max(0, room)]
        lines += text
    return lines


def _newest(view: View, width: int, room: int) -> list[Text]:
    """The state changes that fit into `room` lines, newest last; always the newest one."""
    lines: list[Text] = []
    for alert in reversed(view.past):
        text = _alert_text(alert, _name_of(alert, view), width)
        if lines and len(lines) + len(text) > room:
            break
        lines = [*text, *lines]
    return lines


def _alert_text(alert: Alert, name: str | None, width: int) -> list[Text]:
    mark, style = ALERT_LOOKS[alert.type]
    return marked(mark, alert_sentence(alert, _called(alert, name, width)), style, width)


def _ongoing_text(alert: Alert, view: View, width: int) -> list[Text]:
    row = view.row_of(alert)
    called = _called(alert, row.name if row else None, width)
    return marked("✖", ongoing_text(alert, view.now_ms, called, row.measured_until_ms if row else None), "bold red", width)


def _still_down(alert: Alert, closing: Closing, width: int) -> list[Text]:
    called = _called(alert, closing.names.get(alert.host), width)
    return marked("✖", f"Still down: {ongoing_text(alert, closing.ended_ms, called)}", "bold red", width)


def _name_of(alert: Alert, view: View) -> str | None:
    return row.name if (row := view.row_of(alert)) else None


def _called(alert: Alert, name: str | None, width: int) -> str:
    """A name longer than a line is cut, so that the rest of its sentence stays on the screen."""
    called, limit = label(alert.host, name), max(2, width - 3)
    return called if cell_len(called) <= limit else set_cell_size(called, limit - 1) + "…"


def _closing_table(closing: Closing, rows: Sequence[ClosingRow], width: int) -> list[Text]:
    columns = _closing_columns(closing, rows)
    widths = [column.width for column in columns]
    widths[0] = max(8, min(widths[0], width - total(widths[1:]) - 2))
    name = Text(" " * widths[0])
    lines = [row_line(columns, widths, index) for index in range(len(rows))]
    return [title_line(name, columns[1:], widths[1:]), *lines]


def _closing_columns(closing: Closing, rows: Sequence[ClosingRow]) -> list[Column]:
    outages = longest_outages(closing.alerts, closing.ended_ms)
    texts = [_closing_texts(closing, row, outages.get(row.host)) for row in rows]
    titles = ("", "avail", "cover", "checks", "incidents", "longest outage")
    return [
        Column(title, tuple(value(text[place]) for text in texts), right=place > 0, both_ends=place == 0)
        for place, title in enumerate(titles)
    ]


def _closing_texts(closing: Closing, row: ClosingRow, outage_ms: int | None) -> tuple[str, ...]:
    return (
        label(row.host, row.name),
        with_sign(percent_text(row.availability)),
        with_sign(percent_text(closing.coverage(row), decimals=0)),
        str(row.checks),
        str(row.incidents),
        NOTHING if outage_ms is None else duration_text(outage_ms),
    )
