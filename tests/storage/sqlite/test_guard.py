"""What the guard of a local file does, step by step; the promises show the same on the whole monitor."""

import errno
import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from monitoring.errors import MonitoringError, StoreUnavailable
from monitoring.models import Alert, CheckResult
from monitoring.storage.routing import ReadFile
from monitoring.storage.sqlite.file import rescue
from monitoring.storage.sqlite.file.connection import ReaderPool
from monitoring.storage.sqlite.file.lock import FileLock, NameLock, lock_path, writer_is_alive, written_file
from monitoring.storage.sqlite.guard import ASIDE_MS, RETRY_MS
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


def nobody() -> None:
    """Nothing comes while something is put right."""


def look(store: LocalStore, now_ms: int = NOW_MS) -> list[str]:
    """What the guard told when it looked."""
    store.guard.look(now_ms, nobody)
    return store.guard.notices()


def written(path: Path) -> Sequence[CheckResult]:
    """What another program finds in the file."""
    with closing(FileReader(path)) as reader:
        return list(reader.results(EVER))


def write(store: LocalStore, points: Sequence[CheckResult], alerts: Sequence[Alert] = ()) -> None:
    store.append(points, alerts, NOW_MS)


def test_a_file_with_which_nothing_is_wrong_is_left_alone(store: LocalStore, path: Path) -> None:
    identity = path.stat().st_ino
    assert look(store) == []
    assert path.stat().st_ino == identity


def test_a_lock_beside_the_file_that_was_deleted_is_made_anew(store: LocalStore, path: Path) -> None:
    lock_path(path).unlink()
    assert look(store) == []
    assert lock_path(path).read_text() == f"{os.getpid()}\n"
    assert writer_is_alive(path)
    store.close()
    assert not writer_is_alive(path)


def test_what_comes_while_a_deleted_file_is_copied_is_in_the_copy(store: LocalStore, path: Path) -> None:
    write(store, [check(second, detail="x" * 10_000) for second in range(500)], [alert(1)])
    path.unlink()
    late: list[CheckResult] = []

    def write_more() -> None:
        late.append(check(1_000 + len(late)))
        write(store, [late[-1]])

    store.guard.look(NOW_MS, write_more)
    assert len(late) > 1
    write(store, [check(5_000)], [recovery(2)])
    assert len(written(path)) == 500 + len(late) + 1
    assert store.last_alerts() == {"a": recovery(2)}
    assert store.next_delivery(10_000) is not None, "what was not delivered still waits"


def test_a_file_that_is_moved_and_linked_to_takes_its_log_along(store: LocalStore, path: Path) -> None:
    """`mv config.db other.db; ln -s other.db config.db`: whoever follows the link looks for the log beside `other.db`."""
    moved = path.with_name("other.db")
    write(store, checks([1]), [alert(1)])
    path.rename(moved)
    path.symlink_to(moved.name)
    assert len(look(store)) == 1
    assert look(store, NOW_MS + RETRY_MS) == []
    write(store, checks([2]), [recovery(2)])
    assert written(path) == checks([1, 2])
    store.close()
    assert sorted(name.name for name in path.parent.iterdir() if "-" in name.name) == []
    with closing(LocalStore(path)) as again:
        assert list(again.results(EVER)) == checks([1, 2])
        assert again.last_alerts() == {"a": recovery(2)}


def test_deliveries_go_on_over_a_copy_and_none_is_lost(store: LocalStore, path: Path) -> None:
    write(store, checks([1, 2]))
    delivery = store.next_delivery(10)
    assert delivery
    path.unlink()
    assert len(look(store)) == 1
    store.acknowledge(delivery)
    assert store.next_delivery(10) is None


