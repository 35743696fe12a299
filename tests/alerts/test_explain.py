"""Why a site is in its state: the sum, the moment it crossed, what comes next; and that all of it comes true."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.alerts.explain import Explanation, History, explain
from monitoring.display.text.explanation import explanation_lines
from monitoring.display.text.jsonlines import explanation_json
from monitoring.models import Alert, AlertType, Cause, CheckResult, LastState, State
from monitoring.statistics.status import advance, outage_is_open
from tests.support.scripts import Script, busy_machine, without_pauses
from tests.support.simulation import EVALUATE_EVERY_MS, HANGS, START_MS, Outcome, Story, after_start, down, simulate, site

SITE = site(2)
HUNG = Outcome(1, Cause.TIMEOUT)


def stands_at(checks: Sequence[CheckResult]) -> LastState | None:
    state = None
    for check in checks:
        state = advance(state, check)
    return state


def explained(story: Story, second: float) -> Explanation:
    """As a reader explains it that knows everything stored until then."""
    at_ms = START_MS + round(second * 1_000)
    known = [check for check in story.readable_at(at_ms) if check.time_ms < at_ms]
    alerts = [alert for alert in story.alerts if alert.time_ms <= at_ms]
    return explain(SITE, at_ms, known, History(stands_at(known), alerts), EVALUATE_EVERY_MS)


def lines(found: Explanation) -> list[str]:
    return explanation_lines(found, "", "local")


@pytest.fixture(scope="module")
def outage() -> Story:
    return simulate(SITE, down((200, 300), how=HUNG), 600)


def test_an_open_alert_is_explained_by_the_window_that_decided_it(outage: Story) -> None:
    found = explained(outage, 290)
    assert found.status.state is State.DOWN
    assert found.crossing
    assert (after_start(found.crossing.check_ms), after_start(found.crossing.alert.time_ms)) == (224, 226)
    text = lines(found)
    assert "26.0 s down of 120 s = 21.6 %, an alert needs more than 20 %" in "\n".join(text)
    assert "crossed with the check of 2026-01-01T00:03:44.000Z" in "\n".join(text)
    assert any(line.endswith("47 checks  94.0 s  good 200") for line in text)
    assert any(line.endswith("13 checks  26.0 s  timeout") for line in text)


def test_a_site_that_answers_again_says_when_it_recovers(outage: Story) -> None:
    found = explained(outage, 374)
    assert found.status.state is State.RECOVERING
    assert "74.0 s good of 120.0 s measured = 61.6 %, a recovery needs 90 %" in "\n".join(lines(found))
    assert lines(found)[-1] == "recovers in 34 s if every check passes"
    assert after_start(outage.alerts[1].time_ms) == 374 + 34


def test_after_the_recovery_its_downtime_belongs_to_the_outage_before(outage: Story) -> None:
    found = explained(outage, 410)
    assert (found.status.state, found.crossing) == (State.UP, None)
    assert "0.0 s down of 120 s = 0.0 %" in "\n".join(lines(found))
    assert "10.0 s more belong to the outage before" in "\n".join(lines(found))
    assert "last outage: 1 min 40 s until 2026-01-01T00:05:00.000Z; an alert in 26 s if every check fails" in lines(found)


def test_a_failing_site_says_how_soon_it_is_alerted(outage: Story) -> None:
    found = explained(outage, 210)
    assert found.status.state is State.FAILING
    assert "10.0 s down of 120 s = 8.3 %, an alert needs more than 20 %" in "\n".join(lines(found))
    assert lines(found)[-1] == "an alert in 16 s if every check fails"


def test_the_last_good_and_the_last_failed_check_stand_beside_each_other(outage: Story) -> None:
    found = explained(outage, 290)
    assert found.good
    assert found.failed
    assert (after_start(found.good.time_ms), after_start(found.failed.time_ms)) == (198, 288)
    (row,) = (line for line in lines(found) if line.startswith("total"))
    assert row.split() == ["total", "50.0", "ms", "1.0", "ms"]


def test_nothing_measured_is_said_and_proves_nothing() -> None:
    found = explain(SITE, START_MS, (), History(), EVALUATE_EVERY_MS)
    assert (found.status.state, found.forecast, found.now.sums.checks) == (State.UNKNOWN, None, 0)
    assert "no check has ended, which proves neither up nor down" in "\n".join(lines(found))


def test_a_check_that_is_under_way_is_said_to_be() -> None:
    """A site that hangs from 200 s on: the check of 200 s ends at 210 s, that of 212 s at 222 s."""
    story = simulate(SITE, down((200, 900), how=HANGS), 300)
    (alert,) = story.alerts
    assert not any("under way" in line for line in lines(explained(story, 200.5)))
    for second, said in (
        (208, "a check is under way since 2026-01-01T00:03:20.000Z, for 8 s; it fails after 10 s"),
        (221, "a check is under way since 2026-01-01T00:03:32.000Z, for 9 s; it fails after 10 s"),
    ):
        found = explained(story, second)
        assert said in lines(found)
        assert found.forecast
        assert START_MS + second * 1_000 + found.forecast.in_ms == alert.time_ms
        assert lines(found)[-1].endswith("if every check hangs until its timeout")


def test_where_no_monitor_runs_nothing_is_foretold() -> None:
    story = simulate(SITE, down((200, 210)), 212)
    found = explained(story, 230)
    assert "no check has ended since 2026-01-01T00:03:32.000Z, for 18 s: it seems that no monitor is running" in lines(found)
    assert lines(found)[-1] == "nothing is decided while no check is made"


def test_an_alert_whose_checks_are_gone_is_said_to_be_one() -> None:
    opened = Alert(AlertType.ALERT, SITE.host, START_MS, START_MS - 26_000, None, 78.3, Cause.DNS)
    found = explain(SITE, START_MS + 10**9, (), History(None, [opened]), EVALUATE_EVERY_MS)
    assert found.is_open
    assert "the checks of that time are not kept any more" in "\n".join(lines(found))


def test_what_servers_say_is_data() -> None:
    hostile = CheckResult(SITE.host, START_MS, 2_000, 0, cause=Cause.STATUS, detail="status 500\x1b[2J\n\u202e")
    found = explain(SITE, START_MS + 2_000, [hostile], History(stands_at([hostile])), EVALUATE_EVERY_MS)
    assert all(line.isprintable() for line in lines(found))
    assert explanation_json(found, "", "local").isascii()


def test_timeouts_that_differ_by_milliseconds_alone_are_one_line() -> None:
    waited_ms = (3_003, 3_012, 3_000)
    hung = [
        CheckResult(
            SITE.host, START_MS + place * 4_000, 4_000, 0, cause=Cause.TIMEOUT, detail=f"timed out after {ms} milliseconds"
        )
        for place, ms in enumerate(waited_ms)
    ]
    text = lines(explain(SITE, START_MS + 12_000, hung, History(stands_at(hung)), EVALUATE_EVERY_MS))
    assert [line for line in text if "3 checks  12.0 s  timeout: timed out after 3000 milliseconds" in line]


@busy_machine
@given(script=without_pauses, second=st.integers(100, 400))
def test_the_sum_is_what_the_rule_decided_and_the_crossing_lies_in_the_outage(script: Script, second: int) -> None:
    """At any moment: the decision follows from the sum that is shown, an alert crossed with one of its failed checks."""
    story, at_ms = script.play(), START_MS + second * 1_000
    known = [check for check in story.readable_at(at_ms) if check.time_ms < at_ms]
    alerts = [alert for alert in story.alerts if alert.time_ms <= at_ms]
    found = explain(script.target, at_ms, known, History(stands_at(known), alerts), EVALUATE_EVERY_MS)
    assert sum(run.checks for run in found.now.runs) == found.now.sums.checks
    assert sum(one.down_ms for one in found.now.causes) == found.now.sums.down_ms
    assert found.is_open == (bool(alerts) and outage_is_open(alerts[-1]))
    if found.crossing:
        assert found.crossing.check_ms
        assert found.crossing.alert.start_ms <= found.crossing.check_ms < found.crossing.alert.time_ms
    assert explanation_lines(found, "", "local")


@busy_machine
@given(script=without_pauses, second=st.integers(0, 500))
def test_what_is_foretold_comes_true(script: Script, second: int) -> None:
    """If every check passes an open alert ends when it was said, to the evaluation."""
    moods = [*script.moods[: second // 30 + 1], *[Outcome()] * 40]
    story = simulate(script.target, lambda now: moods[int(now / 30)], 1_200, offset_s=script.offset_s)
    at_ms = START_MS + (second // 30 + 1) * 30_000
    known = [check for check in story.readable_at(at_ms) if check.time_ms < at_ms]
    alerts = [alert for alert in story.alerts if alert.time_ms <= at_ms]
    if not alerts or not outage_is_open(alerts[-1]) or len(known) < len([it for it in story.results if it.time_ms < at_ms]):
        return  # up, or a check is under way of which nobody knows how it ends
    found = explain(script.target, at_ms, known, History(stands_at(known), alerts), EVALUATE_EVERY_MS)
    (recovery,) = (alert for alert in story.alerts if alert.time_ms > at_ms)
    assert found.forecast
    assert abs(found.forecast.in_ms - (recovery.time_ms - at_ms)) <= EVALUATE_EVERY_MS
