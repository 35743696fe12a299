"""Shows that something takes long: a moving sign on a terminal, plain sentences elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, Timer
from typing import TYPE_CHECKING

from monitoring.display.output.outputs import warn

if TYPE_CHECKING:
    from rich.status import Status

TERMINAL_S, PLAIN_S = 1.0, 5.0
"""How long something must take before it is shown, on a terminal and in a log."""


class Progress:
    """Shows what the program does, and how far it is. Nothing is shown before `begin`. `tell` is for any thread."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._how_far = ""
        self._said: str | None = None
        self._status: Status | None = None
        self._lock = Lock()
        self._has_begun = False

    def begin(self) -> None:
        with self._lock:
            self._has_begun = True
            self._say()

    def tell(self, what: str, how_far: str = "") -> None:
        """From now on show this. `how_far` is only for terminals; elsewhere each sentence is printed once."""
        with self._lock:
            self._what, self._how_far = what, how_far
            if self._has_begun:
                self._say()

    def _say(self) -> None:
        if not sys.stderr.isatty():
            if self._what != self._said:
                warn(f"{self._what} …")
                self._said = self._what
            return
        text = f"{self._what}, {self._how_far}" if self._how_far else self._what
        if self._status:
            self._status.update(text)
            return
        from rich.console import Console  # late: rarely needed

        self._status = Console(stderr=True).status(text)
        self._status.start()

    def end(self) -> None:
        if self._status:
            self._status.stop()


@contextmanager
def progress(what: str, *, terminal_s: float = TERMINAL_S, plain_s: float = PLAIN_S) -> Iterator[Progress]:
    """Show on stderr what the block does, once it has taken this long. On a terminal the sign vanishes at the end."""
    shown = Progress(what)
    timer = Timer(terminal_s if sys.stderr.isatty() else plain_s, shown.begin)
    timer.daemon = True  # a signal may interrupt even its start: it must not keep the program from ending
    try:
        timer.start()
        yield shown
    finally:
        timer.cancel()
        if timer.is_alive():
            timer.join()
        shown.end()


def size_text(path: Path) -> str:
    """A file with its size: "config.db (2.4 GB)". Without a file only its name."""
    try:
        size = path.stat().st_size
    except OSError:
        return path.name
    unit, length = next(((unit, length) for unit, length in (("GB", 1e9), ("MB", 1e6)) if size >= length), ("kB", 1e3))
    return f"{path.name} ({size / length:.1f} {unit})"
