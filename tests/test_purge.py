"""What `--purge` deletes from the local file goes whole and never comes back; everything else stays as it was."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitoring import stats
from monitoring.models import Cause, CheckResult, Window
from monitoring.storage.sqlite.connection import transaction
from monitoring.store import purge, schema
from monitoring.store.blocks import MinuteBlock, PackedChecks
from monitoring.store.local import LocalStore
from monitoring.store.purge import Request
from tests.support.delivering import STEPS, Delivering
from tests.support.points import EVER, START_MS, alert, check, checks, recovery

NOW_MS = START_MS + 10**7


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    store = LocalStore(tmp_path / "monitor.db")
    yield store
    store.close()


def pack_all(store: LocalStore) -> None:
    while store.pack(START_MS + 10**9):
        pass


def ask(store: LocalStore, host: str | None, before_s: float, *, forget: bool = False) -> int:
    with transaction(store.file.connection):
        return purge.ask(store.file.connection, Request(host, START_MS + round(before_s * 1_000), forget))


def purge_all(store: LocalStore, host: str | None, before_s: float, *, forget: bool = False) -> None:
    number = ask(store, host, before_s, forget=forget)
    while store.purge(NOW_MS):
        pass
    with store._pool.snapshot() as connection:
        assert purge.find(connection, number) is None


def test_one_site_goes_and_every_number_of_the_others_stays(store: LocalStore) -> None:
    others = [*checks(range(0, 300, 2), "b"), *checks(range(1, 300, 7), "c", Cause.TLS)]
    store.append([*checks(range(0, 300, 2)), *others], [alert(5), alert(6, "b")], START_MS)
    pack_all(store)
    late = [check(11, "a", Cause.DNS), check(11.5, "b")]
    store.append(late, [], START_MS)
    purge_all(store, "a", 1_000, forget=True)
    assert set(store.results(EVER)) == {*others, late[1]}
    window = Window(START_MS, START_MS + 300_000)
    assert store.stats(window) == stats.summarise([*others, late[1]], window)
    assert list(store.alerts(EVER)) == [alert(6, "b")]
    assert set(store.histories()) == {"b", "c"}


@pytest.mark.parametrize("packed", [True, False])
def test_the_moment_cuts_to_the_millisecond_also_within_a_minute(store: LocalStore, packed: bool) -> None:
    store.append([*checks(range(0, 180, 2)), *checks(range(0, 180, 3), "b")], [], START_MS)
    if packed:
        pack_all(store)
    purge_all(store, "a", 90.001)
    left = [*checks(range(92, 180, 2)), *checks(range(0, 180, 3), "b")]
    assert set(store.results(EVER)) == set(left)
    purge_all(store, None, 120.001)
    left = [one for one in left if one.time_ms > START_MS + 120_000]
    assert set(store.results(EVER)) == set(left)
    assert store.stats(EVER) == stats.summarise(left, EVER)


def test_an_alert_that_is_still_open_is_kept_unless_the_site_is_forgotten(store: LocalStore) -> None:
    store.append([check(1), check(1, "b")], [alert(2), recovery(3), alert(4), alert(5, "b")], START_MS)
    purge_all(store, "a", 1_000)
    assert list(store.alerts(EVER)) == [alert(4), alert(5, "b")]
    purge_all(store, "a", 1_000, forget=True)
    assert store.last_alerts() == {"b": alert(5, "b")}


def test_a_site_that_is_checked_on_begins_anew_under_another_number(store: LocalStore) -> None:
    store.append([check(1, "a"), check(1, "b"), check(1, "c")], [], START_MS)
    purge_all(store, "c", 10, forget=True)
    store.append([check(20, "c"), check(20, "d")], [], START_MS)
    numbers = dict(store.file.connection.execute("SELECT host, id FROM sites"))
    assert numbers == {"a": 0, "b": 1, "c": 3, "d": 4}
    assert set(store.results(EVER)) == {check(1, "a"), check(1, "b"), check(20, "c"), check(20, "d")}


def test_numbers_are_not_given_again_after_a_restart_either(store: LocalStore, tmp_path: Path) -> None:
    store.append([check(1, "a"), check(1, "b")], [], START_MS)
    purge_all(store, "b", 10, forget=True)
    store.close()
    again = LocalStore(tmp_path / "monitor.db")
    again.append([check(20, "new")], [], START_MS)
    assert dict(again.file.connection.execute("SELECT host, id FROM sites")) == {"a": 0, "new": 2}
    again.close()


def test_where_a_site_stands_is_kept_from_the_moment_on(store: LocalStore) -> None:
    store.append(checks(range(0, 300, 2), cause=Cause.TIMEOUT), [], START_MS)
    pack_all(store)
    purge_all(store, "a", 120, forget=True)
    assert store.histories()["a"].failing_since_ms == START_MS + 120_000


def test_nothing_of_an_unknown_site_is_nothing(store: LocalStore) -> None:
    store.append([check(1)], [], START_MS)
    purge_all(store, "nobody", 10, forget=True)
    assert list(store.results(EVER)) == [check(1)]


def test_what_was_undelivered_is_not_delivered_any_more(store: LocalStore) -> None:
    store.append([*checks(range(0, 120, 2)), *checks(range(0, 120, 2), "b")], [alert(3)], START_MS)
    pack_all(store)
    store.append(checks([130, 132]), [alert(131)], START_MS)
    purge_all(store, "a", 1_000, forget=True)
    delivered: list[object] = []
    while delivery := store.next_delivery(1_000):
        delivered += [*delivery.results, *delivery.alerts]
        store.acknowledge(delivery)
    assert set(delivered) == set(checks(range(0, 120, 2), "b"))
    assert {host for block in store.next_blocks(99) for host in names(block)} == {"b"}


def names(block: MinuteBlock) -> set[str]:
    """The sites that a block has checks of."""
    if not block.data:
        return set()
    return {block.hosts[row[0] & schema.SITE_MASK] for row in PackedChecks(block.data).rows(block.minute_ms, 0)}


def test_blocks_that_were_delivered_are_sent_again_without_it_and_empty_where_nothing_is_left(store: LocalStore) -> None:
    store.append([check(1), check(2, "b"), check(61)], [], START_MS)
    pack_all(store)
    store.acknowledge_blocks(store.next_blocks(9))
    purge_all(store, "a", 1_000, forget=True)
    both, emptied = store.next_blocks(9)
    assert (both.minute_ms, names(both), both.hosts) == (START_MS, {"b"}, ("", "b"))
    assert (emptied.minute_ms, emptied.sums, emptied.data) == (START_MS + 60_000, (), b"")
    store.acknowledge_blocks([both, emptied])
    store.acknowledge(store.next_delivery(9) or pytest.fail("nothing to deliver"))
    assert store.pending() == (0, None)


def test_a_block_on_its_way_while_the_site_is_purged_is_sent_again(store: LocalStore) -> None:
    store.append([check(1), check(2, "b")], [], START_MS)
    pack_all(store)
    on_its_way = store.next_blocks(9)
    ask(store, "a", 1_000, forget=True)
    while store.purge(NOW_MS):
        pass
    store.acknowledge_blocks(on_its_way)
    (block,) = store.next_blocks(9)
    assert names(block) == {"b"}


def test_a_purge_is_over_when_nothing_of_it_can_be_on_its_way_any_more(store: LocalStore) -> None:
    store.append([check(1), check(1, "b")], [], START_MS)
    on_its_way = store.next_delivery(9)
    assert on_its_way
    number = ask(store, "a", 10, forget=True)
    while store.purge(NOW_MS):
        pass
    with store._pool.snapshot() as connection:
        assert purge.find(connection, number)
    store.acknowledge(on_its_way)
    assert store.purge(NOW_MS)
    with store._pool.snapshot() as connection:
        assert purge.find(connection, number) is None


def test_an_asked_purge_outlives_the_process(store: LocalStore, tmp_path: Path) -> None:
    store.append([*checks(range(0, 600, 2)), *checks(range(0, 600, 2), "b")], [], START_MS)
    pack_all(store)
    ask(store, "a", 1_000, forget=True)
    for _ in range(4):
        store.purge(NOW_MS)
    store.close()
    again = LocalStore(tmp_path / "monitor.db")
    while again.purge(NOW_MS):
        pass
    assert set(again.results(EVER)) == set(checks(range(0, 600, 2), "b"))
    again.close()


def test_beforehand_it_is_told_how_much_of_which_sites_there_is(store: LocalStore) -> None:
    store.append([*checks(range(0, 300, 2)), check(7, "b")], [alert(5), recovery(301)], START_MS)
    pack_all(store)
    store.append([check(400)], [], START_MS)
    with store._pool.snapshot() as connection:
        one = purge.survey(connection, Request("a", NOW_MS, forget=True))
        every = purge.survey(connection, Request(None, START_MS + 120_000, forget=False))
        nobody = purge.survey(connection, Request("nobody", NOW_MS, forget=True))
    assert (one.checks, one.alerts, one.hosts) == (151, 2, ("a",))
    assert (one.from_ms, one.until_ms) == (START_MS, START_MS + 400_000)
    assert (every.checks, every.alerts, every.hosts) == (61, 1, ("a", "b"))
    assert nobody == purge.Survey()


class Purging(Delivering):
    """Also purges: the site "a" up to some moment, or all sites; in steps between the others."""

    def __init__(self, store: LocalStore) -> None:
        super().__init__(store)
        self.cuts: list[tuple[str | None, int]] = []

    def ask(self, host: str | None, ago_s: float) -> None:
        before_s = max(0.0, self.now_s - ago_s)
        ask(self.store, host, before_s)
        self.cuts.append((host, START_MS + round(before_s * 1_000)))
        self.written = {one for one in self.written if not self.was_cut(one)}

    def was_cut(self, one: object) -> bool:
        """Alerts are left out here: an open one stays."""
        return isinstance(one, CheckResult) and any(host in (None, one.host) and one.time_ms < at for host, at in self.cuts)

    def step(self) -> None:
        self.store.purge(START_MS + round(self.now_s * 1_000))


PURGING: dict[str, Callable[..., None]] = {
    **{name: step for name, step in STEPS.items() if name != "repeat"},
    "ask for a": lambda it: it.ask("a", 45),
    "ask for all": lambda it: it.ask(None, 200),
    "step": Purging.step,
}


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(st.sampled_from([*PURGING, "go on", "pack more", "step", "step", "send", "send blocks"]), max_size=60))
def test_however_purging_packing_and_delivery_meet_nothing_else_is_lost_and_no_block_tells_of_it(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for module in ("blocks", "due", "packer", "purge", "windows"):
            patch.setattr(f"monitoring.store.{module}.PART_SITES", 2)
        patch.setattr("monitoring.store.packer.PARTS_AT_ONCE", 2)
        patch.setattr("monitoring.store.retention.AT_ONCE", {"minutes": 3, "blocks": 1, "checks": 5})
        story = Purging(LocalStore(tmp_path_factory.mktemp("purging") / "monitor.db"))
        for name in steps:
            PURGING[name](story)
        pack_all(story.store)
        while story.store.purge(NOW_MS):
            pass
        story.drain()
        story.store.purge(NOW_MS)
        assert_story_holds(story)
        story.store.close()


def assert_story_holds(story: Purging) -> None:
    written = {one for one in story.written if isinstance(one, CheckResult)}
    late = {one for one in written if one.host == "late"}  # it may have come after what it lies before was purged
    found = list(story.store.results(EVER))
    assert len(found) == len(set(found))
    assert written - late <= set(found) <= written
    assert set(found) <= story.delivered
    told = [one for block in story.copies.values() for one in checks_in(block) if not swept(story, block.minute_ms)]
    assert len(told) == len(set(told))
    assert set(told) == {one for one in found if not swept(story, one.time_ms // 60_000 * 60_000)}
    assert story.store.stats(EVER) == stats.summarise(found, EVER)
    assert story.store.pending() == (0, None)


def swept(story: Purging, minute_ms: int) -> bool:
    """`--purge` without a site deletes blocks of whole minutes from the database itself."""
    return any(host is None and minute_ms + 60_000 <= at for host, at in story.cuts)


def checks_in(block: MinuteBlock) -> list[CheckResult]:
    hosts = dict(enumerate(block.hosts))
    rows = PackedChecks(block.data).rows(block.minute_ms, 0) if block.data else []
    return [schema.result_from_row(row, hosts) for row in rows]
