"""`python -m bench`: measure, and print what was measured. See bench/README.md."""

import argparse
import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil
import pycurl
from rich.console import Console

from bench.growth import in_turns, measure_growth, measure_https
from bench.peers import missing_programs, peers_table, ratio_sentences, take_turns
from bench.sites import INTERVAL_S, SitesRun
from bench.split import measure_split
from bench.startup import FEW_SITES, MANY_SITES, measure_help, measure_startup
from bench.tables import fill_sentence, queries_table, sites_table, startup_table, turns_table
from monitoring import __version__

PLAIN_WIDTH = 120
GROWTH = (10, 100, 1_000, 2_000, 4_000)
HTTPS_SITES = (100, 1_000)
PEERS = (("http", 200), ("http", 1_000), ("https", 200), ("https", 1_000))
"""Schemes and numbers of sites; thousand by https are more than blackbox_exporter can do on one core."""

SPLIT_SITES = 2_000


class Bench:
    """What is asked for, where the results go, and where one reads how far it has come."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._sizes: Sequence[int] = arguments.sites
        self._seconds: int = arguments.seconds
        self._with_queries: bool = not arguments.skip_queries
        self._checkouts = in_turns(arguments.against, arguments.turns)
        self._console = Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
        self._progress = Console(stderr=True, style="dim", highlight=False)

    def run(self, parts: Sequence[str]) -> None:
        """Measure these parts; each is printed as soon as it is known."""
        began = time.monotonic()
        self._console.print(heading(), "\n")
        for part in parts:
            PARTS[part](self)
        self._console.print(f"measured in {time.monotonic() - began:.0f} s, load after: {os.getloadavg()[0]:.1f}")

    def start(self) -> None:
        self._progress.print("start and end")
        measured = [measure_startup(FEW_SITES), measure_startup(MANY_SITES, repeats=3)]
        self._console.print(startup_table(measure_help(), measured))

    def growth(self) -> None:
        growth = measure_growth(self._sizes, self._seconds, self._with_queries, self._progress, self._checkouts)
        self._show("Growth", growth.runs)
        if growth.costs:
            self._console.print(queries_table(growth.costs))
        for sites, filled in growth.fills.items():
            self._console.print(fill_sentence(sites, filled))

    def https(self) -> None:
        sizes = [sites for sites in self._sizes if sites in HTTPS_SITES]
        self._show("By https", measure_https(sizes, self._seconds, self._progress, self._checkouts))

    def _show(self, title: str, runs: Sequence[SitesRun]) -> None:
        if len(self._checkouts) > 1:
            self._console.print(turns_table(title, runs))
            return
        for store in dict.fromkeys(run.store for run in runs):
            self._console.print(sites_table(title, [run for run in runs if run.store == store]))

    def peers(self) -> None:
        if missing := missing_programs():
            self._console.print(f"not installed, so nothing to compare with: {', '.join(missing)}\n")
            return
        turns = take_turns(PEERS, 1, self._seconds, self._progress)
        self._console.print(peers_table(turns))
        self._console.print(*ratio_sentences(turns), "", sep="\n")

    def split(self) -> None:
        self._progress.print(f"{SPLIT_SITES} sites, split between two monitors")
        self._console.print(sites_table("Two monitors at once", measure_split(SPLIT_SITES, self._seconds)))


PARTS: Mapping[str, Callable[[Bench], None]] = {
    "start": Bench.start,
    "growth": Bench.growth,
    "https": Bench.https,
    "peers": Bench.peers,
    "split": Bench.split,
}


def heading() -> str:
    memory = psutil.virtual_memory().total / 2**30
    cores = len(os.sched_getaffinity(0))
    shared = "the monitor has one to itself" if cores > 1 else "shared by all"
    machine = f"{platform.machine()}, {cores} cores ({shared}), {memory:.0f} GB, {platform.system()}"
    load = f"load before: {os.getloadavg()[0]:.1f}"
    curl = " ".join(pycurl.version.split()[:3])
    return f"monitor {__version__}, Python {platform.python_version()}, {curl}\n{machine}, {load}"


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def whole_intervals(text: str) -> int:
    """Seconds, rounded up to whole intervals: so many slots of each site lie in them, no matter where."""
    return max(1, -(-int(text) // INTERVAL_S)) * INTERVAL_S


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures the monitor on this machine.")
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default: all of them, in this order"
    )
    parser.add_argument("--sites", type=numbers, default=GROWTH, help=f"default: {','.join(map(str, GROWTH))}")
    parser.add_argument("--seconds", type=whole_intervals, default=20, help="how long each run is measured; default: 20")
    parser.add_argument("--against", type=Path, metavar="DIR", help="growth, https: another checkout, measured in turns")
    parser.add_argument("--turns", type=int, default=2, help="how often each of the two is measured; default: 2")
    parser.add_argument("--skip-queries", action="store_true", help="growth: start with empty stores and time no questions")
    arguments = parser.parse_args(argv)
    if unknown := set(arguments.parts) - PARTS.keys():
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return arguments


def main(argv: Sequence[str]) -> None:
    arguments = parse_arguments(argv)
    Bench(arguments).run(arguments.parts or list(PARTS))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # leave no process behind
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
