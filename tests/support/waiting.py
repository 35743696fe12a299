"""For what real threads and processes do in their own time."""

import os
import threading
from collections.abc import Callable

PATIENCE_S = 20.0

BUSY = 4 if "PYTEST_XDIST_WORKER" in os.environ else 1
"""How much longer something may take while other tests run beside this one; 1 for those marked `timing`, which run alone."""


def eventually(happened: Callable[[], object]) -> None:
    """Ask again and again; fails when it has not happened after a time that is long even for a busy machine."""
    never = threading.Event()
    for _ in range(int(PATIENCE_S / 0.01)):
        if happened():
            return
        never.wait(0.01)
    raise AssertionError("it never happened")
