"""The database behind a gateway."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from monitoring.config import DatabaseAddress
from monitoring.config.settings import Config
from monitoring.errors import ConfigError
from monitoring.models import CheckResult, Streak
from monitoring.states import streak_of
from monitoring.store.blocks import MinuteBlock
from monitoring.store.forwarder import RemoteStore
from monitoring.store.influxblocks import Piece, Told
from monitoring.store.local import LocalStore

STATEMENT_TIMEOUT_S = 8.0
"""Shorter than clients wait for the end of a write: they hear that the database is away instead of nothing."""


class Database(RemoteStore, Protocol):
    """What a gateway asks of its database: all that a monitor with a database of its own would ask."""

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

    def seal(self, marker: str, minutes: Collection[int]) -> None:
        """There was nothing else."""


def open_database(config: Config, address: DatabaseAddress) -> Database:
    """The database at this address. Raises `MonitoringError`."""
    if address.kind == "gateway":
        raise ConfigError([f"database: {address.masked}: a gateway needs a database of its own"])
    if address.kind == "sqlite":
        return FileDatabase(config.local_database)
    from monitoring.store import opening

    return opening.open_database(address, STATEMENT_TIMEOUT_S)


def _key(marker: str) -> str:
    return f"client {marker}"
