"""`--check-config`: says what would run; what is wrong is said by whoever catches the `ConfigError`."""

from monitoring.commands.invocation import Invocation
from monitoring.config import describe
from monitoring.display.outputs import say


def run(invocation: Invocation) -> int:
    """The exit status. Raises `ConfigError`."""
    config, _ = invocation.load()
    for line in describe(config):
        say(line)
    return 0
