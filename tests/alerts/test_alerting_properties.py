"""What holds for the alert rule whatever the sites, the schedule and the rule."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from monitoring.alerts.rule import evaluate
from monitoring.models import AlertType, Downtime, Window
from monitoring.statistics.reference import downtime
from monitoring.statistics.status import ended_ms
from monitoring.thresholds import Rule
from tests.support.scripts import Script, busy_machine, scripts
from tests.support.simulation import HANGS, REFUSED, after_start, down, simulate, site

percents = st.fractions(1, 100, max_denominator=1_000)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    threshold, recovery_threshold = sorted((draw(percents), draw(percents)))
    return Rule(threshold, recovery_threshold, draw(st.integers(1_000, 1_000_000)), draw(st.integers(1, 5)))


@st.composite
def windows(draw: st.DrawFn) -> Downtime:
    """What a window could have held: no failure without time, no time without a check."""
    covers = st.lists(st.integers(1, 400_000), max_size=8)
    failed, good = draw(covers), draw(covers)
    return Downtime(len(failed) + len(good), len(failed), sum(failed) + sum(good), sum(failed))


@given(seen=windows(), rule=rules())
def test_an_alert_has_its_downtime_and_its_failures(seen: Downtime, rule: Rule) -> None:
    allowed_ms = Fraction(rule.window_ms) * (100 - rule.threshold) / 100
    wanted = seen.down_ms > allowed_ms and seen.failures >= rule.minimum_failures
    assert (evaluate(False, seen, rule).change is AlertType.ALERT) == wanted


@given(own=windows(), ended=windows(), rule=rules())
def test_what_has_ended_counts_for_a_recovery_and_for_no_alert(own: Downtime, ended: Downtime, rule: Rule) -> None:
    both = Downtime(
        own.checks + ended.failures,
        own.failures + ended.failures,
        own.covered_ms + ended.down_ms,
        own.down_ms + ended.down_ms,
        ended.failures,
        ended.down_ms,
    )
    whole = replace(both, ended_failures=0, ended_down_ms=0)
    assert evaluate(False, both, rule) == evaluate(False, own, rule)
    assert evaluate(True, both, rule) == evaluate(True, whole, rule)


@given(seen=windows(), rule=rules())
def test_a_recovery_has_its_uptime_and_its_coverage(seen: Downtime, rule: Rule) -> None:
    if evaluate(True, seen, rule).change is AlertType.RECOVERY:
        good_ms = seen.covered_ms - seen.down_ms
        assert Fraction(good_ms, seen.covered_ms) >= rule.recovery_threshold / 100
        assert Fraction(seen.covered_ms, rule.window_ms) >= Fraction(8, 10)


@given(seen=windows(), rule=rules())
def test_no_window_is_both_an_alert_and_a_recovery(seen: Downtime, rule: Rule) -> None:
    both = {evaluate(False, seen, rule).change, evaluate(True, seen, rule).change}
    assert not both >= {AlertType.ALERT, AlertType.RECOVERY}


@given(rule=rules(), down_ms=st.integers(0, 1_000_000))
def test_on_a_whole_window_a_site_is_either_up_or_down(rule: Rule, down_ms: int) -> None:
    """With one threshold and enough failures nothing lies between an alert and a recovery."""
    rule = replace(rule, recovery_threshold=rule.threshold, window_ms=1_000_000)
    seen = Downtime(100, 100, 1_000_000, down_ms)
    decided = [evaluate(False, seen, rule).change, evaluate(True, seen, rule).change]
    assert decided in ([AlertType.ALERT, None], [None, AlertType.RECOVERY])


@given(rule=rules(), open_alert=st.booleans())
def test_an_empty_window_proves_nothing(rule: Rule, open_alert: bool) -> None:
    assert evaluate(open_alert, Downtime(), rule).change is None


@given(rule=rules(), covers_ms=st.integers(1, 10**9))
def test_one_failed_check_is_never_an_alert_where_two_are_asked_for(rule: Rule, covers_ms: int) -> None:
    rule = replace(rule, minimum_failures=max(2, rule.minimum_failures))
    assert evaluate(False, Downtime(1, 1, covers_ms, covers_ms), rule).change is None


@busy_machine
@given(script=scripts)
def test_alerts_and_recoveries_alternate_in_time(script: Script) -> None:
    alerts = script.play().alerts
    assert [alert.type for alert in alerts] == (list(AlertType) * len(alerts))[: len(alerts)]
    assert all(before.time_ms < after.time_ms for before, after in pairwise(alerts))


@busy_machine
@given(script=scripts)
def test_every_transition_can_be_recomputed_from_the_stored_checks(script: Script) -> None:
    story, target = script.play(), script.target
    for before, alert in pairwise((None, *story.alerts)):
        assert alert
        window = Window.before(alert.time_ms, target.rule.window_ms)
        ended = {target.host: ended_ms(before)}
        seen = downtime(story.readable_at(alert.time_ms), window, ended=ended)[target.host]
        assert evaluate(alert.type is AlertType.RECOVERY, seen, target.rule).change is alert.type
        assert alert.availability == 100 * (seen.covered_ms - seen.down_ms) / seen.covered_ms


@busy_machine
@given(script=scripts)
def test_no_alert_rests_on_downtime_that_was_told_of(script: Script) -> None:
    """From the end of the last outage on alone, enough checks failed for long enough."""
    story, target = script.play(), script.target
    for before, alert in pairwise((None, *story.alerts)):
        if alert and alert.type is AlertType.ALERT:
            window = Window.before(alert.time_ms, target.rule.window_ms)
            since_ms = max(window.from_ms, ended_ms(before))
            own = [it for it in story.readable_at(alert.time_ms) if since_ms <= it.time_ms < alert.time_ms]
            failed = [it for it in own if not it.available]
            assert sum(it.covers_ms for it in failed) > target.rule.window_ms * (100 - target.rule.threshold) / 100
            assert len(failed) >= target.rule.minimum_failures
            assert alert.start_ms == failed[0].time_ms


@busy_machine
@given(script=scripts)
def test_a_restart_changes_no_decision(script: Script) -> None:
    """Whenever it comes: here before each evaluation."""
    assert script.play(restarts=True) == script.play()


@busy_machine
@given(script=scripts)
def test_the_dates_of_every_outage_are_in_order(script: Script) -> None:
    story = script.play()
    failed = {result.time_ms for result in story.results if not result.available}
    for alert in story.alerts:
        assert alert.start_ms in failed
        assert alert.start_ms < alert.time_ms
        assert (alert.end_ms is None) == (alert.type is AlertType.ALERT)
    for before, after in pairwise(story.alerts):
        if after.type is AlertType.RECOVERY:
            assert after.start_ms == before.start_ms
        else:
            assert after.start_ms >= (before.end_ms or 0) >= before.start_ms


@busy_machine
@given(script=scripts)
def test_an_outage_ends_with_the_first_good_check_after_its_last_failure(script: Script) -> None:
    story = script.play()
    for alert in story.alerts:
        checks = story.readable_at(alert.time_ms)
        # The rule may be content with the window while the very last check failed: then there is no such check yet.
        if alert.type is AlertType.RECOVERY and checks[-1].available:
            last_failure_ms = max(check.time_ms for check in checks if not check.available)
            assert alert.end_ms == min(check.time_ms for check in checks if check.time_ms > last_failure_ms)


@busy_machine
@given(interval_ms=st.integers(1_000, 10_000), offset_ms=st.integers(0, 10_000), began_ms=st.integers(150_000, 160_000))
def test_an_outage_that_hangs_is_alerted_like_one_that_fails_fast(interval_ms: int, offset_ms: int, began_ms: int) -> None:
    """More than 24 s down, one check, and two seconds between evaluations. Counted by checks it took 88 s at 1 s."""
    found = []
    for how in (REFUSED, HANGS):
        story = simulate(
            site(interval_ms / 1_000), down((began_ms / 1_000, 10_000), how=how), 260, offset_s=offset_ms / 1_000
        )
        (alert,) = story.alerts
        took_s = after_start(alert.time_ms) - after_start(alert.start_ms)
        one_check_s = (how.duration_ms + interval_ms) / 1_000
        assert 24 - interval_ms / 1_000 <= took_s <= 24 + one_check_s + 2
        found.append(took_s)
    fast_s, hanging_s = found
    assert abs(hanging_s - fast_s) <= (HANGS.duration_ms + interval_ms) / 1_000 + 2
