"""Did the machine itself stand still? A thread that only sleeps, on the monitor's core, and notes when it wakes late."""

import threading
import time
from types import TracebackType
from typing import Self

from bench.processes import Core, pinned

NAP_S = 0.05
NOTICED_S = 0.5


class Standstill:
    """`with Standstill() as still: ...`. `longest_s`: how late it woke at most; `count`: how often over half a second.

    A monitor that starts checks late when nobody else could run either is not to blame.
    """

    def __init__(self) -> None:
        self.longest_s = 0.0
        self.count = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="standstill")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with pinned(Core.MONITOR):
            before_s = time.monotonic()
            while not self._stop.wait(NAP_S):
                now_s = time.monotonic()
                late_s = now_s - before_s - NAP_S
                self.longest_s = max(self.longest_s, late_s)
                self.count += late_s > NOTICED_S
                before_s = now_s

    def __str__(self) -> str:
        return f"at most {self.longest_s:.1f} s, {self.count} times over {NOTICED_S:g} s"
