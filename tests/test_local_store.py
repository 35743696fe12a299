"""The local file: one writer, a file that survives whatever happens to it, and an outbox that forgets nothing."""

import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitoring.errors import MonitoringError, StoreRefused, StoreUnavailable
from monitoring.models import Cause
from monitoring.storage.sqlite.connection import transaction
from monitoring.storage.sqlite.lock import writer_is_alive
from monitoring.store import local, outbox
from monitoring.store.blocks import MinuteBlock, PackedChecks
from monitoring.store.local import LocalStore
from monitoring.store.local_reader import LocalReader
from monitoring.store.schema import SCHEMA_VERSION, SITE_BITS, SITE_MASK
from tests.support.points import EVER, START_MS, alert, check, checks, recovery


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "monitor ? #1%.db"


@pytest.fixture
def store(path: Path) -> Iterator[LocalStore]:
    store = LocalStore(path)
    yield store
    store.close()


def drain(store: LocalStore, limit: int = 1_000) -> list[object]:
    """Deliver everything; returns the points in the order in which they left."""
    delivered: list[object] = []
    while delivery := store.next_delivery(limit):
        delivered += [*delivery.results, *delivery.alerts]
        store.acknowledge(delivery)
    return delivered


def test_a_second_writer_is_told_the_process_of_the_first(path: Path, store: LocalStore) -> None:
    with pytest.raises(
        MonitoringError, match=re.escape(f"{path}: another monitor writes here already (process {os.getpid()})")
    ):
        LocalStore(path)


def test_the_file_is_free_when_its_writer_has_closed_it(path: Path, store: LocalStore) -> None:
    assert writer_is_alive(path)
    store.close()
    assert not writer_is_alive(path)
    LocalStore(path).close()


def test_a_file_that_was_refused_is_free_again(path: Path, store: LocalStore) -> None:
    """Who could not open the file holds no lock on it."""
    store.close()
    set_version(path, 99)
    with pytest.raises(MonitoringError):
        LocalStore(path)
    set_version(path, SCHEMA_VERSION)
    LocalStore(path).close()


def test_nobody_writes_a_file_that_does_not_exist(path: Path) -> None:
    assert not writer_is_alive(path)


def test_opening_a_file_again_goes_on_where_it_was(path: Path, store: LocalStore) -> None:
    before = [check(1, "a"), check(2, "b", Cause.TLS, detail="expired")]
    store.append(before, [alert(3)], START_MS)
    marker = store.marker
    store.close()
    again = LocalStore(path)
    again.append([check(4, "b"), check(5, "c")], [recovery(6)], START_MS)
    assert list(again.results(EVER)) == [*before, check(4, "b"), check(5, "c")]
    assert again.last_alerts() == {"a": recovery(6)}
    assert again.marker == marker
    assert drain(again) == [*before, check(4, "b"), check(5, "c"), alert(3), recovery(6)]
    again.close()


def set_version(path: Path, version: int) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()


def test_a_file_of_another_version_is_refused_and_left_alone(path: Path) -> None:
    set_version(path, 99)
    with pytest.raises(
        MonitoringError, match=re.escape(f"{path}: written by another version of this program (file format 99)")
    ):
        LocalStore(path)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone() == (0,)
    connection.close()


def test_what_is_no_database_is_named_and_left_alone(path: Path) -> None:
    path.write_text("my notes\n" * 100)
    with pytest.raises(MonitoringError, match=re.escape(f"{path}: not a file of this program")) as caught:
        LocalStore(path)
    assert not isinstance(caught.value, StoreUnavailable), "else a temporary file would take its place"
    assert path.read_text() == "my notes\n" * 100


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"nowhere/monitor\.db: No such file or directory"):
        LocalStore(tmp_path / "nowhere" / "monitor.db")


def test_a_reader_sees_every_commit_of_the_writer(path: Path, store: LocalStore) -> None:
    reader = LocalReader(path)
    assert not reader.results(EVER)
    for second in range(3):
        store.append([check(second)], [], START_MS)
        assert list(reader.results(EVER)) == checks(range(second + 1))
    store.close()
    assert list(reader.results(EVER)) == checks(range(3))
    reader.close()


