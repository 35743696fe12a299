"""The main loop from its start to its end, on a clock that is told to go: outages, rounds, deadlines, reload, trouble."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from monitoring.alerts.rule import Decision, evaluate
from monitoring.display.words import alert_sentence
from monitoring.errors import ConfigError, MonitoringError
from monitoring.models import AlertType, Cause, CheckResult, Downtime, Site, State, Window
from monitoring.statistics import reference
from monitoring.thresholds import Rule
from monitoringApp import LONG_WINDOWS_MS
from tests.support.points import EVER
from tests.support.scene import START_MS, Scene, site
from tests.support.systemd import Systemd

SHOP, BLOG = site("shop"), site("blog", 5_000)
TEN_MINUTES, HOUR = 600_000, 3_600_000
ROUND_S = 1.5


def fails(from_s: float, until_s: float, cause: Cause = Cause.DNS) -> Callable[[float], Cause | None]:
    return lambda second: cause if from_s <= second < until_s else None


def due_at(checks: list[CheckResult], target: Site, open_alert: bool, seconds: range) -> int:
    """The first of these seconds at which the rule demands something, by the checks that had been made until then."""
    for second in seconds:
        window = Window.before(START_MS + second * 1_000, target.rule.window_ms)
        seen = reference.downtime(checks, window).get(target.host, Downtime())
        if evaluate(open_alert, seen, target.rule).change:
            return second
    raise AssertionError("it never was due")


def test_a_whole_outage_from_the_first_failure_to_the_recovery() -> None:
    scene = Scene([SHOP, BLOG])
    scene.causes["shop"] = fails(60, 200, Cause.TLS)
    states: list[tuple[float, State]] = []
    for second in (59.5, 62.5, 120.5, 202.5, 400.5):
        scene.at(second, lambda: states.append((scene.clock.second, scene.display.states["shop"])))
    scene.run(until_s=420)
    checks = list(scene.store.results(EVER))
    down, back = due_at(checks, SHOP, False, range(0, 420, 2)), due_at(checks, SHOP, True, range(202, 420, 2))
    alert, recovery = scene.display.alerts
    assert (alert.type, alert.time_ms, alert.start_ms) == (AlertType.ALERT, START_MS + down * 1_000, START_MS + 60_000)
    assert (recovery.type, recovery.time_ms, recovery.cause) == (AlertType.RECOVERY, START_MS + back * 1_000, Cause.TLS)
    assert recovery.end_ms == START_MS + 200_000
    assert scene.display.names == ["Shop", "Shop"]
    assert list(scene.store.alerts(EVER)) == [alert, recovery]
    assert [state for _, state in states] == [State.UP, State.FAILING, State.DOWN, State.RECOVERING, State.UP]
    assert scene.display.notices == []
    assert scene.display.closing
    assert [(row.host, row.incidents) for row in scene.display.closing.rows] == [("shop", 1), ("blog", 0)]
    assert scene.display.closing.alerts == (alert, recovery)


def test_an_alert_is_on_the_screen_in_the_round_that_decided_it() -> None:
    scene = Scene([SHOP], alert_interval_ms=700)
    scene.causes["shop"] = fails(60, 999)
    scene.run(until_s=120)
    (alert,) = scene.display.alerts
    assert (alert.time_ms - START_MS) / 1_000 in scene.display.refreshed_at
    assert scene.display.ongoing == [alert]


def test_statistics_come_every_ten_seconds_and_every_minute() -> None:
    scene = Scene([SHOP])
    scene.run(until_s=125)
    times = {
        length: [second for second, window, _ in scene.display.statistics_at if window == length]
        for length in (TEN_MINUTES, HOUR)
    }
    assert times[TEN_MINUTES] == [3, *range(10, 125, 10)]
    assert times[HOUR] == [3, 60, 120]
    assert [row.stats.checks for row in scene.display.last_report.rows] == [60]
    assert {source for *_, source in scene.display.statistics_at} == {"influxdb"}


def test_the_rule_is_asked_at_its_own_rate_and_the_screen_drawn_once_a_second() -> None:
    scene = Scene([SHOP], alert_interval_ms=3_000)
    scene.run(until_s=31)
    assert scene.store.observed == list(range(3, 31, 3))
    assert [second for second in scene.display.refreshed_at if second % 1] == []
    assert len(scene.display.refreshed_at) >= 31


def test_a_thousand_sites_are_one_question_a_round() -> None:
    scene = Scene([site(f"site {number}") for number in range(1_000)])
    scene.causes["site 7"] = fails(0, 999)
    scene.run(until_s=41)
    asked = [what for what, _ in scene.store.questions]
    assert asked.count("downtime") == len(range(2, 41, 2))
    assert asked.count("failures") == 1, "of the one site that went down, once"
    assert {hosts and tuple(hosts) for what, hosts in scene.store.questions if what == "downtime"} == {None}
    assert [alert.host for alert in scene.display.alerts] == ["site 7"]


def test_every_site_of_a_round_is_decided_by_the_method_that_anybody_may_call() -> None:
    scene = Scene([SHOP, BLOG])
    scene.causes["shop"] = fails(0, 30)
    scene.run(until_s=29)
    scene.store.questions.clear()
    assert scene.app.check_alert_status(SHOP).change is None, "its alert is open"
    decision = scene.app.check_alert_status(BLOG)
    assert (decision.change, decision.reason) == (None, "down for no more than the rule allows")
    assert scene.store.questions == [("downtime", ["shop"]), ("downtime", ["blog"])]


def test_a_slow_database_has_one_second_and_the_file_answers_then() -> None:
    scene = Scene([SHOP])
    scene.store.database_s = 5
    scene.run(until_s=50)
    assert {source for *_, source in scene.display.statistics_at} == {"local"}
    first = [(second, window) for second, window, _ in scene.display.statistics_at[:3]]
    assert first == [(4, TEN_MINUTES), (4, HOUR), (11, TEN_MINUTES)], "both windows of a round share one second"
    assert scene.display.notices == []


def test_alerts_are_evaluated_between_the_windows_and_after_them() -> None:
    scene = Scene([SHOP], alert_interval_ms=500)
    scene.store.database_s, scene.store.file_s = 0.7, 0.2
    scene.run(until_s=100)
    assert max(later - earlier for earlier, later in pairwise(scene.store.observed)) <= 0.7 + 0.5
    round_s = [second for second in scene.store.observed if 60 <= second <= 62]
    assert 60.7 in round_s, "between the two windows"


@pytest.mark.parametrize("file_s", [0.4, 0.6, 30])
def test_however_slow_both_are_an_alert_waits_no_longer_than_a_round_and_an_interval(file_s: float) -> None:
    scene = Scene([SHOP])
    scene.store.database_s, scene.store.file_s = 30, file_s
    scene.causes["shop"] = fails(30.5, 999)
    scene.run(until_s=140)
    assert max(later - earlier for earlier, later in pairwise(scene.store.observed)) <= 2 + ROUND_S
    due_s = due_at(list(scene.store.results(EVER)), SHOP, False, range(140))
    assert 0 <= (scene.display.alerts[0].time_ms - START_MS) / 1_000 - due_s <= 2 + ROUND_S


def test_a_window_for_which_a_round_has_no_time_left_comes_in_the_next_one() -> None:
    scene = Scene([SHOP])
    scene.store.database_s, scene.store.file_s = 30, 0.5  # exactly what is left: nothing for the second window
    scene.run(until_s=12)
    shown = [(second, window) for second, window, _ in scene.display.statistics_at]
    assert shown[:2] == [(4.5, TEN_MINUTES), (6, HOUR)]


def test_statistics_that_fail_are_said_once_and_their_return_once() -> None:
    scene = Scene([SHOP])
    scene.store.file_s = scene.store.database_s = 30
    scene.at(42, lambda: (setattr(scene.store, "file_s", 0), setattr(scene.store, "database_s", 0)))
    scene.run(until_s=80)
    assert scene.display.notices == ["no statistics: the file does not answer in time", "there are statistics again"]


def test_statistics_that_are_late_once_are_asked_for_again_at_once_and_nothing_is_said() -> None:
    """As after a start: the database is slow, and the file has to be read from the disk."""
    scene = Scene([SHOP])
    scene.store.database_s, scene.store.file_s = 30, 0.7
    scene.at(4.4, lambda: setattr(scene.store, "database_s", 0))
    scene.run(until_s=12)
    shown = [(second, window) for second, window, _ in scene.display.statistics_at]
    assert shown[:2] == [(4.5, TEN_MINUTES), (4.5, HOUR)]
    assert scene.display.notices == []


def test_alerts_that_cannot_be_decided_are_said_once_and_their_return_once() -> None:
    scene = Scene([SHOP])
    scene.causes["shop"] = fails(0, 999)
    scene.at(8.5, lambda: setattr(scene.store, "broken", "the disk is gone"))
    scene.at(48.5, lambda: setattr(scene.store, "broken", None))
    scene.run(until_s=60)
    about_alerts = [notice for notice in scene.display.notices if "alerts" in notice]
    assert about_alerts == ["alerts cannot be decided: the disk is gone", "alerts are decided again"]
    assert [(alert.time_ms - START_MS) / 1_000 for alert in scene.display.alerts] == [50]


def test_a_rule_that_breaks_is_said_and_everything_else_goes_on() -> None:
    def broken(open_alert: bool, seen: Downtime, rule: Rule) -> Decision:
        raise ZeroDivisionError("oh")

    scene = Scene([SHOP], broken)
    scene.run(until_s=30)
    assert scene.display.notices == ["alerts cannot be decided: ZeroDivisionError: oh"]
    assert len(scene.display.statistics_at) == 4


def test_a_file_that_cannot_be_written_is_said_once_though_the_number_of_waiting_checks_grows() -> None:
    scene = Scene([SHOP])
    for second in range(5, 20):
        scene.at(second, lambda: setattr(scene.store, "trouble", f"disk full; {scene.clock.second} checks wait"))
    scene.at(20, lambda: setattr(scene.store, "trouble", None))
    scene.run(until_s=30)
    assert scene.display.notices == ["checks cannot be written: disk full; 5.0 checks wait", "checks are written again"]


def test_what_cannot_be_written_at_the_end_is_an_error() -> None:
    scene = Scene([SHOP])
    scene.at(5, lambda: setattr(scene.store, "trouble", "disk full"))
    with pytest.raises(MonitoringError, match="not everything could be written: disk full"):
        scene.run(until_s=9)
    assert scene.display.closing, "shown all the same"


def test_a_new_configuration_keeps_the_state_of_the_sites_that_stay() -> None:
    scene = Scene([SHOP, BLOG])
    scene.causes["shop"] = fails(0, 100)
    scene.causes["news"] = fails(0, 999)
    new = replace(scene.config, sites=(SHOP, site("news")), alert_interval_ms=1_000)
    scene.watcher.coming = [(40, ConfigError(["config.json: nonsense"])), (50, new)]
    scene.run(until_s=240)
    assert scene.display.notices == [
        "config.json: nonsense",
        "the previous configuration stays in use",
        "the configuration is valid again",
        "new configuration: 2 sites, 1 added, 1 removed; changed: alerting.interval",
    ]
    told = [(alert.type, alert.host) for alert in scene.display.alerts]
    assert told == [(AlertType.ALERT, "shop"), (AlertType.ALERT, "news"), (AlertType.RECOVERY, "shop")]
    assert {second % 2 for second in scene.store.observed if second < 50} == {0}
    assert {second % 2 for second in scene.store.observed if second > 60} == {0, 1}


@pytest.mark.parametrize("left", [(BLOG,), (replace(SHOP, enabled=False), BLOG)], ids=["removed", "paused"])
def test_the_outage_of_a_site_that_leaves_the_configuration_is_over_and_said(left: tuple[Site, ...]) -> None:
    scene = Scene([SHOP, BLOG])
    scene.causes["shop"] = fails(0, 999)
    scene.watcher.coming = [(100, replace(scene.config, sites=left))]
    scene.run(until_s=240)
    assert [alert.type for alert in scene.display.alerts] == [AlertType.ALERT, AlertType.RECOVERY]
    assert "Website shop is no longer watched. It was down for" in alert_sentence(scene.display.alerts[-1])
    assert scene.display.names[-1] == SHOP.name


def test_the_configuration_file_is_looked_at_about_once_a_second_whatever_there_is_to_see() -> None:
    """A file that is being written holds still for a moment only: it must not be read then."""
    scene = Scene([SHOP, BLOG])
    scene.store.database_s = 0.3  # statistics, after which there is something to see at once
    scene.causes["shop"] = fails(0, 100)
    scene.run(until_s=130)
    pauses = [after - before for before, after in pairwise(scene.watcher.looks)]
    assert min(pauses) >= 0.9
    assert max(pauses) <= 2


def test_a_question_under_way_is_given_up_when_the_monitor_ends_and_nothing_is_said_of_it() -> None:
    scene = Scene([SHOP])
    scene.store.database_s = scene.store.file_s = 30
    scene.run(until_s=3.5)
    assert scene.store.given_up_questions
    assert scene.store.flushed
    assert scene.display.notices == []
    assert scene.checkers.stopped


def test_a_fault_of_the_program_ends_it_with_everything_written_and_the_terminal_given_back() -> None:
    scene = Scene([SHOP])
    scene.at(20, lambda: setattr(scene.checkers, "broken", True))
    with pytest.raises(ZeroDivisionError):
        scene.run(until_s=500)
    assert (scene.store.flushed, scene.display.closed, scene.display.closing) == (True, True, None)


def test_a_reader_that_has_gone_ends_the_monitor_after_all_is_written() -> None:
    scene = Scene([SHOP])
    scene.at(20, lambda: setattr(scene.display, "failure", BrokenPipeError()))
    with pytest.raises(BrokenPipeError):
        scene.run(until_s=500)
    assert scene.clock.second < 23
    assert scene.store.flushed


def alive_after(scene: Scene, tmp_path: Path, second: float) -> list[str]:
    """Signs of life that the service manager hears after this second; one is due every 15 s."""
    heard: list[str] = []
    with Systemd(str(tmp_path / "notify"), watchdog_s=60) as systemd:
        scene.at(second, systemd.heard)
        for later in range(20, 201, 20):  # a socket that nobody reads takes ten messages
            scene.at(second + later, lambda: heard.extend(systemd.heard()))
        scene.run(until_s=second + 201, environ=systemd.environ)
    return [message for message in heard if message.startswith("WATCHDOG=1")]


def test_a_monitor_that_is_well_gives_signs_of_life(tmp_path: Path) -> None:
    assert len(alive_after(Scene([SHOP]), tmp_path, 30)) >= 13


@pytest.mark.parametrize("part", ["checkers", "display"])
def test_a_part_that_is_stuck_silences_the_signs_of_life(tmp_path: Path, part: str) -> None:
    scene = Scene([SHOP])
    scene.at(20, lambda: setattr(getattr(scene, part), "stuck", True))
    assert alive_after(scene, tmp_path, 20 + 31) == []


def test_a_terminal_that_its_user_has_stopped_is_no_fault_but_is_told(tmp_path: Path) -> None:
    scene = Scene([SHOP])
    scene.at(20, lambda: (setattr(scene.display, "stuck", True), setattr(scene.display, "still", True)))
    alive = alive_after(scene, tmp_path, 60)
    assert len(alive) >= 13
    assert {message.partition("; nobody ")[2] for message in alive} == {"reads what is printed"}


def test_a_display_that_is_stuck_after_its_terminal_goes_on_is_a_fault(tmp_path: Path) -> None:
    scene = Scene([SHOP])
    scene.at(20, lambda: (setattr(scene.display, "stuck", True), setattr(scene.display, "still", True)))
    scene.at(100, lambda: setattr(scene.display, "still", False))
    assert alive_after(scene, tmp_path, 100 + 31) == []


def test_a_screen_gets_the_availability_of_a_day_and_a_month_once_a_minute() -> None:
    scene = Scene([SHOP])
    scene.causes["shop"] = fails(30, 60)
    scene.run(until_s=150)
    for length_ms in LONG_WINDOWS_MS:
        assert [second // 60 for second, length in scene.display.long_windows_at if length == length_ms] == [0, 1, 2]
    (row,) = scene.display.last_long.rows
    checks = list(scene.store.results(EVER))
    assert row.stats.covered_ms - row.stats.available_ms == sum(check.covers_ms for check in checks if check.cause)


def test_an_output_that_is_no_screen_does_not_cost_them() -> None:
    scene = Scene([SHOP])
    scene.display.is_screen = False
    scene.run(until_s=70)
    assert scene.display.long_windows_at == []


def test_the_long_windows_wait_when_a_round_has_used_up_its_time() -> None:
    scene = Scene([SHOP])
    scene.store.file_s = scene.store.database_s = 3.0
    scene.run(until_s=30)
    assert scene.display.long_windows_at == []
    assert [b - a for a, b in pairwise(scene.store.observed) if b - a > 2 + ROUND_S] == []


def test_the_display_knows_what_the_rule_saw_last() -> None:
    scene = Scene([SHOP])
    scene.causes["shop"] = fails(30, 60)
    seen: list[Downtime | None] = []
    scene.at(65, lambda: seen.append(scene.display.downtimes["shop"]))
    scene.run(until_s=70)
    assert seen[0]
    assert (seen[0].failures, seen[0].down_ms) == (15, 30_000)
