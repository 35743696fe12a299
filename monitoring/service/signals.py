"""What ends a program and makes it read its configuration again."""

import signal
from collections.abc import Callable


def heed_signals(stop: Callable[[], None], reload: Callable[[], None]) -> None:
    """Ctrl-C and SIGTERM call `stop`, SIGHUP calls `reload`.

    Both are called in the middle of whatever the main thread does: they may wait for no lock.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop())
    signal.signal(signal.SIGHUP, lambda *_: reload())


def end_at_signals() -> None:
    """SIGTERM and a terminal that is closed end the program as Ctrl-C does: what it leaves behind is cleaned up."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
