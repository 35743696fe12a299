"""What a person is told of a site at a glance, while the monitor runs and after it was started again."""

import tempfile
from dataclasses import replace
from functools import reduce
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.models import Alert, AlertType, Cause, CheckResult, LastState, Site, SiteStatus, State
from monitoring.statistics.status import advance, outage_is_open, status
from monitoring.storage.sqlite.store import LocalStore
from tests.support.results import SPAN_MS, START_MS

SITE = Site("a", "http://a/", interval_ms=2_000, timeout_ms=10_000)
OPEN = Alert(AlertType.ALERT, "a", 30_000, 4_000, None, 79.0, Cause.DNS)
OVER = Alert(AlertType.RECOVERY, "a", 90_000, 4_000, 40_000, 81.0, Cause.DNS)


def check(at_ms: int, cause: Cause | None = None, covers_ms: int = 2_000, detail: str = "") -> CheckResult:
    return CheckResult("a", at_ms, covers_ms, 0, 200, 1_000, cause=cause, detail=detail)


def fold(*checks: CheckResult) -> LastState:
    state = reduce(advance, checks, None)
    assert state is not None
    return state


def test_a_site_nobody_has_checked_is_unknown() -> None:
    assert status(None, SITE, None, 0) == SiteStatus(State.UNKNOWN, None, None)
    assert status(None, SITE, OPEN, 0).state is State.UNKNOWN


def test_a_site_that_is_not_enabled_is_paused_whatever_is_known_of_it() -> None:
    paused = replace(SITE, enabled=False)
    assert status(None, paused, None, 0) == SiteStatus(State.PAUSED)
    assert status(fold(check(0), check(2_000, Cause.DNS, detail="gone")), paused, OPEN, 5_000) == SiteStatus(
        State.PAUSED, last_failure_ms=2_000
    )
    assert status(fold(check(0)), paused, OPEN, 60_000) == SiteStatus(State.PAUSED, 2_000), "since the end of its last check"


def test_a_site_that_answers_is_up_since_its_first_good_check() -> None:
    state = fold(check(0, Cause.DNS), check(2_000), check(4_000))
    for last_alert in (None, OVER):
        assert status(state, SITE, last_alert, 5_000) == SiteStatus(State.UP, 2_000, 0)


def test_a_site_that_begins_to_fail_is_failing_since_then() -> None:
    state = fold(check(0), check(2_000, Cause.DNS, detail="no such name"), check(4_000, Cause.TLS, detail="expired"))
    for last_alert in (None, OVER):
        assert status(state, SITE, last_alert, 5_000) == SiteStatus(State.FAILING, 2_000, 4_000, "expired")


def test_a_site_with_an_open_alert_is_down_since_its_outage_began() -> None:
    state = fold(check(4_000, Cause.DNS), check(6_000), check(8_000, Cause.DNS, detail="still"))
    assert status(state, SITE, OPEN, 9_000) == SiteStatus(State.DOWN, OPEN.start_ms, 8_000, "still")


def test_a_site_that_answers_again_is_recovering_since_it_does() -> None:
    state = fold(check(4_000, Cause.DNS, detail="gone"), check(6_000), check(8_000))
    assert status(state, SITE, OPEN, 9_000) == SiteStatus(State.RECOVERING, 6_000, 4_000, "gone")


@pytest.mark.parametrize("last_alert", [None, OPEN, OVER])
@pytest.mark.parametrize("cause", [None, Cause.TIMEOUT])
def test_a_site_is_unknown_since_what_its_last_check_covers(last_alert: Alert | None, cause: Cause | None) -> None:
    site = Site("a", "http://a/", interval_ms=10_000, timeout_ms=10_000)
    state = fold(check(100_000, cause, covers_ms=20_000))
    assert status(state, site, last_alert, 120_000 + 30_000).state is not State.UNKNOWN
    seen = status(state, site, last_alert, 120_000 + 30_001)
    assert (seen.state, seen.since_ms) == (State.UNKNOWN, 120_000)


