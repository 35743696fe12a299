"""The history of alerts, one line an incident."""

import time
from collections.abc import Iterator, Mapping

import pytest

from monitoring.display.text.feed import IncidentFeed, Ongoing
from monitoring.models import Alert, AlertType, Cause
from monitoring.units import MINUTE_MS

DAY_MS = 1_767_225_600_000
NONE: Ongoing = {}
NAMES: Mapping[str, str | None] = {"http://shop.example": "shop"}


@pytest.fixture(autouse=True)
def utc() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def outage(minute: float, lasted_s: int = 73, host: str = "http://shop.example") -> tuple[Alert, Alert]:
    """A site that was down from this minute on; its alert and its recovery."""
    start_ms = DAY_MS + round(minute * MINUTE_MS)
    end_ms = start_ms + lasted_s * 1_000
    detail = "no answer within 5 s"
    alert = Alert(AlertType.ALERT, host, start_ms + 26_000, start_ms, None, 60.6, Cause.TIMEOUT, detail=detail)
    return alert, Alert(AlertType.RECOVERY, host, end_ms + 30_000, start_ms, end_ms, 90.0, Cause.TIMEOUT, detail=detail)


def lines(feed: IncidentFeed, *alerts: Alert, minute: float = 1_000, ongoing: Ongoing = NONE) -> list[str]:
    return [line.text for line in feed.lines(alerts, DAY_MS + round(minute * MINUTE_MS), ongoing)]


def test_an_incident_is_one_line_with_its_name_and_reason() -> None:
    assert lines(IncidentFeed(NAMES, None), *outage(10)) == [
        "2026-01-01 00:10:00  1 min 13 s            ✔  shop  timeout: no answer within 5 s  60.60 %"
    ]


def test_one_that_goes_on_says_so_and_is_shown_again_when_it_is_over() -> None:
    feed, (alert, recovery) = IncidentFeed(NAMES, None), outage(10)
    assert lines(feed, alert, minute=12) == [
        "2026-01-01 00:10:00  ongoing, 2 min        ✖  shop  timeout: no answer within 5 s  60.60 %"
    ]
    assert lines(feed, minute=13) == []
    (over,) = lines(feed, recovery)
    assert "1 min 13 s            ✔  shop" in over


def test_of_one_that_nobody_measures_any_more_it_is_said_how_long_it_was_seen() -> None:
    alert, _ = outage(10)
    unmeasured = {alert: DAY_MS + 12 * MINUTE_MS}
    (line,) = lines(IncidentFeed(NAMES, None), alert, minute=75, ongoing=unmeasured)
    assert line.startswith("2026-01-01 00:10:00  at least 2 min        ✖  shop")
    assert line.endswith("60.60 %  last measured 1 h 3 min ago")
    assert "ongoing, 1 h 5 min" in lines(IncidentFeed(NAMES, None), alert, minute=75, ongoing={alert: None})[0]


def test_outages_that_follow_each_other_closely_are_one_line_of_the_history() -> None:
    alerts = [*outage(10), *outage(20), *outage(25), *outage(90)]
    first, second = lines(IncidentFeed(NAMES, None), *alerts)
    assert first.endswith("60.60 %  3 times in 16 min 13 s, merged")
    assert "3 min 39 s" in first, "down in all"
    assert "merged" not in second


def test_what_comes_later_is_not_merged() -> None:
    feed = IncidentFeed(NAMES, None)
    lines(feed, *outage(10))
    (later,) = lines(feed, *outage(20))
    assert "merged" not in later


def test_outages_of_two_sites_are_two_lines_in_order_of_their_begin() -> None:
    found = lines(IncidentFeed(NAMES, None), *outage(10), *outage(11, host="http://b.example"), *outage(15))
    assert ["shop" in line for line in found] == [True, False]
    assert "2 times" in found[0]


def test_a_limit_leaves_the_newest_lines_of_the_history_and_all_that_come_later() -> None:
    feed = IncidentFeed(NAMES, 1)
    (newest,) = lines(feed, *outage(10), *outage(90))
    assert newest.startswith("2026-01-01 01:30:00")
    assert len(lines(feed, *outage(200), *outage(300))) == 2


def test_the_outage_of_a_site_that_is_no_longer_watched_says_so() -> None:
    alert, recovery = outage(10)
    left = Alert(AlertType.RECOVERY, alert.host, recovery.time_ms, alert.start_ms, None, 60.6, alert.cause)
    (line,) = lines(IncidentFeed(NAMES, None), alert, left)
    assert "✔  shop  no longer watched" in line


def test_of_outages_in_one_line_the_records_of_the_last_are_named() -> None:
    """Below the line stands who was told of these."""
    feed, first, second = IncidentFeed(NAMES, None), outage(10), outage(20)
    (line,) = feed.lines([*first, *second], DAY_MS, NONE)
    assert line.records == [*second]


def test_a_recovery_whose_alert_is_not_kept_is_an_incident_as_well() -> None:
    (line,) = lines(IncidentFeed({}, None), outage(10)[1])
    assert "1 min 13 s            ✔  http://shop.example" in line
