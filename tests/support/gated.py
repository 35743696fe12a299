"""The program, made to wait in one phase of a round until the test has done something to the world around it.

    python -m tests.support.gated FOLDER PHASE -m -c config.json

The first time that it is in PHASE while the file FOLDER/arm is there it makes FOLDER/reached, and goes on when there is
FOLDER/go. Rounds of statistics come every second or two, so that no test waits long for one.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from monitoring.alerts import evaluator
from monitoring.commands.live import rounds
from monitoring.display.output import outputs, screen_output
from monitoring.storage.delivery.local_first import LocalFirstStore
from monitoring.storage.influxdb.store import InfluxStore
from monitoring.storage.sqlite.reader import FileReader
from tests.support.monitor import ROOT

PATIENCE_S = 60.0

_ANYWHERE = (
    f"import runpy, sys; sys.path[0] = {str(ROOT)!r}; runpy.run_module('tests.support.gated', None, '__main__', True)"
)

CALLED_IN: dict[str, tuple[tuple[type, str], ...]] = {
    "between commit and question": ((LocalFirstStore, "stats"),),
    "during statistics": ((InfluxStore, "stats"), (FileReader, "stats")),
    "during evaluation": ((evaluator.Evaluator, "decide"),),
    "during drawing": ((outputs.JsonOutput, "statistics"), (screen_output.ScreenOutput, "refresh")),
}
"""What is about to be called in each phase."""


class Gate:
    """Waits once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._is_open = False

    def pass_through(self) -> None:
        if self._is_open or not (self._folder / "arm").exists():
            return
        self._is_open = True
        (self._folder / "reached").touch()
        deadline = time.monotonic() + PATIENCE_S
        while not (self._folder / "go").exists() and time.monotonic() < deadline:
            time.sleep(0.001)

    def before(self, owner: type, name: str) -> None:
        """Wait before this method is called."""
        real: Callable[..., Any] = getattr(owner, name)

        def gated(*arguments: Any, **named: Any) -> Any:
            self.pass_through()
            return real(*arguments, **named)

        setattr(owner, name, gated)


def command(folder: Path, phase: str, *arguments: str | Path) -> list[str]:
    """The program with these arguments, gated."""
    return [sys.executable, "-c", _ANYWHERE, str(folder), phase, *map(str, arguments)]


if __name__ == "__main__":
    gate = Gate(Path(sys.argv[1]))
    for owner, name in CALLED_IN[sys.argv[2]]:
        gate.before(owner, name)
    rounds.ROUNDS_MS.update({600_000: 1_000, 3_600_000: 2_000})
    from monitoring.commands.program import main

    sys.exit(main(sys.argv[3:], os.environ))
