"""Outages, put together from the records of their begin and end."""

from dataclasses import replace

from monitoring.display.view_model.incidents import incidents, overlaps
from monitoring.models import Alert, AlertType, Window
from tests.support.points import START_MS, alert, recovery


def test_an_alert_and_its_recovery_are_one_outage() -> None:
    begun, over = alert(0), replace(recovery(200), start_ms=alert(0).start_ms)
    (found,) = incidents([begun, over])
    assert (found.alert, found.recovery, found.is_open) == (begun, over, False)
    assert (found.start_ms, found.end_ms) == (begun.start_ms, over.end_ms)
    assert found.lasted_ms(START_MS + 10**9) == over.end_ms - begun.start_ms  # type: ignore[operator]
    assert found.detail == begun.detail


def test_one_without_a_recovery_is_open_and_lasts_until_now() -> None:
    (found,) = incidents([alert(0)])
    assert found.is_open
    assert found.end_ms is None
    assert found.lasted_ms(alert(0).start_ms + 5_000) == 5_000


def test_a_recovery_whose_alert_is_no_longer_kept_tells_of_an_outage_too() -> None:
    (found,) = incidents([recovery(200)])
    assert (found.alert, found.start_ms) == (None, recovery(200).start_ms)


def test_of_a_site_that_left_it_ends_when_that_was_decided() -> None:
    gone = replace(recovery(200), end_ms=None)
    (found,) = incidents([alert(0), gone])
    assert found.end_ms == gone.time_ms


def test_places_and_sites_have_outages_of_their_own_the_newest_first() -> None:
    alerts = [alert(0, "a"), replace(alert(1, "a"), location="Paris"), alert(2, "b")]
    assert [(it.host, it.location) for it in incidents(alerts)] == [("b", ""), ("a", "Paris"), ("a", "")]


def test_only_what_lies_between_two_moments_counts_as_overlap() -> None:
    start_ms, end_ms = START_MS, START_MS + 60_000
    begun = Alert(AlertType.ALERT, "a", start_ms + 9_000, start_ms, None, 50.0, None)
    (still,) = incidents([begun])
    (over,) = incidents([begun, replace(begun, type=AlertType.RECOVERY, time_ms=end_ms + 5_000, end_ms=end_ms)])
    assert over.overlap_ms(Window(start_ms - 10_000, end_ms + 10_000)) == 60_000
    assert over.overlap_ms(Window(start_ms + 10_000, end_ms - 10_000)) == 40_000
    assert over.overlap_ms(Window(end_ms + 1, end_ms + 2)) == 0
    assert still.overlap_ms(Window(start_ms + 10_000, end_ms)) == 50_000


def test_an_open_one_of_a_site_that_nobody_measures_any_more_ends_with_the_last_check() -> None:
    begun = Alert(AlertType.ALERT, "a", START_MS + 9_000, START_MS, None, 50.0, None)
    over = replace(begun, host="b", type=AlertType.RECOVERY, time_ms=START_MS + 65_000, end_ms=START_MS + 60_000)
    last_ms = {("a", ""): START_MS + 20_000, ("b", ""): START_MS + 30_000}
    found = overlaps(incidents([begun, over]), Window(START_MS, START_MS + 10**6), last_ms)
    assert {key: [length_ms for length_ms, _ in of_site] for key, of_site in found.items()} == {
        ("a", ""): [20_000],
        ("b", ""): [60_000],
    }
    assert ("a", "") not in overlaps(incidents([begun]), Window(START_MS + 20_000, START_MS + 10**6), last_ms)
