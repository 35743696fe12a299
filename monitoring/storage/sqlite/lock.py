"""One writer a local file: a lock that the kernel frees when its holder dies, however it dies.

The lock is an `flock` on a descriptor of the database file itself, so it holds whatever name the file was opened by. SQLite
must neither have the file open before the lock is taken nor when it is released, and nothing else in this process may open
the file: whoever closes any descriptor of a file drops all POSIX locks that the process has on it, SQLite's own among them.

A second lock is on `NAME.lock` beside the file. It is there for readers, who ask whether a monitor is running and must
not open the database for that. It holds the process id, and which file the monitor writes while that is another one.
Where no such file can be made, one in the system's temporary directory stands in for it.
"""

import fcntl
import hashlib
import os
import re
import stat
import struct
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from monitoring.errors import MonitoringError, StoreUnavailable

PENDING_BYTE = 0x40000000
"""The first of the bytes by which SQLite locks a file."""

SHARED_BYTES = 510
"""How many there are, from the third on, that whoever reads the file locks."""

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


def stand_in_path(database: Path) -> Path:
    """The same where nothing can be written beside the file. Only this user's monitors meet there."""
    name = hashlib.sha256(os.fsencode(os.path.realpath(database))).hexdigest()[:16]
    return Path(tempfile.gettempdir(), f"monitoring-{os.getuid()}-{name}.lock")


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


class NameLock:
    """The lock on `NAME.lock`: says who writes under this name, and which file while that is another one."""

    def __init__(self, database: Path, inherited: "NameLock | None" = None, *, stands_in: bool = False) -> None:
        """`inherited`: one that this process holds already; it is shared if it is for the same name.

        `stands_in`: the lock is in the temporary directory. Raises `OSError`, and `MonitoringError` that names the process
        which holds the lock.
        """
        self.stands_in = stands_in
        self._path = stand_in_path(database) if stands_in else lock_path(database)
        self._descriptor: int
        self.was_known = self._path.exists()
        """Has a monitor ever tried to write under this name?"""
        self._told: bytes | None = None
        if inherited and _is_file(inherited._descriptor, self._path):
            self._descriptor, self._told = os.dup(inherited._descriptor), inherited._told
            return
        links = os.O_NOFOLLOW if stands_in else 0
        descriptor = self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | links, 0o644)
        is_free = _patiently(lambda: _try_lock(descriptor, fcntl.LOCK_EX))
        stand_in = None if stands_in or (inherited and inherited.stands_in) else stand_in_path(database)
        if not is_free or (stand_in and _is_held(stand_in)):
            holder = self._path if not is_free or not stand_in else stand_in
            os.close(descriptor)
            raise _in_use(database, holder.read_bytes()[:32].decode("ascii", "replace").partition("\n")[0])
        self.tell(None)

    def tell(self, file: Path | None) -> None:
        """From now on this process writes another file; None: the one of this name. On a full disk it is not told."""
        text = f"{os.getpid()}\n".encode() + (b"" if file is None else os.fsencode(file.absolute()) + b"\n")
        if text != self._told:
            with suppress(OSError):
                os.pwrite(self._descriptor, text, 0)
                os.ftruncate(self._descriptor, len(text))
                self._told = text

    def is_there(self) -> bool:
        """Does `NAME.lock` still stand for this lock? Somebody may have deleted it."""
        return _is_file(self._descriptor, self._path)

    def release(self, *, forget: bool = False) -> None:
        """`forget` also removes the trace beside a file that turned out to be another program's, and a stand-in."""
        if forget and (self.stands_in or not self.was_known):
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


