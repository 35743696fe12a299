"""A real monitor whose wall clock is set by a test. The programs that it starts, which send messages, have the right time.

libfaketime cannot do this: under it Python's `time.sleep` fails now and then, by which Python waits for another program.
"""

import mmap
import struct
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.monitor import ROOT, Monitor
from tests.support.target import now_ms

PROGRAM = """
import mmap, runpy, struct, sys, time
file, root = sys.argv[1:3]
with open(file) as opened:
    shift = mmap.mmap(opened.fileno(), 8, access=mmap.ACCESS_READ)
right = time.time_ns
time.time_ns = lambda: right() + struct.unpack("q", shift)[0]
sys.path[0] = root
del sys.argv[:2]
runpy.run_path(root + "/monitoringApp.py", run_name="__main__")
"""


class MonitorByClock(Monitor):
    """`with MonitorByClock(config, moment_ms) as monitor: ... monitor.set_clock(moment_ms)`."""

    def __init__(self, config: Path, moment_ms: int, *options: str, environ: Mapping[str, str] | None = None) -> None:
        super().__init__(config, *options, environ=environ)
        file = config.with_suffix(".clock")
        file.write_bytes(bytes(8))
        with file.open("r+b") as opened:
            self._shift = mmap.mmap(opened.fileno(), 8)
        self._command = [sys.executable, "-c", PROGRAM, str(file), str(ROOT), *self._command[2:]]
        self.set_clock(moment_ms)

    def set_clock(self, moment_ms: int) -> None:
        """From now on it is this moment, and time goes on from there."""
        self._shift[:] = struct.pack("q", (moment_ms - now_ms()) * 1_000_000)
