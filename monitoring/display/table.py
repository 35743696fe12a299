"""The statistics of windows as a table that drops columns as the terminal narrows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text

from monitoring.display.grid import DIM, GAP, Column, fit, row_line, title_line, total, value
from monitoring.display.ranking import rest_text
from monitoring.display.sparkline import sparkline
from monitoring.display.values import SiteRow, StatsReport
from monitoring.display.words import (
    GLYPHS,
    NOTHING,
    counts_text,
    duration_text,
    label,
    percent_text,
    seconds_text,
    telling_text,
    window_text,
    with_sign,
)
from monitoring.models import ResponseTimes, State

STYLES = {
    State.UP: "green",
    State.FAILING: "yellow",
    State.DOWN: "bold red",
    State.RECOVERING: "cyan",
    State.UNKNOWN: DIM,
    State.PAUSED: "dim",
}
"""The style of each state."""

ESSENTIAL = ("state", "site", "availability", "mean", "p95", "short trend")
"""The columns that a terminal of 80 cells must show."""

EXPENDABLE = ("short trend", "p95", "mean", "availability")
"""The essential columns to drop, in this order, where not all fit."""

TIMES = ("p95", "mean")
"""The columns to drop, in this order, to make room for the reason why sites fail."""

WHY = "why"
LEAST_WHY = 11
"""A reason needs this many cells."""

EXTRAS = ("causes", "since", "statuses", "max", "cert", "last failure", "checks")
"""The columns that a wider terminal shows as well, the most useful first."""

SITE_WIDTHS = (8, 16, 32)
"""The least width of the sites' names: at all, beside the essential columns, and before trends grow and extras appear."""

FEW_DAYS = 7
"""A certificate that expires sooner is shown in red."""

TEXTS = ("causes", "statuses", "why")
"""The columns whose text may be cut."""

TEXT_WIDTHS = (11, 36)
"""The least and the greatest width of such a column."""


@dataclass(frozen=True, slots=True)
class Block:
    """The rows of a report to show, and those to sum up."""

    report: StatsReport
    shown: Sequence[SiteRow]
    rest: Sequence[SiteRow]


@dataclass(frozen=True, slots=True)
class Cell:
    """Draws a column's cell for one site."""

    row: SiteRow
    report: StatsReport
    now_ms: int


def table_lines(blocks: Sequence[Block], now_ms: int, width: int) -> list[list[Text]]:
    """The lines of each block, in all blocks with the same columns at the same places.

    The first line of a block names its window and the columns.
    """
    tables = [_columns(block, now_ms) for block in blocks]
    wanted = {key: max(table[key].width for table in tables) for key, *_ in COLUMNS} if tables else {}
    if wanted and all(row.certificate_days(now_ms) is None for block in blocks for row in block.shown):
        wanted["cert"] = 0  # no site has one
    if wanted:  # the window's name stands above state and site: short names must not cut it
        names = max(len(window_text(block.report.length_ms)) for block in blocks)
        wanted["site"] = max(wanted["site"], names - GAP - wanted["state"])
    widths = choose(wanted, width) if wanted else {}
    return [_block_lines(block, table, widths) for block, table in zip(blocks, tables, strict=True)]


def choose(wanted: Mapping[str, int], room: int) -> dict[str, int]:
    """The columns that fit into `room` cells with their widths, in the order of `wanted`.

    `wanted` is the width that each column would like to have.
    """
    least, fair, good = (min(wanted["site"], limit) for limit in SITE_WIDTHS)
    chosen = {key: wanted[key] for key in ESSENTIAL} | {"site": fair}
    if total(chosen.values()) > room:
        chosen["site"] = least
    for key in EXPENDABLE:
        if total(chosen.values()) > room:
            del chosen[key]
    chosen = _with_reasons(chosen, wanted, room)
    if set(ESSENTIAL) <= set(chosen):
        _add(chosen, wanted, "coverage", room)
        _widen_site(chosen, good, room)
        _lengthen_trend(chosen, wanted, room)
        for key in EXTRAS:
            _add(chosen, wanted, key, room)
    _widen_site(chosen, wanted["site"], room)
    return {key: chosen[key] for key in wanted if key in chosen}


def state_text(state: State, text: str = "") -> Text:
    """A state as glyph and word, or as glyph and a text that holds the word."""
    return Text(f"{GLYPHS[state]} {text or state}", STYLES[state])


def availability_style(row: SiteRow) -> str:
    """Full availability needs no colour."""
    if row.stats.available_ms == row.stats.covered_ms:
        return ""
    return "red" if row.status.state in {State.DOWN, State.RECOVERING} else "yellow"


def _with_reasons(chosen: dict[str, int], wanted: Mapping[str, int], room: int) -> dict[str, int]:
    """The same columns, or fewer times and the reason why sites fail."""
    if wanted["why"] <= len(WHY):  # nothing but the title
        return chosen
    times = [key for key in TIMES if key in chosen]
    for count in range(len(times) + 1):
        fewer = {key: width for key, width in chosen.items() if key not in times[:count]}
        spare = room - total(fewer.values()) - GAP
        if spare >= wanted["why"] or (count == len(times) and spare >= LEAST_WHY):
            return fewer | {"why": min(wanted["why"], spare)}
    return chosen


