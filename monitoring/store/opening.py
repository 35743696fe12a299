"""From a configuration to open stores."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

from monitoring.clock import Clock, SystemClock
from monitoring.config import Config, DatabaseAddress
from monitoring.errors import ConfigError, StoreBusy, StoreDamaged, StoreError, StoreUnavailable
from monitoring.models import Window
from monitoring.storage.sqlite.guard import carry_over
from monitoring.storage.sqlite.lock import FileLock
from monitoring.storage.sqlite.rescue import set_aside
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

SHORT_PATIENCE_S = 0.5
PATIENCE_S = 30.0
"""How long a start waits for another program that writes the local file: without a word, and after one."""

IN_MEMORY = "/dev/shm"  # noqa: S108 - of a name that nobody can foresee
"""Where Linux keeps files in memory: there is room when all disks are full."""

RECENT_MS = 600_000
"""So much of a file that cannot be written is taken along at a start: more than decisions and statistics soon need."""


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
    """The local file; while it cannot be written one in a temporary directory, which moves in as soon as it can.

    `say` is told what is not as usual. Raises `MonitoringError` when another monitor writes the file, or when it is
    another program's: then it is as it was.
    """
    try:
        lock = FileLock(path)
    except StoreUnavailable as error:
        return _open_elsewhere(path, None, error, say, clock)
    try:
        return _open_patiently(path, lock, say)
    except StoreDamaged as error:
        return _begin_anew(path, lock, error, say, clock)
    except StoreUnavailable as error:
        return _open_elsewhere(path, lock, error, say, clock)
    except BaseException:
        lock.release(forget=True)
        raise


def _open_patiently(path: Path, lock: FileLock, say: Callable[[str], None]) -> LocalStore:
    try:
        return LocalStore(path, lock, SHORT_PATIENCE_S)
    except StoreBusy as error:
        say(f"{error}: another program holds it; waiting for up to {PATIENCE_S:.0f} s")
        return LocalStore(path, lock, PATIENCE_S)


def _begin_anew(path: Path, lock: FileLock, error: StoreError, say: Callable[[str], None], clock: Clock) -> LocalStore:
    """Set a damaged file aside and begin another one with what can be read of it."""
    try:
        aside = set_aside(path, "damaged", clock.now_ms())
    except StoreUnavailable as another:
        return _open_elsewhere(path, lock, another, say, clock)
    fresh = FileLock(path, heir_of=lock)
    lock.release()
    try:
        store = LocalStore(path, fresh)
    except StoreUnavailable as another:
        return _open_elsewhere(path, fresh, another, say, clock, aside)
    what = "with its open alerts" if _take_over(aside, store, clock.now_ms()) else "but its alerts cannot be read"
    say(f"{error}; it is now {aside.name}, and a new file was begun, {what}")
    return store


def _open_elsewhere(
    path: Path,
    lock: FileLock | None,
    error: StoreError,
    say: Callable[[str], None],
    clock: Clock,
    readable: Path | None = None,
) -> LocalStore:
    """Monitoring goes on, and says so. `readable` is what can be read of the file where it bears another name."""
    store = _open_substitute(path, lock, [None, IN_MEMORY])
    if store is None:
        raise error  # there is no place at all
    _take_over(readable or path, store, clock.now_ms())
    say(f"{error}; checks are kept in {store.path} instead, until it can be written")
    return store


def _open_substitute(home: Path, lock: FileLock | None, folders: Sequence[str | None]) -> LocalStore | None:
    """In the first of these folders that takes it (None: the usual one); None: there is no such place."""
    for folder in folders:
        with suppress(OSError, StoreError):
            place = Path(tempfile.mkdtemp(prefix="monitoring-", dir=folder))
            return LocalStore(place / home.name, home=home, home_lock=lock)
    return None


def _take_over(path: Path, store: LocalStore, now_ms: int) -> bool:
    """Store the newest alerts and checks of a file that cannot be written; False when its alerts cannot be read."""
    with closing(LocalReader(path)) as reader:
        try:
            store.write((), list(reader.last_alerts().values()))
        except StoreError:
            return False
        with suppress(StoreError):
            last_ms = reader.last_time() or now_ms  # times go on after this one
            carry_over(reader, store, Window(min(last_ms, now_ms - RECENT_MS), last_ms + 1), now_ms, lambda: None)
    return True


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
