"""The rule row by row, and whole outages through the real checker and judge."""

from fractions import Fraction

import pytest

from monitoring.alerts.rule import alert_record, evaluate, main_cause, recovery_record
from monitoring.models import Alert, AlertType, Cause, Downtime, Failure
from monitoring.thresholds import Rule
from tests.support.simulation import GOOD, HANGS, REFUSED, Behaviour, Outcome, Pause, after_start, down, simulate, site

ALERT, RECOVERY = AlertType.ALERT, AlertType.RECOVERY
EVEN = Rule(recovery_threshold=Fraction(80))
QUIET = Rule(recovery_threshold=Fraction(95))
STRICT = Rule(threshold=Fraction(999, 10), recovery_threshold=Fraction(999, 10))
EAGER = Rule(minimum_failures=1)


def seen(failures: int, down_s: float, covered_s: float, checks: int = 60) -> Downtime:
    return Downtime(checks, failures, round(covered_s * 1_000), round(down_s * 1_000))


def after_outage(ended: int, ended_s: float, failures: int, down_s: float) -> Downtime:
    """A whole window: what failed in an outage that has ended, and what failed since then."""
    return Downtime(60, ended + failures, 120_000, round((ended_s + down_s) * 1_000), ended, round(ended_s * 1_000))


# fmt: off
TRUTH_TABLE = (
    # No alert is open, a window of 120 s of which 24 s may be down:
    (False, Downtime(),                Rule(), None),      # nothing measured: unknown is not down
    (False, seen(0, 0, 120),           Rule(), None),      # all good
    (False, seen(12, 24, 120),         Rule(), None),      # exactly 80.0 % is not below 80 %
    (False, seen(12, 24.001, 120),     Rule(), ALERT),     # one millisecond more is
    (False, seen(60, 120, 120),        Rule(), ALERT),     # all down
    (False, seen(1, 120, 120, 1),      Rule(), None),      # one failed check proves nothing, whatever it covers
    (False, seen(2, 26, 26, 2),        Rule(), ALERT),     # two do, also right after the start
    (False, seen(2, 24, 24, 2),        Rule(), None),      # 0 % of what was measured, but within the time allowed
    (False, seen(1, 26, 26, 1),        EAGER,  ALERT),     # who asks for one failure gets an alert after one
    (False, seen(13, 26, 40),          Rule(), ALERT),     # little was measured, but enough of it was down
    (False, seen(2, 0.121, 120),       STRICT, ALERT),     # 99.9 % allows 120 ms
    (False, seen(2, 0.120, 120),       STRICT, None),      # exactly that is allowed
    # No alert is open, an outage has ended in the window:
    (False, after_outage(6, 12, 0, 0), Rule(), None),      # all of it belongs to that outage
    (False, after_outage(6, 12, 7, 14), Rule(), None),     # 26 s down, but 12 s have been told
    (False, after_outage(6, 12, 12, 24), Rule(), None),    # exactly what the rule allows
    (False, after_outage(6, 12, 12, 24.001), Rule(), ALERT),  # a millisecond more since then
    (False, after_outage(9, 30, 1, 30), Rule(), None),     # one failed check proves nothing, here neither
    (False, after_outage(9, 30, 1, 30), EAGER, ALERT),     # who asks for one failure gets an alert after one
    # An alert is open, recovery at 90 %:
    (True,  Downtime(),                EVEN,   None),      # nothing measured: unknown is not up
    (True,  seen(60, 120, 120),        EVEN,   None),      # still down: no second alert
    (True,  seen(7, 12.001, 120),      Rule(), None),      # just below 90 %
    (True,  seen(6, 12, 120),          Rule(), RECOVERY),  # exactly 90.0 % is enough
    (True,  seen(0, 0, 95.999),        Rule(), None),      # all good, but not enough of the window was measured
    (True,  after_outage(6, 12, 1, 2), Rule(), None),      # what has been told of is down all the same
    # An alert is open, recovery at the threshold of the alert:
    (True,  seen(12, 24.001, 120),     EVEN,   None),      # just below the threshold
    (True,  seen(12, 24, 120),         EVEN,   RECOVERY),  # exactly 80.0 % is enough
    (True,  seen(0, 0, 95.999),        EVEN,   None),      # all good, but not enough of the window was measured
    (True,  seen(0, 0, 96),            EVEN,   RECOVERY),  # 80 % of the window is
    (True,  seen(10, 20, 96),          EVEN,   None),      # 79.2 % of the measured time
    (True,  seen(2, 25, 130),          EVEN,   None),      # 80.8 %, but 25 s down: the alert's own rule still holds
    (True,  seen(3, 6, 120),           QUIET,  RECOVERY),  # 95.0 %: a recovery may ask for more than an alert
    (True,  seen(4, 8, 120),           QUIET,  None),      # 93.3 %: above 80 %, yet not well
)
# fmt: on


