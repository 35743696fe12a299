"""Renders the pages from the newest snapshot."""

from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from importlib import resources
from itertools import groupby
from typing import Any, TypeVar

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from monitoring.config.parsing.durations import month
from monitoring.display.view_model.months import MONTH_RULE, MonthReport
from monitoring.display.view_model.overview import Group, Overview, grouped, headline, short_headline, slug
from monitoring.display.view_model.ranking import badness, state_counts
from monitoring.display.view_model.selection import selected
from monitoring.display.view_model.values import SiteRow
from monitoring.display.words import percent_text, time_text, with_sign
from monitoring.errors import ConfigError, MonitoringError, StoreError
from monitoring.models import State
from monitoring.names import printable
from monitoring.units import DAY_MS
from monitoring.web.board import WINDOWS_MS, Board, Snapshot
from monitoring.web.cells import (
    COLUMNS,
    LONG_MS,
    CellKeeper,
    Rendered,
    row_id,
)
from monitoring.web.detail import SiteView, site_detail, site_view
from monitoring.web.drawing import badge_svg, favicon_svg
from monitoring.web.history import atom_entry, delivery_rows, incident_facts, neighbours, report_table
from monitoring.web.lists import group_html, incident_html, incident_id, more_text
from monitoring.web.markup import name_html

TITLES = {"state": "State", "site": "Site", "days": "90 days", "now": "Response", **{name: name for name in LONG_MS}}
CLASSES = {"state": "of-state", "site": "of-site", "days": "bars"}

ROW, ROW_END, CELL_END = '<div class="row" role="row">', "</div>", "</span>"
CELLS = tuple(
    (
        column,
        f'<span class="{CLASSES.get(column, "number")}" role="cell" data-title="{TITLES[column]}" data-live="',
        f'.{column}">',
    )
    for column in COLUMNS
)
"""The HTML before and after the key of a row, for each of its cells."""

CSS, SCRIPT = "text/css; charset=utf-8", "text/javascript; charset=utf-8"
STATIC_TYPES = {
    "page.css": CSS,
    "live.js": SCRIPT,
    "chart.js": SCRIPT,
    "uPlot.min.css": CSS,
    "uPlot.iife.min.js": SCRIPT,
}


REFUSALS = {
    401: "A password is needed",
    403: "Not allowed",
    404: "There is nothing here",
    429: "Too many requests",
    503: "The store cannot be read",
}
"""The title of a refusal, by its status."""

MOST_INCIDENTS = 500
MOST_ENTRIES = 50


Answer = TypeVar("Answer")


class NoSuchPage(MonitoringError):
    """There is nothing at this address: 404."""


