"""One writer for each local file: locks that the kernel frees when their process dies.

The lock on the file is an `flock` on a descriptor of it, which holds for every name of the file. Take it before SQLite opens
the file and release it after SQLite has closed it. Nothing else in this process may open the file: closing any descriptor
of a file drops all POSIX locks of the process on it, SQLite's among them. So take the lock on the name first.

The lock on the name is an `flock` on `NAME.lock` beside the file. Readers find out by it whether a monitor is running,
without opening the database. It holds the process id, and the path of the file that the monitor writes if that is another
one. Where it cannot be created, a stand-in is, in memory or in the system's temporary directory.
"""

import fcntl
import os
import re
import stat
import struct
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from monitoring.errors import InUse, MonitoringError, StoreUnavailable

PENDING_BYTE = 0x40000000
"""The first of the bytes that SQLite locks."""

SHARED_BYTES = 510
"""The number of bytes, from the third on, that SQLite's readers lock."""

READERS_TRIES = 10
READERS_PAUSE_S = 0.02
"""How often, and at what distance, the lock on the name is tried: a reader that asks holds it for an instant."""

LOCKS = Path("/proc/locks")

IN_MEMORY = "/dev/shm"  # noqa: S108 - the names in it are random, or those of one user
"""Linux keeps files there in memory, so there is room when all disks are full."""

Identity = tuple[int, int]
"""Device and inode, by which a file is known under any name."""


def lock_path(database: Path) -> Path:
    """`NAME.lock`, beside the file itself when `database` is a symbolic link."""
    real = Path(os.path.realpath(database))
    return real.with_name(real.name + ".lock")


def stand_in_path(database: Path) -> Path:
    """Its stand-in, where nothing can be written beside the file. Only monitors of one user share it."""
    import hashlib  # late: it loads OpenSSL, and few files need a stand-in

    folder = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else tempfile.gettempdir()
    name = hashlib.sha256(os.fsencode(os.path.realpath(database))).hexdigest()[:16]
    return Path(folder, f"monitoring-{os.getuid()}-{name}.lock")


def identity_of(path: Path | str) -> Identity | None:
    """The file that has this name now; None: there is none, or it cannot be seen."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def is_empty(path: Path) -> bool:
    """Whether there is no such file, or one that somebody is about to fill."""
    try:
        return path.stat().st_size == 0
    except OSError:
        return True


def may_have_log(path: Path) -> bool:
    """Whether the file has a write-ahead log, or this process could create one, as SQLite's readers do.

    If not, nobody writes the file, and SQLite has to be told so (`immutable`) to read it.
    """
    file = Path(os.path.realpath(path))
    return os.access(file.parent, os.W_OK) or identity_of(file.with_name(file.name + "-wal")) is not None


class NameLock:
    """The lock on a name: tells readers that a monitor is running, and which file it writes."""

    def __init__(self, database: Path) -> None:
        """Take the lock, or its stand-in where that is impossible.

        Raises `InUse` that names the process which holds it, or `StoreUnavailable` where neither can be created.
        """
        self._path = lock_path(database)
        self.was_known = identity_of(self._path) is not None
        """A monitor has used this name before."""
        self.stands_in = False
        self._told: bytes | None = None
        stand_in = stand_in_path(database)
        try:
            descriptor = _open_locked(self._path)
        except OSError as error:
            self._path, self.stands_in = stand_in, True
            try:
                descriptor = _open_locked(stand_in, os.O_NOFOLLOW)
            except OSError:
                raise StoreUnavailable(f"{database}: {error.strerror}") from error
        if descriptor is None:
            raise _in_use(database, _noted_in(self._path)[0])
        self._descriptor, self.is_held = descriptor, True
        if not self.stands_in and _is_held(stand_in):
            self.release()
            raise _in_use(database, _noted_in(stand_in)[0])
        self.tell(None)

    def tell(self, file: Path | None) -> None:
        """Note that this process writes another file (None: the one of this name). On a full disk nothing is noted."""
        text = f"{os.getpid()}\n".encode() + (b"" if file is None else os.fsencode(file.absolute()) + b"\n")
        if text != self._told:
            with suppress(OSError):
                os.pwrite(self._descriptor, text, 0)
                os.ftruncate(self._descriptor, len(text))
                self._told = text

    def is_there(self) -> bool:
        """Whether the lock's file still has its name. Somebody may have deleted it."""
        return _is_file(self._descriptor, self._path)

    def forget(self) -> None:
        """Delete the lock's file, unless an earlier monitor left it."""
        if self.is_held and (self.stands_in or not self.was_known):
            self._path.unlink(missing_ok=True)

    def release(self) -> None:
        """A second call does nothing."""
        if self.is_held:
            self.is_held = False
            os.close(self._descriptor)


