"""One local file while a process writes it, whatever becomes of its name meanwhile."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path

from monitoring.errors import MonitoringError, StoreBusy, StoreDamaged, StoreError, StoreUnavailable
from monitoring.storage.sqlite import rescue
from monitoring.storage.sqlite.connection import (
    BUSY_TIMEOUT_S,
    MAGIC,
    Format,
    ReaderPool,
    is_damage,
    open_writer,
    transaction,
    translated,
)
from monitoring.storage.sqlite.lock import FileLock, Identity, identity_of

PAGE_BYTES = 4096
APPLICATION_ID = slice(68, 72)
USER_VERSION = slice(60, 64)
"""Where these stand in an SQLite file's header, as big-endian integers."""

READERS_END_S = 10.0
"""How long a question may go on reading a file that has to be opened again."""

SHORT_MS = 50
"""How long the writer waits for a reader of another program when it begins another log; then it tries again later."""

RETURN_S = 0.001
"""How long somebody who waits for the lock is let in between two steps."""


class Problem(Enum):
    """In what way the file that is open is not what its name stands for."""

    MISSING = "deleted or moved"
    REPLACED = "replaced by another file"
    LOGLESS = "without its write-ahead log"
    DAMAGED = "damaged"


class OpenFile:
    """A file that is open for writing: its lock, and the one connection that writes."""

    def __init__(self, path: Path, form: Format, lock: FileLock | None = None, patience_s: float = BUSY_TIMEOUT_S) -> None:
        """Opens or creates the file. `lock` is one on this file that was taken before; it stays with the caller on errors.

        Raises `MonitoringError` when another process or another program has it, `StoreBusy` when somebody else holds
        SQLite's write lock for longer than `patience_s`, `StoreDamaged`, or `StoreUnavailable`.
        """
        self.path = path
        self._form = form
        self.lock = lock or FileLock(path)
        try:
            self._connection: sqlite3.Connection | None = _open(path, form, self.lock, patience_s)
        except BaseException as error:
            if lock is None:
                self.lock.release(forget=isinstance(error, MonitoringError) and not isinstance(error, StoreError))
            raise
        self._log_names = [rescue.beside(path, suffix) for suffix in rescue.LOGS]
        self._logs = self._current_logs()

    @property
    def connection(self) -> sqlite3.Connection:
        """The one that writes. Raises `StoreUnavailable` while there is none."""
        if self._connection is None:
            raise StoreUnavailable(f"{self.path}: could not be opened again")
        return self._connection

    def _current_logs(self) -> list[Identity | None]:
        return [identity_of(name) for name in self._log_names]

    def problem(self) -> Problem | None:
        """What has happened to the file; costs some looks at the file system."""
        identity = identity_of(self.path)
        if identity is None:
            return Problem.MISSING
        if identity != self.lock.identity:
            return Problem.REPLACED
        if not self.lock.header().startswith(MAGIC):
            return Problem.DAMAGED
        return None if self._connection and self._current_logs() == self._logs else Problem.LOGLESS

    def moved_to(self) -> Path | None:
        """The new name of a file that was moved together with what lies beside it; None: it was not."""
        name = self.lock.current_name()
        if name is None:
            return None
        return name if [identity_of(rescue.beside(name, suffix)) for suffix in rescue.LOGS] == self._logs else None

    def drop_logs(self) -> None:
        """The name is not this file's any more: what SQLite keeps beside the name must not be taken for another file's.

        This file, if it is still somewhere, gets what the log holds; and the log stays open, whatever its name.
        """
        with suppress(sqlite3.Error):
            self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        for name, identity in zip(self._log_names, self._logs, strict=True):
            if identity and identity_of(name) == identity:
                name.unlink()

    def begin_another_log(self) -> None:
        """Nobody else in this process may have the file open: connections to one file share what they know of its log.

        Raises `sqlite3.Error` or `StoreError`; then it is to be tried again.
        """
        if self._connection:
            self._connection.execute(f"PRAGMA busy_timeout = {SHORT_MS}")
            is_busy = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            self._connection.execute(f"PRAGMA busy_timeout = {round(BUSY_TIMEOUT_S * 1_000)}")
            if is_busy:
                raise StoreBusy(f"{self.path}: another program reads it")
            self._connection.close()
            self._connection = None
        self._connection = _open(self.path, self._form, self.lock, BUSY_TIMEOUT_S)
        self._logs = self._current_logs()

    def close(self) -> None:
        """SQLite itself leaves what lies beside the name alone when that stands for another file now."""
        if self._connection:
            self._connection.close()
        self.lock.release()


def _open(path: Path, form: Format, lock: FileLock, patience_s: float) -> sqlite3.Connection:
    """Tells a damaged file of ours from a file of another program, which is refused."""
    header, strange = lock.header(), MonitoringError(f"{path}: not a file of this program")
    application, version = (int.from_bytes(header[where]) for where in (APPLICATION_ID, USER_VERSION))
    is_database = header.startswith(MAGIC)
    if header and not is_database:
        if lock.was_known and lock.size() % PAGE_BYTES == 0:  # a monitor wrote here, and it has whole pages
            raise StoreDamaged(f"{path}: its beginning is not that of a database")
        raise strange
    if is_database and application not in (0, form.application_id):
        raise strange
    try:
        return open_writer(path, form, patience_s)
    except StoreDamaged as error:
        if application == form.application_id != 0 or version in (form.version, *form.earlier) or lock.was_known:
            raise
        raise strange from error


