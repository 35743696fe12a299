"""The local file as it lies on the disk: whose it is, how much it takes, what a new one takes over."""

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitoring.errors import MonitoringError, StoreUnavailable
from monitoring.models import Alert, AlertType, Cause, CheckResult, Downtime, Failure, LastState, Window
from monitoring.storage.base import Points
from monitoring.storage.sqlite.reader import FileReader
from monitoring.storage.sqlite.store import LocalStore
from monitoring.storage.sqlite.tables.migrations import NEWEST
from monitoring.storage.sqlite.tables.purge import Request
from tests.support.forwarded import ask_purge, maintain
from tests.support.memory_backend import MemoryDatabase
from tests.support.points import alert, by_host, recovery

START_MS = 1_767_225_600_000
EVER = Window(0, START_MS + 10**11)

FIXTURES = Path(__file__).parents[2] / "fixtures"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    opened = LocalStore(tmp_path / "monitor.db")
    yield opened
    opened.close()


MEANS_US = (2_000, 20_000, 40_000, 80_000, 10_000)
"""Of the phases."""


def fill(store: LocalStore, sites: int, interval_ms: int, length_ms: int) -> int:
    """Https checks as they are of distant sites; returns how many."""
    dice, count = random.Random(3), 0
    for now_ms in range(START_MS, START_MS + length_ms, 60_000):
        checks = []
        for site in range(sites):
            for at_ms in range(now_ms + site * interval_ms // sites, now_ms + 60_000, interval_ms):
                resolve, connect, tls, processing, transfer = (int(dice.expovariate(1 / mean)) for mean in MEANS_US)
                phases = (resolve, connect, tls, processing, transfer)
                checks.append(CheckResult(f"https://{site}/", at_ms, interval_ms, 400, 200, sum(phases), phases))
        count += len(checks)
        store.append(sorted(checks, key=lambda check: check.time_ms), [], now_ms + 60_000)
        while store.maintain(now_ms + 60_000):
            pass
    return count


@pytest.mark.parametrize(
    ("sites", "interval_ms", "length_ms", "most"),
    [(100, 2_000, 900_000, 47), (4, 15_000, 30 * 3_600_000, 86)],
    ids=["busy: 50 bytes a check over a day, with its hours", "4 sites @ 15 s: 60 MB in 30 days"],
)
def test_bytes_a_check(store: LocalStore, sites: int, interval_ms: int, length_ms: int, most: int) -> None:
    """Scaled down: what is written once, as the names of the tables, is left out."""
    empty = store.path.stat().st_size + store.path.with_name("monitor.db-wal").stat().st_size
    count = fill(store, sites, interval_ms, length_ms)
    path = store.path
    store.close()
    assert (path.stat().st_size - empty) / count <= most


def test_another_programs_file_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "monitor.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
        connection.commit()
    before = path.read_bytes()
    with pytest.raises(MonitoringError, match="not a file of this program"):
        LocalStore(path)
    assert path.read_bytes() == before


def test_a_newer_versions_file_is_refused(store: LocalStore) -> None:
    path = store.path
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {NEWEST + 1}")
    with pytest.raises(MonitoringError, match="another version"):
        LocalStore(path)


def test_a_reader_says_that_a_file_is_of_an_older_version(tmp_path: Path) -> None:
    path = tmp_path / "monitor.db"
    shutil.copy(FIXTURES / "some_hours_1_1_0.db", path)
    with closing(FileReader(path)) as reader, pytest.raises(StoreUnavailable, match="start a monitor"):
        reader.last_time()


def test_a_file_that_is_brought_up_to_date_is_copied_first_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "monitor.db"
    shutil.copy(FIXTURES / "some_hours_1_1_0.db", path)
    with closing(LocalStore(path)) as store:
        (notice,) = store.guard.notices()
    assert "monitor.db.before-9" in notice
    with closing(sqlite3.connect(tmp_path / "monitor.db.before-9")) as copy:
        assert copy.execute("PRAGMA user_version").fetchone() == (3,)
        assert copy.execute("SELECT COUNT(*) FROM blocks").fetchone()[0] > 0
    with closing(LocalStore(path)) as store:
        assert not store.guard.notices()


def test_a_new_file_takes_over_what_alerts_need_and_owes_it_to_nobody(store: LocalStore) -> None:
    opened = Alert(AlertType.ALERT, "a", START_MS - 50_000, START_MS - 80_000, None, 60.0, Cause.DNS)
    failed = CheckResult("a", START_MS - 4_000, 2_000, 0, cause=Cause.DNS)
    state = LastState(START_MS - 4_000, 2_000, False, START_MS - 4_000, START_MS - 90_000, START_MS - 80_000, "no such name")
    good = CheckResult("b", START_MS - 3_000, 2_000, 0)
    other = LastState(good.time_ms, 2_000, True, None, START_MS - 90_000, None, "")
    store.take_over([opened], {"a": state, "b": other}, [failed, good])
    assert store.last_alerts() == {"a": opened}
    assert list(store.newest_alerts()) == [opened]
    assert store.last_states(EVER.until_ms) == {"a": state, "b": other}
    assert list(store.results(EVER)) == [failed, good]
    assert store.downtime(EVER) == {"a": Downtime(1, 1, 2_000, 2_000), "b": Downtime(1, 0, 2_000, 0)}
    assert store.failures(EVER, ["a"]) == {"a": [Failure(failed.time_ms, 2_000, Cause.DNS)]}
    assert store.next_delivery(9) is None
    store.append([CheckResult("a", START_MS, 2_000, 0)], [], START_MS)
    state = store.last_states(EVER.until_ms)["a"]
    assert (state.good_since_ms, state.failing_since_ms, state.last_failure_ms) == (
        START_MS,
        START_MS - 80_000,
        START_MS - 4_000,
    )


def test_only_one_process_writes_a_file(store: LocalStore) -> None:
    with pytest.raises(MonitoringError, match="another monitor writes here already"):
        LocalStore(store.path)


def test_a_deleted_file_comes_back_with_everything(store: LocalStore) -> None:
    check = CheckResult("a", START_MS, 2_000, 0)
    store.append([check], [], START_MS)
    for name in ("monitor.db", "monitor.db-wal", "monitor.db-shm"):
        (store.path.parent / name).unlink()
    store.guard.look(START_MS + 1_000, lambda: None)
    late = CheckResult("a", START_MS + 2_000, 2_000, 0)
    store.append([late], [], START_MS + 2_000)
    with closing(FileReader(store.path)) as reader:
        assert list(reader.results(EVER)) == [check, late]
    delivery = store.next_delivery(9)
    assert delivery is not None
    assert delivery.points.checks == (check, late)


def test_a_check_that_is_older_than_the_minute_being_summarised_is_not_passed_over(store: LocalStore) -> None:
    """It comes between two steps, from a site that had hung: its minute is summarised, and its state is right."""
    newer = CheckResult("a", START_MS + 600_000, 60_000, 0, 200)
    older = CheckResult("a", START_MS, 60_000, 0, 200)
    now_ms = newer.time_ms + 120_000
    store.append([newer], [], now_ms)
    assert store.maintain(now_ms), "the minute of the newer one is begun"
    store.append([older], [], now_ms)
    while store.maintain(now_ms):
        pass
    assert store.summarised_ms() == newer.time_ms + 60_000
    assert by_host(store.counts(EVER, "minutes")) == {"a": 2}
    assert store.last_states(now_ms)["a"].good_since_ms == older.time_ms


def test_an_outage_whose_end_was_purged_before_it_was_delivered_is_not_open_in_the_database(
    store: LocalStore,
) -> None:
    database = MemoryDatabase().open("")
    store.append([], [alert(1), alert(2, "b")], START_MS)
    database.write(Points(alerts=[alert(1), alert(2, "b")]))
    delivery = store.next_delivery(9)
    assert delivery
    store.acknowledge(delivery)
    store.append([], [recovery(3)], START_MS)
    ask_purge(store, Request(None, START_MS + 10_000, forget=False))
    maintain(store, START_MS + 10_000)
    assert store.next_delivery(9) is None
    deletion = store.next_deletion()
    assert deletion
    for _ in database.delete(deletion):
        pass
    store.deletion_done(deletion)
    assert database.last_alerts() == store.last_alerts() == {"b": alert(2, "b")}
    assert store.next_deletion() is None
