"""From a configuration to open stores."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from monitoring.clock import Clock, SystemClock
from monitoring.config import Config, DatabaseAddress
from monitoring.errors import ConfigError, StoreError
from monitoring.storage.sqlite.opening import Opening
from monitoring.store import takeover
from monitoring.store.gateway import GatewayStore, open_gateway
from monitoring.store.influx import CONNECT_TIMEOUT_S, InfluxStore
from monitoring.store.influxpurge import InfluxPurge
from monitoring.store.influxretention import InfluxRetention, Owner
from monitoring.store.local import LocalStore
from monitoring.store.local_reader import LocalReader
from monitoring.store.replicated import ReplicatedStore
from monitoring.store.takeover import PastOfSites

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


def open_local(path: Path, say: Callable[[str], None], clock: Clock) -> LocalStore:
    """The local file, or what stands in for it. Raises as `Opening.open` does."""
    return Opening(path, LocalStore, LocalReader, say, clock.now_ms()).open()


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


def take_over_past(
    local: LocalStore, config: Config, address: DatabaseAddress, clock: SystemClock, say: Callable[[str], None]
) -> None:
    """Let a local file that is new take over what the database knows of its sites; then `clock` begins after all that.

    Part by part, as far as the database answers in time; that it did not is said.
    """
    last_ms = local.last_time()
    if last_ms is None and address.kind != "sqlite":
        parts = _past_of_sites(open_database(address, WRITER_TIMEOUT_S, config.location), config, clock)
        try:
            for past in takeover.within(takeover.DEADLINE_MS, clock, parts):
                local.take_over(past)
                last_ms = max(last_ms or 0, past.last_ms)
        except StoreError as error:
            # Nobody may ever have started a database at the default address.
            if config.database is not None or last_ms is not None or isinstance(error, takeover.TooLate):
                what = "in part only" if last_ms else "not at all"
                say(f"the past of these sites is known {what}, an alert may be repeated: {error}")
    clock.start_after(last_ms)


def _past_of_sites(database: InfluxStore | GatewayStore, config: Config, clock: Clock) -> Iterator[PastOfSites]:
    with closing(database):
        yield from takeover.ask(database, config.sites, clock.now_ms())
