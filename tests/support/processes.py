"""The program in any mode, as people start it: run to its end, or running in a pipe."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil

from tests.support.monitor import PATIENCE_S, ROOT, Monitor, wait_for, write_config

SCRIPT = ROOT / "monitoringApp.py"


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, str(SCRIPT), *map(str, arguments)]


def without_textual(*arguments: str | Path) -> list[str]:
    """The same where textual is not installed."""
    source = (
        "import runpy, sys; sys.modules['textual'] = None; sys.path[0] = sys.argv[1]; del sys.argv[:1];"
        f" runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    )
    return [sys.executable, "-c", source, str(ROOT), *map(str, arguments)]


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a started program: nothing in it decides about colours or widths but `changes`."""
    chosen = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"}
    inherited = {name: value for name, value in os.environ.items() if name not in chosen}
    return {**inherited, "TERM": "xterm-256color", **(changes or {})}


def run_program(*arguments: str | Path, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run it to its end, stdout and stderr in pipes."""
    return subprocess.run(
        command(*arguments), env=environment(environ), capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def has_ended(process: int) -> bool:
    """Whether this process has ended, also where nobody has asked for its exit status yet."""
    try:
        return psutil.Process(process).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def started_with(argument: str) -> list[psutil.Process]:
    """What this test has started, and what that has started in turn, with such an argument, and what has not ended.

    Processes may end between two looks: one that does is left out.
    """
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # a zombie's command cannot be read either
            if argument in process.cmdline():
                found.append(process)
    return found


class Running(Monitor):
    """The program while it runs in a pipe, in any mode: `with Running("-a", "-c", config) as watcher: ...`."""

    def __init__(self, *arguments: str | Path, environ: Mapping[str, str] | None = None) -> None:
        super().__init__(Path(), environ=environment(environ))
        self._command = command(*arguments)

    @property
    def text(self) -> str:
        """What it has printed so far, in one piece."""
        return "\n".join(self.printed)

    def until(self, holds: Callable[[Self], object], timeout_s: float = PATIENCE_S) -> None:
        """Wait until `holds` is true of it."""
        try:
            wait_for(lambda: holds(self), "what was waited for", timeout_s)
        except AssertionError as error:
            raise AssertionError("\n".join([str(error), *self.printed[-30:], *self.errors[-30:]])) from None

    def interrupt(self) -> int:
        """Ctrl-C; the exit status."""
        self._process.send_signal(signal.SIGINT)
        return self.wait()


def write_websites(folder: Path, websites: Sequence[Mapping[str, object]], **settings: object) -> Path:
    """A configuration of these websites that decides within seconds: a check every 0.1 s, a window of 4.5 s."""
    rule = {"threshold": 80, "window": 4.5, "minimumFailures": 2, "interval": 0.2}
    quick = {"defaultCheckInterval": 0.1, "defaultTimeout": 2, "alerting": rule}
    return write_config(folder, (), **{**quick, "websites": websites, **settings})  # type: ignore[arg-type]
