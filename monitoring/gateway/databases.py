"""The database behind a gateway."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from monitoring.config import Config, DatabaseAddress
from monitoring.errors import ConfigError
from monitoring.storage.backends import open_backend
from monitoring.storage.base import Backend
from monitoring.storage.sqlite.database import SharedFile

STATEMENT_TIMEOUT_S = 8.0
"""Shorter than clients wait for the end of a write, so that they learn that the database is unavailable."""


class Databases:
    """The store of each location, opened when it is needed. The least recently used one is closed if there are too many.

    A store that was closed still answers those who are using it; its caches are gone.
    """

    def __init__(self, open_at: Callable[[str], Backend], most: int, file: SharedFile | None = None) -> None:
        """`open_at` makes the store of a location without connecting. `file`, if given, holds them all and is closed too."""
        self._open_at = open_at
        self._most = most
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Backend] = OrderedDict()
        self.file = file

    def at(self, location: str) -> Backend:
        """The store of this location. Raises `StoreError`."""
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
        if self.file:
            self.file.close()


def open_databases(config: Config, address: DatabaseAddress, most: int) -> Databases:
    """The database at this address, with up to `most` open stores. Raises `MonitoringError`."""
    if address.backend is None:
        file = SharedFile(config.local_database)
        return Databases(file.open, most, file)
    if not address.backend.is_ours:
        raise ConfigError([f"database: {address.masked}: a gateway needs a database of its own"])
    return Databases(partial(open_backend, address, STATEMENT_TIMEOUT_S), most)
