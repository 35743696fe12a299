"""Connections that read: what they keep in memory between two questions, and what becomes of them at the end."""

import _sqlite3
import ctypes
import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from monitoring.errors import StoreUnavailable
from monitoring.models import Window
from monitoring.storage.sqlite.file.connection import ReaderPool
from monitoring.storage.sqlite.reader import FileReader
from monitoring.storage.sqlite.store import LocalStore
from tests.support.points import EVER, START_MS, checks
from tests.support.waiting import PATIENCE_S


@pytest.fixture
def memory_used() -> Callable[[], int]:
    """How many bytes SQLite has of this process."""
    try:
        count = ctypes.CDLL(_sqlite3.__file__).sqlite3_memory_used
    except AttributeError:
        pytest.skip("this Python hides its SQLite")
    count.restype = ctypes.c_int64
    return lambda: int(count())


def test_a_reader_keeps_no_pages_between_two_questions(tmp_path: Path, memory_used: Callable[[], int]) -> None:
    """They would be read again anyway: the next commit makes them useless. Each connection would keep two megabytes."""
    path = tmp_path / "file.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE filled (value)")
        connection.executemany("INSERT INTO filled VALUES (?)", [(bytes(1_000),)] * 2_000)
    connection.close()
    readers = ReaderPool(path)
    readers.warm()
    before = memory_used()
    with readers.snapshot() as reading:
        assert reading.execute("SELECT SUM(LENGTH(value)) FROM filled").fetchone() == (2_000_000,)
        meanwhile = memory_used() - before
    assert meanwhile > 1_000_000
    assert memory_used() - before < meanwhile / 10
    readers.close()


def test_statistics_of_many_sites_are_the_same_when_only_some_are_added_up_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(LocalStore(tmp_path / "file.db")) as store:
        store.append([one for number in range(7) for one in checks(range(number, 150, 3), f"site {number}")], [], START_MS)
        while store.maintain(START_MS + 200_000):
            pass
        window = Window(START_MS, START_MS + 150_000)
        at_once = store.stats(window, exact=True)
        monkeypatch.setattr("monitoring.storage.sqlite.reader.ROWS_AT_ONCE", 4)
        monkeypatch.setattr("monitoring.storage.sqlite.reader.MOST_TURNS", 3)
        assert store.stats(window, exact=True) == at_once
    assert [stats.checks for _, stats in sorted(at_once.items())] == [50, 50, 50, 49, 49, 49, 48]


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("PRAGMA user_version = 0", "is empty"),
        ("CREATE TABLE pets (name)", "not a file of this program"),
        ("PRAGMA user_version = 3", "an older version wrote it: start a monitor, which brings it up to date"),
        ("PRAGMA user_version = 99", "written by another version of this program (file format 99)"),
    ],
)
def test_a_file_of_another_kind_is_not_read_and_it_is_said_which_kind_that_is(
    tmp_path: Path, statement: str, why: str
) -> None:
    path = tmp_path / "file.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()
    with closing(FileReader(path)) as reader, pytest.raises(StoreUnavailable) as raised:
        reader.pending()
    assert str(raised.value) == f"{path}: {why}"


ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000000) SELECT COUNT(*) FROM n"


def test_a_store_that_is_closed_leaves_no_log_although_a_question_is_under_way(tmp_path: Path) -> None:
    """Statistics of many sites take a while, and a monitor may be ended at any moment."""
    store, is_asking, failed = LocalStore(tmp_path / "file.db"), threading.Event(), []

    def ask() -> None:
        try:
            with store.readers.snapshot() as connection:
                connection.execute("SELECT * FROM sites").fetchall()
                is_asking.set()
                connection.execute(ENDLESS).fetchall()
        except StoreUnavailable as error:
            failed.append(str(error))

    asking = threading.Thread(target=ask)
    asking.start()
    assert is_asking.wait(PATIENCE_S)
    store.close()
    assert not (tmp_path / "file.db-wal").exists()
    asking.join()
    assert failed == [f"{store.path}: interrupted"]
    with pytest.raises(StoreUnavailable, match="is closed"):
        store.last_time()


def test_a_file_that_is_closed_while_another_program_reads_it_has_everything_in_itself(tmp_path: Path) -> None:
    """Whoever copies the file, and not the log beside it, has everything."""
    store = LocalStore(tmp_path / "file.db")
    store.append(checks([1, 2, 3]), [], START_MS)
    with closing(FileReader(store.path)) as reader:
        assert reader.last_time()
        store.close()
        copy = Path(shutil.copy(store.path, tmp_path / "copy.db"))
    with closing(FileReader(copy)) as reader:
        assert len(list(reader.results(EVER))) == 3
