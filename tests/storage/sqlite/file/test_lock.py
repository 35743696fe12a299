"""The lock on the local file: held by the file itself, told to others by process, and harmless to SQLite's own locks."""

import fcntl
import os
import re
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitoring.errors import MonitoringError, StoreUnavailable
from monitoring.storage.sqlite.file import lock as module
from monitoring.storage.sqlite.file.lock import FileLock, NameLock, lock_path, writer_is_alive

HOLDER = """
import sys
from pathlib import Path
from monitoring.storage.sqlite.file.lock import FileLock, NameLock
locks = NameLock(Path(sys.argv[1])), FileLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.readline()
"""


class Locks:
    """Both locks, taken as a monitor takes them."""

    def __init__(self, path: Path) -> None:
        self.name = NameLock(path)
        try:
            self.file = FileLock(path)
        except BaseException:
            self.name.release()
            raise

    def release(self) -> None:
        self.file.release()
        self.name.release()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "monitor.db"


@pytest.fixture
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def assert_refused(path: Path, holder: subprocess.Popen[str]) -> None:
    words = f"{path}: another monitor writes here already (process {holder.pid})"
    with pytest.raises(MonitoringError, match=re.escape(words)):
        Locks(path)
    assert writer_is_alive(path)


def test_it_holds_under_every_name_of_the_file_and_names_the_process(path: Path, holder: subprocess.Popen[str]) -> None:
    symbolic, hard, folder = path.with_name("symbolic.db"), path.with_name("hard.db"), path.with_name("folder")
    symbolic.symlink_to(path)
    hard.hardlink_to(path)
    folder.symlink_to(path.parent, target_is_directory=True)
    for name in (path, symbolic, hard, folder / path.name):
        assert_refused(name, holder)
    holder.kill()
    holder.wait()
    for name in (path, symbolic, hard):
        assert not writer_is_alive(name)
    Locks(path).release()


def test_it_holds_when_the_lock_beside_the_file_is_deleted(path: Path, holder: subprocess.Popen[str]) -> None:
    lock_path(path).unlink()
    assert_refused(path, holder)


def test_being_asked_whether_a_monitor_is_alive_does_not_keep_one_from_starting(path: Path) -> None:
    """Who asks holds the lock for an instant: here for as long as three tries take."""
    path.touch()
    Locks(path).release()
    code = (
        "import fcntl, os, sys, threading; d = os.open(sys.argv[1], os.O_RDONLY); fcntl.flock(d, fcntl.LOCK_SH);"
        "print('held', flush=True); sys.stdin.readline()"
    )
    command = [sys.executable, "-c", code, str(lock_path(path))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as asker:
        assert asker.stdin
        assert asker.stdout
        assert asker.stdout.readline() == "held\n"
        asker.stdin.write("\n")  # it lets go as soon as it has read this
        asker.stdin.flush()
        Locks(path).release()


def test_who_is_refused_in_the_same_process_leaves_sqlites_locks_alone(path: Path) -> None:
    """Opening and closing the file by other means would drop them, and another process could write."""
    lock = Locks(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(MonitoringError):
            Locks(path)
        assert writer_is_alive(path)
        code = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN IMMEDIATE')"
        other = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
        assert "database is locked" in other.stderr
    lock.release()


def test_the_name_is_held_without_a_gap_while_another_file_takes_it(path: Path) -> None:
    name, file = NameLock(path), FileLock(path)
    path.unlink()
    file.release()
    assert writer_is_alive(path)
    with pytest.raises(MonitoringError):
        Locks(path)
    heir = FileLock(path)
    name.release()
    assert writer_is_alive(path)
    with pytest.raises(MonitoringError):
        Locks(path)
    heir.release()
    assert not writer_is_alive(path)


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"nowhere/monitor\.db: No such file or directory"):
        FileLock(tmp_path / "nowhere" / "monitor.db")
    with pytest.raises(StoreUnavailable, match="Is a directory"):
        FileLock(tmp_path)


class NetworkFileSystem:
    """`fcntl` where the kernel makes a `flock` a lock of all bytes of the file, as on NFS."""

    def __getattr__(self, name: str) -> object:
        return getattr(fcntl, name)

    def flock(self, descriptor: int, operation: int) -> None:
        kinds = {fcntl.LOCK_EX: fcntl.F_WRLCK, fcntl.LOCK_SH: fcntl.F_RDLCK, fcntl.LOCK_UN: fcntl.F_UNLCK}
        lock = struct.pack("hhqqi4x", kinds[operation & ~fcntl.LOCK_NB], os.SEEK_SET, 0, 0, 0)
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, lock)


@pytest.mark.skipif(not hasattr(fcntl, "F_OFD_SETLK"), reason="locks of the whole file need Linux")
def test_on_a_network_file_system_sqlite_is_not_shut_out(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a second monitor is still refused."""
    monkeypatch.setattr(module, "fcntl", NetworkFileSystem())
    lock = Locks(path)
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (x)")
        with pytest.raises(MonitoringError):
            Locks(path)
        assert writer_is_alive(path)
    lock.release()
    assert not writer_is_alive(path)


def test_who_holds_all_of_the_file_does_not_take_our_lock_away(path: Path) -> None:
    """Another program that has locked SQLite's bytes is waited for, and no second monitor gets in meanwhile."""
    path.touch()
    code = (
        "import fcntl, sys; f = open(sys.argv[1], 'r+'); fcntl.lockf(f, fcntl.LOCK_EX); print('held', flush=True); input()"
    )
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout
        assert program.stdout.readline() == "held\n"
        lock = Locks(path)
        hard = path.with_name("hard.db")
        hard.hardlink_to(path)
        with pytest.raises(MonitoringError, match=f"process {os.getpid()}"):
            Locks(hard)
        program.kill()
    lock.release()
