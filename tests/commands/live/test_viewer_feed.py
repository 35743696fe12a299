"""What the viewer reads, and when: live window by window, the past once, more of the site that is looked at."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from monitoring.commands.live.viewer_feed import Listing, ViewerFeed, shortest_first
from monitoring.config import Config, parse_database
from monitoring.display.view_model.viewing import WINDOWS_MS
from monitoring.errors import StoreUnavailable
from monitoring.models import Cause, Site, State
from monitoring.storage.delivery.words import Source
from monitoring.storage.routing import ReaderChoice, Readers
from monitoring.storage.sqlite.reader import FileReader
from monitoring.storage.sqlite.store import LocalStore
from monitoring.viewer.snapshot import Snapshot, Wanted
from tests.support.clock import FakeClock
from tests.support.points import START_MS, alert, checks, recovery
from tests.support.printed import NO_MONITOR

TEN, HOUR, DAY, WEEK, MONTH = WINDOWS_MS.values()
STATES = 0
"""The length of a report that has only the states."""

SITE = Site("a", "http://a/", "shop", interval_ms=2_000, timeout_ms=10_000)
KEY = ("a", "")
USUAL = Wanted(TEN, frozenset((TEN, HOUR, DAY)))


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config((SITE, Site("b", "http://b/")), parse_database("sqlite:", {}), tmp_path / "config.db")


class Seen:
    """A feed in this thread, and what it has shown."""

    def __init__(self, config: Config, choice: ReaderChoice, clock: FakeClock, listing: Listing | None = None) -> None:
        self.feed = ViewerFeed(config, choice, clock, listing=listing or Listing())
        self.shown: list[Snapshot] = []

    def steps(self, wanted: Wanted, most: int = 10) -> Snapshot:
        """Read until there is nothing more to be read at once; what was shown last."""
        self.feed.look(self.shown.append, wanted)
        for _ in range(most):
            if not self.feed.step():
                break
        return self.shown[-1]


@pytest.fixture
def seen(config: Config, clock: FakeClock) -> Iterator[Seen]:
    with closing(ReaderChoice(config, clock)) as choice:
        yield Seen(config, choice, clock)


def lengths(found: Snapshot) -> Sequence[int]:
    return [report.length_ms for report in found.overview.view.reports]


def test_sites_are_shown_before_all_windows_are_read(store: LocalStore, seen: Seen) -> None:
    """The states first, which takes the least time; then the shortest window."""
    store.append(checks(range(0, 60, 2)), [], 0)
    seen.steps(USUAL)
    assert [lengths(found) for found in seen.shown] == [[STATES], [TEN], [TEN, HOUR], [TEN, HOUR, DAY]]
    assert [found.is_complete for found in seen.shown] == [False, False, False, True]
    for found in seen.shown:
        assert [row.status.state for row in found.overview.rows] == [State.UP, State.UNKNOWN]


def test_sites_that_were_never_checked_are_not_shown_before_it_is_known(store: LocalStore, seen: Seen) -> None:
    """A monitor that has just started has none of them for a moment: nothing is unknown yet."""
    store.append(checks(range(0, 60, 2), "gone"), [], 0)
    seen.steps(USUAL)
    assert lengths(seen.shown[0]) != [STATES]


def test_an_alert_changes_the_state_before_a_window_is_read_again(store: LocalStore, seen: Seen, clock: FakeClock) -> None:
    store.append(checks(range(0, 60, 2), cause=Cause.DNS), [], 0)
    before = seen.steps(USUAL)
    store.append([], [alert(60)], 0)
    clock.advance(1)
    after = seen.steps(USUAL)
    assert ends(after) == ends(before)
    assert [found.overview.rows[0].status.state for found in (before, after)] == [State.FAILING, State.DOWN]


@pytest.mark.parametrize(("due", "wanted", "known", "first"), [
    ([TEN, HOUR, DAY, WEEK, MONTH], USUAL, (), [TEN]),
    ([HOUR, DAY, WEEK], USUAL, (TEN,), [HOUR]),
    ([WEEK, MONTH], USUAL, (TEN,), []),
    ([TEN, HOUR, WEEK], replace(USUAL, window_ms=WEEK), (TEN,), [WEEK]),
    ([TEN, WEEK], replace(USUAL, window_ms=WEEK), (), [TEN]),
])  # fmt: skip
def test_what_is_looked_at_is_read_first_and_what_nobody_sees_not_at_all(
    due: list[int], wanted: Wanted, known: tuple[int, ...], first: list[int]
) -> None:
    assert shortest_first(due, wanted, known) == first


def test_a_longer_window_is_read_when_it_is_chosen(store: LocalStore, seen: Seen) -> None:
    store.append(checks(range(0, 60, 2)), [], 0)
    assert WEEK not in lengths(seen.steps(USUAL))
    assert WEEK in lengths(seen.steps(replace(USUAL, window_ms=WEEK)))


def ends(found: Snapshot) -> Mapping[int, int]:
    return {report.length_ms: report.window.until_ms for report in found.overview.view.reports}


def test_windows_that_are_read_quickly_are_of_the_same_moment(store: LocalStore, seen: Seen, clock: FakeClock) -> None:
    """A failure that one of them knows of is never missing in a longer one."""
    store.append(checks(range(0, 60, 2)), [], 0)
    before = ends(seen.steps(USUAL))
    clock.advance(10)
    after = ends(seen.steps(USUAL))
    assert set(after.values()) == {before[TEN] + 10_000}


def test_others_are_read_each_at_its_own_rate(store: LocalStore, config: Config, clock: FakeClock) -> None:
    class Slow(ReaderChoice):
        def choose(self) -> tuple[Readers, Source]:
            clock.advance(0.1)
            return super().choose()

    store.append(checks(range(0, 60, 2)), [], 0)
    with closing(Slow(config, clock)) as choice:
        seen = Seen(config, choice, clock)
        before = ends(seen.steps(USUAL))
        clock.advance(10)
        after = ends(seen.steps(USUAL))
    assert after[TEN] - before[TEN] >= 10_000
    assert (after[HOUR], after[DAY]) == (before[HOUR], before[DAY])


def test_the_hours_of_the_day_say_what_was_measured(store: LocalStore, seen: Seen) -> None:
    store.append(checks(range(0, 60, 2)), [], 0)
    facts = seen.steps(replace(USUAL, key=KEY)).facts_of(KEY)
    assert facts
    assert [hour.covered_ms for hour in facts.hours] == [0] * 23 + [58_000]
    assert facts.hours[-1].end_ms == START_MS + 58_000


def test_without_a_monitor_it_is_said_and_when_one_comes_it_is_shown(config: Config, seen: Seen, clock: FakeClock) -> None:
    found = seen.steps(USUAL)
    assert (found.overview.view.read_error, lengths(found)) == (NO_MONITOR, [])
    with closing(LocalStore(config.local_database)) as store:
        store.append(checks(range(0, 60, 2)), [], 0)
        clock.advance(1)
        found = seen.steps(USUAL)
    assert (found.overview.view.read_error, lengths(found)) == (None, [TEN, HOUR, DAY])


def test_the_past_is_as_it_was(store: LocalStore, seen: Seen) -> None:
    """What came later is not known there: no check, no alert."""
    stored = [*checks(range(0, 30, 2)), *checks(range(30, 60, 2), cause=Cause.DNS)]
    store.append(stored, [alert(40)], 0)
    now = seen.steps(USUAL)
    assert now.overview.rows[0].status.state is State.DOWN
    assert len(now.overview.incidents) == 1
    then = seen.steps(replace(USUAL, at_ms=START_MS + 28_000))
    assert then.at_ms == then.overview.view.now_ms == START_MS + 28_000
    assert then.clock_ms > then.at_ms
    assert lengths(then) == [TEN, HOUR, DAY]
    assert then.overview.rows[0].status.state is State.UP
    assert then.overview.rows[0].stats.checks == 14
    assert list(then.overview.incidents) == []
    assert seen.steps(USUAL).at_ms is None


def test_the_states_of_a_past_moment_are_read_once_and_not_with_each_window(
    store: LocalStore, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each site is searched for its last check, which takes longer than to read a window."""
    store.append(checks(range(0, 60, 2)), [], 0)
    asked: list[int] = []
    read = FileReader.last_states
    monkeypatch.setattr(FileReader, "last_states", lambda reader, at_ms=None: asked.append(at_ms) or read(reader, at_ms))
    for second in (28, 40):
        then = seen.steps(replace(USUAL, at_ms=START_MS + 1_000 * second))
        assert lengths(then) == [TEN, HOUR, DAY]
        assert {row.status.state for report in then.overview.view.reports for row in report.rows[:1]} == {State.UP}
    assert asked[1:] == [START_MS + 28_000, START_MS + 40_000], "after the one of the present"


