"""The parts of the overview that change, each with a key: a browser asks only for those that have changed.

Names, URLs and texts of servers are data: they are made printable, escaped, and isolated in their direction of writing.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import sha256

from markupsafe import Markup, escape

from monitoring.display.view_model.overview import Group, Overview, grouped, headline, last_data, slug
from monitoring.display.view_model.ranking import state_counts
from monitoring.display.view_model.series import Mark
from monitoring.display.view_model.values import SiteKey, SiteRow, StatsReport
from monitoring.display.words import (
    NOTHING,
    duration_text,
    expiry_text,
    percent_text,
    reason_text,
    seconds_text,
    source_text,
    whole_percent_text,
    with_sign,
)
from monitoring.models import State
from monitoring.names import printable
from monitoring.units import DAY_MS
from monitoring.web.board import Snapshot
from monitoring.web.drawing import days_svg
from monitoring.web.lists import expiries_html, group_html, lately_html, more_text, ongoing_html
from monitoring.web.markup import count_html, link_html, name_html, place_html, place_id, state_html, time_html

LONG_MS = {"24 h": DAY_MS, "30 d": 30 * DAY_MS, "90 d": 90 * DAY_MS}
"""The columns of availability, by their titles."""

FULL_COVERAGE = 99
"""In percent: if the coverage of a window is lower, it is shown beside the availability."""

FULL = percent_text(Fraction(100))


def row_id(row: SiteRow) -> str:
    """The key of a row: the slug of the site, with its location if that has a name."""
    return f"{slug(row.host)}@{place_id(row.location)}" if row.location else slug(row.host)


Cells = Mapping[str, Markup]
"""The cells of a row, by column."""

COLUMNS = ("state", "site", "days", *LONG_MS, "now")


LongWindow = tuple[StatsReport, Mapping[SiteKey, SiteRow]]
"""The report on a longer window, and its rows by site and location."""


def row_cells(row: SiteRow, now_ms: int, long: Mapping[str, LongWindow]) -> Cells:
    """The cells of a site except for its days. `long` has the known longer windows, by the title of their column."""
    cells = {
        "state": state_html(row.status.state) + _since(row, now_ms),
        "site": _site(row, now_ms),
        "now": escape(seconds_text(row.stats.response.p50_us if row.stats.response else None)),
    }
    for title in LONG_MS:
        cells[title] = _availability(row.key, long.get(title))
    return cells


def _since(row: SiteRow, now_ms: int) -> Markup:
    if row.status.since_ms is None or row.status.state is State.UP:
        return Markup("")
    return Markup(" <small>{}</small>").format(duration_text(now_ms - row.status.since_ms))


def _site(row: SiteRow, now_ms: int) -> Markup:
    host = f' <span class="host">{name_html(row.host)}</span>' if row.name else ""
    why = f'<span class="why">{name_html(reason_text(row.detail))}</span>' if row.detail else ""
    soon = f'<small class="soon">{text}</small>' if (text := certificate_text(row, now_ms)) else ""
    return Markup(f"{link_html(row)}{place_html(row.location)}{host}{why}{soon}")  # noqa: S704 - each is escaped


def certificate_text(row: SiteRow, now_ms: int) -> str:
    """That its certificate expires, where people are warned of that; else ""."""
    due_ms = row.certificate_due_ms(now_ms)
    return "" if due_ms is None else f"certificate {expiry_text(due_ms, now_ms)}"


def _availability(key: SiteKey, window: LongWindow | None) -> Markup:
    if window is None or key not in window[1]:
        return escape(NOTHING)
    report, row = window[0], window[1][key]
    covered_ms = row.stats.covered_ms
    text = FULL if covered_ms == row.stats.available_ms > 0 else percent_text(row.availability)
    if text == NOTHING or 100 * covered_ms >= FULL_COVERAGE * report.window.length_ms:
        return escape(with_sign(text))
    return Markup("{} % <small>({} % measured)</small>").format(text, whole_percent_text(report.coverage(row)))


def head_cells(overview: Overview) -> Cells:
    """The cells of the head: the sentence on all sites, the counts, and the source of the numbers."""
    counts = Markup(" ").join(
        Markup('<a href="./?q=state:{}#sites-title">{}</a>').format(str(state), count_html(state, count))
        for state, count in state_counts(overview.rows)
    )
    return {
        "headline": escape(headline(overview)),
        "counts": counts,
        "trouble": escape(printable(overview.view.read_error or "")),
        "source": _source(overview),
    }


def _source(overview: Overview) -> Markup:
    """The source and the time of the numbers, and what is wrong with them."""
    view, reports = overview.view, overview.view.reports
    read = () if view.read_error else (source_text(view.header.source, view.header.why),)
    age = (f"these numbers are old{last_data(overview)}",) if reports and (overview.is_stale or view.read_error) else ()
    notes = (*view.notes, *age)
    until = (Markup("until {} UTC").format(time_html(reports[0].window.until_ms)),) if reports else ()
    lines = (
        *(Markup("<span>{}</span>").format(it) for it in read),
        *(Markup('<span class="note">{}</span>').format(printable(it)) for it in notes),
        *until,
    )
    return Markup(" · ").join(lines)


@dataclass(frozen=True, slots=True)
class Rendered:
    """The cells of the overview by row and column, the groups in order, and the version of each cell's last change."""

    version: int = 0
    layout: str = ""
    groups: Sequence[Group] = ()
    cells: Mapping[str, Markup] = field(default_factory=dict)
    changed: Mapping[str, int] = field(default_factory=dict)
    days: Mapping[SiteKey, Sequence[Mark]] = field(default_factory=dict)

    def bars(self, key: str, row: SiteRow, days: Sequence[Mark]) -> Markup:
        """The bars of these days, drawn again only if the days have changed."""
        is_known = key in self.cells and self.days.get(row.key) is days
        return self.cells[key] if is_known else days_svg(days)

    def since(self, version: int) -> Mapping[str, Markup]:
        """The cells that changed after this version. If the version is not from this server, all cells."""
        return {key: html for key, html in self.cells.items() if self.changed[key] > version or version > self.version}