@pytest.mark.parametrize(("open_alert", "window", "rule", "decided"), TRUTH_TABLE)
def test_the_rule_decides(open_alert: bool, window: Downtime, rule: Rule, decided: AlertType | None) -> None:
    decision = evaluate(open_alert, window, rule)
    assert decision.change is decided
    assert decision.reason


@pytest.mark.parametrize(
    ("interval_s", "needed"), [(1, 25), (5, 5), (10, 3), (15, 2), (24, 2), (25, 2), (60, 2), (300, 2), (900, 2)]
)
def test_how_many_failures_an_alert_needs_by_interval(interval_s: int, needed: int) -> None:
    """The counts users find by hand; from 25 s on one single failure would do, so two are asked for."""
    target, began = site(interval_s), 3 * interval_s
    last = began + max(200, 4 * interval_s)
    enough = simulate(target, down((began, began + needed * interval_s)), last)
    too_few = simulate(target, down((began, began + (needed - 1) * interval_s)), last)
    assert [alert.type for alert in enough.alerts][:1] == [ALERT]
    assert not too_few.alerts


def every_fifth(interval_s: int, otherwise_down: tuple[float, float] = (0, 0)) -> Behaviour:
    first, last = otherwise_down

    def behaviour(second: float) -> Outcome:
        failed = round(second / interval_s) % 5 == 4 or first <= second < last
        return REFUSED if failed else GOOD

    return behaviour


@pytest.mark.parametrize("interval_s", [1, 4, 24])
def test_exactly_at_the_threshold_nothing_ever_fires(interval_s: int) -> None:
    """One check of five fails for an hour: 80.0 % in every window."""
    story = simulate(site(interval_s), every_fifth(interval_s), 3_600)
    assert len(story.results) == 3_600 // interval_s
    assert not story.alerts


@pytest.mark.parametrize("interval_s", [2, 24])
def test_exactly_at_the_threshold_an_outage_ends_once(interval_s: int) -> None:
    story = simulate(site(interval_s, rule=EVEN), every_fifth(interval_s, (600, 720)), 3_600)
    assert [alert.type for alert in story.alerts] == [ALERT, RECOVERY]


@pytest.mark.parametrize("interval_s", [1, 4])
def test_exactly_at_the_recovery_threshold_an_outage_ends_once(interval_s: int) -> None:
    """One check of ten fails for an hour: 90.0 % in every window."""

    def behaviour(second: float) -> Outcome:
        return REFUSED if 600 <= second < 720 or round(second / interval_s) % 10 == 9 else GOOD

    story = simulate(site(interval_s), behaviour, 3_600)
    assert [alert.type for alert in story.alerts] == [ALERT, RECOVERY]


def test_a_recovery_threshold_above_the_alert_threshold_stops_flapping() -> None:
    """Around 80 % alternately: 26 s down, 104 s up, for an hour."""

    def behaviour(second: float) -> Outcome:
        return REFUSED if second % 130 < 26 else GOOD

    assert len(simulate(site(2, rule=EVEN), behaviour, 3_600).alerts) > 20
    assert [alert.type for alert in simulate(site(2, rule=QUIET), behaviour, 3_600).alerts] == [ALERT]


def test_a_site_checked_every_five_minutes_is_alerted_and_recovers() -> None:
    story = simulate(site(300), down((3_000, 4_500)), 9_000)
    assert [alert.type for alert in story.alerts] == [ALERT, RECOVERY]
    alert, recovery = story.alerts
    assert (after_start(alert.start_ms), after_start(alert.time_ms)) == (3_000, 3_302)
    assert after_start(recovery.end_ms) == 4_500


@pytest.mark.parametrize("interval_s", [1, 10, 25, 300])
@pytest.mark.parametrize("how", [REFUSED, HANGS])
def test_the_first_check_of_a_monitor_cannot_alert(interval_s: int, how: Outcome) -> None:
    story = simulate(site(interval_s), down((0, 10_000), how=how), 700)
    first, second = story.known[:2]
    assert story.alerts[0].time_ms >= second.at_ms
    assert story.alerts[0].start_ms == first.result.time_ms


@pytest.mark.parametrize("asleep", [False, True], ids=["stopped", "machine asleep"])
def test_a_monitor_that_slept_announces_no_recovery_that_nobody_saw(asleep: bool) -> None:
    """The site goes down, the monitor sleeps for an hour, the site is good when it wakes."""
    woke_s = 3_900
    story = simulate(site(2), down((200, 2_000)), 4_200, pauses=[Pause(300, woke_s, asleep)])
    alert, recovery = story.alerts
    assert (alert.type, recovery.type) == (ALERT, RECOVERY)
    assert after_start(recovery.time_ms) >= woke_s + 96 - 2
    assert woke_s <= after_start(recovery.end_ms) <= woke_s + 2


