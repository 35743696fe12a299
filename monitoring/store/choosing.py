"""Which store a program reads that does not write one: chosen anew whenever asked, as stores come and go."""

import os
from pathlib import Path

from monitoring.clock import Clock
from monitoring.config import DEFAULT_DATABASE, Config, DatabaseAddress, parse_database
from monitoring.errors import StoreError
from monitoring.store.base import Reader
from monitoring.store.local_reader import LocalReader
from monitoring.store.lock import writer_is_alive
from monitoring.store.replicated import FRESH_MS, SLOW_PENALTY_MS, Source

NO_MONITOR = "no monitor has run here yet: start ./monitoringApp.py -m"

PROBE_PATIENCE_S = 2.0


def database_address(config: Config) -> DatabaseAddress:
    """The database of a configuration; the default one where it names none."""
    return config.database or parse_database(DEFAULT_DATABASE, {})


class LocalFile:
    """A local file that may come, go and be replaced by another one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader: LocalReader | None = None
        self._identity: tuple[int, int] | None = None

    def open(self) -> LocalReader | None:
        """A reader of the file that is there now; the same one as long as it is the same file."""
        identity = self._current_identity()
        if identity != self._identity:
            self.close()
            self._reader, self._identity = LocalReader(self.path) if identity else None, identity
        return self._reader

    def _current_identity(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self.path)
        except OSError:
            return None
        return (status.st_dev, status.st_ino) if status.st_size else None  # an empty one is about to be made

    def close(self, but: Reader | None = None) -> None:
        if self._reader and self._reader is not but:
            self._reader.close()
        self._reader, self._identity = None, None


class Database:
    """Two connections: `questions` may take their time, `probe` must hear soon whether there is anybody at all."""

    def __init__(self, address: DatabaseAddress, patience_s: float) -> None:
        from monitoring.store.opening import open_database  # late: most programs need no other store than their own

        self.questions = open_database(address, patience_s)
        self.probe = open_database(address, PROBE_PATIENCE_S)

    def close(self, but: Reader | None = None) -> None:
        for store in (self.questions, self.probe):
            if store is not but:
                store.close()


class ReaderChoice:
    """The database if it answers and no live monitor of this configuration has undelivered data, else the local file.

    Readers stay open between two choices and belong to this object.
    """

    def __init__(self, config: Config, clock: Clock, patience_s: float = PROBE_PATIENCE_S) -> None:
        """`patience_s` is how long a question to the database may take."""
        self._clock = clock
        self._patience_s = patience_s
        self._open(config)

    def _open(self, config: Config) -> None:
        self._address = database_address(config)
        self._is_named = config.database is not None
        self._local = LocalFile(config.local_database)
        self._rest_until_ms = 0
        self._database = None if self._address.kind == "sqlite" else Database(self._address, self._patience_s)

    def follow(self, config: Config) -> None:
        """Choose among the stores of another configuration from now on."""
        if database_address(config) != self._address or config.local_database != self._local.path:
            self.close()
            self._open(config)
        self._is_named = config.database is not None

    def choose(self) -> tuple[Reader, Source]:
        """Whom to ask now, and why. Raises `StoreError` when there is nobody."""
        local = self._local.open()
        why_local = self._why_local(local)
        if self._database and why_local is None:
            return self._database.questions, Source(self._database.questions.kind, f"{self._name} answers")
        if local is None:
            raise StoreError(NO_MONITOR)
        return local, Source("local", why_local or "")

    def distrust(self) -> None:
        """The database left a question open: the local file is asked for a while, if there is one."""
        self._rest_until_ms = self._clock.now_ms() + SLOW_PENALTY_MS

    def close(self, but: Reader | None = None) -> None:
        """Free what is open, except this reader."""
        self._local.close(but)
        if self._database:
            self._database.close(but)

    @property
    def _name(self) -> str:
        return f"{self._address.host}:{self._address.port}"

    def _why_local(self, local: LocalReader | None) -> str | None:
        """Why the database is not to be asked, or would not answer; None: it is the one to ask."""
        if self._database is None:
            return "as configured"
        if local and (reason := self._undelivered(local) or self._resting()):
            return reason
        try:
            return None if self._database.probe.is_known() else f"no monitor has written to {self._name}"
        except StoreError as error:
            if local is None and self._is_named:  # there is nothing else, and its own words say best why not
                raise
            return str(error)

    def _undelivered(self, local: LocalReader) -> str | None:
        """What a live monitor has yet to deliver. What a dead one left may be delivered at any time, or never."""
        waiting, oldest_ms = local.pending()
        if oldest_ms is None or self._clock.now_ms() - oldest_ms <= FRESH_MS or not writer_is_alive(self._local.path):
            return None
        return f"{self._name} has yet to receive {waiting} points"

    def _resting(self) -> str | None:
        return f"{self._name} answers too slowly" if self._clock.now_ms() < self._rest_until_ms else None
