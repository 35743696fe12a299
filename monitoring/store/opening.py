"""From a configuration to open stores."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from monitoring.clock import Clock
from monitoring.config import DatabaseAddress
from monitoring.errors import ConfigError, StoreError, StoreUnavailable
from monitoring.models import Alert
from monitoring.store.gateway import GatewayStore, open_gateway
from monitoring.store.influx import CONNECT_TIMEOUT_S, InfluxStore
from monitoring.store.influxpurge import InfluxPurge
from monitoring.store.influxretention import InfluxRetention, Owner
from monitoring.store.local import LocalStore
from monitoring.store.replicated import ReplicatedStore

READER_TIMEOUT_S = 2.0
"""How long a question of the running monitor may take before the local file is asked."""

WRITER_TIMEOUT_S = 10.0


def open_database(address: DatabaseAddress, read_timeout_s: float, location: str = "") -> InfluxStore | GatewayStore:
    """The database of this address (none of "sqlite") for a location; nothing is sent yet. Raises `ConfigError`."""
    if address.kind == "gateway":
        return open_gateway(address, CONNECT_TIMEOUT_S, read_timeout_s, location)
    return open_influx(address, read_timeout_s, location)


def open_influx(address: DatabaseAddress, read_timeout_s: float, location: str = "") -> InfluxStore:
    """The InfluxDB of this address for a location; nothing is sent yet."""
    if address.kind != "influxdb":
        raise ConfigError([f"database: {address.masked}: this needs an InfluxDB"])
    return InfluxStore(
        host=address.host,
        port=address.port,
        database=address.database,
        username=address.username,
        password=address.password,
        tls=address.tls,
        location=location,
        read_timeout=read_timeout_s,
    )


def open_local(path: Path, say: Callable[[str], None]) -> LocalStore:
    """The local file, or while it cannot be written one in a temporary directory: monitoring goes on, and says so."""
    try:
        return LocalStore(path)
    except StoreUnavailable as error:
        try:
            substitute = Path(tempfile.mkdtemp(prefix="monitoring-")) / path.name
        except OSError:
            raise error from None  # there is no place at all
        say(f"{error}; checks are kept in {substitute} instead")
        return LocalStore(substitute)


def open_replicated(local: LocalStore, address: DatabaseAddress, clock: Clock, location: str = "") -> ReplicatedStore:
    """The store of a running monitor: the local file, and the database at `address` when there is one."""
    if address.kind == "sqlite":
        return ReplicatedStore(local, clock)
    writer, reader = (open_database(address, timeout_s, location) for timeout_s in (WRITER_TIMEOUT_S, READER_TIMEOUT_S))
    # Behind a gateway, that does it.
    retention = open_retention(address, local, location) if address.kind == "influxdb" else None
    return ReplicatedStore(local, clock, writer, reader, f"{address.host}:{address.port}", retention)


def open_retention(address: DatabaseAddress, owner: Owner | None, location: str | None) -> InfluxRetention:
    """What deletes from the InfluxDB at this address: what this local file has sent from a location, or everything."""
    return InfluxRetention(InfluxPurge.at(address, CONNECT_TIMEOUT_S, WRITER_TIMEOUT_S, location), owner)


def known_outages(local: LocalStore, address: DatabaseAddress, location: str = "") -> tuple[Mapping[str, Alert], int | None]:
    """The newest transition of each site, and the newest time that was ever stored.

    The local file knows, but when it is new (a container without its volume, a new machine) the database is asked too.
    """
    last_time = local.last_time()
    if last_time is not None or address.kind == "sqlite":
        return local.last_alerts(), last_time
    database = open_database(address, READER_TIMEOUT_S, location)
    try:
        return database.last_alerts(), database.last_time()
    except StoreError:
        return {}, None
    finally:
        database.close()
