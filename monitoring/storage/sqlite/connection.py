"""Connections to the local file, and SQLite's errors in our words."""

import re
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from monitoring.errors import MonitoringError, StoreBusy, StoreDamaged, StoreUnavailable
from monitoring.storage.sqlite.lock import Identity, identity_of, may_have_log

BUSY_TIMEOUT_S = 5.0
JOURNAL_LIMIT_BYTES = 16 << 20

MAGIC = b"SQLite format 3\0"

PRIMARY_CODE = 0xFF
"""SQLite's extended error codes hold the primary one in this byte."""

BUSY_CODES = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
DAMAGE_CODES = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


@dataclass(frozen=True)
class Format:
    """By what a file of this program is known.

    `schema` is SQL that creates the tables of an empty file and leaves those of any other one alone. `migrate`, where
    there is one, does that within a transaction, and brings files of `earlier` versions up to date, which have these
    tables at least.
    """

    application_id: int
    version: int
    schema: str
    migrate: Callable[[sqlite3.Connection], None] | None = None
    earlier: Mapping[int, frozenset[str]] = field(default_factory=dict)

    @cached_property
    def tables(self) -> frozenset[str]:
        return frozenset(re.findall(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)", self.schema))


def is_damage(error: BaseException) -> bool:
    """Does SQLite say that the file is damaged?"""
    return getattr(error, "sqlite_errorcode", 0) & PRIMARY_CODE in DAMAGE_CODES


@contextmanager
def translated(file: Path | str) -> Iterator[None]:
    """Every SQLite error inside becomes a `StoreUnavailable` that names the file."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & PRIMARY_CODE
        kind = StoreBusy if code in BUSY_CODES else StoreDamaged if is_damage(error) else StoreUnavailable
        raise kind(f"{file}: {error}") from error


def open_writer(path: Path, form: Format, patience_s: float = BUSY_TIMEOUT_S) -> sqlite3.Connection:
    """The one connection that writes. Creates the file and its tables.

    `patience_s` is how long to wait for the write lock that somebody else may hold.

    `synchronous=FULL` with one commit every half second costs two flushes of the disk a second and keeps each commit
    through a power cut as well.

    Raises `MonitoringError` when the file is another program's or another version's; then it is as it was.
    """
    with translated(path):
        connection = sqlite3.connect(path, timeout=patience_s, isolation_level=None, check_same_thread=False)
        try:
            _check_format(connection, path, form)
            _touch_tables(connection)  # before anything is written
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA journal_size_limit = {JOURNAL_LIMIT_BYTES}")
            mark = f"PRAGMA application_id = {form.application_id}; PRAGMA user_version = {form.version};"
            if form.migrate is None:
                connection.executescript(f"BEGIN IMMEDIATE; {form.schema} {mark} COMMIT")
            else:
                with transaction(connection):
                    form.migrate(connection)
            connection.execute(f"PRAGMA busy_timeout = {round(BUSY_TIMEOUT_S * 1_000)}")
        except BaseException:
            connection.close()
            raise
        return connection


def _check_format(connection: sqlite3.Connection, path: Path, form: Format) -> None:
    """A file that is not ours is left alone: it is neither written nor replaced by another one."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    tables = {name for (name,) in names if not name.startswith("sqlite_")}
    known = form.earlier.get(version, form.tables)
    has_ours = tables <= form.tables or known <= tables  # a first start may have been killed halfway
    if application not in (0, form.application_id) or (application == 0 and not has_ours):
        raise MonitoringError(f"{path}: not a file of this program")
    if version not in (0, form.version, *form.earlier):
        raise MonitoringError(f"{path}: written by another version of this program (file format {version})")


def _touch_tables(connection: sqlite3.Connection) -> None:
    """Read the first and the last row of each table: damage there is found at once, whatever the size of the file."""
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


class ReaderPool:
    """Read-only connections, one a question at a time, kept for the next one."""

    def __init__(self, path: Path, identity: Identity | None = None) -> None:
        """`identity`: the file that is meant. Where the name stands for another one, no connection is opened."""
        self._path = path
        self._identity = identity
        self._turn = threading.Condition()
        self._idle: list[sqlite3.Connection] = []
        self._busy = 0
        self._is_resting = False
        self._generation = 0
        self.damage: str | None = None
        """What SQLite said when it found the file damaged."""

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one moment of the file."""
        connection, generation = self._take()
        try:
            with translated(self._path):
                connection.execute("BEGIN")
                yield connection
                connection.execute("ROLLBACK")
        except BaseException as error:
            connection.close()
            self._give_back(None, generation)
            if isinstance(error, StoreDamaged) and generation == self._generation:
                self.damage = str(error)
            raise
        self._give_back(connection, generation)

    def warm(self) -> None:
        """Have one connection ready: it goes on reading the file whatever becomes of its name."""
        with self.snapshot() as connection:  # it opens the log beside the file when it first reads
            connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()

    def rest(self, timeout_s: float) -> bool:
        """Close all connections and open none before `turn_to`; False when somebody goes on reading for too long."""
        with self._turn:
            self._is_resting = True
            self._close_idle()
            is_done = self._turn.wait_for(lambda: self._busy == 0, timeout_s)
            self._close_idle()
            if not is_done:
                self._is_resting = False
                self._turn.notify_all()
            return is_done

    def turn_to(self, path: Path, identity: Identity | None) -> None:
        """Read this file from now on. Questions under way end on the one before."""
        with self._turn:
            self._close_idle()
            self._generation += 1
            self._path, self._identity, self.damage = path, identity, None
            self._is_resting = False
            self._turn.notify_all()

    def close(self) -> None:
        with self._turn:
            self._close_idle()

    def _close_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> tuple[sqlite3.Connection, int]:
        with self._turn:
            if not self._turn.wait_for(self._may_take, BUSY_TIMEOUT_S):
                raise StoreUnavailable(f"{self._path}: cannot be opened just now")
            self._busy += 1
            generation = self._generation
            if self._idle:
                return self._idle.pop(), generation
        try:
            return self._open(), generation
        except BaseException:
            self._give_back(None, generation)
            raise

    def _may_take(self) -> bool:
        """One is there, or may be opened, or nobody will give one back."""
        if self._is_resting:
            return False
        return bool(self._idle) or self._is_there() or not self._busy

    def _give_back(self, connection: sqlite3.Connection | None, generation: int) -> None:
        with self._turn:
            self._busy -= 1
            if connection and generation == self._generation and not self._is_resting:
                self._idle.append(connection)
            elif connection:
                connection.close()
            self._turn.notify_all()

    def _is_there(self) -> bool:
        return self._identity is None or identity_of(self._path) == self._identity

    def _open(self) -> sqlite3.Connection:
        uri = f"file:{quote(str(self._path.absolute()))}?mode=ro{'' if may_have_log(self._path) else '&immutable=1'}"
        with translated(self._path):
            if not self._is_there():
                raise StoreUnavailable(f"{self._path}: is not the file any more that was opened")
            connection = sqlite3.connect(
                uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            if not self._is_there():
                connection.close()
                raise StoreUnavailable(f"{self._path}: is not the file any more that was opened")
            connection.execute("PRAGMA temp_store = MEMORY")  # rows to be grouped are sorted there, not in a file
        return connection
