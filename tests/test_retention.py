"""What is older than retention leaves the local file in small steps, and nothing younger does."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitoring.models import CheckResult
from monitoring.store.journal import Journal
from monitoring.store.local import LocalStore
from monitoring.store.retention import HOUR_MS
from tests.support.clock import FakeClock
from tests.support.delivering import STEPS, Delivering
from tests.support.points import EVER, START_MS, alert, check, checks, recovery

HOUR_S = HOUR_MS // 1_000
LATER_MS = START_MS + 10**9


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    store = LocalStore(tmp_path / "monitor.db")
    yield store
    store.close()


def pack_all(store: LocalStore) -> None:
    while store.pack(LATER_MS):
        pass


def retain_all(store: LocalStore, checks_before_s: float, alerts_before_s: float = 0) -> int:
    steps = 0
    while store.retain(START_MS + round(1_000 * checks_before_s), START_MS + round(1_000 * alerts_before_s)):
        steps += 1
    return steps


def rows(store: LocalStore, table: str) -> int:
    return int(store.file.connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])


def test_hours_that_are_too_old_go_whole_and_the_others_stay(store: LocalStore) -> None:
    story = checks(range(0, 4 * HOUR_S, 60))
    store.append(story, [], START_MS)
    pack_all(store)
    assert retain_all(store, 2 * HOUR_S + 59 * 60)
    assert list(store.results(EVER)) == [one for one in story if one.time_ms >= START_MS + 2 * HOUR_MS]
    assert (rows(store, "minutes"), rows(store, "blocks")) == (120, 120)
    assert not retain_all(store, 2 * HOUR_S + 59 * 60), "and then there is nothing to do"


def test_what_was_never_packed_goes_as_well(store: LocalStore) -> None:
    store.append(checks([1, HOUR_S + 1]), [], START_MS)
    retain_all(store, HOUR_S)
    assert list(store.results(EVER)) == [check(HOUR_S + 1)]


def test_alerts_live_longer_than_checks_and_an_open_one_for_ever(store: LocalStore) -> None:
    store.append([check(1, "a"), check(1, "b")], [alert(5), recovery(9), alert(7, "b"), alert(2 * HOUR_S)], START_MS)
    retain_all(store, 5 * HOUR_S)
    assert len(store.alerts(EVER)) == 4
    retain_all(store, 5 * HOUR_S, HOUR_S)
    assert list(store.alerts(EVER)) == [alert(7, "b"), alert(2 * HOUR_S)]


def test_what_no_database_took_in_time_is_given_up_and_counted_but_no_alert(store: LocalStore) -> None:
    store.append(checks(range(0, 120, 2)), [alert(5)], START_MS)
    store.append(checks([HOUR_S, HOUR_S + 2]), [], START_MS)
    pack_all(store)
    retain_all(store, HOUR_S)
    assert store.given_up() == 60
    delivered: list[object] = []
    while delivery := store.next_delivery(10):
        delivered += [*delivery.results, *delivery.alerts]
        store.acknowledge(delivery)
    assert set(delivered) == {alert(5), *checks([HOUR_S, HOUR_S + 2])}
    assert [block.minute_ms for block in store.next_blocks(99)] == [START_MS + HOUR_MS]
    store.acknowledge_blocks(store.next_blocks(99))
    store.acknowledge_rollups(store.next_rollups(99))
    assert store.pending() == (0, None)


def test_what_was_delivered_is_not_counted(store: LocalStore) -> None:
    store.append(checks([1, 3]), [], START_MS)
    delivery = store.next_delivery(10)
    assert delivery
    store.acknowledge(delivery)
    pack_all(store)
    retain_all(store, HOUR_S)
    assert store.given_up() == 0
    assert list(store.results(EVER)) == []


def test_a_site_stands_where_it_stood_though_its_checks_are_gone(store: LocalStore) -> None:
    store.append(checks(range(0, 120, 2)), [], START_MS)
    pack_all(store)
    before = store.histories()
    retain_all(store, HOUR_S)
    assert store.histories() == before
    assert store.last_time() == START_MS + 118_000


def test_the_file_stops_growing_when_as_much_goes_as_comes(store: LocalStore) -> None:
    sizes = []
    for hour in range(8):
        store.append(checks(range(hour * HOUR_S, (hour + 1) * HOUR_S, 4), "a"), [], START_MS)
        pack_all(store)
        retain_all(store, (hour - 1) * HOUR_S)
        sizes.append(int(store.file.connection.execute("PRAGMA page_count").fetchone()[0]))
    assert sizes[7] <= sizes[4]


def test_the_writer_thread_keeps_what_it_was_told_to_keep_and_packs_first(store: LocalStore) -> None:
    clock = FakeClock()
    journal = Journal(store, clock, lambda: None)
    store.append(checks(range(-3 * HOUR_S, 0, 60)), [], START_MS)
    store.keep(HOUR_MS, HOUR_MS)
    for _ in range(3 * HOUR_S // 60 + 1):
        journal._round()
    assert rows(store, "checks") > 0, "packing is not over, nothing was deleted"
    assert len(store.results(EVER)) == 180
    while len(store.results(EVER)) > 60:
        journal._round()
        clock.advance(0.5)
    assert list(store.results(EVER)) == checks(range(-HOUR_S, 0, 60))


class Retaining(Delivering):
    """Also forgets what is older than ten minutes."""

    oldest_ms = 0

    def retain(self) -> None:
        before_ms = START_MS + round(self.now_s * 1_000) - 600_000
        if self.store.retain(before_ms, before_ms):
            self.oldest_ms = before_ms


STORY: dict[str, Callable[..., None]] = {**STEPS, "retain": Retaining.retain}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=st.lists(st.sampled_from([*STORY, "go on", "pack more", "retain"]), max_size=60))
def test_whatever_is_young_enough_is_delivered_once_however_retention_meets_it(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("monitoring.store.retention.HOUR_MS", 60_000)
        patch.setattr("monitoring.store.retention.AT_ONCE", {"minutes": 3, "blocks": 1, "checks": 5})
        story = Retaining(LocalStore(tmp_path_factory.mktemp("retaining") / "monitor.db"))
        for step in steps:
            STORY[step](story)
        story.drain()
    young = {one for one in story.written if one.time_ms >= story.oldest_ms}  # type: ignore[attr-defined]
    found = [*story.store.results(EVER), *story.store.alerts(EVER)]
    assert len(found) == len(set(found))
    assert young <= set(found) <= story.written
    assert young <= story.delivered
    assert story.store.pending() == (0, None)
    gone = [one for one in story.written - story.delivered if isinstance(one, CheckResult)]
    assert story.store.given_up() >= len(gone)
    story.store.close()
