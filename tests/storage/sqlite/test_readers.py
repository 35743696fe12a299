"""What connections that read keep in memory between two questions."""

import _sqlite3
import ctypes
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from monitoring.errors import StoreUnavailable
from monitoring.storage.sqlite.file.connection import ReaderPool
from monitoring.storage.sqlite.reader import FileReader


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