@given(
    interval_ms=st.integers(100, 600_000),
    timeout_ms=st.integers(100, 60_000),
    skipped=st.integers(0, 20),
    late=st.floats(0, 1, exclude_max=True),
    share=st.floats(0, 1),
)
def test_nothing_is_unknown_while_a_check_may_be_under_way(
    interval_ms: int, timeout_ms: int, skipped: int, late: float, share: float
) -> None:
    """The next check starts up to an interval after its slot and takes up to its time-out."""
    site = Site("a", "http://a/", interval_ms=interval_ms, timeout_ms=timeout_ms)
    state = fold(check(0, covers_ms=interval_ms * (1 + skipped)))
    next_due_ms = interval_ms * (1 + skipped)
    under_way_ms = int(late * interval_ms) + int(share * timeout_ms)
    assert status(state, site, None, next_due_ms + under_way_ms).state is State.UP


@given(late_ms=st.integers(0, 10**9), interval_ms=st.integers(1, 10**6), timeout_ms=st.integers(1, 10**5))
def test_unknown_is_said_only_after_more_than_three_intervals(late_ms: int, interval_ms: int, timeout_ms: int) -> None:
    site = Site("a", "http://a/", interval_ms=interval_ms, timeout_ms=timeout_ms)
    seen = status(fold(check(0, covers_ms=interval_ms)), site, None, interval_ms + late_ms)
    if seen.state is State.UNKNOWN:
        assert late_ms > 3 * interval_ms
    else:
        assert late_ms <= max(3 * interval_ms, timeout_ms + interval_ms)


def test_an_outage_is_open_from_alert_to_recovery() -> None:
    assert not outage_is_open(None)
    assert outage_is_open(OPEN)
    assert not outage_is_open(OVER)


def visible(state: LastState) -> tuple[object, ...]:
    """What of a state shows now: the beginning of the run that goes on, not those of earlier ones."""
    since_ms = state.good_since_ms if state.last_available else state.failing_since_ms
    last = (state.last_ms, state.last_covers_ms, state.last_available, state.last_failure_ms)
    return *last, since_ms, state.detail


causes = st.none() | st.sampled_from(Cause)
moments = st.lists(st.integers(START_MS, START_MS + SPAN_MS), min_size=1, max_size=12, unique=True).map(sorted)


@st.composite
def hours(draw: st.DrawFn) -> list[CheckResult]:
    """The checks of two sites within an hour, in order of time."""
    checks = [
        CheckResult(host, time_ms, draw(st.integers(1, 20_000)), 0, cause=(cause := draw(causes)), detail=cause or "")
        for host in ("a", "b")
        for time_ms in draw(moments)
    ]
    return sorted(checks, key=lambda check: check.time_ms)


@settings(deadline=None, max_examples=40)  # a file on a busy machine
@given(checks=hours(), commits=st.integers(1, 5))
def test_a_monitor_started_again_knows_where_each_site_stood(checks: list[CheckResult], commits: int) -> None:
    """The stored history of the past hour shows what a monitor that had never stopped would show."""
    lived: dict[str, LastState] = {}
    for result in checks:
        lived[result.host] = advance(lived.get(result.host), result)
    with tempfile.TemporaryDirectory() as directory:
        store = LocalStore(Path(directory) / "monitor.db")
        for first in range(0, len(checks), commits):
            store.append(checks[first : first + commits], [], 0)
        stored = store.last_states(1 << 42)
        store.close()
    assert {host: visible(it) for host, it in stored.items()} == {host: visible(it) for host, it in lived.items()}


def test_a_site_that_fails_for_hours_is_known_to_fail_since_its_first_failure(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "monitor.db")
    store.append([check(0), *(check(60_000 * minute, Cause.DNS) for minute in range(1, 200))], [], 0)
    state = store.last_states(1 << 42)["a"]
    store.close()
    assert (state.last_available, state.last_failure_ms, state.failing_since_ms) == (False, 199 * 60_000, 60_000)
