"""An open outage that nobody measures any more: page, lists, `-p`, `-a`, report and metrics tell the same of it."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from alertWatcher import AlertWatcher
from monitoring.display.drawing.screen import Look, draw_screen
from monitoring.display.text.plain import ongoing_lines
from monitoring.display.view_model.incidents import incidents, overlaps
from monitoring.display.view_model.latest import LatestView
from monitoring.display.view_model.overview import Overview
from monitoring.display.view_model.values import Header
from monitoring.models import Alert, Cause, CheckResult, Site, Window
from monitoring.storage.base import Reader
from monitoring.storage.multi_location import MultiLocationReport
from monitoring.units import DAY_MS, HOUR_MS, MINUTE_MS
from monitoring.web.lists import incident_html
from tests.support.clock import FakeClock
from tests.support.memory_store import MemoryStore
from tests.support.points import START_MS, alert, checks
from tests.support.shown import ShownHistory

SITE = Site("a", "http://a/", interval_ms=2_000, timeout_ms=10_000)
OTHER = replace(SITE, host="b", url="http://b/")
AWAY_MS = 2 * DAY_MS
NOW_MS = START_MS + 60_000 + AWAY_MS
FAILED = checks(range(0, 60, 2), cause=Cause.DNS)
LATELY = checks(range(AWAY_MS // 1_000, AWAY_MS // 1_000 + 60, 2))


def memory(points: Iterable[CheckResult | Alert]) -> MemoryStore:
    store = MemoryStore()
    for point in points:
        store.record(point)
    return store


CASES: dict[str, tuple[list[Site], dict[str, list[CheckResult | Alert]], int]] = {
    "the site is paused here": ([replace(SITE, enabled=False)], {"": [*FAILED, alert(30)]}, START_MS + 60_000),
    "the monitor has ended": ([SITE], {"": [*FAILED, alert(30)]}, START_MS + 60_000),
    "only its location has ended": ([SITE], {"paris": [*FAILED, alert(30)], "tokyo": [*LATELY]}, START_MS + 60_000),
    "no location goes on": ([SITE], {"paris": [*FAILED, alert(30)], "tokyo": [*FAILED]}, START_MS + 60_000),
    "its checks were deleted": ([SITE, OTHER], {"": [alert(30), *checks([9], "b")]}, START_MS + 30_000),
    "it is not configured here": ([OTHER], {"": [*FAILED, alert(30), *checks([9], "b")]}, START_MS + 60_000),
}


@pytest.mark.parametrize("case", CASES)
def test_all_say_that_it_is_known_until_the_last_check(case: str) -> None:
    sites, points, until_ms = CASES[case]
    readers = {location: memory(found) for location, found in points.items()}
    key = ("a", "paris" if "paris" in readers else "")
    assert seen_by_alerts(sites, readers) == until_ms

    overview = seen_by_readers(sites, readers)
    assert overview.unmeasured[key] == until_ms
    (incident,) = overview.incidents
    lasted_ms = until_ms - incident.start_ms
    assert overview.lasted_ms(incident) == lasted_ms
    assert "last measured 2 d ago" in (html := incident_html(incident, overview))
    assert "ongoing" not in html
    window = Window(START_MS - HOUR_MS, NOW_MS)
    assert overlaps(overview.incidents, window, overview.unmeasured) == {key: [(lasted_ms, Cause.DNS)]}
    if case != "it is not configured here":  # neither `-p` nor the list of sites shows others
        (line,) = ongoing_lines(overview.view)
        assert "was down when it was last measured, 2 d ago" in line
        drawn = draw_screen(replace(overview.view, alerts=(incident.last,)), Look(), [MINUTE_MS], 120, 24)
        assert "last measured 2d00 ago" in "\n".join(text.plain for text in drawn.lines)


def test_a_site_that_another_monitor_still_checks_is_measured_although_it_is_paused_here() -> None:
    at_ms = START_MS + 60_000
    overview = seen_by_readers([replace(SITE, enabled=False)], {"": memory([*FAILED, alert(30)])}, at_ms)
    assert overview.unmeasured == {}


def seen_by_alerts(sites: list[Site], readers: dict[str, Reader]) -> int | None:
    """What `-a` says of the only open outage: until when it was measured."""
    shown, by_host = ShownHistory(), {site.host: site for site in sites}
    watcher = AlertWatcher(lambda: readers, shown, FakeClock(NOW_MS), site_of=by_host.get)
    watcher.step()
    watcher.refresh()
    (until_ms,) = shown.ongoing.values()
    return until_ms


def seen_by_readers(sites: list[Site], readers: dict[str, Reader], at_ms: int = NOW_MS) -> Overview:
    """What page and viewer know."""
    locations, latest = MultiLocationReport(sites), LatestView(at_ms, lambda _: None)
    locations.new_alerts(readers)
    for report in locations.reports(readers, [10 * MINUTE_MS], at_ms):
        latest.statistics(report)
    latest.refresh(Header(len(sites), "local"), at_ms, locations.statuses, locations.ongoing())
    return Overview(latest.view, incidents(locations.records()))