def _add(chosen: dict[str, int], wanted: Mapping[str, int], key: str, room: int) -> None:
    width = wanted[key]
    spare = room - total(chosen.values()) - GAP
    if key in TEXTS and spare >= TEXT_WIDTHS[0]:
        width = min(width, spare)
    if 0 < width <= spare:
        chosen[key] = width


def _lengthen_trend(chosen: dict[str, int], wanted: Mapping[str, int], room: int) -> None:
    longer = wanted["trend"] - wanted["short trend"]
    if total(chosen.values()) + longer <= room:
        del chosen["short trend"]
        chosen["trend"] = wanted["trend"]


def _widen_site(chosen: dict[str, int], width: int, room: int) -> None:
    spare = max(0, room - total(chosen.values()))
    chosen["site"] = max(chosen["site"], min(width, chosen["site"] + spare))


def _columns(block: Block, now_ms: int) -> dict[str, Column]:
    cells = [Cell(row, block.report, now_ms) for row in block.shown]
    return {key: Column(title, tuple(map(draw, cells)), right, key == "site") for key, title, right, draw in COLUMNS}


def _block_lines(block: Block, table: Mapping[str, Column], widths: Mapping[str, int]) -> list[Text]:
    columns = [table[key] for key in widths]
    lines = [_title(block, columns, [*widths.values()])]
    lines += [row_line(columns, [*widths.values()], index) for index in range(len(block.shown))]
    if block.rest:
        lines.append(_rest_line(block.rest, total(widths.values())))
    return lines


def _rest_line(rest: Sequence[SiteRow], width: int) -> Text:
    line = f"… and {rest_text(rest)}"
    return Text(line if len(line) <= width else line.replace("lowest availability", "lowest"), DIM)


def _title(block: Block, columns: Sequence[Column], widths: Sequence[int]) -> Text:
    """The window's name in place of the titles of state and site, then the other titles."""
    name = window_text(block.report.length_ms).capitalize()
    return title_line(fit(Text(name, "bold"), total(widths[:2])), columns[2:], widths[2:])


def _site(cell: Cell) -> Text:
    return Text(
        label(cell.row.host, cell.row.name, cell.row.location),
        DIM if cell.row.status.state in {State.UNKNOWN, State.PAUSED} else "",
    )


def _availability(cell: Cell) -> Text:
    return value(with_sign(percent_text(cell.row.availability)), availability_style(cell.row))


def _coverage(cell: Cell) -> Text:
    return Text(with_sign(percent_text(cell.report.coverage(cell.row), decimals=0)), DIM)


def _checks(cell: Cell) -> Text:
    return Text(str(cell.row.stats.checks))


def _response(part: Callable[[ResponseTimes], float]) -> Callable[[Cell], Text]:
    def draw(cell: Cell) -> Text:
        response = cell.row.stats.response
        return value(seconds_text(None if response is None else part(response)))

    return draw


def _trend(cell: Cell) -> Text:
    return sparkline(cell.row.stats.trend)


def _short_trend(cell: Cell) -> Text:
    return sparkline(cell.row.stats.trend, short=True)


def _statuses(cell: Cell) -> Text:
    return value(_cut(counts_text(cell.row.stats.statuses)))


def _causes(cell: Cell) -> Text:
    return value(_cut(counts_text(cell.row.stats.causes)), "red")


def _last_failure(cell: Cell) -> Text:
    return _age(cell.row.last_failure_ms, cell.now_ms, " ago")


def _since(cell: Cell) -> Text:
    return _age(cell.row.status.since_ms, cell.now_ms, "")


def _certificate(cell: Cell) -> Text:
    """How many whole days its certificate is still valid: 0 on the last day."""
    days = cell.row.certificate_days(cell.now_ms)
    if days is None:
        return value(NOTHING)
    return value(f"{days} d", "red" if days < FEW_DAYS else "")


def _why(cell: Cell) -> Text:
    return Text(_cut(telling_text(cell.row.detail)), "red")


def _age(moment_ms: int | None, now_ms: int, after: str) -> Text:
    return value(NOTHING if moment_ms is None else duration_text(now_ms - moment_ms) + after)


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_WIDTHS[1] else text[: TEXT_WIDTHS[1] - 1] + "…"


COLUMNS: tuple[tuple[str, str, bool, Callable[[Cell], Text]], ...] = (
    ("state", "", False, lambda cell: state_text(cell.row.status.state)),
    ("site", "", False, _site),
    ("availability", "avail", True, _availability),
    ("coverage", "cover", True, _coverage),
    ("checks", "checks", True, _checks),
    ("mean", "mean", True, _response(lambda response: response.mean_us)),
    ("p95", "p95", True, _response(lambda response: response.p95_us)),
    ("max", "max", True, _response(lambda response: response.max_us)),
    ("trend", "response time", False, _trend),
    ("short trend", "trend", False, _short_trend),
    ("statuses", "status", False, _statuses),
    ("causes", "causes", False, _causes),
    ("last failure", "last failure", True, _last_failure),
    ("since", "for", True, _since),
    ("cert", "cert", True, _certificate),
    ("why", WHY, False, _why),
)
"""Key, title, whether it is right-aligned, and what draws its cell; from left to right."""
