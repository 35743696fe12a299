"""A local file that is open for writing, whatever happens to its name or its bytes meanwhile."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path

from monitoring.errors import StoreBusy, StoreError, StoreOverwritten
from monitoring.storage.sqlite.file import rescue
from monitoring.storage.sqlite.file.connection import (
    BUSY_TIMEOUT_S,
    HEADER_BYTES,
    MAGIC,
    TOKEN_BYTES,
    is_foreign,
    open_writer,
    transaction,
)
from monitoring.storage.sqlite.file.lock import FileLock, Identity, identity_of

SHORT_MS = 50
"""How long the writer waits for another program's reader before it begins another log. After that it tries later."""


class Problem(Enum):
    """What has happened to the open file, so that it no longer has its name or no longer holds what was written."""

    MISSING = "deleted or moved"
    REPLACED = "replaced by another file"
    OVERWRITTEN = "overwritten by another program"
    LOGLESS = "without its write-ahead log"
    DAMAGED = "damaged"


class OpenFile:
    """A file that is open for writing: its lock, and the one connection that writes."""

    def __init__(self, path: Path, patience_s: float = BUSY_TIMEOUT_S, *, was_known: bool = True) -> None:
        """Open or create the file. The caller holds the lock on a name. `was_known`: see `open_writer`.

        Raises `MonitoringError` when another monitor writes the file or it is another program's, `StoreBusy` when somebody
        holds SQLite's write lock for longer than `patience_s`, `StoreDamaged`, or `StoreUnavailable`.
        """
        self.path = path
        self.lock = FileLock(path)
        try:
            self.connection = open_writer(path, self.lock, patience_s, was_known=was_known)
        except BaseException:
            if self.lock.is_new and not self.lock.version()[0]:  # else the guard takes it for somebody else's
                rescue.remove(rescue.real(path))
            self.lock.release()
            raise
        self.real = rescue.real(path)
        """The file behind symbolic links when it was opened."""
        self._logs = _logs_of(path)
        """The logs that SQLite has opened; empty while the connection is closed, because opening it again has failed."""
        self._page = self._find_stamp()
        stamp = bytes(self.connection.execute("SELECT value FROM stamp").fetchone()[0])
        self._token, self._commits = stamp[:TOKEN_BYTES], int.from_bytes(stamp[TOKEN_BYTES:])
        self._version = self.lock.version()
        """The version of the file (see `FileLock.version`) when it was last seen to be ours."""
        self._changing: tuple[int, int] | None = None

    def _has_logs(self, name: Path) -> bool:
        """Whether our logs are where SQLite looks for them under this name of the file."""
        return list(_logs_of(name).values()) == list(self._logs.values())

    # Are the bytes of the file ours? Every commit changes the stamp, the one row of a table. Whoever overwrites the file by
    # other means than SQLite (`cp`) puts another stamp there, or none.

    def _find_stamp(self) -> tuple[int, int]:
        """Offset and length of the page that holds the stamp."""
        query = "SELECT rootpage, page_size FROM sqlite_master, pragma_page_size WHERE name = 'stamp'"
        number, size = self.connection.execute(query).fetchone()
        return (number - 1) * size, size

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction that changes the stamp. Raises `StoreOverwritten` and `sqlite3.Error`."""
        if not self._is_ours():  # SQLite would mix our pages with somebody else's
            raise StoreOverwritten(f"{self.path} was {Problem.OVERWRITTEN.value}")
        try:
            with transaction(self.connection):
                self.connection.execute("UPDATE stamp SET value = ?", (self._stamp(self._commits + 1),))
                yield
            self._commits += 1
        finally:
            self._has_written()

    def _stamp(self, commits: int) -> bytes:
        return self._token + commits.to_bytes(8)

    def _is_ours(self) -> bool:
        """False when somebody has overwritten the file by other means than SQLite."""
        version = self.lock.version()
        if version == self._version:
            return True
        if not self._has_stamp():
            with suppress(sqlite3.Error, StoreError):  # VACUUM by another program may have moved the page
                self._page = self._find_stamp()
            if not self._has_stamp():
                return False
        self._version = version
        return True

    def _has_stamp(self) -> bool:
        """Whether the file has our newest stamp. (Another program's SQLite may just have copied it there from the log.)"""
        return self._stamp(self._commits) in self._stamped_page()

    def _stamped_page(self) -> bytes:
        offset, length = self._page
        return self.lock.read(length, offset)

    def _has_written(self) -> None:
        """Accept what we have just written as ours, unless the stamp is gone."""
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
        if not is_database or not self._is_ours():
            changing, self._changing = self._changing, self.lock.version()
            if changing != self._changing:  # somebody may still be writing it: look again
                return None
            return Problem.OVERWRITTEN if is_database else Problem.DAMAGED
        return None if self._has_logs(self.path) else Problem.LOGLESS

    def is_foreign(self) -> bool:
        """Whether the file now holds another program's database."""
        return is_foreign(self.lock.read(HEADER_BYTES))

    # What becomes of it

    def moved_to(self) -> Path | None:
        """The file's new name if it was moved together with its logs; else None."""
        name = self.lock.current_name()
        return name if name and self._has_logs(name) else None

    def drop_logs(self, *, checkpoint: bool = True) -> None:
        """Delete the logs beside a name that is no longer this file's, so that they are not taken for another file's.

        First their content is copied into this file, which may still have another name. The log stays open.
        """
        if checkpoint:
            with suppress(sqlite3.Error):
                self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            self._has_written()
        for name, identity in self._logs.items():
            if identity and identity_of(name) == identity:
                name.unlink()

    def begin_another_log(self) -> None:
        """Open the file anew, with a new log. No reader of this process may have it open: they all share the old log.

        Raises `sqlite3.Error` or `StoreError`. Then it is to be tried again.
        """
        if self._logs:
            if not self._empty_log():
                raise StoreBusy(f"{self.path}: another program reads it")
            self.connection.close()
            self._logs = {}
        self.connection = open_writer(self.path, self.lock)
        self.real, self._logs = rescue.real(self.path), _logs_of(self.path)
        self._has_written()

    def _empty_log(self) -> bool:
        """Copy the log's content into the file. False while another program's question needs it. Raises `sqlite3.Error`."""
        self.connection.execute(f"PRAGMA busy_timeout = {SHORT_MS}")
        is_in_use = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        self.connection.execute(f"PRAGMA busy_timeout = {round(BUSY_TIMEOUT_S * 1_000)}")
        self._has_written()
        return not is_in_use

    def close(self) -> None:
        """Close the file, which then has everything, also while somebody reads it and so keeps the log beside it.

        If somebody has overwritten it, nothing of our log may get into it.
        """
        if not self.lock.is_held:  # it is closed
            return
        is_ours = self._is_ours()
        if is_ours:
            with suppress(sqlite3.Error):
                self._empty_log()
        else:
            self.lock.keep_log_out()
        self.connection.close()
        if not is_ours:
            self.drop_logs(checkpoint=False)
        self.lock.release()


def _logs_of(path: Path) -> dict[Path, Identity | None]:
    """The logs that the file of this name has now. (Somebody may have replaced the file by a symbolic link.)"""
    return {name: identity_of(name) for name in (rescue.beside(path, suffix) for suffix in rescue.LOGS)}
