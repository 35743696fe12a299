"""Reloads a configuration whose files change while the program runs.

The files are polled once a second. The system's notifications of changes do not reach through network file systems and
bind mounts of containers, and one `stat` per second and file costs nothing.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from glob import escape, glob
from pathlib import Path

from monitoring.config.settings import Config
from monitoring.errors import ConfigError
from monitoring.models import Site
from monitoring.names import listed

Version = tuple[int, int, int]
Signature = Sequence[tuple[str, int, int, int]]

STAYS = "the previous configuration stays in use"


class ConfigWatcher:
    """Notices when files have changed and then stayed the same for one look, so that none is read half-written."""

    def __init__(self, path: Path, load: Callable[[], Config], current: Config) -> None:
        """`load` reads the configuration at `path` again; `current` is the one that was read last."""
        self._path = path
        self._patterns: Sequence[str] = current.files or [escape(str(path))]
        self._load = load
        self._current = current
        self._read = self._seen = self._signature()
        self._asked = False
        self._twins: list[ConfigWatcher] = []
        self.problems: Sequence[str] = ()
        """Everything that is wrong with the files now; empty while they are valid."""

    def twin(self) -> "ConfigWatcher":
        """A second watcher of the same files, for another thread. A request to this one is passed on to it."""
        found = ConfigWatcher(self._path, self._load, self._current)
        self._twins.append(found)
        return found

    def ask(self) -> None:
        """Read the files at the next look even if they have not changed. May be called from a signal handler."""
        self._asked = True
        for twin in self._twins:
            twin.ask()

    def look(self) -> Config | None:
        """The new configuration, once; None if there is none. Call it about once a second.

        Raises `ConfigError` once for each invalid version of the files.
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
        """Differs after any file has changed, been replaced, been added or been removed."""
        return [
            (file, *version)
            for pattern in self._patterns
            for file in sorted(glob(pattern, recursive=True))
            if (version := version_of(file))
        ]


def version_of(file: str | Path) -> Version | None:
    """Differs after the file has changed or been replaced; None: there is no such file."""
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def new_config(
    watcher: ConfigWatcher | None, say: Callable[[str], None], say_over: Callable[[str], None] | None = None
) -> Config | None:
    """The new configuration, if the files have changed and are valid; else None. Call it about once a second.

    Reports all errors once to `say`, and the end of the errors to `say_over` (None: to `say`).
    """
    if watcher is None:
        return None
    was_wrong = bool(watcher.problems)
    try:
        found = watcher.look()
    except ConfigError as error:
        for problem in [*error.problems, STAYS]:
            say(problem)
        return None
    if was_wrong and not watcher.problems:
        (say_over or say)("the configuration is valid again")
    return found


def config_notes(watcher: ConfigWatcher | None) -> Sequence[str]:
    """The note for the header and for systemd's status while the files are invalid."""
    if watcher is None or not watcher.problems:
        return ()
    first, *others = watcher.problems
    return (f"{first}{f' (and {len(others)} more)' if others else ''}; {STAYS}",)


def change_text(before: Config, after: Config) -> str:
    """A line that says what a new configuration changes."""
    was, now = ({site.host: site for site in config.sites} for config in (before, after))
    numbers = {
        "added": len(now.keys() - was.keys()),
        "removed": len(was.keys() - now.keys()),
        "changed": sum(now[host] != was[host] for host in now.keys() & was.keys()),
    }
    sites = ", ".join(
        [
            f"{len(now)} {'site' if len(now) == 1 else 'sites'}",
            *(f"{number} {what}" for what, number in numbers.items() if number),
        ]
    )
    others = [what for what, value in _OTHERS.items() if value(before) != value(after)]
    return f"new configuration: {sites}" + (f"; changed: {', '.join(others)}" if others else "")


_OTHERS: Mapping[str, Callable[[Config], object]] = {
    "notifications": lambda config: config.notifications,
    "maintenance": lambda config: config.maintenance,
    "retention": lambda config: (config.check_retention_ms, config.alert_retention_ms),
    "alerting.interval": lambda config: config.alert_interval_ms,
}
"""The settings beside the sites that take effect at once."""


def consequences(before: Config, after: Config) -> list[str]:
    """Sentences about changes that need a restart, pause sites, or begin a new history."""
    sentences = [*_new_histories(before.sites, after.sites), *_pauses(before.sites, after.sites)]
    if before.needing_restart != after.needing_restart:
        sentences.append("another database, location or caFile takes effect at the next start")
    return sentences


def _pauses(before: Sequence[Site], after: Sequence[Site]) -> list[str]:
    """Sentences about sites that the new configuration pauses or resumes."""
    known = {site.host: site.enabled for site in before}
    changed = [site for site in after if known.get(site.host, site.enabled) != site.enabled]
    paused, resumed = ([site.host for site in changed if site.enabled is enabled] for enabled in (False, True))
    return [f"{words}: {listed(hosts)}" for words, hosts in (("paused", paused), ("no longer paused", resumed)) if hosts]


def _new_histories(before: Sequence[Site], after: Sequence[Site]) -> list[str]:
    """A sentence for each URL whose websites have other ids now. Their stored checks stay under the old ids."""
    sentences = []
    for address in dict.fromkeys(site.address for site in after):
        was, now = ([site.host for site in sites if site.address == address] for sites in (before, after))
        gone, new = ([host for host in one if host not in other] for one, other in ((was, now), (now, was)))
        if gone and new:
            sentences.append(
                f"{address} is stored as {' and '.join(new)} from now on, no longer as {' and '.join(gone)}:"
                " its history begins anew"
            )
    return sentences
