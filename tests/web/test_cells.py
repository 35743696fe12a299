"""The cells of the overview."""

from dataclasses import replace

from monitoring.display.view_model.overview import Overview
from monitoring.display.view_model.values import StatsReport, View
from monitoring.models import SiteStats, Window
from monitoring.units import DAY_MS
from monitoring.web.cells import head_cells, row_cells
from tests.support.views import HEADER, NOON, site


def shown(covered_ms: int, available_ms: int) -> str:
    """The availability of 90 days of which so much was measured."""
    row = replace(site("https://a"), stats=SiteStats("https://a", 9, 9, covered_ms, available_ms))
    report = StatsReport(Window.before(NOON, 90 * DAY_MS), "local", (row,))
    return row_cells(row, NOON, {"90 d": (report, {row.key: row})})["90 d"]


def test_an_availability_says_how_little_of_its_window_was_measured() -> None:
    assert shown(240_000, 240_000) == "100.00 % <small>(&lt;1 % measured)</small>"
    assert shown(9 * DAY_MS, 4 * DAY_MS) == "44.44 % <small>(10 % measured)</small>"
    assert shown(90 * DAY_MS, 90 * DAY_MS) == "100.00 %"
    assert shown(0, 0) == "—"


def test_the_counts_below_the_sentence_count_sites_and_not_what_each_location_sees() -> None:
    one, other = site("https://a"), site("https://b")
    rows = (one, replace(one, location="paris"), replace(other, location="paris"))
    report = StatsReport(Window.before(NOON, 600_000), "local", rows)
    cells = head_cells(Overview(View(HEADER, NOON, [report])))
    assert cells["headline"] == "all 2 sites are up"
    assert cells["counts"].striptags() == "2 ● up"
