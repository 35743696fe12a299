"""What the scripts share: finding the packages, and asking for a window."""

import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from monitoring.clock import Clock
from monitoring.errors import MonitoringError
from monitoring.models import Site, SiteStatus, Window
from monitoring.report import StatsReport
from monitoring.rounds import stats_report

if TYPE_CHECKING:  # stores are imported when they are opened: `--help` needs none
    from monitoring.store.replicated import ReplicatedStore

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


def query_window(
    store: "ReplicatedStore",
    clock: Clock,
    length_ms: int,
    sites: Sequence[Site],
    status_of: Callable[[Site, int], SiteStatus],
) -> StatsReport:
    """The statistics over the `length_ms` before now: a row a site, also for sites with nothing in the window."""
    window = Window.before(clock.now_ms(), length_ms)
    store.settle()  # after the window's end: what had ended by then is in the answer
    found, source = store.ask(lambda reader: reader.stats(window))
    return stats_report(window, source.kind, found, sites, status_of)
