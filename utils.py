"""Finds the Python packages that the program needs."""

import importlib.util
import os
import sys
from pathlib import Path

from monitoring.errors import MonitoringError

ROOT = Path(__file__).resolve().parent


def enter_environment() -> None:
    """Restart in the virtual environment of the project if this Python lacks the packages.

    Raises `MonitoringError` if they are not installed there either.
    """
    if importlib.util.find_spec("pycurl") and importlib.util.find_spec("influxdb"):
        return
    python = ROOT / ".venv" / "bin" / "python"
    if python.exists() and Path(sys.prefix) != ROOT / ".venv":
        os.execv(python, [str(python), *sys.argv])  # noqa: S606 - our own interpreter, our own arguments
    raise MonitoringError("Python packages are missing: run `make install`, or `pip install -r requirements.txt`")