class FileLock:
    """Held by the one process that writes a database file, from before SQLite opens it until after it has closed it."""

    def __init__(self, path: Path, name: NameLock | None = None) -> None:
        """Take the lock on the file named `path`, which is created empty when there is none.

        `name` is a lock on a name that this process already holds.

        Raises `MonitoringError` that names the process which holds the lock, `StoreUnavailable` when the file cannot be
        opened, or is none.
        """
        self.path = path
        try:
            self.name = NameLock(path, name)
            try:
                self._descriptor = self._lock_file(path)
            except BaseException:
                self.name.release()
                raise
        except OSError as error:
            raise StoreUnavailable(f"{path}: {error.strerror}") from error
        self._is_held = True
        status = os.fstat(self._descriptor)
        self.identity: Identity = (status.st_dev, status.st_ino)

    def _lock_file(self, path: Path) -> int:
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                is_locked = self._lock_opened(descriptor, path)
            except BaseException:
                os.close(descriptor)
                raise
            if is_locked:
                return descriptor
            os.close(descriptor)

    def _lock_opened(self, descriptor: int, path: Path) -> bool:
        """False when somebody put another file in its place just now."""
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise MonitoringError(f"{path}: not a file of this program")
        if not _try_lock(descriptor, fcntl.LOCK_EX):
            raise _in_use(path, _flocker(path))
        if not _is_file(descriptor, path):
            return False
        self._let_sqlite_in(descriptor, path)
        return True

    def _let_sqlite_in(self, descriptor: int, path: Path) -> None:
        """On network file systems a `flock` is one of all bytes, and shuts out SQLite in this process, too.

        There the lock beside the file has to do.
        """
        if _may_lock_bytes(path):
            return
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        if not _may_lock_bytes(path) and not _try_lock(descriptor, fcntl.LOCK_EX):  # somebody else was in the way
            raise _in_use(path, _flocker(path))

    def read(self, length: int, offset: int = 0) -> bytes:
        """Bytes of the file, whatever it is called now; read without SQLite, so without the log beside it."""
        return os.pread(self._descriptor, length, offset)

    def version(self) -> tuple[int, int]:
        """Changes whenever somebody writes the file: its size, and when that was (ns)."""
        status = os.fstat(self._descriptor)
        return status.st_size, status.st_mtime_ns

    def free_bytes(self) -> int:
        """How much room there is on the disk that the file lies on, whatever it is called now."""
        status = os.fstatvfs(self._descriptor)
        return status.f_frsize * status.f_bavail

    def keep_log_out(self) -> None:
        """From now on SQLite does not bring what its log holds into the file, not even when it closes the file.

        For that it takes a lock on all of its bytes, which a lock of another kind prevents; Linux has such.
        """
        if hasattr(fcntl, "F_OFD_SETLK"):
            shared = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, PENDING_BYTE + 2, SHARED_BYTES, 0)
            with suppress(OSError):
                fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, shared)

    def current_name(self) -> Path | None:
        """What the file is called now, wherever it was moved; None: it was deleted, or the system does not tell."""
        try:
            name = os.readlink(f"/proc/self/fd/{self._descriptor}")
        except OSError:
            return None
        return Path(name) if identity_of(name) == self.identity else None

    def release(self, *, forget: bool = False) -> None:
        """Free file and name; a second time does nothing. `forget`: see `NameLock.release`."""
        if self._is_held:
            self._is_held = False
            os.close(self._descriptor)
            self.name.release(forget=forget)


def _in_use(path: Path, holder: str) -> MonitoringError:
    return MonitoringError(f"{path}: another monitor writes here already (process {holder or 'unknown'})")


def _held_lock(database: Path) -> Path | None:
    """The lock by which a live monitor of this name shows: beside the file, or its name if that has become a link, or the
    stand-in.
    """
    places = (lock_path(database), database.with_name(database.name + ".lock"), stand_in_path(database))
    return next(filter(_is_held, places), None)


def written_file(database: Path) -> Path:
    """The file that the live monitor of this name writes now; this one if there is no such monitor."""
    lock = _held_lock(database)
    try:
        other = lock.read_bytes().partition(b"\n")[2].removesuffix(b"\n") if lock else b""
    except OSError:
        return database
    return Path(os.fsdecode(other)) if other else database


def writer_is_alive(database: Path) -> bool:
    """Is a monitor writing this file now? Does not open it."""
    return _held_lock(database) is not None or bool(_flocker(database))


def _is_held(lock: Path) -> bool:
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _try_lock(descriptor, fcntl.LOCK_SH)
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
