"""The local file of a running monitor: whether it is sound, a full disk, what is said about it."""

import resource
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.support.monitor import (
    Monitor,
    wait_for,
)

NOTICED_S = 15.0
"""Two seconds are promised; a busy machine may take longer."""


def assert_sound(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def wait_for_words(monitor: Monitor, words: str, timeout_s: float = NOTICED_S) -> str:
    """The one line on stderr that has these words."""
    try:
        wait_for(lambda: any(words in line for line in monitor.errors), words, timeout_s)
    except AssertionError as error:
        raise AssertionError("\n".join([str(error), *monitor.errors])) from None
    (line,) = (line for line in monitor.errors if words in line)
    return line


def fill_disk(monitor: Monitor, file: Path) -> None:
    """From now on no file of this process can grow, as on a full disk."""
    size = file.with_name(file.name + "-wal").stat().st_size
    resource.prlimit(monitor.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def free_disk(monitor: Monitor) -> None:
    resource.prlimit(monitor.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
