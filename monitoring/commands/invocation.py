"""One run of the program: the arguments, the environment, and the configuration that they name."""

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from monitoring.config import Config, ConfigWatcher, load_config, parse_urls
from monitoring.config.loading import load_piped, problem_of_local_database
from monitoring.config.lookup import sites_of
from monitoring.config.parsing.files import limited
from monitoring.config.parsing.text import Invalid
from monitoring.display.output.outputs import warn
from monitoring.errors import ConfigError, MonitoringError
from monitoring.service.process import uncollected
from monitoring.service.systemd import ServiceManager
from monitoring.shell import SCRIPT, Program, program_name

if TYPE_CHECKING:
    from monitoring.notifications.notifier import Notifier


class App(Protocol):
    """The interface of `MonitoringApp` for the modes that monitor."""

    def notify_by(self, notifier: "Notifier") -> None: ...

    def run(self, manager: ServiceManager | None = None) -> None: ...

    def stop(self) -> None: ...

    def reload(self) -> None: ...


MakeApp = Callable[..., App]
"""Takes the arguments of `MonitoringApp`."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """The arguments of the command line, the environment, and the factory of the monitor. `page` as in `Program`."""

    arguments: argparse.Namespace
    environ: Mapping[str, str]
    make_app: MakeApp
    page: str = ""

    def load(self, site: str | None = None) -> tuple[Config, ConfigWatcher]:
        """Load the configuration and print its warnings to stderr. The watcher notices changes of its files.

        `site`, in the form of `--site`, limits it to one site or to some. Raises `ConfigError`.
        """
        if self.arguments.urls:
            path = _state_directory(self.environ) / "monitor.json"  # this file does not exist, so there are no changes
            load = partial(parse_urls, self.arguments.urls, self.environ, path, self.arguments.database)
        elif is_piped(path := self.arguments.config or Path("config.json")):
            raw, local = _read_piped(path), _state_directory(self.environ) / "standard-input.db"
            called = Path("standard input") if str(path) == "-" else path
            load = partial(load_piped, called, raw, local, self.environ, self.arguments.database)
        else:
            if self.arguments.config is None and _is_missing(path):
                raise ConfigError([f"{path}: {self._no_configuration()}"])
            load = partial(load_config, path, self.environ, self.arguments.database)
        if self.arguments.local_database is not None:
            load = partial(_with_file, self.arguments.local_database, path, load)
        if site is not None:
            load = partial(_only, site, load)
        load = partial(_started_by, self.program, load)
        with uncollected():
            config = load()
        for warning in config.warnings:
            warn(warning)
        return config, ConfigWatcher(path, load, config)

    @property
    def options(self) -> tuple[str, ...]:
        """The options that choose the configuration and the stores."""
        arguments = self.arguments
        given = {"-c": arguments.config, "--local-database": arguments.local_database, "--database": arguments.database}
        return tuple(word for flag, value in given.items() if value is not None for word in (flag, str(value)))

    @property
    def program(self) -> Program:
        """How the program was started. Nobody may read an address with a password in a message, so that is left out."""
        config, urls, options = self.arguments.config, tuple(self.arguments.urls), self.options
        if "@" in (self.arguments.database or ""):
            options = options[: options.index("--database")]
        is_repeatable = not (config and is_piped(config)) and not any("@" in url for url in urls)
        return Program(_words(sys.argv[0]), options, urls, is_repeatable, self.page)

    def _no_configuration(self) -> str:
        """A hint for newcomers."""
        bare = Program(self.program.words)
        return (
            f"there is no such file; {bare.command('-m', 'https://example.org')} needs none, the smallest one is "
            '{"websites": [{"URL": "https://example.org"}]}, and '
            f"{bare.command('--import', 'FILE')} makes one of another program's"
        )

    @property
    def local_file_hint(self) -> str:
        """A hint for the case that another monitor writes the local file: all monitors without a configuration share one."""
        shares = self.arguments.urls and self.arguments.local_database is None
        return "; --local-database FILE gives this one a file of its own" if shares else ""


def _words(typed: str) -> tuple[str, ...]:
    """What starts the program again that was started as `typed`; nothing if that is not its name."""
    if not SCRIPT.exists():
        found = shutil.which(program_name())
        is_on_path = found is not None and os.path.realpath(found) == os.path.realpath(typed)
        return (program_name(),) if is_on_path else (typed,)
    if os.path.realpath(typed) != str(SCRIPT):
        return ()
    path = typed if "/" in typed else f"./{typed}"
    return (path,) if os.access(path, os.X_OK) else (sys.executable, path)


def _is_missing(path: Path) -> bool:
    """Does the file certainly not exist? One that may not be looked at might."""
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def is_piped(path: Path) -> bool:
    """Is this standard input or a pipe, which can be read only once and has no folder for the local file?"""
    is_descriptor = str(path).startswith(("/dev/stdin", "/dev/fd/", "/proc/"))  # /dev/shm has ordinary files
    try:
        return str(path) == "-" or is_descriptor or path.is_fifo()
    except (OSError, ValueError):  # not a valid name: the error comes when it is read
        return False


def _read_piped(path: Path) -> bytes:
    try:
        with nullcontext(sys.stdin.buffer) if str(path) == "-" else path.open("rb") as file:
            return limited(file)
    except Invalid as error:
        raise ConfigError([f"{path}: {error}"]) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None


def _with_file(local: Path, path: Path, load: Callable[[], Config]) -> Config:
    if problem := problem_of_local_database(local, path):
        raise ConfigError([f"--local-database: {problem}"])
    return replace(load(), local_database=local)


def _started_by(program: Program, load: Callable[[], Config]) -> Config:
    return load().started_by(program)


def _only(asked: str, load: Callable[[], Config]) -> Config:
    config = load()
    return replace(config, sites=sites_of(asked, config.sites, "--site"))


def _state_directory(environ: Mapping[str, str]) -> Path:
    """The folder for the user's stored checks, created if it is missing. Raises `MonitoringError`."""
    named = Path(environ.get("XDG_STATE_HOME", ""))
    base = named if named.is_absolute() else Path(environ.get("HOME", "/")) / ".local" / "state"
    directory = base / "website-monitor"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise MonitoringError(f"{directory}: {error.strerror}") from None
    return directory
