"""The processes of a measurement: the target, the monitor, and which core each of them has."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import psutil

from bench.certificates import make_certificate

ROOT = Path(__file__).resolve().parent.parent

APP = ROOT / "monitoringApp.py"

DELAYS_MS = (5, 20, 50, 200)
"""How long the sites take to answer, one after the other."""

HANGING_MS = 3_600_000

STOP_SECONDS = 30.0

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy of the environment is not for loopback


class Core(Enum):
    """Who runs where: the monitor has a core to itself when there are two."""

    MONITOR = 0
    SERVERS = 1

    @property
    def number(self) -> int:
        """Its number among those that this process may use; without a second core there is nothing to part."""
        cores = sorted(os.sched_getaffinity(0))
        return cores[min(self.value, len(cores) - 1)]

    def busy_s(self) -> float:
        """Seconds that this core was busy since the machine started, whoever used it."""
        times = psutil.cpu_times(percpu=True)[self.number]
        return float(times.user + times.nice + times.system + times.irq + times.softirq)


@contextmanager
def pinned(core: Core | None) -> Iterator[None]:
    """Run this thread, and the processes it starts, on one core (None: on any)."""
    before = os.sched_getaffinity(0)
    if core:
        os.sched_setaffinity(0, {core.number})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def delay_us(url: str) -> int:
    """How long the target waits before it answers this address."""
    return int(urlsplit(url).path.split("/")[2]) * 1_000


@dataclass(frozen=True, slots=True)
class TargetReport:
    """What the target measured by path: microseconds from request to answer, and when the first request came."""

    served_us: Mapping[str, Sequence[int]]
    first_ns: Mapping[str, int]


class Target:
    """`bench.target` in a process of its own. `bundle` is the file of certificates that trusts its https."""

    def __init__(self, core: Core | None = Core.SERVERS) -> None:
        self._core = core

    def __enter__(self) -> Self:
        self._directory = tempfile.TemporaryDirectory(prefix="bench-target-")
        certificate, self.bundle = make_certificate(Path(self._directory.name))
        with pinned(self._core):
            self._process = psutil.Popen(
                [sys.executable, "-m", "bench.target", certificate], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        ports = {scheme: int(self._process.stdout.readline()) for scheme in ("http", "https")}
        self._bases = {scheme: f"{scheme}://127.0.0.1:{port}" for scheme, port in ports.items()}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.communicate(timeout=STOP_SECONDS)
        self._directory.cleanup()

    def urls(self, sites: int, scheme: str = "http") -> list[str]:
        """The address of each site; their delays take turns."""
        base = self._bases[scheme]
        return [f"{base}/d/{DELAYS_MS[number % len(DELAYS_MS)]}/{number}" for number in range(sites)]

    def hanging_urls(self, sites: int) -> list[str]:
        """Addresses of sites that take the request and never answer."""
        return [f"{self._bases['http']}/d/{HANGING_MS}/{number}" for number in range(sites)]

    def cpu_s(self) -> float:
        """Seconds of CPU used so far, user and system."""
        return cpu_s(self._process)

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
        with _direct.open(self._bases["http"] + path, timeout=STOP_SECONDS) as answer:
            body: bytes = answer.read()
            return body


class Monitor:
    """`monitoringApp.py -m` with a configuration of its own, watched from outside.

    `options` are those of its command line; what it prints goes to the file `output` beside the configuration.
    `bundle` is the file of certificates it trusts, None: its own. `checkout` is where its code is.
    """

    def __init__(
        self,
        config: Path,
        options: Sequence[str] = ("--silent",),
        core: Core = Core.MONITOR,
        bundle: Path | None = None,
        checkout: Path = ROOT,
    ) -> None:
        self._command = [sys.executable, str(checkout / APP.name), "-m", *options, "-c", str(config)]
        self._checkout = checkout
        self._core = core
        self._environment = os.environ | ({"SSL_CERT_FILE": str(bundle)} if bundle else {})
        self._stop_s: float | None = None
        self.output = config.with_name("output")

    def __enter__(self) -> Self:
        self.started_ns = time.monotonic_ns()
        with pinned(self._core), self.output.open("wb") as output:
            self._process = psutil.Popen(self._command, cwd=self._checkout, env=self._environment, stdout=output)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> float:
        """End it as a service manager does; returns the seconds that took. One that does not end is killed."""
        if self._stop_s is None:
            began_ns = time.monotonic_ns()
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS)
            except psutil.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._stop_s = (time.monotonic_ns() - began_ns) / 1e9
        return self._stop_s

    def cpu_s(self) -> float:
        """Seconds of CPU used so far, user and system."""
        return cpu_s(self._process)

    @property
    def pid(self) -> int:
        return int(self._process.pid)

    def memory_kb(self) -> tuple[int, int]:
        """Resident memory now, and the most there ever was."""
        return self._status("VmRSS"), self._status("VmHWM")

    def tree_kb(self) -> int:
        """Memory of this process and its children, what they share counted once (proportional set size)."""
        found = 0
        for process in (self._process, *self._process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):  # one that has just ended
                found += process.memory_full_info().pss // 1_024
        return found

    def threads(self) -> int:
        return self._status("Threads")

    def _status(self, field: str) -> int:
        """A number of what the kernel tells of this process."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        return int(fields[field].split()[0])


def cpu_s(process: psutil.Process) -> float:
    """Seconds of CPU that a process used so far, user and system."""
    times = process.cpu_times()
    return float(times.user + times.system)


def write_config(directory: Path, urls: Sequence[str], interval_s: int, database: str) -> Path:
    """A configuration of these sites; its local file is `directory/config.db`."""
    path = directory / "config.json"
    websites = [{"URL": url, "checkInterval": interval_s} for url in urls]
    path.write_text(json.dumps({"websites": websites, "database": database}))
    return path
