"""One writer a local file: a lock that the kernel frees when its holder dies, however it dies.

The lock is an `flock` on a descriptor of the database file itself, so it holds whatever name the file was opened by. SQLite
must neither have the file open before the lock is taken nor when it is released, and nothing else in this process may open
the file: whoever closes any descriptor of a file drops all POSIX locks that the process has on it, SQLite's own among them.

A second lock is on `NAME.lock` beside the file. It is there for readers, who ask whether a monitor is running and must
not open the database for that, and it holds the process id for people.
"""

import fcntl
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path

from monitoring.errors import MonitoringError, StoreUnavailable

HEADER_BYTES = 100
"""The length of the header of an SQLite file."""

PENDING_BYTE = 0x40000000
"""The first of the bytes by which SQLite locks a file."""

READERS_TRIES = 10
READERS_PAUSE_S = 0.02
"""A reader that asks whether a monitor is alive holds the lock beside the file for an instant: it is tried so often."""

LOCKS = Path("/proc/locks")

Identity = tuple[int, int]
"""Device and inode: which file it is, whatever it is called."""


def lock_path(database: Path) -> Path:
    """Of the file itself when `database` is a symbolic link."""
    real = Path(os.path.realpath(database))
    return real.with_name(real.name + ".lock")


def identity_of(path: Path | str) -> Identity | None:
    """Which file has this name now; None: there is none, or nobody may look."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def is_empty(path: Path) -> bool:
    """Does this name stand for no file, or for one that somebody is about to fill?"""
    try:
        return path.stat().st_size == 0
    except OSError:
        return True


def may_have_log(path: Path) -> bool:
    """Is there a write-ahead log beside the file, or may this process make one, as every reader does that finds none?

    If not, nobody writes the file, and SQLite reads it only when told so.
    """
    file = Path(os.path.realpath(path))
    return os.access(file.parent, os.W_OK) or file.with_name(file.name + "-wal").exists()


class FileLock:
    """Held by the one process that writes a database file, from before SQLite opens it until after it has closed it."""

    def __init__(self, path: Path, heir_of: "FileLock | None" = None) -> None:
        """Take the lock on the file named `path`, which is created empty when there is none.

        `heir_of` is a lock that this process already holds on an earlier file of the same name.

        Raises `MonitoringError` that names the process which holds the lock, `StoreUnavailable` when the file cannot be
        opened.
        """
        self.path = path
        self.was_known = lock_path(path).exists()
        """Has a monitor ever tried to write under this name?"""
        self._beside: int | None = None
        self._descriptor: int | None = None
        try:
            self._beside = self._lock_beside(heir_of)
            self._descriptor = self._lock_file(path)
        except OSError as error:
            self.release()
            raise StoreUnavailable(f"{path}: {error.strerror}") from error
        except BaseException:
            self.release()
            raise
        status = os.fstat(self._descriptor)
        self.identity: Identity = (status.st_dev, status.st_ino)

    def _lock_beside(self, heir_of: "FileLock | None") -> int:
        path = lock_path(self.path)
        if heir_of and (inherited := heir_of._beside) is not None and _is_file(inherited, path):
            return os.dup(inherited)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if not _patiently(lambda: _try_lock(descriptor, fcntl.LOCK_EX)):
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise self._in_use(holder)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        return descriptor

    def _lock_file(self, path: Path) -> int:
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            if not _try_lock(descriptor, fcntl.LOCK_EX):
                os.close(descriptor)
                raise self._in_use(_flocker(path))
            if _is_file(descriptor, path):
                self._let_sqlite_in(descriptor, path)
                return descriptor
            os.close(descriptor)  # somebody put another file in its place just now

    def _let_sqlite_in(self, descriptor: int, path: Path) -> None:
        """On network file systems a `flock` is one of all bytes, and shuts out SQLite in this process, too.

        There the lock beside the file has to do.
        """
        if _may_lock_bytes(path):
            return
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        if not _may_lock_bytes(path) and not _try_lock(descriptor, fcntl.LOCK_EX):  # somebody else was in the way
            raise self._in_use(_flocker(path))

    def _in_use(self, holder: str) -> MonitoringError:
        return MonitoringError(f"{self.path}: another monitor writes here already (process {holder or 'unknown'})")

    def restore_beside(self) -> None:
        """Make the lock beside the file anew if somebody deleted it."""
        if self._beside is None or _is_file(self._beside, lock_path(self.path)):
            return
        try:
            descriptor = self._lock_beside(None)
        except (OSError, MonitoringError):  # tried again at the next look
            return
        os.close(self._beside)
        self._beside = descriptor

    def header(self) -> bytes:
        """The first bytes of the file, whatever it is called now; read without SQLite, so without the log beside it."""
        return b"" if self._descriptor is None else os.pread(self._descriptor, HEADER_BYTES, 0)

    def size(self) -> int:
        return 0 if self._descriptor is None else os.fstat(self._descriptor).st_size

    def current_name(self) -> Path | None:
        """What the file is called now, wherever it was moved; None: it was deleted, or the system does not tell."""
        if self._descriptor is None:
            return None
        try:
            name = os.readlink(f"/proc/self/fd/{self._descriptor}")
        except OSError:
            return None
        return Path(name) if identity_of(name) == self.identity else None

    def release(self, *, forget: bool = False) -> None:
        """Free the file. `forget` also removes the trace beside a file that turned out to be another program's."""
        if forget and not self.was_known:
            lock_path(self.path).unlink(missing_ok=True)
        for descriptor in (self._descriptor, self._beside):
            if descriptor is not None:
                os.close(descriptor)
        self._descriptor = self._beside = None


def writer_is_alive(database: Path) -> bool:
    """Is a monitor writing this file now? Does not open it."""
    try:
        descriptor = os.open(lock_path(database), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return bool(_flocker(database))
    try:
        return not _try_lock(descriptor, fcntl.LOCK_SH) or bool(_flocker(database))
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _may_lock_bytes(path: Path) -> bool:
    """May SQLite take its locks in the file? To be asked only before it has opened the file."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, PENDING_BYTE)
    except (BlockingIOError, PermissionError):
        return False
    finally:
        os.close(descriptor)
    return True


def _patiently(attempt: Callable[[], bool]) -> bool:
    pause = threading.Event()
    return any(attempt() or pause.wait(READERS_PAUSE_S) for _ in range(READERS_TRIES))


def _is_file(descriptor: int, path: Path) -> bool:
    status = os.fstat(descriptor)
    return identity_of(path) == (status.st_dev, status.st_ino)


def _flocker(path: Path) -> str:
    """The process that holds an `flock` on this file, under any name, as Linux tells it; "": nobody, or it is not known."""
    identity = identity_of(path)
    if identity is None:
        return ""
    device, inode = identity
    try:
        text = LOCKS.read_text()
    except OSError:  # another system
        return ""
    held = re.search(rf"FLOCK +ADVISORY +WRITE +(\d+) +{os.major(device):02x}:{os.minor(device):02x}:{inode} ", text)
    return held[1] if held else ""
