"""Connections to the local file, and the translation of SQLite's errors."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from monitoring.errors import MonitoringError, StoreBusy, StoreDamaged, StoreUnavailable
from monitoring.storage.sqlite.file.lock import FileLock, Identity, identity_of, may_have_log
from monitoring.storage.sqlite.tables import migrations
from monitoring.storage.sqlite.tables.schema import APPLICATION_ID

BUSY_TIMEOUT_S = 5.0
JOURNAL_LIMIT_BYTES = 16 << 20

CACHE_KB = 512
"""Pages that the writing connection keeps: those of the ends of tables. With SQLite's 2 MB nothing was quicker."""

INTERRUPT_S, INTERRUPTIONS = 0.02, 100
"""How often a question is interrupted that does not end, and how many times: between two statements it does not notice."""

MAGIC = b"SQLite format 3\0"
HEADER_BYTES = 100
PAGE_BYTES = 4096
USER_VERSION_AT, APPLICATION_ID_AT = slice(60, 64), slice(68, 72)
"""Their places in the header of an SQLite file, as big-endian integers."""

PRIMARY_CODE = 0xFF
"""SQLite's extended error codes hold the primary one in this byte."""

BUSY_CODES = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
DAMAGE_CODES = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

STAMP = "CREATE TABLE IF NOT EXISTS stamp (id INTEGER PRIMARY KEY, value BLOB NOT NULL)"
"""Every commit changes its one row, by which the bytes of the file show whether somebody else has overwritten them."""

TOKEN_BYTES = 16
"""A stamp begins with so many bytes that no other file has. The number of commits follows, in eight bytes."""


def _is_about_schema(error: sqlite3.Error) -> bool:
    """Whether SQLite says that a statement does not fit the tables."""
    return getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_ERROR


@contextmanager
def translated(file: Path | str, connection: sqlite3.Connection | None = None) -> Iterator[None]:
    """Every SQLite error inside becomes a `StoreUnavailable` that names the file.

    It is a `StoreDamaged` also where a statement does not fit the tables because the file of `connection` has lost some.
    """
    try:
        yield
    except sqlite3.Error as error:
        if connection and _is_about_schema(error) and (lost := migrations.lost_part(connection)):
            raise StoreDamaged(f"{file}: {lost}") from error
        code = getattr(error, "sqlite_errorcode", 0) & PRIMARY_CODE
        kind = StoreBusy if code in BUSY_CODES else StoreDamaged if code in DAMAGE_CODES else StoreUnavailable
        raise kind(f"{file}: {error}") from error


def is_foreign(header: bytes) -> bool:
    """Whether this is the header of a database that another program has marked as its own."""
    return header.startswith(MAGIC) and int.from_bytes(header[APPLICATION_ID_AT]) not in (0, APPLICATION_ID)


def open_writer(
    path: Path, lock: FileLock, patience_s: float = BUSY_TIMEOUT_S, *, was_known: bool = True
) -> sqlite3.Connection:
    """A connection that writes. Creates the tables of an empty file, and brings one of an older version up to date.

    The caller holds `lock` on the file. `was_known`: a monitor has used this name before, so what is no database here may be
    a damaged one of ours. Waits up to `patience_s` for SQLite's write lock. Raises `StoreDamaged`, or `MonitoringError` when
    the file is another program's or a newer version's, which stays untouched.
    """
    header, foreign = lock.read(HEADER_BYTES), MonitoringError(f"{path}: not a file of this program")
    if header and not header.startswith(MAGIC):
        if was_known and lock.version()[0] % PAGE_BYTES == 0:  # whole pages
            raise StoreDamaged(f"{path}: its beginning is not that of a database")
        raise foreign
    if is_foreign(header):
        raise foreign
    version = int.from_bytes(header[USER_VERSION_AT])
    is_marked = int.from_bytes(header[APPLICATION_ID_AT]) == APPLICATION_ID or version in migrations.VERSIONS
    try:
        return _open_writer(path, patience_s)
    except StoreDamaged as error:
        if is_marked or was_known:
            raise
        raise foreign from error


def _open_writer(path: Path, patience_s: float) -> sqlite3.Connection:
    """With `synchronous=FULL` a commit also survives a power cut: two flushes of the disk a second, and one a step."""
    with translated(path):
        connection = sqlite3.connect(path, timeout=patience_s, isolation_level=None, check_same_thread=False)
        try:
            _check_format(connection, path)
            _touch_tables(connection)  # before anything is written
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA cache_size = -{CACHE_KB}")
            connection.execute(f"PRAGMA journal_size_limit = {JOURNAL_LIMIT_BYTES}")
            with transaction(connection):
                _migrate(connection, path)
                connection.execute(STAMP)
                stamp = os.urandom(TOKEN_BYTES) + bytes(8)
                connection.execute("INSERT OR IGNORE INTO stamp (id, value) VALUES (0, ?)", (stamp,))
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")  # so that the stamp is in the file
            connection.execute(f"PRAGMA busy_timeout = {round(BUSY_TIMEOUT_S * 1_000)}")
        except BaseException:
            connection.close()
            raise
        return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Raises `StoreDamaged` when somebody has dropped a table or a column: nothing brings that back."""
    try:
        migrations.migrate(connection)
    except sqlite3.OperationalError as error:
        if _is_about_schema(error):
            raise StoreDamaged(f"{path}: {error}") from error
        raise
    if lost := migrations.lost_part(connection):
        raise StoreDamaged(f"{path}: {lost}")


def _check_format(connection: sqlite3.Connection, path: Path) -> None:
    """Raises `MonitoringError` when the file is not ours, so that it is neither written nor replaced."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = migrations.version(connection)
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    tables = {name for (name,) in names if not name.startswith("sqlite_")}
    known = migrations.VERSIONS.get(version, frozenset({"-"}))
    if application not in (0, APPLICATION_ID) or (application == 0 and tables and not known <= tables):
        raise MonitoringError(f"{path}: not a file of this program")
    if version not in (0, *migrations.VERSIONS):
        raise MonitoringError(f"{path}: written by another version of this program (file format {version})")


