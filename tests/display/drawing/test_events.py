"""Incidents on the screen: each outage once, open ones marked and first, flaps merged, by the names of the sites."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import pytest

from monitoring.display.drawing.events import counts_text, event_lines, events
from monitoring.display.view_model.values import SiteKey, View
from monitoring.models import Alert, AlertType, Cause
from monitoring.units import DAY_MS, MINUTE_MS
from tests.support.views import HEADER, NOON

NAMES = {"https://a": "shop"}


def outage(host: str, start_ms: int, lasted_ms: int | None, cause: Cause = Cause.TIMEOUT, detail: str = "") -> list[Alert]:
    alert = Alert(AlertType.ALERT, host, start_ms + 26_000, start_ms, None, 78.3, cause, detail=detail)
    if lasted_ms is None:
        return [alert]
    end_ms = start_ms + lasted_ms
    return [alert, replace(alert, type=AlertType.RECOVERY, time_ms=end_ms + 30_000, end_ms=end_ms)]


def lines_of(
    *outages: Sequence[Alert], width: int = 80, forecast: str = "", unmeasured: Mapping[SiteKey, int] = MappingProxyType({})
) -> list[str]:
    alerts = [alert for found in outages for alert in found]
    ongoing = [found[0] for found in outages if len(found) == 1]
    found = events(View(HEADER, NOON, (), alerts, ongoing), lambda _: forecast)
    return [line.plain.rstrip() for line in event_lines(found, NAMES, NOON, width, unmeasured)]


def test_an_open_outage_stands_once_marked_and_first() -> None:
    lines = lines_of(outage("https://a", NOON - 73_000, None), outage("https://b", NOON - 60 * MINUTE_MS, 100_000))
    assert [" ".join(line.split()) for line in lines] == [
        "✖ 11:58- 1m13 shop timeout 78.3 %",
        "✔ 11:00-11:01 1m40 https://b timeout 78.3 %",
    ]


def test_an_open_outage_that_nobody_measures_any_more_lasts_until_the_last_check() -> None:
    (line,) = lines_of(outage("https://a", NOON - 900_000, None), unmeasured={("https://a", ""): NOON - 560_000})
    assert " 5m40  shop" in line


def test_what_flaps_is_one_line() -> None:
    flaps = [outage("https://a", NOON - minutes * MINUTE_MS, 30_000) for minutes in (60, 50, 40)]
    (line,) = lines_of(*flaps, width=120)
    assert line.endswith("3 times in 20 min 30 s, merged")
    assert " 1m30  shop" in line


@pytest.mark.parametrize(
    ("width", "note"), [(120, "recovers in >= 24 s if all pass"), (80, "recovers in >= 24 s"), (60, "")]
)
def test_an_open_outage_says_when_it_recovers_as_far_as_there_is_room(width: int, note: str) -> None:
    (line,) = lines_of(outage("https://a", NOON - 73_000, None), width=width, forecast="recovers in >= 24 s if all pass")
    assert line.endswith(note or "timeout")


def test_on_a_narrow_screen_a_status_is_its_number_and_on_a_wide_one_the_reason_is_whole() -> None:
    failed = outage("https://a", NOON - 73_000, 10_000, Cause.STATUS, "status 503")
    assert "  503  " in lines_of(failed)[0]
    expired = outage("https://a", NOON - 73_000, 10_000, Cause.TLS, "SSL certificate problem: certificate has expired")
    assert "  tls  " in lines_of(expired)[0]
    assert "  tls: certificate has e" in lines_of(expired, width=120)[0]


def test_an_older_outage_has_its_day() -> None:
    (line,) = lines_of(outage("https://a", NOON - 2 * DAY_MS, None))
    assert line.startswith(" ✖ 30 Dec 12:00 2d00")


def test_what_the_monitor_does_not_say_is_open_is_not_shown_as_open() -> None:
    """Its site is no longer watched, and the record of that is yet to come."""
    view = View(HEADER, NOON, (), outage("https://a", NOON - 73_000, None), ())
    assert events(view) == []


def test_the_title_counts_outages() -> None:
    found = events(
        View(
            HEADER,
            NOON,
            (),
            [*outage("a", NOON - 60_000, None), *outage("b", NOON - 600_000, 5_000)],
            outage("a", NOON, None),
        )
    )
    assert counts_text(found, NOON) == "1 open, 2 today"
    assert counts_text([], NOON) == "none today"
