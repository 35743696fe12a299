"""Another content in the same file (`cp backup.db config.db` under a running monitor): noticed, said, nothing mixed up."""

import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from monitoring.errors import StoreUnavailable
from monitoring.models import CheckResult
from monitoring.storage.sqlite.file.lock import written_file
from monitoring.storage.sqlite.guard import RETRY_MS
from monitoring.storage.sqlite.reader import FileReader
from monitoring.storage.sqlite.store import LocalStore
from tests.support.points import EVER, START_MS, alert, check, checks, recovery

NOW_MS = START_MS + 100_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.db"


@pytest.fixture
def store(path: Path) -> Iterator[LocalStore]:
    store = LocalStore(path)
    yield store
    store.close()


def look(store: LocalStore, now_ms: int = NOW_MS) -> list[str]:
    store.guard.look(now_ms, lambda: None)
    return store.guard.notices()


def written(path: Path) -> Sequence[CheckResult]:
    with closing(FileReader(path)) as reader:
        return list(reader.results(EVER))


def assert_sound(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def back_up(path: Path) -> Path:
    copy = path.with_name("backup.db")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return copy


@pytest.mark.parametrize("count", [1, 3_000], ids=["all of it in the log", "most of it in the file"])
def test_what_was_measured_since_the_copy_was_made_is_added_to_it(store: LocalStore, path: Path, count: int) -> None:
    store.append([check(second, detail="x" * 1_000) for second in range(count)], [alert(1), alert(2, "b")], NOW_MS)
    copy = back_up(path)
    later = [check(10_000 + second, detail="y" * 100) for second in range(20)]
    store.append(later, [recovery(10_003)], NOW_MS)
    shutil.copyfile(copy, path)
    with pytest.raises(StoreUnavailable, match="was overwritten by another program"):
        store.append(checks([10_050]), [], NOW_MS)
    now_ms = START_MS + 10_100_000
    assert look(store, now_ms) == [], "whoever writes it may not have finished"
    (words,) = look(store, now_ms)
    assert "was overwritten with another file" in words
    assert written_file(path) == store.path != path
    store.append(checks([10_050]), [], NOW_MS)
    (words,) = look(store, now_ms + RETRY_MS)
    assert words == f"{path} can be written again, and has everything that was measured meanwhile"
    assert store.path == written_file(path) == path
    assert [found.time_ms for found in written(path)[count:]] == [found.time_ms for found in [*later, *checks([10_050])]]
    assert len(written(path)) == count + 21
    assert store.last_alerts() == {"a": recovery(10_003), "b": alert(2, "b")}
    assert_sound(path)
    assert not list(path.parent.glob("*saved*"))


@pytest.mark.parametrize("is_empty", [True, False])
def test_a_file_of_another_program_that_was_written_into_ours_is_left_alone(
    store: LocalStore, path: Path, *, is_empty: bool
) -> None:
    store.append(checks([1, 2]), [alert(3)], NOW_MS)
    other = path.with_name("other.db")
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("PRAGMA application_id = 77")
        if not is_empty:
            connection.execute("CREATE TABLE theirs (x)")
        connection.commit()
    shutil.copyfile(other, path)
    look(store)
    (words,) = look(store)
    saved = store.path
    assert "was overwritten with another file" in words
    assert written_file(path) == saved
    assert look(store, NOW_MS + RETRY_MS) == []
    assert written(saved) == checks([1, 2])
    assert store.last_alerts() == {"a": alert(3)}
    store.close()
    assert path.read_bytes() == other.read_bytes()
    assert not path.with_name("config.db-wal").exists()


def test_what_is_overwritten_in_the_middle_of_a_commit_is_noticed_too(store: LocalStore, path: Path) -> None:
    store.append(checks([1]), [alert(3)], NOW_MS)
    other = path.with_name("other.db")
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE pets (name)")
    theirs = other.read_bytes()
    with store.writing(), path.open("r+b") as opened:
        opened.truncate(0)
        opened.write(theirs)
    assert look(store) == []
    (words,) = look(store)
    assert "was overwritten with another file" in words
    assert store.last_alerts() == {"a": alert(3)}
    store.close()
    assert path.read_bytes() == theirs


def test_a_copy_that_takes_its_time_is_waited_for(store: LocalStore, path: Path) -> None:
    """A look in the middle of it finds the beginning of a database."""
    store.append([check(second, detail="x" * 1_000) for second in range(300)], [], NOW_MS)
    whole = back_up(path).read_bytes()
    store.append(checks([1_000]), [], NOW_MS)
    with path.open("r+b") as opened:
        opened.truncate(0)
        for begin in range(0, len(whole), len(whole) // 3):
            assert look(store) == []
            opened.write(whole[begin : begin + len(whole) // 3])
            opened.flush()
    assert look(store) == []
    assert len(look(store, START_MS + 1_100_000)) == 1
    assert len(look(store, START_MS + 1_100_000 + RETRY_MS)) == 1
    assert len(written(path)) == 301


@pytest.mark.parametrize("command", ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)", "DELETE FROM meta WHERE key = 'none'"])
def test_what_another_program_does_by_sqlite_is_no_overwriting(store: LocalStore, path: Path, command: str) -> None:
    for second in range(0, 1_000, 10):
        store.append([check(second + more, detail="x" * 100) for more in range(10)], [], NOW_MS)
    while store.maintain(START_MS + 3_600_000):
        pass
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(command)
    for second in range(5_000, 5_010):
        assert look(store) == []
        store.append(checks([second]), [], NOW_MS)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert look(store) == []
    assert len(written(path)) == 1_010


def test_a_commit_that_failed_makes_the_file_nobody_elses(store: LocalStore, path: Path) -> None:
    """Its number is not in the file, in which somebody else's SQLite then puts the log."""
    store.append(checks([1]), [], NOW_MS)
    with pytest.raises(ZeroDivisionError), store.writing():
        1 / 0  # noqa: B018
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert look(store) == []
    assert look(store) == []
    store.append(checks([2]), [], NOW_MS)
    assert store.path == path
    assert written(path) == checks([1, 2])
