"""What was purged is forgotten by everything that runs: the main loop, and whatever reads for a screen or a page."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from alertWatcher import AlertWatcher
from monitoring.models import AlertType, Cause, Site, State
from monitoring.statistics.status import advance
from monitoring.statistics.tracker import StatusTracker
from monitoring.storage.multi_location import MultiLocationReport
from monitoring.storage.sqlite.reader import FileReader
from monitoring.storage.sqlite.store import LocalStore
from monitoring.storage.sqlite.tables.purge import Request
from tests.support.clock import FakeClock
from tests.support.forwarded import ask_purge, maintain
from tests.support.points import START_MS, alert, check, recovery
from tests.support.scene import Scene, site
from tests.support.shown import ShownHistory

SHOP, BLOG = site("shop"), site("blog")
DAY_S = 86_400


def fails(from_s: float, until_s: float) -> Callable[[float], Cause | None]:
    return lambda second: Cause.DNS if from_s <= second < until_s else None


def test_a_site_that_is_purged_while_it_is_down_is_alerted_anew_by_what_is_measured_then() -> None:
    scene = Scene([SHOP, BLOG])
    scene.causes["shop"] = fails(60, 400)
    shown: list[tuple[State, int | None]] = []
    scene.at(150, lambda: scene.store.purge("shop"))
    scene.at(153, lambda: shown.append((scene.display.states["shop"], scene.display.since["shop"])))
    scene.run(until_s=600)
    first, anew, over = scene.display.alerts
    assert (first.type, anew.type, over.type) == (AlertType.ALERT, AlertType.ALERT, AlertType.RECOVERY)
    assert anew.start_ms == START_MS + 150_000
    assert anew.time_ms >= START_MS + 150_000 + 24_000
    assert (over.start_ms, over.end_ms) == (anew.start_ms, START_MS + 400_000)
    assert shown == [(State.FAILING, START_MS + 150_000)]
    assert scene.display.records == []
    assert scene.display.closing
    assert scene.display.closing.alerts == (anew, over)


def test_a_site_that_is_purged_when_it_answers_again_has_nothing_to_recover_from() -> None:
    scene = Scene([SHOP, BLOG])
    scene.causes["shop"] = fails(60, 140)
    scene.at(150, lambda: scene.store.purge("shop"))
    scene.run(until_s=600)
    assert [it.type for it in scene.display.alerts] == [AlertType.ALERT]
    assert scene.display.states["shop"] is State.UP
    assert scene.display.closing
    assert scene.display.closing.alerts == ()


def test_after_a_purge_the_state_is_that_of_the_stored_checks_and_those_that_came_meanwhile() -> None:
    every = [check(second, cause=Cause.DNS if second < 6 else None) for second in range(0, 12, 2)]
    tracker = StatusTracker([Site("a", "a")], {})
    for one in every[:-1]:
        tracker.observe(one)
    tracker.remember()
    tracker.observe(every[-1])
    stored = advance(None, every[4])
    assert tracker.restore({"a": stored}, {"a": every[4].time_ms}) == {}
    assert tracker.last_states["a"] == advance(stored, every[5])


def test_a_check_on_its_way_to_the_file_is_not_forgotten_by_a_purge() -> None:
    tracker = StatusTracker([Site("a", "a")], {})
    tracker.observe(check(10))
    tracker.remember()
    assert tracker.restore({}, {"a": START_MS + 5_000}) == {"a": START_MS + 5_000}
    assert tracker.last_states["a"] == advance(None, check(10))
    tracker.remember()
    assert tracker.restore({}, {"a": START_MS + 11_000}) == {}
    assert "a" not in tracker.last_states


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    store = LocalStore(tmp_path / "config.db")
    yield store
    store.close()


def purge(store: LocalStore, second: float, *, forget: bool = True, host: str | None = "a") -> None:
    ask_purge(store, Request(host, START_MS + round(second * 1_000), forget=forget))
    maintain(store, START_MS + round(second * 1_000))


@pytest.mark.parametrize("began_s", [1, -2 * DAY_S], ids=["of today", "of another day"])
def test_an_outage_that_is_purged_no_longer_goes_on_for_those_who_follow_the_alerts(
    store: LocalStore, began_s: float
) -> None:
    clock, shown = FakeClock(), ShownHistory()
    watcher = AlertWatcher(lambda: {"": FileReader(store.path)}, shown, clock)
    report = MultiLocationReport([Site("a", "a"), Site("b", "b")])
    reader = FileReader(store.path)
    store.append([], [alert(began_s), alert(2, "b")], 0)
    watcher.step()
    report.new_alerts({"": reader}, now_ms=clock.now_ms())
    assert [it.host for it in report.ongoing()] == ["a", "b"]
    clock.advance(60)
    purge(store, 60)
    watcher.step()
    report.new_alerts({"": reader}, now_ms=clock.now_ms())
    for ongoing in (watcher.ongoing(), report.ongoing(), report.history()):
        assert [it.host for it in ongoing] == ["b"]
    assert report.purged == 1
    store.append([], [alert(70)], 0)
    assert watcher.step() == [alert(70)]


def test_a_record_that_one_store_has_and_another_one_lacks_is_new_once(store: LocalStore, tmp_path: Path) -> None:
    """Those who follow read now the database, now the local file; what one of them lacks comes back with the other."""
    clock, shown = FakeClock(), ShownHistory()
    empty = tmp_path / "empty.db"
    LocalStore(empty).close()
    paths = [store.path, empty, store.path]
    watcher = AlertWatcher(lambda: {"": FileReader(paths.pop(0))}, shown, clock)
    store.append([], [alert(1), recovery(90)], 0)
    for _ in range(3):
        watcher.step()
        clock.advance(300)
    assert shown.records == [alert(1), recovery(90)]


def test_a_damaged_file_brings_no_purged_alert_back(store: LocalStore) -> None:
    """What is carried over into a new file comes from memory."""
    store.append([check(1), check(1, "b")], [alert(1), alert(2, "b")], 0)
    purge(store, 10)
    store.append([check(20)], [], 0)
    assert [it.host for it in store.newest_alerts()] == ["b"]
    assert [it.hosts for it in store.purged] == [("a",)]
