"""Where every site stood at any moment, by questions that every reader answers."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import reduce
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring import stats
from monitoring.models import Cause, CheckResult, History, Site, SiteStatus, State, Streak, Window
from monitoring.states import advance, status, unknown_after_ms
from monitoring.store import standing
from monitoring.store.local import LocalStore
from monitoring.store.standing import Standing
from tests.support.memory_store import MemoryStore
from tests.support.points import EVER, START_MS, alert, checks
from tests.support.streaks import streaks_of

SITE = Site("a", "http://a/", interval_ms=2_000, timeout_ms=10_000)
SLOW = Site("slow", "http://slow/", interval_ms=300_000, timeout_ms=10_000)


def lived(stored: Sequence[CheckResult], host: str, at_ms: int) -> History | None:
    """What a monitor that saw every check would know at a moment."""
    return reduce(advance, [check for check in stored if check.host == host and check.time_ms < at_ms], None)


@st.composite
def lives(draw: st.DrawFn, site: Site) -> list[CheckResult]:
    """The checks of a site that is up and down for a while by turns, with gaps in which nobody checked."""
    found: list[CheckResult] = []
    at_ms = START_MS + draw(st.integers(0, site.interval_ms - 1))
    for _ in range(draw(st.integers(0, 6))):
        cause = draw(st.none() | st.sampled_from(Cause))
        for _ in range(draw(st.integers(1, 25))):
            slots = draw(st.integers(1, 1 + site.timeout_ms // site.interval_ms))
            found.append(CheckResult(site.host, at_ms, slots * site.interval_ms, 0, cause=cause, detail=cause or ""))
            at_ms += slots * site.interval_ms
        at_ms += site.interval_ms * draw(st.sampled_from([0, 0, 0, 1, 3, 30]))
    return found


def moments(newest_ms: int) -> st.SearchStrategy[int]:
    """Any moment of a life, or after it: until an often and until a seldom asked site has become unknown."""
    during = st.integers(START_MS, newest_ms + 1)
    return during | st.integers(newest_ms, newest_ms + 40_000) | st.integers(newest_ms, newest_ms + 1_400_000)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[CheckResult], int]:
    """The checks of a site that is asked often and of one that is asked seldom; a moment."""
    stored = [*draw(lives(SITE)), *draw(lives(SLOW))]
    newest_ms = max((check.time_ms for check in stored), default=START_MS)
    return sorted(stored, key=lambda check: check.time_ms), draw(moments(newest_ms))


def assert_true(seen: SiteStatus, exact: SiteStatus) -> None:
    """The state is right; the rest is exact, or not known."""
    assert seen.state is exact.state
    assert seen.since_ms in (exact.since_ms, None)
    assert seen.last_failure_ms in (exact.last_failure_ms, None)


@settings(deadline=None, max_examples=300)
@given(told=histories(), opened=st.booleans(), most=st.sampled_from([0, 50_000]))
def test_any_reader_can_tell_the_state_of_every_site_at_any_moment(
    told: tuple[list[CheckResult], int], opened: bool, most: int
) -> None:
    """By few questions: with the checks of a short window for sites that are asked often, else by counts."""
    stored, at_ms = told
    store, last = MemoryStore(), alert(0) if opened else None
    for result in stored:
        store.record(result)
    hour = stats.summarise(stored, Window.before(at_ms, 3_600_000))
    failed_ms = {host: found.last_failure_ms for host, found in hour.items() if found.last_failure_ms is not None}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(standing, "MOST_CHECKS", most)
        found = Standing().at(store, [SITE, SLOW], at_ms, failed_ms)
    for site in (SITE, SLOW):
        exact = status(lived(stored, site.host, at_ms), site, last, at_ms)
        assert_true(status(found.get(site.host), site, last, at_ms), exact)


@pytest.mark.parametrize("last_ms", [0, 1_800_000])
@pytest.mark.parametrize(("site", "covers_ms"), [(SITE, 12_000), (SLOW, 300_000)])
def test_a_site_becomes_unknown_at_the_same_millisecond_for_every_reader(
    site: Site, covers_ms: int, last_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while another one is still being checked."""
    monkeypatch.setattr(standing, "MOST_CHECKS", 0)
    store, other = MemoryStore(), Site("other", "http://other/", interval_ms=2_000, timeout_ms=10_000)
    store.record(CheckResult(site.host, START_MS + last_ms, covers_ms, 0))
    for result in checks(range(0, 4_000, 2), "other"):
        store.record(result)
    over_ms = START_MS + last_ms + covers_ms + unknown_after_ms(site)
    states = [
        status(Standing().at(store, [site, other], at_ms, {}).get(site.host), site, None, at_ms).state
        for at_ms in (over_ms, over_ms + 1)
    ]
    assert states == [State.UP, State.UNKNOWN]


