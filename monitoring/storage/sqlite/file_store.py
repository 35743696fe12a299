"""A store that writes its file, whichever that is: what the local file of a monitor and that of a gateway share."""

import sqlite3
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from monitoring.errors import StoreBusy, StoreError, StoreOverwritten
from monitoring.models import Alert, CheckResult, Window
from monitoring.storage.sqlite import blocks_1_1, meta, migrations, queries, rescue
from monitoring.storage.sqlite.connection import (
    BUSY_TIMEOUT_S,
    ReaderPool,
    is_about_schema,
    is_damage,
    transaction,
    translated,
)
from monitoring.storage.sqlite.file import OpenFile, Problem
from monitoring.storage.sqlite.lock import FileLock, NameLock
from monitoring.storage.sqlite.reader import FileReader

READERS_END_S = 10.0
"""How long a question may go on reading a file that has to be opened again."""

RETURN_S = 0.001
"""How long somebody who waits for the lock is let in between two steps."""

SPARE = 256 << 20
"""Bytes that are left free on the disk while blocks of 1.1.0 become rows."""


class FileStore(FileReader, ABC):
    """One connection writes, others read. Which file that is may change while the store is open."""

    def __init__(self, path: Path, lock: FileLock | None = None, patience_s: float = BUSY_TIMEOUT_S) -> None:
        """Opens or creates the file, and brings one of an older version up to date. Raises as `OpenFile` does.

        `lock` is one on the file that was taken before.
        """
        self.opened = OpenFile(path, lock, patience_s)
        """Its connection that writes is for `exclusively` and `writing`, which give it to one thread at a time."""
        super().__init__(path, ReaderPool(path, self.opened.lock.identity))
        self.mutex = threading.Lock()
        """Held by whoever uses the connection that writes."""
        self.echo: list[tuple[Sequence[CheckResult], Sequence[Alert]]] | None = None
        """What has been written since this became a list."""
        self.said: deque[str] = deque()
        """What a person should know about the file."""
        self._pause = threading.Event()
        self._damage: str | None = None
        self._former: list[OpenFile] = []
        self._is_detached = False
        self._has_room = True
        self._warm()
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
        """Learn what is kept in memory of this file."""
        self.sites: Mapping[str, int] = dict(connection.execute("SELECT host, id FROM sites"))
        self._has_blocks = blocks_1_1.exist(connection)

    def _warm(self) -> None:
        with suppress(StoreError):
            self.readers.warm()

    # Writing

    @contextmanager
    def exclusively(self) -> Iterator[sqlite3.Connection]:
        """The connection that writes, while nobody else uses it. Raises `StoreUnavailable` and its kinds."""
        with self.mutex, translated(self.path):
            try:
                yield self.opened.connection
            except sqlite3.Error as error:
                lost = migrations.lost_part(self.opened.connection) if is_about_schema(error) else ""
                if lost or is_damage(error):
                    self._damage = f"{self.path}: {lost or error}"
                raise

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction of the one connection that writes. Raises as `exclusively` does, also for an overwritten file."""
        with self.exclusively() as connection, self.transaction():
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is written within `exclusively`."""
        opened = self.opened
        if not opened.is_ours():  # SQLite would mix what is written now with what somebody put there
            raise StoreOverwritten(f"{self.path} was {Problem.OVERWRITTEN.value}")
        try:
            with transaction(opened.connection):
                opened.stamp()
                yield
        finally:
            opened.has_written()

    @abstractmethod
    def append(self, checks: Sequence[CheckResult], alerts: Sequence[Alert], now_ms: int) -> None:
        """Store these in one transaction. A check that is stored already stays as it is."""

    def unpack(self) -> bool:
        """Make rows of the newest of the blocks that 1.1.0 has left, while there is room: they take twice as much.

        Were there any?
        """
        if not self._has_blocks:
            return False
        had_room, self._has_room = self._has_room, self.opened.lock.free_bytes() > SPARE
        if not self._has_room:
            if had_room:
                self.say(f"{self.path}: no room to bring more of it up to date; what is older stays until it expires")
            return False
        with self.writing() as connection:
            has_blocks = blocks_1_1.unpack_some(connection)
        self._has_blocks = has_blocks
        return True

    # What becomes of the file: for its guard

    def say(self, text: str) -> None:
        """Something about the file that a person should know."""
        self.said.append(text)

    @property
    def damage(self) -> str | None:
        """What SQLite said when it last found the file damaged."""
        return self._damage or self.readers.damage

    def problem(self) -> Problem | None:
        """What has happened to the file, if anything has."""
        return self.opened.problem() or (Problem.DAMAGED if self.damage else None)

    def newest_alerts(self) -> Sequence[Alert]:
        """The newest state change of each site; none where the file can no longer be read."""
        with suppress(StoreError):
            return list(self.last_alerts().values())
        return ()

    def remembered_results(self, window: Window) -> Sequence[CheckResult]:
        """The checks of a window by the connection that writes: SQLite has the newest of them in memory and in its log.

        Raises `StoreUnavailable`.
        """
        hosts = {site: host for host, site in self.sites.items()}
        with self.exclusively() as connection:
            return list(queries.results(connection, window, hosts))

    def read_from(self, name: Path) -> None:
        """The file is called so now: whoever reads finds it there."""
        self.readers.turn_to(name, self.opened.lock.identity)
        self._warm()

    def begin_another_log(self) -> None:
        """Bring what the write-ahead log holds into the file and begin another one: somebody deleted the log.

        Raises `StoreBusy` while somebody reads.
        """
        if not self.readers.rest(READERS_END_S):
            raise StoreBusy(f"{self.path}: is being read for too long")
        try:
            with self.mutex, translated(self.path):
                self.opened.begin_another_log()
        finally:
            self.read_from(self.path)

    def copy(self, target: Path, name_lock: NameLock | None, between: Callable[[], None]) -> OpenFile:
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
            rescue.copy(self.opened.connection, draft, pause)
            rescue.give_name(draft, name)
            lock = FileLock(target, name_lock)
            try:
                return OpenFile(target, lock)
            except BaseException:
                rescue.remove(name)  # else it would be taken for somebody's
                lock.release()
                raise
        finally:
            rescue.remove(draft)

    def open_sibling(self, path: Path, lock: FileLock) -> Self:
        """A store of the same kind on another file. Raises as `OpenFile` does.

        Sites have the same numbers in a new file, so that nobody who reads just then takes one for another.
        """
        sibling = type(self)(path, lock, 0)
        if not sibling.sites:
            with sibling.writing() as connection:
                connection.executemany("INSERT INTO sites (host, id) VALUES (?, ?)", self.sites.items())
                sibling._load(connection)
        return sibling

    def become(self, file: OpenFile, *, is_copy: bool) -> None:  # noqa: ARG002 - whoever delivers it has to know
        """Go on with this file, which holds the same or something else; `exclusively` must be held.

        `close_former` closes the one before.
        """
        self._former.append(self.opened)
        self.opened, self.path, self._damage = file, file.path, None
        self.read_from(self.path)
        self._load(file.connection)

    def close_former(self) -> None:
        """Close the files that others took the place of: that of a big one that was deleted takes its time."""
        while self._former:
            self._former.pop().close()

    def detach(self) -> OpenFile:
        """Give the open file to another store; what is left is closed."""
        self.readers.close()
        self._is_detached = True
        return self.opened

    def close(self) -> None:
        super().close()
        self.close_former()
        with self.mutex:
            if not self._is_detached:
                self.opened.close()
