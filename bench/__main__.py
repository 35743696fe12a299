"""`python -m bench`: measure, and print what was measured. See bench/README.md."""

import argparse
import os
import platform
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pycurl
from rich.console import Console

from bench.processes import Core, Target, pinned
from bench.queries import Cost, Fill, fill, measure
from bench.sites import INTERVAL_S, SitesRun, run_sites
from bench.startup import measure_startup
from bench.tables import fill_sentence, queries_table, sites_table, startup_table
from monitoring import __version__
from monitoring.config import parse_database, site_host
from monitoring.store.influx import InfluxStore
from monitoring.store.local import LocalStore
from monitoring.store.opening import open_database
from tests.support.influxd import Influxd

DATABASE = "monitoring"
PATIENCE_S = 120.0
"""How long a question may take here; the monitor itself would turn to its local file long before."""

PLAIN_WIDTH = 120


@dataclass(frozen=True, slots=True)
class Place:
    """Where one number of sites is measured: the target, the monitor's directory, InfluxDB's address (None: not here)."""

    target: Target
    directory: Path
    influxdb: str | None

    @property
    def databases(self) -> dict[str, str]:
        """The addresses that the monitor is given, by the name of the store."""
        return {"sqlite": "sqlite:"} | ({"influxdb": self.influxdb} if self.influxdb else {})


@contextmanager
def prepared() -> Iterator[Place]:
    with ExitStack() as stack:
        target = stack.enter_context(Target())
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        if shutil.which("influxd") is None:
            yield Place(target, directory, None)
            return
        with pinned(Core.SERVERS):
            server = stack.enter_context(Influxd())
        yield Place(target, directory, server.url(DATABASE))


def ask_both(place: Place, urls: Sequence[str]) -> tuple[Fill, list[Cost]]:
    """Fill the stores of this place and time the questions, on the monitor's core."""
    with ExitStack() as stack:
        stack.enter_context(pinned(Core.MONITOR))
        local = LocalStore(place.directory / "config.db")
        stack.callback(local.close)
        stores: list[LocalStore | InfluxStore] = [local]
        if place.influxdb:
            remote = open_database(parse_database(place.influxdb, {}), PATIENCE_S)
            stack.callback(remote.close)
            remote.prove(local.marker)  # else the monitor would send it the whole hour again
            stores.append(remote)
        filled = fill(stores, [site_host(url) for url in urls], time.time_ns() // 1_000_000)
        _forget_outbox(local.path)
        return filled, measure(stores, len(urls), filled.until_ms)


def _forget_outbox(path: Path) -> None:
    """Both stores hold everything already: the monitor must not spend the run on sending it again."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM outbox")


def measure_sites(
    sites: int, seconds: int, with_queries: bool, progress: Console
) -> tuple[list[SitesRun], list[Cost], Fill | None]:
    """All that is measured for one number of sites: the questions first, then the monitor on the stores they filled."""
    filled, costs, runs = None, list[Cost](), list[SitesRun]()
    with prepared() as place:
        urls = place.target.urls(sites)
        if with_queries:
            progress.print(f"{sites} sites: filling the stores and asking")
            filled, costs = ask_both(place, urls)
        for store, database in place.databases.items():
            progress.print(f"{sites} sites: the monitor runs on {store}")
            runs.append(run_sites(place.target, place.directory, urls, database, store, seconds))
    return runs, costs, filled


def heading() -> str:
    memory = psutil.virtual_memory().total / 2**30
    cores = len(os.sched_getaffinity(0))
    shared = "the monitor has one to itself" if cores > 1 else "shared by all"
    machine = f"{platform.machine()}, {cores} cores ({shared}), {memory:.0f} GB, {platform.system()}"
    load = f"load before: {os.getloadavg()[0]:.1f}"
    curl = pycurl.version.split(" OpenSSL")[0]
    return f"monitor {__version__}, Python {platform.python_version()}, {curl}\n{machine}, {load}"


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def whole_intervals(text: str) -> int:
    """Seconds, rounded up to whole intervals: so many slots of each site lie in them, no matter where."""
    return max(1, -(-int(text) // INTERVAL_S)) * INTERVAL_S


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures the monitor on this machine.")
    parser.add_argument("--sites", type=numbers, default=[10, 200, 1_000], help="default: 10,200,1000")
    parser.add_argument("--seconds", type=whole_intervals, default=20, help="how long each run is measured; default: 20")
    parser.add_argument("--skip-queries", action="store_true", help="start with empty stores and time no questions")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> None:
    arguments = parse_arguments(argv)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    progress = Console(stderr=True, style="dim", highlight=False)
    began = time.monotonic()
    console.print(heading(), "\n")
    console.print(startup_table(measure_startup()))
    runs: list[SitesRun] = []
    costs: list[Cost] = []
    sentences: list[str] = []
    for sites in arguments.sites:
        new_runs, new_costs, filled = measure_sites(sites, arguments.seconds, not arguments.skip_queries, progress)
        runs, costs = runs + new_runs, costs + new_costs
        sentences += [fill_sentence(sites, filled)] if filled else []
    console.print(sites_table(runs))
    if costs:
        console.print(queries_table(costs), *sentences, sep="\n")
    console.print(f"\nmeasured in {time.monotonic() - began:.0f} s, load after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main(sys.argv[1:])
