"""A store that writes its file, whatever becomes of it: what the local file of a monitor and that of a gateway share."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from monitoring.errors import StoreError
from monitoring.models import Alert, CheckResult, Window
from monitoring.storage.sqlite import blocks_1_1, meta, queries
from monitoring.storage.sqlite.connection import BUSY_TIMEOUT_S
from monitoring.storage.sqlite.file import DatabaseFile, OpenFile
from monitoring.storage.sqlite.guard import FileGuard
from monitoring.storage.sqlite.lock import FileLock, NameLock
from monitoring.storage.sqlite.reader import FileReader

SPARE = 256 << 20
"""Bytes that are left free on the disk while blocks of 1.1.0 become rows."""


class GuardedStore(FileReader, ABC):
    """A store that writes its file, and may go on in another one. `guard` sees to it."""

    def __init__(
        self,
        path: Path,
        lock: FileLock | None = None,
        patience_s: float = BUSY_TIMEOUT_S,
        home: Path | None = None,
        home_lock: FileLock | NameLock | None = None,
    ) -> None:
        """Opens or creates the file, and brings one of an older version up to date. Raises as `OpenFile` does.

        `lock` is one on the file that was taken before. `home` is where the file belongs when it cannot be there now,
        and `home_lock` a lock on that, or on its name alone.
        """
        self.file = DatabaseFile(path, lock, patience_s)
        super().__init__(path, self.file.readers)
        self.guard = FileGuard(self, home or path, home_lock)
        self.echo: list[tuple[Sequence[CheckResult], Sequence[Alert]]] | None = None
        """What has been written since this became a list."""
        self._has_room = True
        try:
            with self.file.writing() as connection:
                self._load(connection)
                if notice := meta.text(connection, meta.Value.NOTICE):
                    self.guard.say(notice)
                    meta.remove(connection, meta.Value.NOTICE)
        except BaseException:
            self.close()
            raise

    def _load(self, connection: sqlite3.Connection) -> None:
        """Learn what is kept in memory of this file."""
        self.path = self.file.path
        self.sites: Mapping[str, int] = dict(connection.execute("SELECT host, id FROM sites"))
        self._has_blocks = blocks_1_1.exist(connection)

    @abstractmethod
    def append(self, checks: Sequence[CheckResult], alerts: Sequence[Alert], now_ms: int) -> None:
        """Store these in one transaction. A check that is stored already stays as it is."""

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
        with self.file.exclusively() as connection:
            return list(queries.results(connection, window, hosts))

    def unpack(self) -> bool:
        """Make rows of the newest of the blocks that 1.1.0 has left, while there is room: they take twice as much.

        Were there any?
        """
        if not self._has_blocks:
            return False
        had_room, self._has_room = self._has_room, self.file.opened.lock.free_bytes() > SPARE
        if not self._has_room:
            if had_room:
                self.guard.say(f"{self.path}: no room to bring more of it up to date; what is older stays until it expires")
            return False
        with self.file.writing() as connection:
            has_blocks = blocks_1_1.unpack_some(connection)
        self._has_blocks = has_blocks
        return True

    def open_sibling(self, path: Path, lock: FileLock) -> Self:
        """A store of the same kind on another file. Raises as `OpenFile` does.

        Sites have the same numbers in a new file, so that nobody who reads just then takes one for another.
        """
        sibling = type(self)(path, lock, 0)
        if not sibling.sites:
            with sibling.file.writing() as connection:
                connection.executemany("INSERT INTO sites (host, id) VALUES (?, ?)", self.sites.items())
                sibling._load(connection)
        return sibling

    def become(self, file: OpenFile, *, is_copy: bool) -> None:  # noqa: ARG002 - whoever delivers it has to know
        """Go on with this file, which holds the same or something else; `file.exclusively` must be held."""
        self.file.turn_to(file)
        self._load(file.connection)

    def close(self) -> None:
        self.guard.close()
        self.file.close()
