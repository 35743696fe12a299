"""How long a person waits: for `--help`, for the first checks and statistics after `-m`, and for the end."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.processes import APP, ROOT, Core, Monitor, Target, pinned, write_config
from bench.sites import INTERVAL_S, START_LIMIT_S

REPEATS = 5
FEW_SITES = 4
MANY_SITES = 1_000
LOOK_S = 0.02


@dataclass(frozen=True, slots=True)
class StartAndEnd:
    """Median seconds, for one number of sites.

    From the start of `-m` to the first check, to the first check of the last site, and until the first statistics are
    printed; from SIGTERM to the exit, and the same while all sites hang.
    """

    sites: int
    first_check_s: float
    all_checks_s: float
    statistics_s: float
    stop_s: float
    hung_stop_s: float


def measure_help() -> float:
    """Median seconds of `--help`."""
    return statistics.median(_help_s() for _ in range(REPEATS))


def measure_startup(sites: int, repeats: int = REPEATS) -> StartAndEnd:
    """Start and end the monitor, so often, with an empty local file each time."""
    measured = [_start_and_end(sites) for _ in range(repeats)]
    first_s, last_s, statistics_s, stop_s = (statistics.median(column) for column in zip(*measured, strict=True))
    return StartAndEnd(
        sites, first_s, last_s, statistics_s, stop_s, statistics.median(_hung_end(sites) for _ in range(repeats))
    )


def _help_s() -> float:
    began = time.perf_counter()
    with pinned(Core.MONITOR):
        subprocess.run([sys.executable, str(APP), "--help"], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def _start_and_end(sites: int) -> tuple[float, float, float, float]:
    """Seconds to the first and to the last first check, to the first statistics, and of the end."""
    with Target() as target, tempfile.TemporaryDirectory() as directory:
        with _started(Path(directory), target.urls(sites)) as monitor:
            statistics_s = _first_statistics_s(monitor)
            target.wait_for(sites, START_LIMIT_S)
            stop_s = monitor.stop()
        moments = target.report().first_ns.values()
        first_s, last_s = ((moment - monitor.started_ns) / 1e9 for moment in (min(moments), max(moments)))
        return first_s, last_s, statistics_s, stop_s


def _hung_end(sites: int) -> float:
    """Seconds of the end while a check of every site is under way that will never be answered."""
    with (
        Target() as target,
        tempfile.TemporaryDirectory() as directory,
        _started(Path(directory), target.hanging_urls(sites)) as monitor,
    ):
        target.wait_for(sites, START_LIMIT_S)
        return monitor.stop()


def _started(directory: Path, urls: Sequence[str]) -> Monitor:
    return Monitor(write_config(directory, urls, INTERVAL_S, "sqlite:"), ("--format", "json"))


def _first_statistics_s(monitor: Monitor) -> float:
    """Seconds from the start until the first line of statistics was printed whole. Raises TimeoutError."""
    while (passed_s := (time.monotonic_ns() - monitor.started_ns) / 1e9) < START_LIMIT_S:
        if any(line.startswith(b'{"kind":"stats"') for line in monitor.output.read_bytes().split(b"\n")[:-1]):
            return passed_s
        time.sleep(LOOK_S)
    raise TimeoutError(f"no statistics within {START_LIMIT_S:.0f} s")