class Pages:
    """Each method returns a complete answer. Many threads call them at the same time."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._cells = CellKeeper()
        self._whole: tuple[tuple[int, int] | None, str] = (None, "")  # the versions of the page of all sites, and the page
        self._environment = Environment(
            loader=PackageLoader("monitoring.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(name=name_html, plain=printable, group=group_html, more=more_text)
        folder = resources.files("monitoring.web") / "static"
        self._static = {
            name: (folder / ("uplot" if name.startswith("uPlot") else "") / name).read_bytes() for name in STATIC_TYPES
        }

    def overview(self, wanted: str) -> str:
        """All sites, or those that the filter selects."""
        snapshot = self._board.latest()
        rendered = self._cells.rendered(snapshot)
        if wanted.strip():
            return self._overview(snapshot, rendered, wanted, _groups(snapshot.overview, wanted))
        whole = self._whole
        if whole[0] != (snapshot.version, rendered.version):
            page = self._overview(snapshot, rendered, "", rendered.groups)
            self._whole = whole = ((snapshot.version, rendered.version), page)
        return whole[1]

    def _overview(self, snapshot: Snapshot, rendered: Rendered, wanted: str, groups: Sequence[Group]) -> str:
        return self._page(
            "overview.html",
            rendered,
            page="overview",
            root="./",
            here="./",
            version=rendered.version,
            layout=rendered.layout,
            worst=_worst(snapshot.overview),
            wanted=printable(wanted),
            groups=groups,
            total=len({row.host for row in snapshot.overview.rows}),
            titles=[{"class": CLASSES.get(it, "number"), "text": TITLES[it]} for it in COLUMNS],
            row_html=partial(_row_html, rendered.cells),
        )

    def updates(self, since: int) -> bytes:
        """The cells of the overview that have changed since this version."""
        snapshot = self._board.latest()
        rendered = self._cells.rendered(snapshot)
        return msgspec.json.encode(
            {
                "version": rendered.version,
                "layout": rendered.layout,
                "worst": str(_worst(snapshot.overview)),
                "title": headline(snapshot.overview),
                "cells": {key: str(html) for key, html in rendered.since(since).items()},
            }
        )

    def site(self, name: str, window: str, address: str) -> str:
        """The page of one site; `address` is the URL of the overview. Raises `NoSuchPage`."""
        view = self.view(name, window)
        detail, rendered = site_detail(view), self._cells.rendered(view.snapshot)
        badge, here = f"{address}badge/{name}.svg?window={detail.window}", f"{address}site/{name}"
        snippet = Markup('<a href="{}"><img src="{}" alt="{}"></a>').format(here, badge, detail.title)
        return self._page(
            "site.html",
            rendered,
            page="site",
            root="../",
            here=f"site/{name}",
            it=detail,
            badge=badge,
            address=here,
            snippet=str(snippet),
        )

    def view(self, name: str, window: str) -> SiteView:
        """The values for the page of a site. Raises `NoSuchPage`."""
        snapshot = self._board.latest()
        return site_view(snapshot, _host_of(snapshot, name), window, self._board.questions)

    def incidents(self) -> str:
        """The newest outages by day; the page says how many more are known."""
        snapshot = self._board.latest()
        more = max(0, len(snapshot.overview.incidents) - MOST_INCIDENTS)
        days = [
            (day, [incident_html(it, snapshot.overview) for it in found])
            for day, found in groupby(snapshot.overview.incidents[:MOST_INCIDENTS], lambda it: time_text(it.start_ms)[:10])
        ]
        rendered = self._cells.rendered(snapshot)
        return self._page("incidents.html", rendered, page="incidents", root="./", here="incidents", days=days, more=more)

    def incident(self, name: str) -> str:
        """One outage, with its explanation if the store can be read. Raises `NoSuchPage`."""
        snapshot = self._board.latest()
        found = next((it for it in snapshot.overview.incidents if incident_id(it) == name), None)
        if found is None:
            raise NoSuchPage("no incident that is still kept has this address")
        questions = self._board.questions
        lines, unexplained = _or_why(partial(questions.explain, found))
        entries, unknown = _or_why(partial(questions.deliveries, found))
        return self._page(
            "incident.html",
            self._cells.rendered(snapshot),
            page="incidents",
            root="../",
            here=f"incidents/{name}",
            is_open=found.is_open,
            called=snapshot.overview.names.get(found.host) or found.host,
            line=incident_html(found, snapshot.overview),
            facts=incident_facts(found, snapshot.overview),
            lines=lines,
            unexplained=unexplained,
            notifications=delivery_rows(entries),
            unknown=unknown,
        )

    def atom(self, address: str) -> str:
        """The newest outages as a feed; `address` is the URL of the overview."""
        overview = self._board.latest().overview
        entries = [atom_entry(it, overview, address) for it in overview.incidents[:MOST_ENTRIES]]
        return self._environment.get_template("incidents.atom").render(
            entries=entries, address=address, updated=max((it.updated for it in entries), default=time_text(0))
        )

    def report(self, name: str) -> str:
        """The report of a month; "" is the current one. Raises `NoSuchPage` and `StoreError`."""
        snapshot = self._board.latest()
        now = time_text(snapshot.overview.view.now_ms)[:7]
        report = self.month(name or now)
        before, after = neighbours(report.name)
        titles, rows = report_table(report)
        rendered = self._cells.rendered(snapshot)
        return self._page(
            "report.html",
            rendered,
            page="report",
            root="../" if name else "./",
            here=f"report/{name}" if name else "report",
            report=report,
            titles=titles,
            rows=rows,
            rule=MONTH_RULE,
            before=before,
            after=after if after <= now else None,
        )

    def month(self, name: str) -> MonthReport:
        """The sums of a month. Raises `NoSuchPage` and `StoreError`."""
        try:
            return self._board.questions.month(month(name))
        except (ArgumentTypeError, ConfigError) as error:
            raise NoSuchPage(str(error)) from None

    def badge(self, name: str, window: str) -> str:
        """The badge of a site: its worst state over all locations, with the availability there. Raises `NoSuchPage`."""
        snapshot = self._board.latest()
        host, length_ms = _host_of(snapshot, name), WINDOWS_MS.get(window, DAY_MS)
        rows = [row for row in snapshot.overview.rows if row.host == host]
        long = snapshot.overview.report(length_ms)
        if not rows:
            return badge_svg(printable(snapshot.sites[host].name or host), State.UNKNOWN, str(State.UNKNOWN))
        worst = min(rows, key=badness)
        there = next((row for row in long.rows if row.key == worst.key), None) if long else None
        percent = with_sign(percent_text(there.availability)) if there and there.availability is not None else ""
        return badge_svg(printable(worst.name or host), worst.status.state, f"{worst.status.state} {percent}".strip())

    def badge_of_all(self) -> str:
        """The sentence on all sites, in short."""
        overview = self._board.latest().overview
        return badge_svg("sites", _worst(overview), short_headline(overview))

    def favicon(self) -> str:
        """The icon: a disc in the colour of the worst state."""
        return favicon_svg(_worst(self._board.latest().overview))

    def refusal(self, status: int, reason: str, root: str) -> str:
        """The page of a refusal. It reveals nothing about the sites. `root` is the path of the overview."""
        title = REFUSALS.get(status) or HTTPStatus(status).phrase
        template = self._environment.get_template("refusal.html")
        return template.render(page="", root=root, status=status, title=title, reason=reason)

    def static(self, name: str) -> tuple[bytes, str]:
        """A static file and its content type. Raises `NoSuchPage`."""
        if name not in STATIC_TYPES:
            raise NoSuchPage("there is no such file")
        return self._static[name], STATIC_TYPES[name]

    def _page(self, template: str, rendered: Rendered, **values: Any) -> str:
        return self._environment.get_template(template).render(cells=rendered.cells, **values)


def _worst(overview: Overview) -> State:
    counts: Sequence[tuple[State, int]] = state_counts(overview.rows)
    return counts[0][0] if counts else State.UNKNOWN


def _host_of(snapshot: Snapshot, name: str) -> str:
    """The host of the site with this slug. Raises `NoSuchPage`."""
    host = next((host for host in snapshot.sites if slug(host) == name), None)
    if host is None:
        raise NoSuchPage("no site of the configuration has this address")
    return host


def _or_why(ask: Callable[[], Answer]) -> tuple[Answer | None, str]:
    """The answer of the store, or None and the reason why there is none."""
    try:
        return ask(), ""
    except StoreError as error:
        return None, printable(str(error))


def _groups(overview: Overview, wanted: str) -> Sequence[Group]:
    """The sites that the filter selects."""
    return grouped(selected(overview.rows, wanted), overview.view.now_ms)


def _row_html(cells: Mapping[str, Markup], row: SiteRow) -> Markup:
    """The HTML of a row. Joining strings is faster than formatting, and the thousands of cells are HTML already."""
    own = row_id(row)
    key = str(escape(own))
    parts = [ROW]
    for column, begin, named in CELLS:
        parts += (begin, key, named, cells[f"{own}.{column}"], CELL_END)
    parts.append(ROW_END)
    return Markup("".join(parts))  # noqa: S704 - cells are escaped