class CellKeeper:
    """Renders each snapshot once, for the first request, and remembers when each cell changed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: int | None = None
        self._rendered = Rendered()

    def rendered(self, snapshot: Snapshot) -> Rendered:
        with self._lock:
            if snapshot.version != self._of:
                self._of = snapshot.version
                self._rendered = _render(snapshot.overview, self._rendered)
            return self._rendered


def _render(overview: Overview, before: Rendered) -> Rendered:
    version = before.version + 1
    groups = grouped(overview.rows, overview.view.now_ms)
    long = {
        title: (report, {row.key: row for row in report.rows})
        for title, length_ms in LONG_MS.items()
        if (report := overview.report(length_ms))
    }
    cells = dict(head_cells(overview))
    for row in overview.rows:
        own = row_id(row)
        for column, html in row_cells(row, overview.view.now_ms, long).items():
            cells[f"{own}.{column}"] = html
        cells[f"{own}.days"] = before.bars(f"{own}.days", row, overview.days.get(row.key, ()))
    cells["ongoing"] = ongoing_html(overview)
    cells["expiries"] = expiries_html(overview)
    cells["lately"] = lately_html(overview)
    changed = {key: before.changed[key] if before.cells.get(key) == html else version for key, html in cells.items()}
    if version > 1 and all(moment < version for moment in changed.values()) and cells.keys() == before.cells.keys():
        return before
    return Rendered(version, _layout(groups), groups, cells, changed, overview.days)


def _layout(groups: Sequence[Group]) -> str:
    """Changes with the order of sites, and with what the page says of groups and of the sites that it folds away."""
    lines = []
    for group in groups:
        said = group_html(group) if group.name or len(groups) > 1 else ""
        rest = group.folded()[1]
        lines.append(f"{group.name}\t{said}\t{more_text(rest) if rest else ''}\t{' '.join(map(row_id, group.rows))}")
    return sha256("\n".join(lines).encode("utf-8", "replace")).hexdigest()[:16]
