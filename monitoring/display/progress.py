"""What a person sees while something takes long: a moving sign on a terminal, elsewhere one plain sentence."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING

from monitoring.display.outputs import warn

if TYPE_CHECKING:
    from rich.status import Status

TERMINAL_S, PLAIN_S = 1.0, 5.0
"""What takes no longer is not worth a word, to a person at a terminal and in a log."""


@contextmanager
def progress(what: str, *, terminal_s: float = TERMINAL_S, plain_s: float = PLAIN_S) -> Iterator[None]:
    """Say on stderr what is done, when the block has taken so long. On a terminal that goes away when it is over."""
    shown: list[Status] = []

    def begin() -> None:
        if not sys.stderr.isatty():
            warn(f"{what} …")
            return
        from rich.console import Console  # late: it is seldom needed

        shown.append(Console(stderr=True).status(what))
        shown[0].start()

    timer = Timer(terminal_s if sys.stderr.isatty() else plain_s, begin)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        for status in shown:
            status.stop()


def size_text(path: Path) -> str:
    """A file with its size: "config.db (2.4 GB)"; without it where there is no file."""
    try:
        size = path.stat().st_size
    except OSError:
        return path.name
    unit, length = next(((unit, length) for unit, length in (("GB", 1e9), ("MB", 1e6)) if size >= length), ("kB", 1e3))
    return f"{path.name} ({size / length:.1f} {unit})"
