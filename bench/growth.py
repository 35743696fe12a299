"""The same measurement for more and more sites: the questions on filled stores, then the monitor on these stores."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console

from bench.places import Place, prepared
from bench.processes import ROOT, Core, pinned
from bench.queries import HOUR_MS, Cost, Fill, fill, measure
from bench.sites import SitesRun, Task, run_tasks
from monitoring.clock import SystemClock
from monitoring.config import parse_database, site_host
from monitoring.storage.backends import open_backend
from monitoring.storage.base import Backend, Reader
from monitoring.storage.delivery.forwarder import Forwarder
from monitoring.storage.sqlite.store import LocalStore

PATIENCE_S = 120.0
"""How long a question may take here; the monitor itself would turn to its local file long before."""

WHOLE_HOUR_SITES = 1_000
"""Up to so many sites the stores are filled with an hour of checks; for more with the ten minutes shown most often."""

SHORT_MS = 600_000


@dataclass(slots=True)
class Growth:
    """All that was measured for some numbers of sites."""

    runs: list[SitesRun] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)
    fills: dict[int, Fill] = field(default_factory=dict)


def in_turns(other: Path | None, turns: int) -> list[Path]:
    """The checkouts whose monitors run one after the other: this one, or another and this one so many times each.

    Who came second comes first the next time: what changes on the machine meanwhile falls on both.
    """
    if other is None:
        return [ROOT]
    return [checkout for turn in range(turns) for checkout in ((other, ROOT), (ROOT, other))[turn % 2]]


def measure_growth(
    sizes: Sequence[int], seconds: int, with_queries: bool, progress: Console, checkouts: Sequence[Path] = (ROOT,)
) -> Growth:
    """For each number of sites: fill both stores and ask, then run the monitor on each of them.

    The monitors of several checkouts run in turns on the same stores, filled by this one: all must be able to read them.
    """
    growth = Growth()
    for sites in sizes:
        with prepared() as place:
            urls = place.target.urls(sites)
            if with_queries:
                progress.print(f"{sites} sites: filling the stores and asking")
                growth.fills[sites], costs = _ask_both(place, urls)
                growth.costs += costs
            for store, database in place.databases.items():
                for checkout in checkouts:
                    progress.print(f"{sites} sites: the monitor of {checkout.name} runs on {store}")
                    task = Task(place.directory, urls, database, store, checkout=checkout)
                    growth.runs += run_tasks(place.target, [task], seconds)
    return growth


def measure_https(
    sizes: Sequence[int], seconds: int, progress: Console, checkouts: Sequence[Path] = (ROOT,)
) -> list[SitesRun]:
    """The same by https, on an empty local file; nobody shares the target's core."""
    runs: list[SitesRun] = []
    for sites in sizes:
        for checkout in checkouts:
            progress.print(f"{sites} sites: the monitor of {checkout.name}, https")
            with prepared(with_influxdb=False) as place:
                target, urls = place.target, place.target.urls(sites, "https")
                task = Task(place.directory, urls, "sqlite:", "https, sqlite", bundle=target.bundle, checkout=checkout)
                runs += run_tasks(target, [task], seconds)
    return runs


def _ask_both(place: Place, urls: Sequence[str]) -> tuple[Fill, list[Cost]]:
    """Fill the stores of this place and time the questions, on the monitor's core."""
    length_ms = HOUR_MS if len(urls) <= WHOLE_HOUR_SITES else SHORT_MS
    with ExitStack() as stack:
        stack.enter_context(pinned(Core.MONITOR))
        local = LocalStore(place.directory / "config.db")
        stack.callback(local.close)
        filled = fill([local], [site_host(url) for url in urls], time.time_ns() // 1_000_000, length_ms)
        stores: list[Reader] = [local]
        if place.influxdb:
            remote = open_backend(parse_database(place.influxdb, {}), PATIENCE_S)
            stack.callback(remote.close)
            filled = replace(filled, seconds={**filled.seconds, remote.kind: _deliver(local, remote)})
            stores.append(remote)
        return filled, measure(stores, len(urls), filled.until_ms)


def _deliver(local: LocalStore, remote: Backend) -> float:
    """Bring all that is stored to the database as the monitor does; returns the seconds that took.

    Raises RuntimeError when the database does not take it.
    """
    forwarder, began = Forwarder(local, remote, SystemClock()), time.perf_counter()
    while forwarder.step():
        pass
    if forwarder.trouble:
        raise RuntimeError(f"the database could not be filled: {forwarder.trouble}")
    return time.perf_counter() - began
