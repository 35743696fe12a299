"""The books of `bench.soak` balance for an honest run, and do not for one in which anything was changed."""

import random
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest

from bench.accounts import TargetLog, account_for_slots, compare_with_target
from bench.faults import Fault, plan
from bench.faulty import LATE_S, WELL
from bench.sayings import sort_out
from bench.steadiness import FULL_S, growth_promises
from bench.troubles import BACKED_UP, LEAST_WELL_S, PUT_BACK, TROUBLES
from bench.troubles import plan as plan_troubles
from bench.verdicts import audit
from bench.watched import Sample
from monitoring.alerts.rule import alert_record, evaluate, recovery_record
from monitoring.models import Alert, AlertType, Cause, CheckResult, LastState, Window
from monitoring.statistics import reference
from monitoring.statistics.status import advance
from monitoring.thresholds import Rule

HOST = "http://site.example"
START_MS = 1_767_225_600_000
INTERVAL_MS, TIMEOUT_MS = 2_000, 10_000
CHECKS = 120
RULE = Rule(Fraction(80), Fraction(80), 30_000, 2)
OUTAGE = range(40, 60)
RUN = Window(START_MS, START_MS + CHECKS * INTERVAL_MS)


def check(number: int, cause: Cause | None = None) -> CheckResult:
    return CheckResult(HOST, START_MS + number * INTERVAL_MS, INTERVAL_MS, 500, 200, 20_000, cause=cause)


def honest_checks() -> list[CheckResult]:
    return [check(number, Cause.STATUS if number in OUTAGE else None) for number in range(CHECKS)]


def honest_log(checks: list[CheckResult]) -> TargetLog:
    served = [(one.time_ms + 3, WELL if one.available else str(Fault.ERROR)) for one in checks]
    return TargetLog({HOST: served}, {HOST: []})


def honest_alerts(checks: list[CheckResult]) -> list[Alert]:
    """What a judge records that looks every two seconds, half a second after the check."""
    found: list[Alert] = []
    state: LastState | None = None
    for one in checks:
        state, now_ms = advance(state, one), one.time_ms + 500
        window = Window.before(now_ms, RULE.window_ms)
        seen = reference.downtime(checks, window)[HOST]
        is_open = bool(found) and found[-1].type is AlertType.ALERT
        match evaluate(is_open, seen, RULE).change:
            case AlertType.ALERT:
                failures = reference.failures(checks, window, [HOST])[HOST]
                found.append(alert_record(HOST, now_ms, seen, failures, 0))
            case AlertType.RECOVERY:
                found.append(recovery_record(found[-1], now_ms, seen, state.good_since_ms or 0))
    return found


def slots_are_wrong(checks: list[CheckResult]) -> bool:
    slots = account_for_slots({HOST: checks}, RUN, INTERVAL_MS, TIMEOUT_MS)
    return bool(slots.breaches or slots.not_made)


def test_an_honest_run_balances() -> None:
    checks = honest_checks()
    alerts = honest_alerts(checks)
    assert [alert.type for alert in alerts] == ["alert", "recovery"]
    assert not slots_are_wrong(checks)
    assert compare_with_target({HOST: checks}, honest_log(checks)) == []
    assert audit({HOST: checks}, alerts, RULE, RUN) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda checks: checks[:50] + checks[51:],
        lambda checks: [*checks[:50], replace(checks[50], covers_ms=2 * INTERVAL_MS), *checks[51:]],
        lambda checks: [*checks[:50], replace(checks[50], time_ms=checks[50].time_ms + 1), *checks[51:]],
        lambda checks: checks[20:],
        lambda checks: checks[:-20],
        lambda checks: [],
    ],
    ids=["lost", "covers too much", "off its slot", "begins late", "ends early", "never checked"],
)
def test_slots_that_do_not_add_up_are_found(change: Callable[[list[CheckResult]], list[CheckResult]]) -> None:
    assert slots_are_wrong(change(honest_checks()))


@pytest.mark.parametrize("number", [0, 45, 70])
def test_a_check_that_tells_something_else_than_the_target_is_found(number: int) -> None:
    checks = honest_checks()
    log = honest_log(checks)
    checks[number] = check(number, None if number in OUTAGE else Cause.TIMEOUT)
    assert len(compare_with_target({HOST: checks}, log)) == 1


def test_a_request_without_a_check_and_a_check_without_a_request_are_found() -> None:
    checks = honest_checks()
    log = honest_log(checks)
    assert len(compare_with_target({HOST: checks[:50] + checks[51:]}, log)) == 1
    served = [one for one in log.served[HOST] if one[0] != checks[50].time_ms + 3]
    assert len(compare_with_target({HOST: checks}, TargetLog({HOST: served}, {HOST: []}))) == 1


def test_a_check_without_a_request_is_right_where_nobody_listened() -> None:
    checks = [check(number, Cause.CONNECT if number in OUTAGE else None) for number in range(CHECKS)]
    served = [(one.time_ms + 3, WELL) for one in checks if one.available]
    refused = [(checks[40].time_ms - 100, checks[59].time_ms + 100)]
    assert compare_with_target({HOST: checks}, TargetLog({HOST: served}, {HOST: refused})) == []
    assert len(compare_with_target({HOST: checks}, TargetLog({HOST: served}, {HOST: []}))) == len(OUTAGE)


