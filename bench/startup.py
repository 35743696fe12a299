"""How long a person waits: for `--help`, and for the first checks after `-m`."""

import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.processes import APP, ROOT, Core, Monitor, Target, pinned, write_config
from bench.sites import INTERVAL_S, START_LIMIT_S

REPEATS = 5
FEW_SITES = 4


@dataclass(frozen=True, slots=True)
class Startup:
    """Median seconds: `--help`, and from the start of `-m` with four sites to the first and to the last first check."""

    help_s: float
    first_check_s: float
    all_checks_s: float


def measure_startup() -> Startup:
    firsts, lasts = zip(*(_first_checks() for _ in range(REPEATS)), strict=True)
    return Startup(
        help_s=statistics.median(_help_s() for _ in range(REPEATS)),
        first_check_s=statistics.median(firsts),
        all_checks_s=statistics.median(lasts),
    )


def _help_s() -> float:
    began = time.perf_counter()
    with pinned(Core.MONITOR):
        subprocess.run([sys.executable, str(APP), "--help"], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def _first_checks() -> tuple[float, float]:
    """Seconds from the start until the first request of the first and of the last site reached the target."""
    with Target() as target, tempfile.TemporaryDirectory() as directory:
        config = write_config(Path(directory), target.urls(FEW_SITES), INTERVAL_S, "sqlite:")
        with Monitor(config) as monitor:
            target.wait_for(FEW_SITES, START_LIMIT_S)
        moments = target.report().first_ns.values()
        return (min(moments) - monitor.started_ns) / 1e9, (max(moments) - monitor.started_ns) / 1e9