@pytest.mark.parametrize("asleep", [False, True], ids=["stopped", "machine asleep"])
@pytest.mark.parametrize("length_s", [3, 50, 110, 3_000])
def test_a_pause_of_the_monitor_is_no_outage(length_s: int, asleep: bool) -> None:
    assert not simulate(site(2), down(), 3_600, pauses=[Pause(300, 300 + length_s, asleep)]).alerts


def test_a_pause_within_an_outage_is_no_second_alert() -> None:
    story = simulate(site(2), down((200, 4_000)), 4_000, pauses=[Pause(300, 400), Pause(600, 3_000, asleep=True)])
    assert [alert.type for alert in story.alerts] == [ALERT]


def test_the_dates_of_an_outage_are_those_of_its_checks() -> None:
    story = simulate(site(2), down((200.5, 300)), 600, offset_s=0.7)
    alert, recovery = story.alerts
    assert after_start(alert.start_ms) == 200.7  # the first failed check
    assert after_start(alert.time_ms) == 226  # 13 failed checks are 26 s; the rule is evaluated at even seconds
    assert alert.end_ms is None
    assert alert.availability == pytest.approx(100 * 47 / 60)
    assert recovery.start_ms == alert.start_ms
    assert after_start(recovery.end_ms) == 300.7  # the first good check
    assert after_start(recovery.time_ms) == 408  # of the 60 checks from 288 on 6 failed: 90.0 %
    assert recovery.cause is alert.cause is Cause.CONNECT


def test_an_outage_starts_with_its_own_first_failure() -> None:
    """Failures of the outage before are still in the window; they are neither its start nor its cause, nor do they count."""

    def behaviour(second: float) -> Outcome:
        if 200 <= second < 230 or (230 <= second < 290 and second % 4 == 0):
            return Outcome(1, Cause.STATUS)
        return Outcome(1, Cause.DNS) if second >= 370 else GOOD

    story = simulate(site(2, rule=EVEN), behaviour, 420)
    first, recovery, second = story.alerts
    assert (first.type, recovery.type, second.type) == (ALERT, RECOVERY, ALERT)
    assert (after_start(recovery.end_ms), recovery.cause) == (290, Cause.STATUS)
    assert second.time_ms - 120_000 < first.start_ms + 88_000, "the old failures are still in the window"
    assert (after_start(second.start_ms), second.cause) == (370, Cause.DNS)
    assert after_start(second.time_ms) == 396, "26 s down since then"


def test_the_cause_of_an_outage_is_the_one_with_the_most_seconds() -> None:
    """Five fast failures of 2 s each count less than two that hung for 12 s each."""

    def behaviour(second: float) -> Outcome:
        if second < 200:
            return GOOD
        return Outcome(1, Cause.STATUS) if second < 210 else HANGS

    story = simulate(site(2), behaviour, 300)
    assert [alert.cause for alert in story.alerts] == [Cause.TIMEOUT]
    assert after_start(story.alerts[0].start_ms) == 200


def test_among_equal_causes_the_first_wins() -> None:
    assert main_cause([]) is None
    assert main_cause([Failure(0, 5, Cause.TLS), Failure(5, 5, Cause.DNS)]) is Cause.TLS
    assert main_cause([Failure(0, 5, Cause.TLS), Failure(5, 6, Cause.DNS)]) is Cause.DNS
    three = [Failure(0, 5, Cause.TLS), Failure(5, 6, Cause.DNS), Failure(11, 5, Cause.TLS)]
    assert main_cause(three) is Cause.TLS


def test_an_alert_says_what_the_newest_failure_of_its_cause_said() -> None:
    failures = [
        Failure(0, 5, Cause.TLS, "unable to get local issuer certificate"),
        Failure(5, 5, Cause.TLS, "certificate has expired"),
        Failure(10, 5, Cause.TLS),
        Failure(15, 2, Cause.DNS, "no such name"),
    ]
    opened = alert_record("site", 1_000, seen(17, 30, 40), failures, ended_ms=0)
    assert (opened.cause, opened.detail) == (Cause.TLS, "certificate has expired")
    assert recovery_record(opened, 9_000, seen(0, 40, 40), 8_000).detail == "certificate has expired"


def test_records_are_right_also_when_the_details_are_gone() -> None:
    """A store that lost the failures between two questions, a host whose last check is unknown."""
    alert = alert_record("site", 1_000, seen(2, 30, 40), (), 0)
    assert alert == Alert(ALERT, "site", 1_000, 1_000, None, 25.0, None)
    recovery = recovery_record(alert, 2_000, seen(0, 0, 120), good_since_ms=400)
    assert recovery == Alert(RECOVERY, "site", 2_000, 1_000, 1_000, 100.0, None)
    old_only = alert_record("site", 1_000, seen(2, 30, 40), [Failure(5, 2, Cause.DNS)], ended_ms=10)
    assert (old_only.start_ms, old_only.cause) == (1_000, None), "what was told of begins no other outage"
