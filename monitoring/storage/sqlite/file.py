"""One local file while a process writes it, whatever becomes of its name meanwhile."""

import sqlite3
from contextlib import suppress
from enum import Enum
from pathlib import Path

from monitoring.errors import MonitoringError, StoreBusy, StoreError, StoreUnavailable
from monitoring.storage.sqlite import rescue
from monitoring.storage.sqlite.connection import (
    BUSY_TIMEOUT_S,
    HEADER_BYTES,
    MAGIC,
    TOKEN_BYTES,
    is_foreign,
    open_writer,
)
from monitoring.storage.sqlite.lock import FileLock, Identity, identity_of

SHORT_MS = 50
"""How long the writer waits for a reader of another program when it begins another log; then it tries again later."""


class Problem(Enum):
    """In what way the file that is open is not what its name stands for, or does not hold what was written."""

    MISSING = "deleted or moved"
    REPLACED = "replaced by another file"
    OVERWRITTEN = "overwritten by another program"
    LOGLESS = "without its write-ahead log"
    DAMAGED = "damaged"


class OpenFile:
    """A file that is open for writing: its lock, and the one connection that writes."""

    def __init__(self, path: Path, lock: FileLock | None = None, patience_s: float = BUSY_TIMEOUT_S) -> None:
        """Opens or creates the file. `lock` is one on this file that was taken before; it stays with the caller on errors.

        Raises `MonitoringError` when another process or another program has it, `StoreBusy` when somebody else holds
        SQLite's write lock for longer than `patience_s`, `StoreDamaged`, or `StoreUnavailable`.
        """
        self.path = path
        self.lock = lock or FileLock(path)
        try:
            self._connection: sqlite3.Connection | None = open_writer(path, self.lock, patience_s)
        except BaseException as error:
            if lock is None:
                self.lock.release(forget=isinstance(error, MonitoringError) and not isinstance(error, StoreError))
            raise
        self.real = rescue.real(path)
        """Where it lay when it was opened, whatever a symbolic link leads to now."""
        self._log_names = self._names_of_logs()
        self._logs = self._current_logs()
        self._page = self._find_stamp()
        stamp = bytes(self.connection.execute("SELECT value FROM stamp").fetchone()[0])
        self._token, self._commits = stamp[:TOKEN_BYTES], int.from_bytes(stamp[TOKEN_BYTES:])
        self._version = self.lock.version()
        """Of the file when it was last known to hold what was written here."""
        self._changing: tuple[int, int] | None = None

    @property
    def connection(self) -> sqlite3.Connection:
        """The one that writes. Raises `StoreUnavailable` while there is none."""
        if self._connection is None:
            raise StoreUnavailable(f"{self.path}: could not be opened again")
        return self._connection

    def _names_of_logs(self) -> list[Path]:
        """Where SQLite looks for them now: somebody may have put a symbolic link in the place of the file."""
        return [rescue.beside(self.path, suffix) for suffix in rescue.LOGS]

    def _current_logs(self) -> list[Identity | None]:
        return [identity_of(name) for name in self._names_of_logs()]

    # Do the bytes of the file come from here?

    def _find_stamp(self) -> tuple[int, int]:
        """Where the page with the stamp lies in the file, and how long it is."""
        query = "SELECT rootpage, page_size FROM sqlite_master, pragma_page_size WHERE name = 'stamp'"
        number, size = self.connection.execute(query).fetchone()
        return (number - 1) * size, size

    def stamp(self) -> None:
        """Mark what is being written, within a transaction."""
        self._commits += 1
        self.connection.execute("UPDATE stamp SET value = ?", (self._token + self._commits.to_bytes(8),))

    def is_ours(self) -> bool:
        """False when somebody has overwritten the file otherwise than by SQLite."""
        version = self.lock.version()
        if version == self._version:
            return True
        if not self._has_stamp():
            with suppress(sqlite3.Error, StoreError):  # another program may have made the file smaller (VACUUM)
                self._page = self._find_stamp()
            if not self._has_stamp():
                return False
        self._version = version
        return True

    def _has_stamp(self) -> bool:
        """Is the newest stamp in the file itself? It is when somebody else's SQLite has just brought the log into it."""
        return self._token + self._commits.to_bytes(8) in self._stamped_page()

    def _stamped_page(self) -> bytes:
        offset, length = self._page
        return self.lock.read(length, offset)

    def has_written(self) -> None:
        """What has changed in the file since `is_ours` was written from here, unless it has lost its stamp meanwhile."""
        version = self.lock.version()
        if version != self._version and self._token in self._stamped_page():
            self._version = version

    def problem(self) -> Problem | None:
        """What has happened to the file; costs some looks at the file system."""
        identity = identity_of(self.path)
        if identity is None:
            return Problem.MISSING
        if identity != self.lock.identity:
            return Problem.REPLACED
        is_database = self.lock.read(HEADER_BYTES).startswith(MAGIC)
        if not is_database or not self.is_ours():
            changing, self._changing = self._changing, self.lock.version()
            if changing != self._changing:  # somebody may be writing it just now
                return None
            return Problem.OVERWRITTEN if is_database else Problem.DAMAGED
        return None if self._connection and self._current_logs() == self._logs else Problem.LOGLESS

    def is_foreign(self) -> bool:
        """Is what somebody has put into the file a database of another program?"""
        return is_foreign(self.lock.read(HEADER_BYTES))

    # What becomes of it

    def moved_to(self) -> Path | None:
        """The new name of a file that was moved together with what lies beside it; None: it was not."""
        name = self.lock.current_name()
        if name is None:
            return None
        return name if [identity_of(rescue.beside(name, suffix)) for suffix in rescue.LOGS] == self._logs else None

    def drop_logs(self, *, checkpoint: bool = True) -> None:
        """The name is not this file's any more: what SQLite keeps beside the name must not be taken for another file's.

        This file, if it is still somewhere, gets what the log holds; and the log stays open, whatever its name.
        """
        if checkpoint:
            with suppress(sqlite3.Error):
                self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            self.has_written()
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
            self.has_written()
            self._connection.execute(f"PRAGMA busy_timeout = {round(BUSY_TIMEOUT_S * 1_000)}")
            if is_busy:
                raise StoreBusy(f"{self.path}: another program reads it")
            self._connection.close()
            self._connection = None
        self._connection = open_writer(self.path, self.lock)
        self.real, self._log_names, self._logs = rescue.real(self.path), self._names_of_logs(), self._current_logs()
        self.has_written()

    def close(self) -> None:
        """SQLite itself leaves what lies beside the name alone when that stands for another file now.

        A file that was overwritten gets nothing of what the log holds: that belongs to what it was.
        """
        if self._connection:
            is_ours = self.is_ours()
            if not is_ours:
                self.lock.keep_log_out()
            self._connection.close()
            if not is_ours:
                self.drop_logs(checkpoint=False)
            self._connection = None
        self.lock.release()