def test_a_reader_cannot_write(path: Path, store: LocalStore) -> None:
    reader = LocalReader(path)
    with pytest.raises(StoreUnavailable, match="readonly"), reader._pool.snapshot() as connection:
        connection.execute("DELETE FROM checks")
    reader.close()


def test_a_reader_of_a_missing_file_says_so_and_creates_none(path: Path) -> None:
    reader = LocalReader(path)
    with pytest.raises(StoreUnavailable, match=re.escape(str(path))):
        reader.last_time()
    assert not path.exists()


def test_results_come_by_time_and_then_by_host_whatever_the_order_of_writing(store: LocalStore) -> None:
    store.append([check(2, "b"), check(1, "z")], [], START_MS)
    store.append([check(2, "a"), check(1, "m"), check(0, "z")], [], START_MS)
    found = [(result.time_ms - START_MS, result.host) for result in store.results(EVER)]
    assert found == [(0, "z"), (1_000, "m"), (1_000, "z"), (2_000, "a"), (2_000, "b")]


def test_a_commit_is_whole_or_not_at_all(store: LocalStore) -> None:
    store.append([check(1)], [], START_MS)
    with pytest.raises(StoreUnavailable):
        store.append([check(2), check(3, "new")], [None_alert()], START_MS)  # type: ignore[list-item]
    assert list(store.results(EVER)) == [check(1)]
    assert store.pending() == (1, START_MS)
    store.append([check(3, "new")], [], START_MS)
    assert list(store.results(EVER)) == [check(1), check(3, "new")]


class None_alert:  # noqa: N801 - reads as a value
    """An alert that no table takes."""

    host, time_ms, type, start_ms, end_ms, availability, cause = "a", START_MS, "alert", None, None, None, None


