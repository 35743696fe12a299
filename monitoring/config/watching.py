"""Follows the configuration file while a program runs.

It is looked at once a second instead of being watched through the system's notifications: those do not reach through
network file systems and bind mounts of containers, and one `stat` a second costs nothing.
"""

import os
from collections.abc import Callable
from pathlib import Path

from monitoring.config.settings import Config

Signature = tuple[int, int, int]


class ConfigWatcher:
    """Notices when the file has changed and holds still again: a half-written one does no harm."""

    def __init__(self, path: Path, load: Callable[[], Config], current: Config) -> None:
        """`load` reads the file anew; `current` is what was read from it last."""
        self._path = path
        self._load = load
        self._current = current
        self._read = self._seen = self._signature()
        self._asked = False

    def ask(self) -> None:
        """Read the file at the next look, whether it has changed or not; may be called from a signal handler."""
        self._asked = True

    def look(self) -> Config | None:
        """The new configuration, once; None while there is none. Call it about once a second.

        Raises `ConfigError` once for every content that cannot be used.
        """
        before, self._seen = self._seen, self._signature()
        steady = self._seen == before and self._seen != self._read
        if not (self._asked or steady):
            return None
        self._asked, self._read = False, self._seen
        found = self._load()
        if found == self._current:
            return None
        self._current = found
        return found

    def _signature(self) -> Signature | None:
        """What changes whenever the file does, also when another one takes its place; None without a file."""
        try:
            status = os.stat(self._path)
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns
