"""Two sites of which one is to go, and what a purge in this process says."""

from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from monitoring.clock import SystemClock
from monitoring.commands.oneshot.purge import Purge, Terminal, scope_of
from monitoring.config import load_config
from monitoring.config.parsing.durations import moment
from monitoring.models import Alert, CheckResult
from monitoring.storage.influxdb.store import InfluxStore
from monitoring.storage.sqlite.store import LocalStore
from tests.support.forwarded import maintain
from tests.support.influx_databases import address_of, store_at
from tests.support.influxd import Influxd
from tests.support.monitor import local_file, wait_for
from tests.support.monitor import write_config as write_any_config
from tests.support.target import Target, now_ms

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
PATHS = ("/gone", "/stays")
RARELY = {"window": 60, "interval": 60}


def write_config(folder: Path, target: Target, database: str = "sqlite:", **settings: object) -> Path:
    urls = [target.url(path) for path in PATHS]
    return write_any_config(folder, urls, 0.2, database=database, alerting=RARELY, **settings)


def the_past(hosts: Collection[str], hours: int = 3) -> list[CheckResult]:
    """A check of each of these sites every ten seconds, until half an hour ago."""
    until_ms = now_ms() - HOUR_MS // 2
    times = range(until_ms - hours * HOUR_MS, until_ms, 10_000)
    return [CheckResult(host, at_ms, 10_000, 3, 200, 1_000) for at_ms in times for host in hosts]


def fill(config: Path, past: list[CheckResult], alerts: Collection[Alert] = ()) -> None:
    """What earlier runs left in the local file, summarised."""
    with closing(LocalStore(local_file(config))) as store:
        store.append(past, list(alerts), now_ms())
        maintain(store, now_ms())


def purge(
    config: Path, *, site: str | None = None, before: str | None = None, location: str | None = None, yes: bool = True
) -> tuple[int, list[str]]:
    """The exit status, and what was said; run in this process, as `--purge` does it in its own."""
    said: list[str] = []
    clock = SystemClock()
    scope = scope_of(site, before and moment(before), location, clock.now_ms())
    status = Purge(load_config(config, {}), scope, clock, Terminal(said.append, None)).run(yes=yes)
    return status, said


def of(target: Target, path: str, checks: Collection[CheckResult]) -> list[CheckResult]:
    return [check for check in checks if check.host == target.url(path)]


def monitor_goes_on(target: Target) -> None:
    before = target.counts()
    wait_for(lambda: all(target.counts()[path] > before[path] + 4 for path in PATHS), "checks after it")


def sorted_checks(checks: Collection[CheckResult]) -> list[CheckResult]:
    return sorted(checks, key=lambda check: (check.time_ms, check.host))


def influx_of(server: Influxd) -> InfluxStore:
    return store_at(address_of(server, "monitoring"))
