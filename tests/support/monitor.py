"""The real monitor, in a process of its own, as a user starts it; and what it leaves in its local file."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, TypeVar

from monitoring.display.text.jsonlines import alert_json
from monitoring.errors import StoreUnavailable
from monitoring.models import Alert, CheckResult, Window
from monitoring.storage.sqlite.reader import FileReader

ROOT = Path(__file__).resolve().parents[2]

FOREVER = Window(0, 7_258_118_400_000)

PATIENCE_S = 60.0
"""How long anything may take that a busy machine can slow down."""

ALERT_IN_TIME_S = 15.0
"""How long an alert may take there; by the rule of `write_config` it is due after two failed checks and 0.6 s."""

STALLED = "not made: this machine was too busy, asleep or out of files"

Found = TypeVar("Found")


def wait_for(condition: Callable[[], Found], what: str, timeout_s: float = PATIENCE_S) -> Found:
    """The first true answer of `condition`, asked again and again; fails the test when there is none in time."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s:g} s: {what}")
        time.sleep(0.02)
    return found


def write_config(folder: Path, urls: Collection[str], interval_s: float = 0.25, **settings: object) -> Path:
    """A configuration that checks `urls` often and decides on alerts within seconds; `settings` are further keys."""
    config = {
        "websites": [{"URL": url} for url in urls],
        "defaultCheckInterval": interval_s,
        "defaultTimeout": 2,  # a longer one would need a longer window
        "alerting": {"threshold": 80, "window": 5, "minimumFailures": 2, "interval": 0.25},
        "database": "sqlite:",
        **settings,
    }
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return path


class Monitor:
    """`monitoringApp.py -m --format json`: `with Monitor(config) as monitor: ... monitor.terminate()`.

    `printed` and `errors` are the lines of stdout and stderr so far; those that only tell of a busy machine are `stalls`.
    Leaving the `with` block kills what still runs.
    """

    def __init__(self, config: Path, *options: str, environ: Mapping[str, str] | None = None) -> None:
        """`options` replace `--format json`."""
        program = [sys.executable, str(ROOT / "monitoringApp.py"), "-m", "-c", str(config)]
        self._command = [*program, *(options or ("--format", "json"))]
        self._environ = {**os.environ, **(environ or {})}
        self.printed: list[str] = []
        self.errors: list[str] = []
        self.stalls: list[str] = []

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # without a terminal, as a service runs; whoever started the tests may have one
        )
        pipes = ((self._process.stdout, self.printed.append), (self._process.stderr, self._hear))
        self._readers = [threading.Thread(target=_collect, args=pair) for pair in pipes]
        for reader in self._readers:
            reader.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process.poll() is None:
            self.kill()

    def _hear(self, line: str) -> None:
        (self.stalls if line.endswith(STALLED) else self.errors).append(line)

    @property
    def pid(self) -> int:
        return self._process.pid

    def objects(self, kind: str) -> list[dict[str, Any]]:
        """The objects of this kind ("alert", "stats") that `--format json` has printed so far."""
        return [found for line in [*self.printed] if (found := json.loads(line))["kind"] == kind]

    def announced(self, transition: str) -> list[dict[str, Any]]:
        """The transitions of one type ("alert" or "recovery") that it has printed so far."""
        return [line for line in self.objects("alert") if line["type"] == transition]

    def wait_for_announcement(self, transition: str) -> None:
        """Wait until it has announced an alert, or a recovery; fails the test when that does not come in time."""
        wait_for(lambda: self.announced(transition), f"the {transition}", ALERT_IN_TIME_S)

    def wait(self) -> int:
        """Wait for its end; the exit status."""
        status = self._process.wait(PATIENCE_S)
        for reader in self._readers:
            reader.join()
        return status

    def terminate(self) -> int:
        """End it as a service manager does; the exit status."""
        self._process.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """End it as a power cut does: `kill -9`."""
        self._process.kill()
        self.wait()


def _collect(pipe: IO[str], take: Callable[[str], None]) -> None:
    with pipe:
        for line in pipe:
            take(line.rstrip("\n"))  # as it comes, not at the end


def local_file(config: Path) -> Path:
    """Where a monitor of this configuration keeps its checks."""
    return config.with_suffix(".db")


@contextmanager
def reading(file: Path) -> Iterator[FileReader]:
    reader = FileReader(file)
    try:
        yield reader
    finally:
        reader.close()


def stored_checks(file: Path) -> list[CheckResult]:
    """Every check in a local file, in order of (time, host)."""
    with reading(file) as reader:
        return list(reader.results(FOREVER))


def stored_alerts(file: Path) -> list[Alert]:
    """Every transition in a local file, in order of (time, host)."""
    with reading(file) as reader:
        return list(reader.alerts(FOREVER))


def wait_for_checks(file: Path, more_than: int = 0) -> None:
    """Wait until a local file, which may not exist yet, holds so many checks."""

    def have_come() -> bool:
        try:
            return len(stored_checks(file)) > more_than
        except StoreUnavailable:  # the monitor is about to make it
            return False

    wait_for(have_come, f"more than {more_than} checks in {file}")


def undelivered(file: Path) -> int:
    """How many checks, alerts and summaries of a local file the database has yet to receive."""
    with reading(file) as reader:
        pending = reader.pending()
        return pending.points + pending.summaries


def as_printed(alerts: Collection[Alert]) -> list[dict[str, Any]]:
    """What `--format json` prints of these transitions (of sites without a name)."""
    return [json.loads(alert_json(alert, None)) for alert in alerts]