class FileLock:
    """The lock on a database file, and its bytes as they are without what SQLite has in the log."""

    def __init__(self, path: Path) -> None:
        """Take the lock. Create an empty file where there is none.

        Raises `MonitoringError` that names the process which holds the lock, or `StoreUnavailable` when the file cannot be
        opened.
        """
        self.is_new = identity_of(path) is None
        try:
            self._descriptor = _create(path)
            try:
                self._lock(path)
            except BaseException:
                os.close(self._descriptor)
                raise
        except OSError as error:
            raise StoreUnavailable(f"{path}: {error.strerror}") from error
        self.is_held = True
        status = os.fstat(self._descriptor)
        self.identity: Identity = (status.st_dev, status.st_ino)

    def _lock(self, path: Path) -> None:
        if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            raise MonitoringError(f"{path}: not a file of this program")
        if not _try_lock(self._descriptor, fcntl.LOCK_EX):
            raise _in_use(path, _flocker(path))
        if not _is_file(self._descriptor, path):
            raise StoreUnavailable(f"{path}: is not the file any more that was opened")
        self._let_sqlite_in(path)

    def _let_sqlite_in(self, path: Path) -> None:
        """Give the lock up again where it shuts out SQLite in this process, too: the one on the name has to do there.

        On network file systems an `flock` locks all bytes of the file.
        """
        if _may_lock_bytes(path):
            return
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        if not _may_lock_bytes(path) and not _try_lock(self._descriptor, fcntl.LOCK_EX):  # somebody else was in the way
            raise _in_use(path, _flocker(path))

    def read(self, length: int, offset: int = 0) -> bytes:
        """Bytes of the file itself."""
        return os.pread(self._descriptor, length, offset)

    def version(self) -> tuple[int, int]:
        """Size and time of the last change (ns): differs after anybody has written the file."""
        status = os.fstat(self._descriptor)
        return status.st_size, status.st_mtime_ns

    def free_bytes(self) -> int:
        """The free room on the file's disk."""
        status = os.fstatvfs(self._descriptor)
        return status.f_frsize * status.f_bavail

    def keep_log_out(self) -> None:
        """Keep SQLite from copying its log into the file, also when it closes the file.

        For that SQLite locks all of its own bytes. A lock of Linux's other kind (OFD) on them prevents it.
        """
        if hasattr(fcntl, "F_OFD_SETLK"):
            shared = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, PENDING_BYTE + 2, SHARED_BYTES, 0)
            with suppress(OSError):
                fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, shared)

    def current_name(self) -> Path | None:
        """The file's name now, wherever it was moved; None: it was deleted, or the system does not know."""
        try:
            name = os.readlink(f"/proc/self/fd/{self._descriptor}")
        except OSError:
            return None
        return Path(name) if identity_of(name) == self.identity else None

    def release(self) -> None:
        """A second call does nothing."""
        if self.is_held:
            self.is_held = False
            os.close(self._descriptor)


def _create(path: Path, flags: int = 0) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | flags, 0o644)


def _open_locked(path: Path, flags: int = 0) -> int | None:
    """A descriptor of this file, which is created, with the lock on it; None: somebody else holds that."""
    descriptor = _create(path, flags)
    try:
        is_free = _patiently(lambda: _try_lock(descriptor, fcntl.LOCK_EX))
    except BaseException:
        os.close(descriptor)
        raise
    if is_free:
        return descriptor
    os.close(descriptor)
    return None


def _in_use(path: Path, holder: str) -> InUse:
    return InUse(f"{path}: another monitor writes here already (process {holder or 'unknown'})")


def _held_lock(database: Path) -> Path | None:
    """The file of the lock that a live monitor holds on this name; None: there is no such monitor.

    It is beside the file, beside its name if that has become a link, or the stand-in.
    """
    beside = (lock_path(database), database.with_name(database.name + ".lock"))
    if held := next(filter(_is_held, beside), None):
        return held
    stand_in = stand_in_path(database)
    return stand_in if _is_held(stand_in) else None


def written_file(database: Path) -> Path:
    """The file that the live monitor of this name writes; `database` if there is no such monitor."""
    lock = _held_lock(database)
    _, file = _noted_in(lock) if lock else ("", b"")
    return Path(os.fsdecode(file)) if file else database


def writer_is_alive(database: Path) -> bool:
    """Whether a monitor is writing this file now. Does not open the file."""
    return _held_lock(database) is not None or bool(_flocker(database))


def _noted_in(lock: Path) -> tuple[str, bytes]:
    """What the holder of a lock on a name has noted there: its process id, and the other file that it writes."""
    try:
        process, _, file = lock.read_bytes().partition(b"\n")
    except OSError:
        return "", b""
    return process[:32].decode("ascii", "replace"), file.removesuffix(b"\n")


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
    """Whether SQLite could lock bytes of the file now. Only to be asked before SQLite has opened it."""
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
    """The process that holds an `flock` on this file, according to Linux; "": none, or it is not known."""
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
