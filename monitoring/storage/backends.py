"""From the address of a database to its backend: the only place that knows which backends there are.

A new one is a folder beside this module, a line in `BACKENDS`, and its scheme in `config.databases`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitoring.config import DEFAULT_DATABASE, Config, DatabaseAddress, parse_database
from monitoring.errors import ConfigError

if TYPE_CHECKING:
    from monitoring.storage.base import Backend

Open = Callable[[DatabaseAddress, str, float], "Backend"]
"""Makes a backend for a location, which waits so many seconds for an answer. Nothing is sent yet."""


@dataclass(frozen=True, slots=True)
class BackendKind:
    """One kind of database. `is_ours`: nobody else deletes there what is older than retention or was purged."""

    open: Open
    is_ours: bool


def _influxdb(address: DatabaseAddress, location: str, read_timeout_s: float) -> "Backend":
    from monitoring.storage.influxdb.store import InfluxStore  # late, as all of them: most programs need one, or none

    return InfluxStore(address, location, read_timeout_s)


def _gateway(address: DatabaseAddress, location: str, read_timeout_s: float) -> "Backend":
    from monitoring.storage.gateway.store import open_gateway

    return open_gateway(address, location, read_timeout_s)


BACKENDS: Mapping[str, BackendKind] = {
    "influxdb": BackendKind(_influxdb, is_ours=True),
    "gateway": BackendKind(_gateway, is_ours=False),
}
"""By what `DatabaseAddress.kind` says."""


def database_address(config: Config) -> DatabaseAddress:
    """The database of a configuration; the default one where it names none."""
    return config.database or parse_database(DEFAULT_DATABASE, {})


def backend_kind(address: DatabaseAddress) -> BackendKind | None:
    """What is at this address; None: nothing, the local file stands alone."""
    return BACKENDS.get(address.kind)


def open_backend(address: DatabaseAddress, read_timeout_s: float, location: str = "") -> "Backend":
    """The database at this address, opened for a location; nothing is sent yet. Raises `ConfigError` when there is none."""
    kind = backend_kind(address)
    if kind is None:
        raise ConfigError([f"database: {address.masked}: this needs a database"])
    return kind.open(address, location, read_timeout_s)
