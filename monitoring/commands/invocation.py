"""One run of the program, as its mode sees it."""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from monitoring.config import Config, ConfigWatcher, load_config
from monitoring.display.outputs import warn
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
    """What the command line asks for, the environment, and what makes the monitor."""

    arguments: argparse.Namespace
    environ: Mapping[str, str]
    make_app: MakeApp

    def load(self) -> tuple[Config, ConfigWatcher]:
        """The configuration, its warnings said on stderr, and what notices its changes. Raises `ConfigError`."""
        load = partial(load_config, self.arguments.config, self.environ, self.arguments.database)
        config = load()
        for warning in config.warnings:
            warn(warning)
        return config, ConfigWatcher(self.arguments.config, load, config)
