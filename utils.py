"""What the scripts share: finding the packages, heeding signals, words for people who run them."""

import importlib.util
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from monitoring.display.words import printable
from monitoring.errors import MonitoringError

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


def heed_signals(stop: Callable[[], None], reload: Callable[[], None]) -> None:
    """Ctrl-C and SIGTERM end the program, SIGHUP makes it read its configuration again.

    Both are called in the middle of whatever the main thread does: they may wait for no lock.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop())
    signal.signal(signal.SIGHUP, lambda *_: reload())


def end_at_signals() -> None:
    """SIGTERM and a terminal that is closed end the program as Ctrl-C does: what it leaves behind is cleaned up."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


def warn(text: str) -> None:
    """A line on stderr, harmless whatever names it holds."""
    print(printable(text), file=sys.stderr)
