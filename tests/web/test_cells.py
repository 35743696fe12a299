"""The cells of the overview."""

from dataclasses import replace

from monitoring.display.view_model.values import StatsReport
from monitoring.models import SiteStats, Window
from monitoring.units import DAY_MS
from monitoring.web.cells import row_cells
from tests.support.views import NOON, site


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