class DatabaseFile:
    """The file of a store: one connection writes, others read. Which file that is may change while the store is open."""

    def __init__(self, path: Path, form: Format, lock: FileLock | None = None, patience_s: float = BUSY_TIMEOUT_S) -> None:
        """Raises as `OpenFile` does."""
        self._form = form
        self._opened = OpenFile(path, form, lock, patience_s)
        self.mutex = threading.Lock()
        """Held by whoever uses the connection that writes."""
        self._pause = threading.Event()
        self._damage: str | None = None
        self._former: list[OpenFile] = []
        self._is_detached = False
        self.path = path
        self.readers = ReaderPool(path, self._opened.lock.identity)
        self._warm()

    @property
    def lock(self) -> FileLock:
        return self._opened.lock

    @property
    def connection(self) -> sqlite3.Connection:
        """The one that writes; `exclusively` gives it to one thread at a time."""
        return self._opened.connection

    @property
    def damage(self) -> str | None:
        """What SQLite said when it last found the file damaged."""
        return self._damage or self.readers.damage

    @contextmanager
    def exclusively(self) -> Iterator[sqlite3.Connection]:
        """The connection that writes, while nobody else uses it. Raises `StoreUnavailable` and its kinds."""
        with self.mutex, translated(self.path):
            try:
                yield self._opened.connection
            except sqlite3.Error as error:
                if is_damage(error):
                    self._damage = f"{self.path}: {error}"
                raise

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction of the one connection that writes."""
        with self.exclusively() as connection, transaction(connection):
            yield connection

    def problem(self) -> Problem | None:
        """What has happened to the file, if anything has."""
        self.lock.restore_beside()
        return self._opened.problem() or (Problem.DAMAGED if self.damage else None)

    def moved_to(self) -> Path | None:
        """The new name of a file that was moved together with what lies beside it; None: it was not."""
        return self._opened.moved_to()

    def drop_logs(self) -> None:
        """Leave nothing of this file beside its name, which is not its own any more."""
        with self.mutex:
            self._opened.drop_logs()

    def read_from(self, name: Path) -> None:
        """The file is called so now: whoever reads finds it there."""
        self.readers.turn_to(name, self.lock.identity)
        self._warm()

    def _warm(self) -> None:
        with suppress(StoreError):
            self.readers.warm()

    def copy(self, target: Path, between: Callable[[], None]) -> OpenFile:
        """A copy of all that there is, under another name or under the one that the file has lost; it is not used yet.

        `exclusively` must be held. It is let go between two steps, when `between` is called, which may write; when this
        returns, the copy has everything. Raises `sqlite3.Error`, `OSError` (`FileExistsError`: the name is taken), or
        `StoreError`.
        """

        @contextmanager
        def pause() -> Iterator[None]:
            self.mutex.release()
            try:
                between()
                self._pause.wait(RETURN_S)
                yield
            finally:
                self.mutex.acquire()

        name = rescue.real(target)
        draft = name.with_name(name.name + ".saving")
        rescue.remove(draft)
        try:
            rescue.copy(self._opened.connection, draft, pause)
            rescue.give_name(draft, name)
            lock = FileLock(target, heir_of=self.lock)
            try:
                return OpenFile(target, self._form, lock)
            except BaseException:
                rescue.remove(name)  # else it would be taken for somebody's
                lock.release()
                raise
        finally:
            rescue.remove(draft)

    def begin_another_log(self) -> None:
        """Bring what the write-ahead log holds into the file and begin another one: somebody deleted the log.

        Raises `StoreBusy` while somebody reads.
        """
        if not self.readers.rest(READERS_END_S):
            raise StoreBusy(f"{self.path}: is being read for too long")
        try:
            with self.mutex, translated(self.path):
                self._opened.begin_another_log()
        finally:
            self.readers.turn_to(self.path, self.lock.identity)
        self._warm()

    def turn_to(self, file: OpenFile) -> None:
        """Write and read another file from now on; `exclusively` must be held. `close_former` closes this one."""
        self._former.append(self._opened)
        self._opened = file
        self.path, self._damage = file.path, None
        self.readers.turn_to(file.path, file.lock.identity)
        self._warm()

    def close_former(self) -> None:
        """Close the files that others took the place of: that of a big one that was deleted takes its time."""
        while self._former:
            self._former.pop().close()

    def detach(self) -> OpenFile:
        """Give the open file to another store; what is left is closed."""
        self.readers.close()
        self._is_detached = True
        return self._opened

    def close(self) -> None:
        self.readers.close()
        self.close_former()
        with self.mutex:
            if not self._is_detached:
                self._opened.close()
