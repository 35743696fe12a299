"""For what real threads do in their own time."""

import threading
from collections.abc import Callable

PATIENCE_S = 20.0


def eventually(happened: Callable[[], object]) -> None:
    """Ask again and again; fails when it has not happened after a time that is long even for a busy machine."""
    never = threading.Event()
    for _ in range(int(PATIENCE_S / 0.01)):
        if happened():
            return
        never.wait(0.01)
    raise AssertionError("it never happened")