def test_what_was_handed_out_of_another_file_is_not_acknowledged_in_a_new_one(
    store: LocalStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The numbers of its commits mean others there."""
    write(store, checks([1, 2]))
    delivery = store.next_delivery(10)
    assert delivery
    monkeypatch.setattr(rescue, "has_room", lambda *_: False)
    path.unlink()
    (words,) = look(store)
    assert "no room" in words
    store.acknowledge(delivery)
    again = store.next_delivery(10)
    assert again
    assert list(again.points.checks) == checks([1, 2])


def test_without_room_for_a_copy_the_new_file_has_what_matters(
    store: LocalStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The open alerts, the past hour, and what no database has."""
    long_ago, marker = checks([1, 2]), store.marker
    store.append(long_ago, [alert(3)], START_MS)
    delivery = store.next_delivery(10)
    assert delivery
    store.acknowledge(delivery)
    undelivered, recent = checks([20_000]), checks([86_000, 86_390])
    store.append(undelivered, [], START_MS + 20_000_000)
    store.append(recent, [], START_MS + 86_390_000)
    path.unlink()
    monkeypatch.setattr(rescue, "has_room", lambda *_: False)
    assert len(look(store, START_MS + 86_400_000)) == 1
    assert written(path) == [*undelivered, *recent]
    assert store.last_alerts() == {"a": alert(3)}
    assert store.marker != marker, "a database must be told what this file holds"


def test_while_there_is_no_place_everything_goes_on_in_what_is_open(store: LocalStore, path: Path) -> None:
    """It is told once, and put right as soon as there is a place."""
    write(store, checks([1]))
    shutil.rmtree(path.parent)
    path.parent.write_text("a file where the directory was")
    (words,) = look(store)
    assert "cannot be saved yet" in words
    write(store, checks([2]))
    assert look(store, NOW_MS + RETRY_MS) == []
    assert list(store.results(EVER)) == checks([1, 2])
    path.parent.unlink()
    (words,) = look(store, NOW_MS + 2 * RETRY_MS)
    assert "is back under its name" in words
    assert written(path) == checks([1, 2])


def test_the_log_of_a_file_that_lost_its_name_is_not_taken_for_that_of_the_next(store: LocalStore, path: Path) -> None:
    """SQLite would play it into whatever file has the name."""
    write(store, checks([1]))
    other = path.with_name("other.db")
    with closing(sqlite3.connect(other, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    before = other.read_bytes()
    other.replace(path)
    assert rescue.beside(path, "-wal").exists()
    assert len(look(store)) == 1
    assert not rescue.beside(path, "-wal").exists()
    assert not rescue.beside(path, "-shm").exists()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]
    assert path.read_bytes() == before


@pytest.mark.parametrize("put", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/etc/hostname")])
def test_whatever_takes_the_name_is_left_alone(store: LocalStore, path: Path, put: Callable[[Path], None]) -> None:
    write(store, checks([1]), [alert(2)])
    path.rename(path.with_name("moved.db"))
    put(path)
    mode = path.lstat().st_mode
    (words,) = look(store)
    assert "was replaced by another file, which is left alone" in words
    assert path.lstat().st_mode == mode
    write(store, checks([3]))
    assert written_file(path) == store.path
    assert written(store.path) == checks([1, 3])
    path.rmdir() if path.is_dir() else path.unlink()
    look(store, NOW_MS + RETRY_MS)
    assert written_file(path) == path
    assert written(path) == checks([1, 3])


def test_readers_find_a_file_whose_directory_was_renamed(tmp_path: Path) -> None:
    """The lock beside the file has moved with it: another one says where the file is."""
    folder, renamed = tmp_path / "data", tmp_path / "renamed"
    folder.mkdir()
    path = folder / "config.db"
    with closing(LocalStore(path)) as store:
        folder.rename(renamed)
        assert len(look(store)) == 1
        assert look(store) == []
        assert written_file(path) == renamed / path.name
        renamed.rename(folder)
        assert len(look(store)) == 1
        assert written_file(path) == path
        assert lock_path(path).read_text() == f"{os.getpid()}\n"
    assert not writer_is_alive(path)


def test_a_lock_that_had_no_room_for_the_process_is_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left locked by a disk that was full."""

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        store = LocalStore(path)
    assert lock_path(path).read_text() == ""
    with pytest.raises(MonitoringError, match="process unknown"):
        NameLock(path)
    look(store)
    assert lock_path(path).read_text() == f"{os.getpid()}\n"
    store.close()
    NameLock(path).release()


def test_a_file_that_was_moved_away_is_whole_where_it_is_now(store: LocalStore, path: Path) -> None:
    write(store, checks([1, 2]))
    moved = path.with_name("moved.db")
    path.rename(moved)
    look(store)
    assert written(moved) == written(path) == checks([1, 2])


def test_another_log_waits_until_other_programs_have_read(store: LocalStore, path: Path) -> None:
    """Until then they read what they read, and what is written meanwhile is not lost."""
    write(store, checks([1]))
    with ReaderPool(path).snapshot() as connection:
        assert connection.execute("SELECT COUNT(*) FROM checks").fetchone() == (1,)
        write(store, checks([2]))
        rescue.beside(path, "-wal").unlink()
        (words,) = look(store)
        assert "cannot be saved yet" in words
        write(store, checks([3]))
        assert connection.execute("SELECT COUNT(*) FROM checks").fetchone() == (1,)
    (words,) = look(store, NOW_MS + RETRY_MS)
    assert "nothing is lost" in words
    assert written(path) == checks([1, 2, 3])


def test_a_program_that_reads_all_the_time_finds_the_new_log(store: LocalStore, path: Path) -> None:
    file = ReadFile(path)
    write(store, checks([1]))
    reader = file.open()
    assert reader
    assert list(reader.results(EVER)) == checks([1])
    rescue.beside(path, "-wal").unlink()
    look(store)
    write(store, checks([2]))
    reader = file.open()
    assert reader
    assert list(reader.results(EVER)) == checks([1, 2])
    assert file.open() is reader
    file.close()


def damage_everything_but_the_beginning(path: Path, seed: int) -> None:
    with path.open("r+b") as opened:
        opened.seek(4096)
        opened.write(random.Random(seed).randbytes(path.stat().st_size - 4096))


@pytest.mark.parametrize("seed", range(3))
def test_damage_that_a_question_finds_makes_the_file_be_set_aside(store: LocalStore, path: Path, seed: int) -> None:
    """What writes finds it too late: it has the pages in memory."""
    write(store, [check(second, detail="x" * 1_000) for second in range(2_000)], [alert(1)])
    store.opened.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    damage_everything_but_the_beginning(path, seed)
    with closing(FileReader(path)) as reader, pytest.raises(StoreUnavailable):
        list(reader.results(EVER))
    with store.readers.snapshot(), pytest.raises(StoreUnavailable):  # another connection has no pages in memory
        list(store.results(EVER))
    (words,) = look(store)
    assert "malformed" in words or "not a database" in words
    assert store.last_alerts() == {"a": alert(1)}
    write(store, checks([9_000]))
    assert check(9_000) in written(path)
    assert list(path.parent.glob("config.db.damaged-*"))


def test_a_disk_that_damages_every_file_is_not_filled_with_them(store: LocalStore, path: Path) -> None:
    for _ in range(5):
        path.write_bytes(b"")
        look(store)  # somebody may be writing it just now
        look(store)
    assert len(list(path.parent.glob("config.db.damaged-*"))) == 1
    look(store, NOW_MS + ASIDE_MS)
    assert len(list(path.parent.glob("config.db.damaged-*"))) == 2


def test_a_store_that_works_elsewhere_moves_in_with_everything(path: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "config.db"
    elsewhere.parent.mkdir()
    with closing(LocalStore(path)) as earlier:
        write(earlier, checks([1]), [alert(2)])
    blocker = FileLock(path)
    store = LocalStore(elsewhere, home=path)
    store.guard.look(NOW_MS, nobody)
    assert "another monitor writes here already" in store.guard.notices()[0]
    write(store, checks(range(100, 200)), [alert(150, "b")])
    late: list[CheckResult] = []

    def write_more() -> None:
        late.append(check(300 + len(late)))
        write(store, [late[-1]])

    blocker.release()
    store.guard.look(START_MS + 250_000, write_more)
    assert store.guard.notices() == [f"{path} can be written again, and has everything that was measured meanwhile"]
    write(store, checks([999]))
    assert late
    assert written(path) == [*checks([1]), *checks(range(100, 200)), *late, *checks([999])]
    assert store.last_alerts() == {"a": alert(2), "b": alert(150, "b")}
    assert not elsewhere.parent.exists()
    with pytest.raises(MonitoringError):
        NameLock(path)
    store.close()
    LocalStore(path).close()