def test_more_of_a_site_is_read_while_it_is_looked_at(store: LocalStore, seen: Seen, clock: FakeClock) -> None:
    store.append([*checks(range(0, 40, 2)), *checks(range(40, 60, 2), cause=Cause.DNS)], [alert(50)], 0)
    assert seen.steps(USUAL).facts is None
    facts = seen.steps(replace(USUAL, key=KEY)).facts_of(KEY)
    assert facts
    assert facts.explanation
    assert [check.available for check in facts.checks][-10:] == [True] + [False] * 9
    assert facts.explanation.is_open
    assert seen.steps(replace(USUAL, key=KEY)).facts_of(KEY) is facts, "it is fresh"
    clock.advance(5)
    assert seen.steps(replace(USUAL, key=KEY)).facts_of(KEY) is not facts


def test_an_alert_is_explained_by_what_was_known_then(store: LocalStore, seen: Seen) -> None:
    store.append([*checks(range(0, 40, 2), cause=Cause.DNS), *checks(range(40, 60, 2))], [alert(30), recovery(55)], 0)
    facts = seen.steps(replace(USUAL, key=KEY, explain_ms=START_MS + 30_001)).facts_of(KEY)
    assert facts
    assert facts.explanation
    assert (facts.at_ms, facts.explanation.is_open) == (START_MS + 30_001, True)


