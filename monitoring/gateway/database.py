"""The database behind a gateway."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from monitoring.config import DatabaseAddress
from monitoring.config.settings import Config
from monitoring.errors import ConfigError, StoreRefused
from monitoring.models import CheckResult, Streak
from monitoring.states import streak_of
from monitoring.store.blocks import MinuteBlock
from monitoring.store.forwarder import RemoteStore
from monitoring.store.influxblocks import Piece, Told
from monitoring.store.local import LocalStore
from monitoring.store.rolledblocks import RolledBlock

STATEMENT_TIMEOUT_S = 8.0
"""Shorter than clients wait for the end of a write: they hear that the database is away instead of nothing."""


class Database(RemoteStore, Protocol):
    """What a gateway asks of its database: all that a monitor with a database of its own would ask."""

    def locations(self) -> Sequence[str]:
        """The locations that have points, in order, "" first if there is one. Raises `StoreError`."""

    def is_known(self) -> bool:
        """Has any monitor proved it? Raises `StoreError`."""

    def streaks(self, before_ms: int) -> Mapping[str, Streak]:
        """As a `StreakReader` answers."""

    def ping(self) -> None:
        """Return when it answers. Raises `StoreError`."""


class FileDatabase(LocalStore):
    """Keeps `Database` in a local file (`"database": "sqlite:"`): a gateway that needs nothing installed.

    What is said of minutes is not needed here: the file packs its checks itself.
    """

    def knows(self, marker: str) -> bool:
        with self._pool.snapshot() as connection:
            query = "SELECT COUNT(*) FROM meta WHERE key = ?"
            return bool(connection.execute(query, (_key(marker),)).fetchone()[0])

    def prove(self, marker: str) -> bool:
        known = self.knows(marker)
        with self._writing() as connection:
            connection.execute("INSERT OR IGNORE INTO meta VALUES (?, '')", (_key(marker),))
        return known

    def is_known(self) -> bool:
        with self._pool.snapshot() as connection:
            query = "SELECT COUNT(*) FROM meta WHERE key LIKE ?"
            return bool(connection.execute(query, (_key("%"),)).fetchone()[0])

    def streaks(self, before_ms: int) -> Mapping[str, Streak]:
        found = {host: streak_of(history, before_ms) for host, history in self.histories().items()}
        return {host: streak for host, streak in found.items() if streak is not None}

    def locations(self) -> Sequence[str]:
        return [] if self.last_time() is None else [""]

    def ping(self) -> None:
        self.pending()

    def open_minutes(self, marker: str) -> Mapping[int, Told]:  # noqa: ARG002 - they are the same for all files: none
        return {}

    def announce(
        self,
        marker: str,  # noqa: ARG002 - what is told of minutes is the same for all files: nothing
        told: Mapping[int, Told],  # noqa: ARG002
        pieces: Sequence[Piece],  # noqa: ARG002
        checks: Sequence[CheckResult] = (),
    ) -> None:
        """Other points follow."""
        self.write(checks, ())

    def write_blocks(self, marker: str, blocks: Sequence[MinuteBlock]) -> None:
        """The points are here."""

    def write_rollups(self, marker: str, blocks: Sequence[RolledBlock]) -> None:
        """The file makes its own."""

    def seal(self, marker: str, minutes: Collection[int]) -> None:
        """There was nothing else."""


class Databases:
    """The database as each location sees it: opened when somebody asks, and kept while there are not too many.

    One that is closed to make room answers those who use it just then; what it had remembered is gone.
    """

    def __init__(self, open_at: Callable[[str], Database], most: int) -> None:
        """`open_at` makes the store of a location without connecting, and raises `StoreError` where there can be none."""
        self._open_at = open_at
        self._most = most
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Database] = OrderedDict()

    def at(self, location: str) -> Database:
        """Raises `StoreError`."""
        with self._lock:
            if location not in self._known:
                self._known[location] = self._open_at(location)
            self._known.move_to_end(location)
            if len(self._known) > self._most:
                self._known.popitem(last=False)[1].close()
            return self._known[location]

    def close(self) -> None:
        with self._lock:
            while self._known:
                self._known.popitem()[1].close()


def open_databases(config: Config, address: DatabaseAddress, most: int) -> Databases:
    """The database at this address, for `most` locations at a time. Raises `MonitoringError`."""
    if address.kind == "gateway":
        raise ConfigError([f"database: {address.masked}: a gateway needs a database of its own"])
    if address.kind == "sqlite":
        return Databases(alone(FileDatabase(config.local_database)), most)
    from monitoring.store import opening

    return Databases(lambda location: opening.open_database(address, STATEMENT_TIMEOUT_S, location), most)


def alone(file: FileDatabase) -> Callable[[str], FileDatabase]:
    """How a file is opened: it is of the location without a name, and keeps others' points from being mixed with its own."""

    def open_at(location: str) -> FileDatabase:
        if location:
            raise StoreRefused("this gateway keeps a file, which has no locations: its database must be an InfluxDB")
        return file

    return open_at


def _key(marker: str) -> str:
    return f"client {marker}"
