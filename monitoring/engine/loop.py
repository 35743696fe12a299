"""One thread's loop: what is due now, which sockets are ready, what other threads ask for."""

import heapq
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import count

from monitoring.clock import Clock
from monitoring.engine.readiness import READ, open_readiness

Job = Callable[[], None]

JOBS_A_TURN = 16
"""How many due jobs run before sockets are looked at again: after a stall many are due, and answers must not wait."""


class Loop:
    """Runs jobs at their times and calls back when sockets are ready. All but `call_soon` belongs to its own thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._readiness = open_readiness()
        self._callbacks: dict[int, Callable[[int, int], None]] = {}
        self._jobs: list[tuple[int, int, Job]] = []
        self._order = count()
        self._asked: deque[Job] = deque()
        self._wakes, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        self.watch(self._wakes.fileno(), READ, self._drain)

    def call_at(self, due_ns: int, job: Job) -> None:
        """Run `job` once, when the monotonic clock shows `due_ns`."""
        heapq.heappush(self._jobs, (due_ns, next(self._order), job))

    def call_soon(self, job: Job) -> None:
        """Run `job` in the loop's thread; from any thread."""
        self._asked.append(job)
        with suppress(OSError):  # full: it will wake up anyway; closed: there is nobody left to ask
            self._waker.send(b"\0")

    def watch(self, fd: int, what: int, ready: Callable[[int, int], None]) -> None:
        """Call `ready(fd, what)` whenever this socket is ready; a second call changes what is waited for."""
        (self._readiness.change if fd in self._callbacks else self._readiness.add)(fd, what)
        self._callbacks[fd] = ready

    def forget(self, fd: int) -> None:
        if self._callbacks.pop(fd, None):
            self._readiness.remove(fd)

    def turn(self) -> None:
        """Wait until something happens or is due, serve the sockets that are ready, and do what is due."""
        for fd, what in self._readiness.wait(self._patience_s()):
            if ready := self._callbacks.get(fd):  # an earlier one may have closed it
                ready(fd, what)
        while self._asked:
            self._asked.popleft()()
        for _ in range(JOBS_A_TURN):
            if not self._jobs or self._jobs[0][0] > self._clock.monotonic_ns():
                break
            heapq.heappop(self._jobs)[2]()

    def _patience_s(self) -> float:
        if self._asked:
            return 0.0
        return max(0.0, (self._jobs[0][0] - self._clock.monotonic_ns()) / 1e9) if self._jobs else -1.0

    def _drain(self, _fd: int, _what: int) -> None:
        self._wakes.recv(4_096)

    def close(self) -> None:
        self._readiness.close()
        self._wakes.close()
        self._waker.close()