@pytest.mark.parametrize(("key", "why"), [(("gone", ""), "not configured any more"), (("a", "paris"), "nothing is known")])
def test_of_what_is_not_there_it_is_said_why(store: LocalStore, seen: Seen, key: tuple[str, str], why: str) -> None:
    store.append(checks(range(0, 60, 2)), [], 0)
    facts = seen.steps(replace(USUAL, key=key)).facts_of(key)
    assert facts
    assert why in (facts.error or "")


def test_incidents_are_of_the_configured_sites_unless_others_are_asked_for(
    store: LocalStore, config: Config, clock: FakeClock
) -> None:
    store.append(checks(range(0, 60, 2)), [alert(1), recovery(10), alert(20), alert(5, "gone"), recovery(30, "gone")], 0)

    def listed(listing: Listing) -> list[tuple[str, bool]]:
        with closing(ReaderChoice(config, clock)) as choice:
            found = Seen(config, choice, clock, listing).steps(USUAL).overview.incidents
        return [(one.host, one.is_open) for one in found]

    assert listed(Listing()) == [("a", True), ("a", False)]
    assert listed(Listing(lambda host: True)) == [("a", True), ("gone", False), ("a", False)]
    assert listed(Listing(lambda host: host == "gone")) == [("gone", False)]
    assert listed(Listing(lambda host: True, since_ms=START_MS + 15_000)) == [("a", True), ("gone", False)]
    assert listed(Listing(limit=1)) == [("a", True)]


class Hanging(ReaderChoice):
    """A choice that finds nobody."""

    def choose(self):  # type: ignore[no-untyped-def]
        raise StoreUnavailable("InfluxDB does not answer")


def test_a_database_that_does_not_answer_is_said_live_and_in_the_past(config: Config, clock: FakeClock) -> None:
    with closing(Hanging(config, clock)) as choice:
        seen = Seen(config, choice, clock)
        for wanted in (USUAL, replace(USUAL, at_ms=START_MS), replace(USUAL, key=KEY)):
            found = seen.steps(wanted)
            assert found.overview.view.read_error == "InfluxDB does not answer"