def test_an_answer_measured_shorter_than_it_was_is_found() -> None:
    slow = [replace(check(number), response_us=int(LATE_S * 1e6) - 1) for number in range(0, CHECKS, 2)]
    log = TargetLog({HOST: [(one.time_ms, str(Fault.LATE)) for one in slow]}, {HOST: []})
    assert len(compare_with_target({HOST: slow}, log)) == len(slow)


@pytest.mark.parametrize(
    "change",
    [
        lambda alerts: alerts[1:],
        lambda alerts: alerts[:1],
        lambda alerts: [replace(alerts[0], start_ms=alerts[0].start_ms + INTERVAL_MS), alerts[1]],
        lambda alerts: [replace(alerts[0], availability=alerts[0].availability - 1), alerts[1]],
        lambda alerts: [replace(alerts[0], cause=Cause.DNS), alerts[1]],
        lambda alerts: [alerts[0], replace(alerts[1], end_ms=alerts[1].time_ms)],
        lambda alerts: [replace(alerts[0], time_ms=alerts[0].time_ms - 3 * INTERVAL_MS), alerts[1]],
        lambda alerts: [alerts[0], *alerts],
    ],
    ids=["no alert", "no recovery", "start", "availability", "cause", "end", "too early", "twice"],
)
def test_a_transition_that_the_checks_do_not_explain_is_found(change: Callable[[list[Alert]], list[Alert]]) -> None:
    checks = honest_checks()
    assert audit({HOST: checks}, change(honest_alerts(checks)), RULE, RUN)


def test_a_plan_of_faults_is_the_same_for_the_same_seed_and_ends_in_time(dice: random.Random) -> None:
    seed = dice.randrange(1_000)
    plans = plan(30, 600, seed)
    assert plans == plan(30, 600, seed) != plan(30, 600, seed + 1)
    for spells in plans:
        assert all(0 <= spell.from_s < spell.until_s for spell in spells)
        assert all(not earlier.overlaps(later) for earlier, later in pairwise(spells))


def test_troubles_come_one_after_the_other_each_in_its_turn_and_nothing_is_put_back_before_it_was_copied(
    dice: random.Random,
) -> None:
    seed, seconds = dice.randrange(1_000), 5_400.0
    (started, _, _), *planned, (end_s, _, _) = plan_troubles(random.Random(seed), seconds, 1.0)
    assert [at_s for at_s, _, _ in planned] == [
        at_s for at_s, _, _ in plan_troubles(random.Random(seed), seconds, 1.0)[1:-1]
    ]
    assert end_s == seconds
    begins, ends = planned[::2], planned[1::2]
    assert {what for _, what, _ in ends} == {""}
    assert all(begin[0] < end[0] <= seconds for begin, end in zip(begins, ends, strict=True))
    well = zip([started, *(at_s for at_s, _, _ in ends)], (at_s for at_s, _, _ in begins), strict=False)
    assert all(end_s + LEAST_WELL_S <= begin_s for end_s, begin_s in well)
    happened = [what for _, what, _ in begins]
    assert {*happened} == {trouble.what for trouble in TROUBLES}
    assert happened.index(BACKED_UP.what) < happened.index(PUT_BACK.what)


def test_what_the_monitor_says_is_counted_and_what_no_trouble_explains_is_found() -> None:
    name = "InfluxDB at 127.0.0.1:8086"
    said = sort_out(
        [
            f"{name} does not answer; 12 points wait in the local file",
            f"{name} does not answer in time; 1 point waits in the local file",
            f"{name} is there again",
            "Traceback (most recent call last):",
        ]
    )
    assert said.counts == {"InfluxDB is away": 2, "InfluxDB is there again": 1}
    assert said.strange == ["Traceback (most recent call last):"]


def samples(seconds: int, memory_kb: Callable[[float], float]) -> list[Sample]:
    return [Sample(at_s, int(memory_kb(at_s)), 20, 5, at_s / 10, 0) for at_s in range(5, seconds, 5)]


@pytest.mark.parametrize(
    ("seconds", "memory_kb", "kept"),
    [
        pytest.param(5_400, lambda at_s: 70_000, True, id="flat"),
        pytest.param(5_400, lambda at_s: 70_000 + min(at_s, FULL_S), True, id="flat once the hour is full"),
        pytest.param(5_400, lambda at_s: 70_000 + at_s, False, id="a kilobyte a second"),
        pytest.param(3_600, lambda at_s: 70_000 + at_s, None, id="the hour was never full"),
    ],
)
def test_memory_that_grows_once_the_hour_that_is_shown_is_full_breaks_a_promise(
    seconds: int, memory_kb: Callable[[float], float], kept: bool | None
) -> None:
    memory, descriptors, threads, _ = growth_promises(samples(seconds, memory_kb))
    assert (memory.kept, descriptors.kept, threads.kept) == (kept, True, True)
