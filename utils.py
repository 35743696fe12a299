"""What the scripts share: finding the packages, asking for a window, choosing the store to read."""

import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from monitoring.clock import Clock
from monitoring.config import DEFAULT_DATABASE, Config, DatabaseAddress, parse_database
from monitoring.errors import MonitoringError, StoreError
from monitoring.models import Site, SiteStats, SiteStatus, Window
from monitoring.report import SiteRow, StatsReport
from monitoring.store.base import Reader
from monitoring.store.local_reader import LocalReader
from monitoring.store.replicated import FRESH_MS, ReplicatedStore

NO_MONITOR = "no monitor has run here yet: start ./monitoringApp.py -m"

ROOT = Path(__file__).resolve().parent


def enter_environment() -> None:
    """Go on in the project's own virtual environment when this Python lacks the packages.

    Raises `MonitoringError` when they are not installed there either.
    """
    if importlib.util.find_spec("pycurl") and importlib.util.find_spec("influxdb"):
        return
    python = ROOT / ".venv" / "bin" / "python"
    if python.exists() and Path(sys.prefix) != ROOT / ".venv":
        os.execv(python, [str(python), *sys.argv])  # noqa: S606 - our own interpreter, our own arguments
    raise MonitoringError("Python packages are missing: run `make install`, or `pip install -r requirements.txt`")


def database_address(config: Config) -> DatabaseAddress:
    """The database of a configuration; the default one where it names none."""
    return config.database or parse_database(DEFAULT_DATABASE, {})


def query_window(
    store: ReplicatedStore, clock: Clock, length_ms: int, sites: Sequence[Site], status_of: Callable[[Site, int], SiteStatus]
) -> StatsReport:
    """The statistics over the `length_ms` before now: a row a site, also for sites with nothing in the window."""
    store.settle()
    window = Window.before(clock.now_ms(), length_ms)
    found, source = store.ask(lambda reader: reader.stats(window))
    rows = (
        SiteRow(site.host, site.name, found.get(site.host) or SiteStats(site.host), status_of(site, window.until_ms))
        for site in sites
    )
    return StatsReport(window, source.kind, tuple(rows))


def choose_reader(config: Config, clock: Clock) -> Reader:
    """The store that another process should read: the database if it has everything, else the local file.

    Raises `StoreError` when there is neither.
    """
    address = database_address(config)
    local = LocalReader(config.local_database) if config.local_database.exists() else None
    if address.kind != "sqlite" and not (local and _has_undelivered(local, clock)):
        database = _answering(address)
        if database:
            if local:
                local.close()
            return database
    if local is None:
        raise StoreError(NO_MONITOR)
    return local


def _has_undelivered(local: LocalReader, clock: Clock) -> bool:
    _, oldest_ms = local.pending()
    return oldest_ms is not None and clock.now_ms() - oldest_ms > FRESH_MS


def _answering(address: DatabaseAddress) -> Reader | None:
    """The database, when it answers and a monitor has written to it."""
    from monitoring.store.opening import READER_TIMEOUT_S, open_database

    database = open_database(address, READER_TIMEOUT_S)
    try:
        if database.is_known():
            return database
    except StoreError:
        pass
    database.close()
    return None
