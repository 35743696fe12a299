"""From a configuration to open stores."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from monitoring.clock import Clock
from monitoring.config import DatabaseAddress
from monitoring.errors import ConfigError, StoreError, StoreUnavailable
from monitoring.models import Alert
from monitoring.store.gateway import GatewayStore, open_gateway
from monitoring.store.influx import InfluxStore
from monitoring.store.influxpurge import InfluxPurge
from monitoring.store.influxretention import InfluxRetention, Owner
from monitoring.store.local import LocalStore
from monitoring.store.replicated import ReplicatedStore

READER_TIMEOUT_S = 2.0
"""How long a question of the running monitor may take before the local file is asked."""

WRITER_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 1.0


def open_database(address: DatabaseAddress, read_timeout_s: float) -> InfluxStore | GatewayStore:
    """A connection to the database of this address (none of "sqlite"); nothing is sent yet. Raises `ConfigError`."""
    if address.kind == "gateway":
        return open_gateway(address, CONNECT_TIMEOUT_S, read_timeout_s)
    return open_influx(address, read_timeout_s)


def open_influx(address: DatabaseAddress, read_timeout_s: float) -> InfluxStore:
    """A connection to the InfluxDB of this address; nothing is sent yet."""
    if address.kind != "influxdb":
        raise ConfigError([f"database: {address.masked}: this needs an InfluxDB"])
    return InfluxStore(
        host=address.host,
        port=address.port,
        database=address.database,
        username=address.username,
        password=address.password,
        tls=address.tls,
        connect_timeout=CONNECT_TIMEOUT_S,
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


def open_replicated(local: LocalStore, address: DatabaseAddress, clock: Clock) -> ReplicatedStore:
    """The store of a running monitor: the local file, and the database at `address` when there is one."""
    if address.kind == "sqlite":
        return ReplicatedStore(local, clock)
    writer, reader = open_database(address, WRITER_TIMEOUT_S), open_database(address, READER_TIMEOUT_S)
    retention = open_retention(address, local) if address.kind == "influxdb" else None  # behind a gateway, that does it
    return ReplicatedStore(local, clock, writer, reader, f"{address.host}:{address.port}", retention)


def open_retention(address: DatabaseAddress, owner: Owner | None) -> InfluxRetention:
    """What deletes from the InfluxDB at this address: what this local file has sent, or everything."""
    return InfluxRetention(InfluxPurge.at(address, CONNECT_TIMEOUT_S, WRITER_TIMEOUT_S), owner)


def known_outages(local: LocalStore, address: DatabaseAddress) -> tuple[Mapping[str, Alert], int | None]:
    """The newest transition of each site, and the newest time that was ever stored.

    The local file knows, but when it is new (a container without its volume, a new machine) the database is asked too.
    """
    last_time = local.last_time()
    if last_time is not None or address.kind == "sqlite":
        return local.last_alerts(), last_time
    database = open_database(address, READER_TIMEOUT_S)
    try:
        return database.last_alerts(), database.last_time()
    except StoreError:
        return {}, None
    finally:
        database.close()