@settings(deadline=None, max_examples=60)  # a file on a busy machine
@given(told=histories(), opened=st.booleans())
def test_the_local_file_knows_all_of_it(told: tuple[list[CheckResult], int], opened: bool) -> None:
    """Now everything; of a moment in the past what has not been forgotten."""
    import tempfile

    stored, at_ms = told
    last, now_ms = alert(0) if opened else None, max([at_ms, *(check.time_ms + 1 for check in stored)])
    with tempfile.TemporaryDirectory() as folder, closing(LocalStore(Path(folder) / "monitor.db")) as store:
        store.write(stored, [])
        now = Standing().at(store, [SITE, SLOW], now_ms, {})
        then = Standing().at(store, [SITE, SLOW], at_ms, {})
    for site in (SITE, SLOW):
        exact = status(lived(stored, site.host, now_ms), site, last, now_ms)
        assert status(now.get(site.host), site, last, now_ms) == exact
        assert_true(
            status(then.get(site.host), site, last, at_ms), status(lived(stored, site.host, at_ms), site, last, at_ms)
        )


def test_a_reader_that_keeps_no_histories_tells_since_when_a_site_is_good_again() -> None:
    """When its last failure is in the hour: one look there tells, and is remembered."""
    store = Counting()
    for result in [*checks(range(0, 600, 2), cause=Cause.DNS), *checks(range(603, 3_000, 2))]:
        store.record(result)
    at_ms, failed_ms, known = START_MS + 3_000_000, {"a": START_MS + 598_000}, Standing()
    for looks in (2, 1):
        store.asked = 0
        found = known.at(store, [SITE], at_ms, failed_ms)["a"]
        assert (found.good_since_ms, found.last_failure_ms) == (START_MS + 603_000, START_MS + 598_000)
        assert store.asked == looks


class Streaky(MemoryStore):
    """Keeps `StreakReader` as well."""

    def streaks(self, before_ms: int) -> Mapping[str, Streak]:
        return streaks_of(self.results(EVER), before_ms)


@settings(deadline=None, max_examples=300)
@given(told=histories(), opened=st.booleans())
def test_a_reader_that_looks_back_tells_all_of_a_good_site_however_long_that_is(
    told: tuple[list[CheckResult], int], opened: bool
) -> None:
    stored, at_ms = told
    store, last = Streaky(), alert(0) if opened else None
    for result in stored:
        store.record(result)
    found = Standing().at(store, [SITE, SLOW], at_ms, {})
    for site in (SITE, SLOW):
        exact = status(lived(stored, site.host, at_ms), site, last, at_ms)
        seen = status(found.get(site.host), site, last, at_ms)
        assert_true(seen, exact)
        if exact.state in (State.UP, State.RECOVERING):
            assert seen == replace(exact, detail=seen.detail)


class Counting(MemoryStore):
    """Counts how often checks were read."""

    asked = 0

    def results(self, window: Window) -> Sequence[CheckResult]:
        self.asked += 1
        return super().results(window)
