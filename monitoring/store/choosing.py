"""Which store a program reads that does not write one: chosen anew whenever asked, as stores come and go."""

import os
from functools import partial
from pathlib import Path

from monitoring.clock import Clock
from monitoring.config import DEFAULT_DATABASE, Config, DatabaseAddress, parse_database
from monitoring.errors import StoreError
from monitoring.storage.sqlite.lock import Identity, identity_of, is_empty, writer_is_alive
from monitoring.storage.sqlite.rescue import beside
from monitoring.store.base import Reader, Readers
from monitoring.store.local_reader import LocalReader
from monitoring.store.replicated import FRESH_MS, SLOW_PENALTY_MS, Source

NO_MONITOR = "no monitor has run here yet: start ./monitoringApp.py -m"

PROBE_PATIENCE_S = 2.0

NAMELESS = ""
"""The location of monitors that do not say where they are; also that of a database in which nothing was measured yet."""


def database_address(config: Config) -> DatabaseAddress:
    """The database of a configuration; the default one where it names none."""
    return config.database or parse_database(DEFAULT_DATABASE, {})


class LocalFile:
    """A local file that may come, go and be replaced by another one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader: LocalReader | None = None
        self._identity: tuple[Identity, Identity | None] | None = None

    def open(self) -> LocalReader | None:
        """A reader of the file that is there now; the same one as long as it is the same file, with the same log."""
        identity = self._current_identity()
        if identity and self._identity == (identity[0], None) and os.access(self.path.parent, os.W_OK):
            # a reader makes the log that it finds missing
            self._identity = identity
        if identity != self._identity:
            self.close()
            self._reader, self._identity = LocalReader(self.path) if identity else None, identity
        return self._reader

    def _current_identity(self) -> tuple[Identity, Identity | None] | None:
        file = identity_of(self.path)
        if file is None or is_empty(self.path):  # an empty one is about to be made
            return None
        return file, identity_of(beside(self.path, "-wal"))

    def close(self) -> None:
        if self._reader:
            self._reader.close()
        self._reader, self._identity = None, None


class Database:
    """Readers that may take their time, one for each location, and a probe that must hear soon whether anybody is there."""

    def __init__(self, address: DatabaseAddress, patience_s: float) -> None:
        from monitoring.store.opening import open_database  # late: most programs need no other store than their own

        self._open = partial(open_database, address, patience_s)
        self._probe = open_database(address, PROBE_PATIENCE_S)
        self._readers: dict[str, Reader] = {}

    def is_known(self) -> bool:
        """Has any monitor written to it? Raises `StoreError`."""
        return self._probe.is_known()

    def readers(self, wanted: str | None) -> Readers:
        """Of each location that there is now (None), or of the wanted one if it is there. Raises `StoreError`."""
        found = self._probe.locations() or [NAMELESS]
        return {location: self._reader(location) for location in found if wanted in (None, location)}

    def _reader(self, location: str) -> Reader:
        if location not in self._readers:
            self._readers[location] = self._open(location)
        return self._readers[location]

    def close(self) -> None:
        for store in (self._probe, *self._readers.values()):
            store.close()


class ReaderChoice:
    """The database if it answers and no live monitor of this configuration has undelivered data, else the local file.

    The database tells of all locations, the local file of its own. Readers stay open between two choices and belong to
    this object.
    """

    def __init__(
        self, config: Config, clock: Clock, patience_s: float = PROBE_PATIENCE_S, wanted: str | None = None
    ) -> None:
        """`patience_s` is how long a question to the database may take; `wanted` is the only location of interest."""
        self._clock = clock
        self._patience_s = patience_s
        self._wanted = wanted
        self._open(config)

    def _open(self, config: Config) -> None:
        self._address = database_address(config)
        self._is_named = config.database is not None
        self._here = config.location
        self._local = LocalFile(config.local_database)
        self._rest_until_ms = 0
        self._database = None if self._address.kind == "sqlite" else Database(self._address, self._patience_s)

    def follow(self, config: Config) -> None:
        """Choose among the stores of another configuration from now on."""
        if database_address(config) != self._address or config.local_database != self._local.path:
            self.close()
            self._open(config)
        self._is_named = config.database is not None
        self._here = config.location

    def choose(self) -> tuple[Readers, Source]:
        """Whom to ask now, and why. Raises `StoreError` when there is nobody."""
        local = self._local.open() if self._wanted in (None, self._here) else None
        readers, why = self._ask_around(local)
        if readers:
            return readers, Source(next(iter(readers.values())).kind, why)
        if local is None:
            raise StoreError(self._nobody(why))
        return {self._here: local}, Source(local.kind, why)

    def _ask_around(self, local: LocalReader | None) -> tuple[Readers, str]:
        """The readers of the database, and why they are the ones to ask; none of them, and why not."""
        if self._database is None:
            return {}, "as configured"
        if local and (reason := self._undelivered(local) or self._resting()):
            return {}, reason
        try:
            readers = self._database.readers(self._wanted) if self._database.is_known() else {}
        except StoreError as error:
            if local is None and self._is_named:  # there is nothing else, and its own words say best why not
                raise
            return {}, str(error)
        return readers, f"{self._name} answers" if readers else f"no monitor has written to {self._name}"

    def _nobody(self, why: str) -> str:
        """Why there is nothing to read."""
        if self._wanted is None:
            return NO_MONITOR
        there = "the local file is of another one" if self._database is None else f"{why} from there"
        return f"nothing is known of this location: {there}"

    def distrust(self) -> None:
        """The database left a question open: the local file is asked for a while, if there is one."""
        self._rest_until_ms = self._clock.now_ms() + SLOW_PENALTY_MS

    def close(self) -> None:
        """Free what is open."""
        self._local.close()
        if self._database:
            self._database.close()

    @property
    def _name(self) -> str:
        return f"{self._address.host}:{self._address.port}"

    def _undelivered(self, local: LocalReader) -> str | None:
        """What a live monitor has yet to deliver. What a dead one left may be delivered at any time, or never."""
        waiting, oldest_ms = local.pending()
        if oldest_ms is None or self._clock.now_ms() - oldest_ms <= FRESH_MS or not writer_is_alive(self._local.path):
            return None
        return f"{self._name} has yet to receive {waiting} points"

    def _resting(self) -> str | None:
        return f"{self._name} answers too slowly" if self._clock.now_ms() < self._rest_until_ms else None
