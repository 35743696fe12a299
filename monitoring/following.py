"""What every program that goes on running does about a configuration that changes."""

from collections.abc import Callable

from monitoring.config import Config, ConfigWatcher
from monitoring.errors import ConfigError


def new_config(watcher: ConfigWatcher | None, say: Callable[[str], None]) -> Config | None:
    """The configuration that has taken the place of the last one; None while there is none, or none that is right.

    What is wrong is said once, all of it. Call it about once a second.
    """
    try:
        return watcher.look() if watcher else None
    except ConfigError as error:
        for problem in [*error.problems, "the configuration stays as it was"]:
            say(problem)
        return None
