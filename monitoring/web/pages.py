"""The pages: from the newest snapshot to HTML."""

from collections.abc import Mapping, Sequence
from functools import partial
from importlib import resources
from typing import Any

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from monitoring.display.overview import Overview, grouped, headline, slug
from monitoring.display.ranking import state_counts
from monitoring.display.selection import selected
from monitoring.display.values import SiteRow
from monitoring.display.words import printable
from monitoring.errors import MonitoringError
from monitoring.models import State
from monitoring.web.board import Board, Snapshot
from monitoring.web.cells import COLUMNS, LONG_MS, CellKeeper, Rendered, name_html, row_id, state_html
from monitoring.web.detail import site_detail
from monitoring.web.drawing import favicon_svg

TITLES = {"state": "State", "site": "Site", "days": "90 days", "now": "Response", **{name: name for name in LONG_MS}}
CLASSES = {"state": "of-state", "site": "of-site", "days": "bars"}

STATIC_TYPES = {"page.css": "text/css; charset=utf-8", "live.js": "text/javascript; charset=utf-8"}


class NoSuchPage(MonitoringError):
    """There is nothing at this address: 404."""


class Pages:
    """Each method returns a whole answer. All are called from many threads."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._cells = CellKeeper()
        self._environment = Environment(
            loader=PackageLoader("monitoring.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(name=name_html, state=state_html, plain=printable)
        folder = resources.files("monitoring.web") / "static"
        self._static = {name: (folder / name).read_bytes() for name in STATIC_TYPES}

    def overview(self, wanted: str) -> str:
        """All sites, or those that the filter leaves."""
        snapshot = self._board.latest()
        rendered = self._cells.rendered(snapshot)
        rows = selected(snapshot.overview.rows, wanted) if wanted.strip() else snapshot.overview.rows
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
            groups=grouped(rows) if wanted.strip() else rendered.groups,
            titles=[{"class": CLASSES.get(it, "number"), "text": TITLES[it]} for it in COLUMNS],
            row_html=partial(_row_html, rendered.cells),
        )

    def updates(self, since: int) -> bytes:
        """What has changed after this version of the overview."""
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

    def site(self, name: str, window: str) -> str:
        """One site. Raises `NoSuchPage`, and `StoreError` when its last checks cannot be read."""
        snapshot = self._board.latest()
        host = _host_of(snapshot, name)
        detail = site_detail(snapshot, host, window, self._board.last_checks)
        rendered = self._cells.rendered(snapshot)
        return self._page("site.html", rendered, page="site", root="../", here=f"site/{name}", it=detail)

    def favicon(self) -> str:
        """A disc in the colour of the worst state."""
        return favicon_svg(_worst(self._board.latest().overview))

    def static(self, name: str) -> tuple[bytes, str]:
        """A file that belongs to the pages, and its type. Raises `NoSuchPage`."""
        if name not in STATIC_TYPES:
            raise NoSuchPage("there is no such file")
        return self._static[name], STATIC_TYPES[name]

    def _page(self, template: str, rendered: Rendered, **values: Any) -> str:
        return self._environment.get_template(template).render(cells=rendered.cells, **values)


def _worst(overview: Overview) -> State:
    counts: Sequence[tuple[State, int]] = state_counts(overview.rows)
    return counts[0][0] if counts else State.UNKNOWN


def _host_of(snapshot: Snapshot, name: str) -> str:
    """The site of this address. Raises `NoSuchPage`."""
    host = next((host for host in snapshot.sites if slug(host) == name), None)
    if host is None:
        raise NoSuchPage("no site of the configuration has this address")
    return host


def _row_html(cells: Mapping[str, Markup], row: SiteRow) -> Markup:
    own = row_id(row)
    parts = (
        Markup('<span class="{}" role="cell" data-title="{}" data-live="{}">{}</span>').format(
            CLASSES.get(column, "number"), TITLES[column], f"{own}.{column}", cells[f"{own}.{column}"]
        )
        for column in COLUMNS
    )
    return Markup('<div class="row" role="row">{}</div>').format(Markup("").join(parts))
