"""The rule over stored checks decides as the monitor did that made them; two histories are compared."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.alerts.backtest import compare
from monitoring.alerts.replay import Replay
from monitoring.models import Alert, AlertType, Window
from monitoring.thresholds import Rule
from tests.support.scripts import Script, busy_machine, without_pauses
from tests.support.simulation import EVALUATE_EVERY_MS, START_MS, Story, after_start, down, simulate, site

ALERT, RECOVERY = AlertType.ALERT, AlertType.RECOVERY
SECONDS = 600
END_MS = START_MS + SECONDS * 1_000
"""The monitor evaluates nothing from then on, and knows no check that ends later."""


def replayed(story: Story, rule: Rule | None = None, target_interval_s: float = 2) -> list[Alert]:
    replay = Replay(site(target_interval_s, rule=rule), EVALUATE_EVERY_MS)
    for check in story.readable_at(END_MS):
        replay.add(check)
    return list(replay.finish(END_MS))


@busy_machine
@given(script=without_pauses)
def test_the_rule_that_was_in_force_decides_the_same_at_the_same_time(script: Script) -> None:
    """Real checker and evaluator on one side, the stored checks alone on the other: every field of every record."""
    story = script.play()
    replay = Replay(script.target, EVALUATE_EVERY_MS)
    for check in story.readable_at(END_MS):
        replay.add(check)
    assert replay.finish(END_MS) == list(story.alerts)


@busy_machine
@given(script=without_pauses, first=st.integers(0, 200))
def test_it_may_begin_in_the_middle_with_the_newest_record_and_a_window_of_checks(script: Script, first: int) -> None:
    story = script.play()
    begin_ms = START_MS + 300_000 + first * 1_000
    before = [alert for alert in story.alerts if alert.time_ms < begin_ms]
    replay = Replay(script.target, EVALUATE_EVERY_MS, before[-1] if before else None)
    for known in (it for it in story.known if it.at_ms <= END_MS):
        (replay.add if known.at_ms >= begin_ms else replay.remember)(known.result)
    found = replay.finish(END_MS)
    later = [alert for alert in story.alerts if alert.time_ms > begin_ms + EVALUATE_EVERY_MS]
    assert [alert for alert in found if alert.time_ms > begin_ms + EVALUATE_EVERY_MS] == later


@pytest.mark.parametrize(
    ("fails", "maintenance", "kinds"),
    [
        ([(110, 190)], (100, 200), []),
        ([(180, 220)], (200, 400), []),  # down for 20 s before it, and for as long in it
        ([(180, 450)], (200, 400), [ALERT, RECOVERY]),  # what failed in it or before it counts towards nothing
        ([(100, 250)], (200, 300), [ALERT, RECOVERY]),  # an outage that is open when it begins recovers after it
        ([(100, 420)], (200, 300), [ALERT, RECOVERY]),
        ([(100, 150)], (160, 170), [ALERT, RECOVERY]),  # in the middle of a recovery
        ([(100, 150), (300, 350)], (290, 310), [ALERT, RECOVERY, ALERT, RECOVERY]),
        ([(180, 270)], (190, 250), []),  # 10 s before it and 20 s after it are within one window
        ([(100, 590)], (90, 580), []),
    ],
)
def test_it_knows_maintenance_by_the_checks_made_in_it(
    fails: list[tuple[float, float]], maintenance: tuple[float, float], kinds: list[AlertType]
) -> None:
    story = simulate(site(2), down(*fails), SECONDS, maintenance=[maintenance])
    assert [it.type for it in story.alerts] == kinds
    assert replayed(story) == list(story.alerts)


def test_what_would_recover_in_maintenance_recovers_after_it() -> None:
    """The replay knows that it is over by the first check after it."""
    story = simulate(site(2), down((100, 150)), SECONDS, maintenance=[(254, 272)])
    for found in (story.alerts, replayed(story)):
        assert [it.type for it in found] == [ALERT, RECOVERY]
        assert 272 <= after_start(found[1].time_ms) <= 274


@busy_machine
@given(script=without_pauses, first_s=st.integers(0, 500), length_s=st.integers(60, 400))
def test_what_failed_in_maintenance_or_before_it_is_in_no_alert_after_it(
    script: Script, first_s: int, length_s: int
) -> None:
    span = Window(START_MS + first_s * 1_000, START_MS + (first_s + length_s) * 1_000)
    story = script.play(maintenance=[(first_s, first_s + length_s)])
    replay = Replay(script.target, EVALUATE_EVERY_MS)
    for check in story.readable_at(END_MS):
        replay.add(check)
    for found in (replay.finish(END_MS), story.alerts):
        after = [it for it in found if it.type is ALERT and it.time_ms >= span.until_ms]
        assert all(it.start_ms >= span.until_ms for it in after)
        lasting = script.target.interval_ms + script.target.timeout_ms  # until a check made in it is known
        assert not [it for it in found if span.from_ms + lasting <= it.time_ms < span.until_ms]


def alert(start_s: int, time_s: int, kind: AlertType = ALERT, end_s: int | None = None) -> Alert:
    return Alert(kind, "site", time_s * 1_000, start_s * 1_000, end_s and end_s * 1_000, 0.0, None)


def test_another_rule_is_earlier_or_later() -> None:
    story = simulate(site(2), down((200, 300)), SECONDS)
    eager = replayed(story, Rule(threshold=Fraction(90)))
    found = compare(site(2), "", story.alerts, eager)
    assert (found.missed, found.added) == ([], [])
    assert [pair.later_ms for pair in found.pairs] == [-12_000]
    assert [it.type for it in eager] == [ALERT, RECOVERY]


def test_what_only_one_of_two_histories_has_was_missed_or_added() -> None:
    first = (alert(100, 126), alert(100, 220, RECOVERY, 130))
    second = (alert(500, 526), alert(500, 620, RECOVERY, 530))
    assert compare(site(), "", [*first, *second], first).missed == [second[0]]
    assert compare(site(), "", first, [*first, *second]).added == [second[0]]
    assert compare(site(), "", [], []).pairs == []


def test_one_long_outage_that_the_other_rule_takes_apart_is_one_pair_and_the_rest_is_added() -> None:
    long = (alert(100, 126), alert(100, 900, RECOVERY, 800))
    short = (alert(100, 120), alert(100, 300, RECOVERY, 250), alert(400, 420), alert(400, 890, RECOVERY, 800))
    found = compare(site(), "", long, short)
    assert [(pair.raised, pair.replayed) for pair in found.pairs] == [(long[0], short[0])]
    assert (found.missed, found.added) == ([], [short[2]])
    back = compare(site(), "", short, long)
    assert (back.missed, back.added) == ([short[2]], [])


def test_an_outage_that_is_still_open_overlaps_what_comes_later() -> None:
    found = compare(site(), "", [alert(100, 126)], [alert(700, 726)])
    assert [pair.later_ms for pair in found.pairs] == [600_000]
