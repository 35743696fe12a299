"""Draws the summary that stays on the terminal after a run."""

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Group, RenderableType
from rich.text import Text

from monitoring.display.drawing.grid import Column, bounded, marked, row_line, title_line, total, value, wrapped
from monitoring.display.text.plain import CLOSING_ROWS, run_text
from monitoring.display.view_model.ranking import closing_rest_text, closing_shown_and_rest, longest_outages
from monitoring.display.view_model.values import Closing, ClosingRow
from monitoring.display.words import (
    NOTHING,
    alert_detail,
    alert_sentence,
    duration_text,
    label,
    ongoing_text,
    percent_text,
    whole_percent_text,
    with_sign,
)
from monitoring.models import Alert, AlertType

ALERT_LOOKS = {AlertType.ALERT: ("✖", "bad"), AlertType.RECOVERY: ("✔", "good")}


def render_closing(closing: Closing, width: int) -> RenderableType:
    """The summary of a run: open outages, the run, its sites, alerts and notes, and where all is stored."""
    shown, rest = closing_shown_and_rest(closing.rows, CLOSING_ROWS)
    lines = [line for alert in closing.still_down for line in _still_down(alert, closing, width)]
    lines += [Text(line, "title") for line in wrapped(f"Monitored {run_text(closing)}", width)]
    lines += _closing_table(closing, shown, width)
    lines += [Text(f"… and {closing_rest_text(rest)}", "weak")] if rest else []
    lines += [line for alert in closing.past for line in _alert_text(alert, closing.names.get(alert.host), width)]
    lines += [line for note in closing.notes for line in marked("!", note, "warning", width)]
    lines += [Text(line, "weak") for line in wrapped(closing.stored, width)] if closing.stored else []
    return Group(*bounded(lines, width, len(lines)))


def history_text(alert: Alert, name: str | None) -> Text:
    """A state change in the history of alerts: the sentence, and the details below it."""
    mark, style = ALERT_LOOKS[alert.type]
    sentence = alert_sentence(alert, label(alert.host, name))
    return Text.assemble((f"{mark} {sentence}", style), (f"\n  {alert_detail(alert)}", "weak"))


def _alert_text(alert: Alert, name: str | None, width: int) -> list[Text]:
    mark, style = ALERT_LOOKS[alert.type]
    return marked(mark, alert_sentence(alert, _called(alert, name, width)), style, width)


def _still_down(alert: Alert, closing: Closing, width: int) -> list[Text]:
    called = _called(alert, closing.names.get(alert.host), width)
    return marked("✖", f"Still down: {ongoing_text(alert, closing.ended_ms, called)}", "state.down", width)


def _called(alert: Alert, name: str | None, width: int) -> str:
    """The name of a site, cut to a line, so that the rest of the sentence stays on the screen."""
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
        with_sign(whole_percent_text(closing.coverage(row))),
        str(row.checks),
        str(row.incidents),
        NOTHING if outage_ms is None else duration_text(outage_ms),
    )
