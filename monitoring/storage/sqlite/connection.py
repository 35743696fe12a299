"""Connections to the local file, and SQLite's errors in our words."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from monitoring.errors import MonitoringError, StoreUnavailable

BUSY_TIMEOUT_S = 5.0
JOURNAL_LIMIT_BYTES = 64 << 20


@contextmanager
def translated(file: Path | str) -> Iterator[None]:
    """Every SQLite error inside becomes `StoreUnavailable` that names the file."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailable(f"{file}: {error}") from error


def open_writer(path: Path, version: int, create_tables: Callable[[sqlite3.Connection], None]) -> sqlite3.Connection:
    """The one connection that writes. Creates the file, and its tables in the format of this `version`.

    `synchronous=FULL` with one commit every half second costs two flushes of the disk a second and keeps each commit
    through a power cut as well.
    """
    with translated(path):
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            _check_version(connection, path, version)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA journal_size_limit = {JOURNAL_LIMIT_BYTES}")
            create_tables(connection)
            connection.execute(f"PRAGMA user_version = {version}")
        except BaseException:
            connection.close()
            raise
        return connection


def _check_version(connection: sqlite3.Connection, path: Path, known: int) -> None:
    """A file that is not ours is left alone: it is neither written nor replaced by another one."""
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            raise MonitoringError(f"{path}: not a file of this program") from error
        raise
    if version not in (0, known):
        raise MonitoringError(f"{path}: written by another version of this program (file format {version})")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")  # this too can fail, and then leave the transaction open
    except BaseException:
        if connection.in_transaction:  # SQLite itself rolls back when the disk is full
            connection.execute("ROLLBACK")
        raise


class ReaderPool:
    """Read-only connections, one a question at a time, kept for the next one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one moment of the file."""
        with translated(self._path):
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            connection = connection or self._open()
            try:
                connection.execute("BEGIN")
                yield connection
                connection.execute("ROLLBACK")
            except BaseException:
                connection.close()
                raise
        with self._lock:
            self._idle.append(connection)

    def _open(self) -> sqlite3.Connection:
        uri = f"file:{quote(str(self._path.absolute()))}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA temp_store = MEMORY")  # rows to be grouped are sorted there, not in a file
        return connection

    def close(self) -> None:
        with self._lock:
            while self._idle:
                self._idle.pop().close()
