"""The processes of a measurement: the target, the monitor, and which core each of them has."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

ROOT = Path(__file__).resolve().parent.parent
APP = ROOT / "monitoringApp.py"

DELAYS_MS = (5, 20, 50, 200)
"""How long the sites take to answer, one after the other."""

STOP_SECONDS = 30.0

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy of the environment is not for loopback


class Core(Enum):
    """Who runs where: the monitor has a core to itself when there are two."""

    MONITOR = 0
    SERVERS = 1


@contextmanager
def pinned(core: Core) -> Iterator[None]:
    """Run this thread, and the processes it starts, on one core; without a second core there is nothing to part."""
    before = os.sched_getaffinity(0)
    if len(before) > 1:
        os.sched_setaffinity(0, {sorted(before)[core.value]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True, slots=True)
class TargetReport:
    """What the target measured by path: microseconds from request to answer, and when the first request came."""

    served_us: Mapping[str, Sequence[int]]
    first_ns: Mapping[str, int]


class Target:
    """`bench.target` in a process of its own."""

    def __enter__(self) -> Self:
        with pinned(Core.SERVERS):
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bench.target"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        assert self._process.stdout
        self._base = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.communicate(timeout=STOP_SECONDS)

    def urls(self, sites: int) -> list[str]:
        """The address of each site; their delays take turns."""
        return [f"{self._base}/d/{DELAYS_MS[number % len(DELAYS_MS)]}/{number}" for number in range(sites)]

    def seen(self) -> int:
        """How many sites were asked for since the last report."""
        return int(self._get("/seen"))

    def report(self) -> TargetReport:
        """What was measured since the last report; forgotten there."""
        found = json.loads(self._get("/report"))
        return TargetReport(found["served_us"], found["first_ns"])

    def wait_for(self, sites: int, seconds: float) -> None:
        """Wait until so many sites were asked for. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while self.seen() < sites:
            if time.monotonic() > deadline:
                raise TimeoutError(f"only {self.seen()} of {sites} sites were checked within {seconds:.0f} s")
            time.sleep(0.1)

    def _get(self, path: str) -> bytes:
        with _direct.open(self._base + path, timeout=STOP_SECONDS) as answer:
            body: bytes = answer.read()
            return body


class Monitor:
    """`monitoringApp.py -m --silent` with a configuration of its own, watched from outside."""

    def __init__(self, config: Path) -> None:
        self._command = [sys.executable, str(APP), "-m", "--silent", "-c", str(config)]

    def __enter__(self) -> Self:
        self.started_ns = time.monotonic_ns()
        with pinned(Core.MONITOR):
            self._process = subprocess.Popen(self._command, cwd=ROOT)
        self._watched = psutil.Process(self._process.pid)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def cpu_s(self) -> float:
        """Seconds of CPU used so far, user and system."""
        times = self._watched.cpu_times()
        return float(times.user + times.system)

    def memory_kb(self) -> tuple[int, int]:
        """Resident memory now, and the most there ever was."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        return int(fields["VmRSS"].split()[0]), int(fields["VmHWM"].split()[0])


def write_config(directory: Path, urls: Sequence[str], interval_s: int, database: str) -> Path:
    """A configuration of these sites; its local file is `directory/config.db`."""
    path = directory / "config.json"
    websites = [{"URL": url, "checkInterval": interval_s} for url in urls]
    path.write_text(json.dumps({"websites": websites, "database": database}))
    return path
