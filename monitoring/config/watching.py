"""Follows the files of a configuration while a program runs.

They are looked at once a second instead of being watched through the system's notifications: those do not reach through
network file systems and bind mounts of containers, and one `stat` a second and file costs nothing.
"""

import os
from collections.abc import Callable, Sequence
from glob import escape, glob
from pathlib import Path

from monitoring.config.settings import Config
from monitoring.errors import ConfigError

Version = tuple[int, int, int]
Signature = Sequence[tuple[str, int, int, int]]


class ConfigWatcher:
    """Notices when a file has changed and holds still again: a half-written one does no harm."""

    def __init__(self, path: Path, load: Callable[[], Config], current: Config) -> None:
        """`load` reads the configuration at `path` anew; `current` is what was read last."""
        self._path = path
        self._patterns: Sequence[str] = current.files or [escape(str(path))]
        self._load = load
        self._current = current
        self._read = self._seen = self._signature()
        self._asked = False
        self._twins: list[ConfigWatcher] = []
        self.problems: Sequence[str] = ()
        """What is wrong with the files now; nothing while they can be used."""

    def twin(self) -> "ConfigWatcher":
        """Another one of the same files, for another thread; what this one is asked for, that one does, too."""
        found = ConfigWatcher(self._path, self._load, self._current)
        self._twins.append(found)
        return found

    def ask(self) -> None:
        """Read the files at the next look, whether it has changed or not; may be called from a signal handler."""
        self._asked = True
        for twin in self._twins:
            twin.ask()

    def look(self) -> Config | None:
        """The new configuration, once; None while there is none. Call it about once a second.

        Raises `ConfigError` once for every content that cannot be used.
        """
        before, self._seen = self._seen, self._signature()
        steady = self._seen == before and self._seen != self._read
        if not (self._asked or steady):
            return None
        self._asked, self._read = False, self._seen
        try:
            found = self._load()
        except ConfigError as error:
            self._follow(error.files)
            self.problems = error.problems
            raise
        self.problems = ()
        self._follow(found.files)
        if found == self._current:
            return None
        self._current = found
        return found

    def _follow(self, patterns: Sequence[str]) -> None:
        if patterns and patterns != self._patterns:
            self._patterns = patterns
            self._read = self._seen = self._signature()

    def _signature(self) -> Signature:
        """What changes whenever a file does, also when another one takes its place, when one comes and when one goes."""
        return [
            (file, *version)
            for pattern in self._patterns
            for file in sorted(glob(pattern, recursive=True))
            if (version := version_of(file))
        ]


def version_of(file: str | Path) -> Version | None:
    """What changes whenever the file does, also when another one takes its place; None: there is none."""
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
