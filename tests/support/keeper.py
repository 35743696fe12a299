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
from monitoring.storage.delivery.writer import Writer
from monitoring.storage.sqlite.store import LocalStore

DAY_MS = 86_400_000


def keep(file: Path) -> None:
    """Write a check every few milliseconds, and say the times of those that were committed."""
    clock, store = SystemClock(), LocalStore(file)
    store.set_retention(DAY_MS, DAY_MS)
    writer = Writer(store, clock, lambda: None)
    writer.start()
    while True:
        times = []
        for _ in range(5):
            times.append(clock.now_ms())
            writer.append(CheckResult("now", times[-1], 5, 0, 200, 1))
            time.sleep(0.005)
        if writer.commit(5):
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
