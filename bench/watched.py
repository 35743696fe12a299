"""The monitor on a terminal, as a person runs it for long, with its memory, descriptors and threads watched."""

import fcntl
import os
import pty
import re
import signal
import statistics
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from bench.processes import APP, ROOT, STOP_SECONDS, Core, pinned

ROWS, COLUMNS = 50, 160
NOT_MADE = re.compile(rb"(\d+) checks were not made")
"""What the screen says of slots that the process slept through."""

REMEMBERED = 64
"""So many bytes of what was shown are looked at again: a sentence may come in two pieces."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The monitor at one moment, `at_s` seconds after its start; `wal_bytes`: its write-ahead log."""

    at_s: float
    memory_kb: int
    descriptors: int
    threads: int
    cpu_s: float
    wal_bytes: int


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line through samples by least squares: its rise in an hour, and the standard error of that."""

    an_hour: float
    error: float


def line(samples: Sequence[Sample], value: Callable[[Sample], float]) -> Line:
    """How `value` rises over these samples, at least three."""
    at_h = [sample.at_s / 3_600 for sample in samples]
    values = [value(sample) for sample in samples]
    rise, start = statistics.linear_regression(at_h, values)
    rest = sum((y - start - rise * x) ** 2 for x, y in zip(at_h, values, strict=True))
    spread = sum((x - statistics.fmean(at_h)) ** 2 for x in at_h)
    return Line(rise, (rest / (len(values) - 2) / spread) ** 0.5)


def second_half(samples: Sequence[Sample]) -> Sequence[Sample]:
    return samples[len(samples) // 2 :]


class WatchedMonitor:
    """`monitoringApp.py -m` on a terminal: `with WatchedMonitor(config) as monitor: ... monitor.terminate()`.

    Leaving the `with` block kills what still runs.
    """

    def __init__(self, config: Path) -> None:
        self._config = config
        self._errors = config.with_suffix(".stderr")
        self._wal = config.with_suffix(".db-wal")
        self.not_made = 0

    def __enter__(self) -> Self:
        self._screen, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        environ = {**os.environ, "TERM": "xterm-256color"}
        environ.pop("NO_COLOR", None)
        command = [sys.executable, str(APP), "-m", "-c", str(self._config)]
        with pinned(Core.MONITOR), self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=terminal, stderr=errors
            )
        os.close(terminal)
        self._started_s = time.monotonic()
        self._watched = psutil.Process(self._process.pid)
        self._reader = threading.Thread(target=self._read, name="screen")
        self._reader.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        os.close(self._screen)

    def _read(self) -> None:
        """Take in what is shown until the terminal is closed, and note what it says of checks that were not made."""
        seen = b""
        while piece := self._piece():
            seen = seen[-REMEMBERED:] + piece
            self.not_made = max(self.not_made, *map(int, NOT_MADE.findall(seen)), 0)

    def _piece(self) -> bytes:
        try:
            return os.read(self._screen, 65_536)
        except OSError:  # EIO: nobody has this terminal any more
            return b""

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def sample(self) -> Sample:
        with self._watched.oneshot():
            times = self._watched.cpu_times()
            return Sample(
                at_s=time.monotonic() - self._started_s,
                memory_kb=self._watched.memory_info().rss // 1_024,
                descriptors=self._watched.num_fds(),
                threads=self._watched.num_threads(),
                cpu_s=times.user + times.system,
                wal_bytes=_size(self._wal),
            )

    def terminate(self) -> int:
        """End it as a service manager does; the exit status."""
        if self.alive:
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(STOP_SECONDS)

    def errors(self) -> list[str]:
        """The lines of its stderr."""
        return self._errors.read_text(errors="replace").splitlines()


def _size(file: Path) -> int:
    """In bytes; 0 when there is none, which may change at any moment."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0
