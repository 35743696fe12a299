"""What the store of a monitor's local file and that of a gateway's file share: one file that is written, and may change."""

import sqlite3
import sys
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from monitoring.errors import StoreDamaged, StoreError
from monitoring.models import Alert, CheckResult, Window
from monitoring.storage.sqlite.file.connection import BUSY_TIMEOUT_S, ReaderPool, translated
from monitoring.storage.sqlite.file.open_file import OpenFile, Problem
from monitoring.storage.sqlite.reader import FileReader
from monitoring.storage.sqlite.tables import blocks_1_1, meta, rows
from monitoring.storage.sqlite.tables.schema import check_from_row, first_key

SPARE = 256 << 20
"""Free bytes that the disk must have for blocks of 1.1.0 to become rows."""


class FileStore(FileReader, ABC):
    """One connection writes, others read. The guard may put another file in place of the open one."""

    def __init__(self, path: Path, patience_s: float = BUSY_TIMEOUT_S, *, was_known: bool = True) -> None:
        """Open or create the file, and bring one of an older version up to date. Arguments and errors as of `OpenFile`."""
        self.opened = OpenFile(path, patience_s, was_known=was_known)
        """Only `exclusively` and `writing` use its connection, for one thread at a time."""
        super().__init__(path, ReaderPool(path, self.opened.lock.identity))
        self.mutex = threading.Lock()
        """Held while the connection that writes is used."""
        self.echo: list[tuple[Sequence[CheckResult], Sequence[Alert]]] | None = None
        """While the guard fills another file, what is written is noted here, too; else None."""
        self.said: deque[str] = deque()
        """What a person should know about the file, until the guard's `notices` fetches it."""
        self.damage: str | None = None
        """What SQLite said when it last found the file damaged."""
        self._has_room = True
        self.readers.warm()
        try:
            with self.writing() as connection:
                self._load(connection)
                if notice := meta.text(connection, meta.Value.NOTICE):
                    self.say(notice)
                    meta.remove(connection, meta.Value.NOTICE)
        except BaseException:
            FileStore.close(self)
            raise

    def _load(self, connection: sqlite3.Connection) -> None:
        """Read what this store keeps in memory."""
        self.sites: Mapping[str, int] = dict(connection.execute("SELECT host, id FROM sites"))
        self._has_blocks = blocks_1_1.exist(connection)
        self._measure_blocks(connection)

    def _measure_blocks(self, connection: sqlite3.Connection) -> None:
        ends = blocks_1_1.ends(connection) if self._has_blocks else None
        self.unconverted_ms = ends[1] - ends[0] if ends else 0
        """The length of the time whose checks are still in blocks of 1.1.0."""

    # Writing

    @contextmanager
    def exclusively(self) -> Iterator[sqlite3.Connection]:
        """The connection that writes, for this thread alone. Raises `StoreUnavailable` and its kinds."""
        with self.mutex:
            connection = self.opened.connection
            try:
                with translated(self.path, connection):
                    yield connection
            except StoreDamaged as error:
                self.damage = str(error)
                raise

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction. Raises as `exclusively` does, and `StoreOverwritten`."""
        with self.exclusively() as connection, self.opened.transaction():
            yield connection

    @abstractmethod
    def append(self, checks: Sequence[CheckResult], alerts: Sequence[Alert], now_ms: int) -> None:
        """Store these in one transaction. A check that is there already is left as it is."""

    def unpack(self) -> bool:
        """Turn the newest block that 1.1.0 has left into rows, which take twice the room. False: none, or no room."""
        if not self._has_blocks:
            return False
        had_room, self._has_room = self._has_room, self.opened.lock.free_bytes() > SPARE
        if not self._has_room:
            if had_room:
                self.say(f"{self.path}: no room to bring more of it up to date; what is older stays until it expires")
            return False
        with self.writing() as connection:
            self._has_blocks = blocks_1_1.unpack_some(connection)
            self._measure_blocks(connection)
        return True

    # For the guard

    def say(self, text: str) -> None:
        """Tell a person something about the file."""
        self.said.append(text)

    def problem(self) -> Problem | None:
        """What has happened to the file, if anything."""
        self.damage = self.damage or self.readers.damage
        return self.opened.problem() or (Problem.DAMAGED if self.damage else None)

    def newest_alerts(self) -> Sequence[Alert]:
        """The newest state change of each site; none if the file can no longer be read."""
        with suppress(StoreError):
            return list(self.last_alerts().values())
        return ()

    def remembered_results(self, window: Window) -> Sequence[CheckResult]:
        """The checks of a window, by the connection that writes.

        SQLite has the newest in memory and log, whatever has happened to name and content of the file. Raises
        `StoreUnavailable`.
        """
        hosts = {site: host for host, site in self.sites.items()}
        with self.exclusively() as connection:
            found = rows.some(connection, first_key(window.from_ms), first_key(window.until_ms) - 1, hosts, sys.maxsize)
            return [check_from_row(row, hosts) for row in found]

    def read_from(self, name: Path) -> None:
        """Let readers open the file under this name."""
        self.readers.turn_to(name, self.opened.lock.identity)
        self.readers.warm()

    def number_sites(self, sites: Mapping[str, int]) -> None:
        """Give sites these numbers in a new file, so that readers do not mix sites up while the file changes."""
        if not self.sites:
            with self.writing() as connection:
                connection.executemany("INSERT INTO sites (host, id) VALUES (?, ?)", sites.items())
                self._load(connection)

    def become(self, file: OpenFile, *, is_copy: bool) -> OpenFile:  # noqa: ARG002 - for deliveries
        """Use this file from now on; `is_copy`: it holds the same as the one before, which is returned.

        Call it while holding the mutex. Close the other file afterwards: it takes time when a big one was deleted.
        """
        self._load(file.connection)  # first: if it fails, nothing has changed
        former, self.opened, self.path, self.damage = self.opened, file, file.path, None
        self.read_from(self.path)
        return former

    def close(self) -> None:
        self.readers.end()
        with self.mutex:
            self.opened.close()