def test_a_commit_that_fails_at_its_end_leaves_no_transaction_open() -> None:
    """As a full disk makes it fail; here a broken promise between tables does."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("CREATE TABLE a (id INTEGER PRIMARY KEY, other REFERENCES a DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(sqlite3.IntegrityError), transaction(connection):
        connection.execute("INSERT INTO a VALUES (1, 2)")
    with transaction(connection):
        connection.execute("INSERT INTO a VALUES (1, 1)")
    assert connection.execute("SELECT * FROM a").fetchall() == [(1, 1)]
    connection.close()


def test_more_sites_than_a_key_can_name_are_refused(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "MAX_SITES", 2)
    store.append([check(1, "a"), check(1, "b")], [], START_MS)
    with pytest.raises(StoreRefused, match="more than 2 sites"):
        store.append([check(1, "c")], [], START_MS)
    store.append([check(2, "a")], [], START_MS)


def test_the_outbox_is_delivered_in_the_order_of_its_commits(store: LocalStore) -> None:
    """A check that hung is committed after later ones of other sites, and keeps its own time."""
    commits = [checks([1, 2]), [check(4)], [check(0.5, "slow", Cause.TIMEOUT), check(3)]]
    for number, commit in enumerate(commits):
        store.append(commit, [], START_MS + number)
    assert store.pending() == (5, START_MS)
    assert drain(store, limit=1) == [*commits[0], *commits[1], *commits[2]]
    assert store.pending() == (0, None)


def test_a_delivery_holds_about_as_many_points_as_asked_for(store: LocalStore) -> None:
    for second in range(0, 20, 2):
        store.append(checks([second, second + 1]), [], START_MS)
    sizes = []
    while delivery := store.next_delivery(5):
        sizes.append(len(delivery.results))
        store.acknowledge(delivery)
    assert sizes == [4, 4, 4, 4, 4]


def test_what_was_not_acknowledged_is_delivered_again(store: LocalStore) -> None:
    store.append([check(1)], [alert(2)], START_MS)
    first = store.next_delivery(10)
    assert first == store.next_delivery(10)
    assert drain(store) == [check(1), alert(2)]


def test_requeue_puts_everything_stored_into_the_outbox(path: Path) -> None:
    """What was stored before there was a database, what was delivered, what waits; alerts; slots that came late."""
    store = LocalStore(path)
    store.append([check(1), check(9)], [alert(2)], START_MS)
    store.append([check(3), check(4, "b")], [recovery(8)], START_MS)
    drain(store)
    store.append([check(0.5, "slow", Cause.TIMEOUT), check(5)], [], START_MS)
    assert store.requeue() == 8
    store.append([check(2.5, "slow", Cause.TIMEOUT), check(6)], [alert(10)], START_MS)
    delivered = drain(store, limit=3)
    assert set(delivered) == {*store.results(EVER), *store.alerts(EVER)}
    assert len(set(delivered)) == 11
    store.close()


def test_requeue_of_an_empty_file_is_nothing(store: LocalStore) -> None:
    assert store.requeue() == 0
    assert store.next_delivery(10) is None


def test_what_was_requeued_has_waited_for_ever(store: LocalStore) -> None:
    """A database that lacks everything has not received what matters, however young the newest point is."""
    store.append([check(1)], [], START_MS)
    store.requeue()
    assert store.pending() == (1, 0)


def test_dead_letters_are_kept_with_their_reason(store: LocalStore) -> None:
    letters = [
        outbox.DeadLetter("check", "a", START_MS, "conflict"),
        outbox.DeadLetter("alert", "b", START_MS + 1, "too odd"),
    ]
    store.bury(letters, START_MS)
    assert list(store.dead_letters()) == letters


def pack_all(store: LocalStore) -> None:
    while store.pack(START_MS + 10**8):
        pass


def rows_of(block: MinuteBlock) -> list[tuple[int, str]]:
    """Second and host of each check of a block."""
    rows = PackedChecks(block.data).rows(block.minute_ms, 0)
    return [(((row[0] >> SITE_BITS) - START_MS) // 1_000, block.hosts[row[0] & SITE_MASK]) for row in rows]


def test_a_minute_that_was_packed_is_due_until_it_was_delivered(store: LocalStore) -> None:
    store.append([check(1), check(2, "b"), check(61)], [], START_MS)
    drain(store)
    assert store.pending() == (0, None)
    pack_all(store)
    first, second = store.next_blocks(5)
    assert (first.minute_ms, first.part, first.hosts) == (START_MS, 0, ("a", "b"))
    assert rows_of(first) == [(1, "a"), (2, "b")]
    assert [(place, checks) for place, checks, *_ in first.sums] == [(0, 1), (1, 1)]
    assert store.pending()[0] == 2
    assert [block.minute_ms for block in store.next_blocks(1)] == [START_MS]
    store.acknowledge_blocks([first, second])
    assert store.pending() == (0, None)
    assert not store.next_blocks(5)


def test_a_late_check_makes_its_minute_due_again_with_all_its_checks(store: LocalStore) -> None:
    store.append([check(1), check(3)], [], START_MS)
    pack_all(store)
    store.acknowledge_blocks(store.next_blocks(5))
    store.append([check(2, "slow", Cause.TIMEOUT), check(3)], [], START_MS)
    (block,) = store.next_blocks(5)
    assert rows_of(block) == [(1, "a"), (2, "slow"), (3, "a")]
    assert [(place, checks, good) for place, checks, good, *_ in block.sums] == [(0, 2, 2), (1, 1, 0)]


def test_a_block_that_changed_on_its_way_stays_due(store: LocalStore) -> None:
    store.append([check(1)], [], START_MS)
    pack_all(store)
    on_its_way = store.next_blocks(5)
    store.append([check(2)], [], START_MS)
    store.acknowledge_blocks(on_its_way)
    (block,) = store.next_blocks(5)
    assert rows_of(block) == [(1, "a"), (2, "a")]


def test_requeue_makes_every_block_due_and_forgets_what_was_on_its_way(store: LocalStore) -> None:
    store.append([check(1), check(61)], [], START_MS)
    pack_all(store)
    store.append([check(2, "late")], [], START_MS)
    on_its_way = store.next_blocks(5)
    store.requeue()
    store.acknowledge_blocks(on_its_way)
    assert [rows_of(block) for block in store.next_blocks(5)] == [[(1, "a"), (2, "late")], [(61, "a")]]
    assert store.pending()[1] == 0


def test_what_is_packed_is_told_by_the_minute(store: LocalStore) -> None:
    assert store.packed_until_ms() == 0
    store.append([check(1), check(61)], [], START_MS)
    pack_all(store)
    assert store.packed_until_ms() == START_MS + 120_000
