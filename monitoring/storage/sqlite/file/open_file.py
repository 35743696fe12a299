"""A local file that is open for writing, whatever happens to its name or its bytes meanwhile."""

import sqlite3
from contextlib import suppress
from enum import Enum
from pathlib import Path

from monitoring.errors import StoreBusy, StoreError
from monitoring.storage.sqlite.file import rescue
from monitoring.storage.sqlite.file.connection import (
    BUSY_TIMEOUT_S,
    HEADER_BYTES,
    MAGIC,
    TOKEN_BYTES,
    is_foreign,
    open_writer,
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
            self.lock.release()
            raise
        self.real = rescue.real(path)
        """The file behind symbolic links when it was opened."""
        self._log_names = self._names_of_logs()
        self._logs = self._current_logs()
        """The logs that SQLite has opened; empty while the connection is closed, because opening it again has failed."""
        self._page = self._find_stamp()
        stamp = bytes(self.connection.execute("SELECT value FROM stamp").fetchone()[0])
        self._token, self._commits = stamp[:TOKEN_BYTES], int.from_bytes(stamp[TOKEN_BYTES:])
        self._version = self.lock.version()
        """The version of the file (see `FileLock.version`) when it was last seen to be ours."""
        self._changing: tuple[int, int] | None = None

    def _names_of_logs(self) -> list[Path]:
        """Where SQLite looks for its logs now. (Somebody may have replaced the file by a symbolic link.)"""
        return [rescue.beside(self.path, suffix) for suffix in rescue.LOGS]

    def _current_logs(self) -> list[Identity | None]:
        return [identity_of(name) for name in self._names_of_logs()]

    # Are the bytes of the file ours? Every commit changes the stamp, the one row of a table. Whoever overwrites the file by
    # other means than SQLite (`cp`) puts another stamp there, or none.

    def _find_stamp(self) -> tuple[int, int]:
        """Offset and length of the page that holds the stamp."""
        query = "SELECT rootpage, page_size FROM sqlite_master, pragma_page_size WHERE name = 'stamp'"
        number, size = self.connection.execute(query).fetchone()
        return (number - 1) * size, size

    def stamp(self) -> None:
        """Change the stamp, as part of the transaction that is under way."""
        self._commits += 1
        self.connection.execute("UPDATE stamp SET value = ?", (self._token + self._commits.to_bytes(8),))

    def is_ours(self) -> bool:
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
        return self._token + self._commits.to_bytes(8) in self._stamped_page()

    def _stamped_page(self) -> bytes:
        offset, length = self._page
        return self.lock.read(length, offset)

    def has_written(self) -> None:
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
        if not is_database or not self.is_ours():
            changing, self._changing = self._changing, self.lock.version()
            if changing != self._changing:  # somebody may still be writing it: look again
                return None
            return Problem.OVERWRITTEN if is_database else Problem.DAMAGED
        return None if self._current_logs() == self._logs else Problem.LOGLESS

    def is_foreign(self) -> bool:
        """Whether the file now holds another program's database."""
        return is_foreign(self.lock.read(HEADER_BYTES))

    # What becomes of it

    def moved_to(self) -> Path | None:
        """The file's new name if it was moved together with its logs; else None."""
        name = self.lock.current_name()
        if name is None:
            return None
        return name if [identity_of(rescue.beside(name, suffix)) for suffix in rescue.LOGS] == self._logs else None

    def drop_logs(self, *, checkpoint: bool = True) -> None:
        """Delete the logs beside a name that is no longer this file's, so that they are not taken for another file's.

        First their content is copied into this file, which may still have another name. The log stays open.
        """
        if checkpoint:
            with suppress(sqlite3.Error):
                self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            self.has_written()
        for name, identity in zip(self._log_names, self._logs, strict=False):
            if identity and identity_of(name) == identity:
                name.unlink()

    def begin_another_log(self) -> None:
        """Open the file anew, with a new log. No reader of this process may have it open: they all share the old log.

        Raises `sqlite3.Error` or `StoreError`. Then it is to be tried again.
        """
        if self._logs:
            is_empty = self._empty_log()
            self.has_written()
            self.connection.execute(f"PRAGMA busy_timeout = {round(BUSY_TIMEOUT_S * 1_000)}")
            if not is_empty:
                raise StoreBusy(f"{self.path}: another program reads it")
            self.connection.close()
            self._logs = []
        self.connection = open_writer(self.path, self.lock)
        self.real, self._log_names, self._logs = rescue.real(self.path), self._names_of_logs(), self._current_logs()
        self.has_written()

    def _empty_log(self) -> bool:
        """Copy the log's content into the file. False while another program's question needs it. Raises `sqlite3.Error`."""
        self.connection.execute(f"PRAGMA busy_timeout = {SHORT_MS}")
        return not self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]

    def close(self) -> None:
        """Close the file, which then has everything, also while somebody reads it and so keeps the log beside it.

        If somebody has overwritten it, nothing of our log may get into it.
        """
        if not self.lock.is_held:  # it is closed
            return
        is_ours = self.is_ours()
        if is_ours:
            with suppress(sqlite3.Error):
                self._empty_log()
        else:
            self.lock.keep_log_out()
        self.connection.close()
        if not is_ours:
            self.drop_logs(checkpoint=False)
        self.lock.release()
