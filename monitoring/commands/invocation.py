"""One run of the program, as its mode sees it."""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from monitoring.config import Config, ConfigWatcher, load_config, parse_urls
from monitoring.display.outputs import warn
from monitoring.errors import MonitoringError
from monitoring.service.systemd import ServiceManager


class App(Protocol):
    """A `MonitoringApp`, as the modes that monitor see it."""

    def run(self, manager: ServiceManager | None = None) -> None: ...

    def stop(self) -> None: ...

    def reload(self) -> None: ...


MakeApp = Callable[..., App]
"""Takes what `MonitoringApp` takes."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """What the command line asks for, the environment, what makes the monitor, and what the program is called."""

    arguments: argparse.Namespace
    environ: Mapping[str, str]
    make_app: MakeApp
    program: str = "monitoringApp.py"

    def load(self) -> tuple[Config, ConfigWatcher]:
        """The configuration, its warnings said on stderr, and what notices its changes. Raises `ConfigError`."""
        if self.arguments.urls:
            path = _state_directory(self.environ) / "monitor.json"  # there is no such file: nothing to follow
            load = partial(parse_urls, self.arguments.urls, self.environ, path, self.arguments.database)
        else:
            path = self.arguments.config or Path("config.json")
            load = partial(load_config, path, self.environ, self.arguments.database)
        config = load()
        for warning in config.warnings:
            warn(warning)
        return config, ConfigWatcher(path, load, config)


def _state_directory(environ: Mapping[str, str]) -> Path:
    """Where a user's programs keep what they have measured, made where it is missing. Raises `MonitoringError`."""
    named = Path(environ.get("XDG_STATE_HOME", ""))
    base = named if named.is_absolute() else Path(environ.get("HOME", "/")) / ".local" / "state"
    directory = base / "website-monitor"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise MonitoringError(f"{directory}: {error.strerror}") from None
    return directory