def _touch_tables(connection: sqlite3.Connection) -> None:
    """Read the first and the last row of each table, to find damage there however big the file is."""
    found = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
    for name, sql in found:
        if "WITHOUT ROWID" not in sql.upper():
            connection.execute(f'SELECT * FROM "{name}" ORDER BY rowid DESC LIMIT 1').fetchall()
        connection.execute(f'SELECT * FROM "{name}" LIMIT 1').fetchall()


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


@contextmanager
def opened_briefly(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection for a short transaction beside the process that writes the file. Raises `StoreUnavailable`."""
    with translated(path), closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as connection:
        yield connection


class ReaderPool:
    """Read-only connections. A question has one for itself, and the next question uses it again."""

    def __init__(self, path: Path, identity: Identity | None = None, *, is_still: bool = False) -> None:
        """`identity`: open connections only while `path` is the name of this file.

        `is_still`: read the file as it lies there, without its log, and without asking who has locked it.
        """
        self.path = path
        self._identity = identity
        self._is_still = is_still
        self._turn = threading.Condition()
        self._idle: list[sqlite3.Connection] = []
        self._used: set[sqlite3.Connection] = set()
        self._outdated: set[sqlite3.Connection] = set()
        """Those in use that read the file before this one."""
        self._is_resting = self._is_closed = False
        self.damage: str | None = None
        """SQLite's words when it found the file damaged."""

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one moment of the file."""
        connection, is_good = self._take(), False
        try:
            with translated(self.path, connection):
                connection.execute("BEGIN")
                yield connection
                connection.execute("ROLLBACK")
                connection.execute("PRAGMA shrink_memory")  # frees pages that the next commit makes useless
            is_good = True
        except StoreDamaged as error:
            if connection not in self._outdated:
                self.damage = str(error)
            raise
        finally:
            self._give_back(connection, is_good=is_good)

    def warm(self) -> None:
        """Open one connection if possible. It can read the file also when that has lost its name."""
        with suppress(StoreUnavailable), self.snapshot() as connection:  # the first read opens the log beside the file
            connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()

    @contextmanager
    def all_closed(self, timeout_s: float) -> Iterator[None]:
        """Inside, no connection is open. Whoever asks waits. Raises `StoreBusy` when a question takes too long to end."""
        with self._turn:
            self._is_resting = True
            is_unused = self._turn.wait_for(lambda: not self._used, timeout_s)
            self._close_idle()
        try:
            if not is_unused:
                raise StoreBusy(f"{self.path}: is being read for too long")
            yield
        finally:
            with self._turn:
                self._is_resting = False
                self._turn.notify_all()

    def turn_to(self, path: Path, identity: Identity | None) -> None:
        """Read this file from now on. Questions under way go on with the former one."""
        with self._turn:
            self._close_idle()
            self._outdated |= self._used
            self.path, self._identity, self.damage = path, identity, None
            self._turn.notify_all()

    def close(self) -> None:
        """Close all connections, those in use as soon as their questions end. No question can be asked any more."""
        with self._turn:
            self._is_closed = True
            self._close_idle()

    def end(self) -> None:
        """As `close`, but what is under way fails, so that SQLite can put its log into the file and delete it."""
        self.close()
        with self._turn:
            for _ in range(INTERRUPTIONS):
                for connection in self._used:
                    connection.interrupt()
                if self._turn.wait_for(lambda: not self._used, INTERRUPT_S):
                    return

    def _close_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> sqlite3.Connection:
        with self._turn:
            if not self._turn.wait_for(self._may_take, BUSY_TIMEOUT_S):
                raise StoreUnavailable(f"{self.path}: cannot be opened just now")
            if self._is_closed:
                raise StoreUnavailable(f"{self.path}: is closed")
            connection = self._idle.pop() if self._idle else self._open()
            self._used.add(connection)
            return connection

    def _may_take(self) -> bool:
        """A connection is idle or can be opened. (It is also tried when waiting for one is no use.)"""
        if self._is_closed:
            return True
        return not self._is_resting and (bool(self._idle) or self._is_there() or not self._used)

    def _give_back(self, connection: sqlite3.Connection, *, is_good: bool) -> None:
        with self._turn:
            self._used.remove(connection)
            if is_good and not self._is_closed and connection not in self._outdated:
                self._idle.append(connection)
            else:
                self._outdated.discard(connection)
                connection.close()
            self._turn.notify_all()

    def _is_there(self) -> bool:
        return self._identity is None or identity_of(self.path) == self._identity

    def _open(self) -> sqlite3.Connection:
        if identity_of(self.path) and not self.path.is_file():  # opening a named pipe would block
            raise StoreUnavailable(f"{self.path}: not a file")
        is_live = may_have_log(self.path) and not self._is_still
        uri = f"file:{quote(os.fsencode(self.path.absolute()))}?mode=ro{'' if is_live else '&immutable=1'}"
        with translated(self.path):
            connection = sqlite3.connect(
                uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            if not self._is_there():
                connection.close()
                raise StoreUnavailable(f"{self.path}: is not the file any more that was opened")
            connection.execute("PRAGMA temp_store = MEMORY")  # rows to be grouped are sorted there, not in a file
        return connection
