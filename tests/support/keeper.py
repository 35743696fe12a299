"""A process that writes a local file and deletes what is older than a day, until it is killed."""

import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from monitoring.clock import SystemClock
from monitoring.models import CheckResult
from monitoring.store.journal import Journal
from monitoring.store.local import LocalStore

DAY_MS = 86_400_000


def keep(file: Path) -> None:
    """Write a check every few milliseconds, and say the times of those that were committed."""
    clock, store = SystemClock(), LocalStore(file)
    store.keep(DAY_MS, DAY_MS)
    journal = Journal(store, clock, lambda: None)
    journal.start()
    while True:
        times = []
        for _ in range(5):
            times.append(clock.now_ms())
            journal.append(CheckResult("now", times[-1], 5, 0, 200, 1))
            time.sleep(0.005)
        if journal.flush(5):
            print(*times, flush=True)  # noqa: T201 - to the test that started it


class Keeper:
    """`with Keeper(file) as keeper: ... keeper.kill()`; `committed` are the times of checks that it said were stored."""

    def __init__(self, file: Path) -> None:
        self._command = [sys.executable, "-m", "tests.support.keeper", str(file)]
        self.committed: list[int] = []

    def __enter__(self) -> Self:
        root = Path(__file__).resolve().parents[2]
        self._process = subprocess.Popen(self._command, cwd=root, stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout
        with self._process.stdout as lines:
            for line in lines:
                self.committed += map(int, line.split())


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
