"""Many transfers of libcurl at once, on a loop.

One multi handle for all: what it keeps (parsed certificates above all, about 0.5 MB) is there once, not for each site.
"""

import heapq
from collections.abc import Callable

import pycurl

from monitoring.checks.schedule import NS_PER_MS
from monitoring.clock import Clock
from monitoring.engine.loop import Loop
from monitoring.steps import Ended

_WANTED = {pycurl.POLL_IN: 1, pycurl.POLL_OUT: 2, pycurl.POLL_INOUT: 3}


class Transfers:
    """Performs the transfers of many handles; tells each one's end once."""

    def __init__(self, loop: Loop, clock: Clock) -> None:
        self._loop = loop
        self._clock = clock
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        self._ends: dict[pycurl.Curl, Callable[[Ended], None]] = {}
        self._due_ns: int | None = None  # when libcurl wants to be called
        self._waking_ns: list[int] = []  # when the loop will wake us up; a heap

    def start(self, handle: pycurl.Curl, ended: Callable[[Ended], None]) -> None:
        """Begin the transfer that this handle is set up for."""
        self._ends[handle] = ended
        self._multi.add_handle(handle)

    def abandon(self, handle: pycurl.Curl) -> None:
        """End a transfer without telling anyone."""
        if self._ends.pop(handle, None):
            self._multi.remove_handle(handle)

    def close(self) -> None:
        for handle in tuple(self._ends):
            self.abandon(handle)
        self._multi.close()

    def _watch(self, wanted: int, fd: int, _multi: object, _data: object) -> None:
        """libcurl's wish to hear of a socket, or no more."""
        if wanted == pycurl.POLL_REMOVE:
            self._loop.forget(fd)
        else:
            self._loop.watch(fd, _WANTED[wanted], self._ready)

    def _set_timer(self, in_ms: int) -> None:
        """libcurl's wish to be called after so long; a negative one takes the last wish back."""
        self._due_ns = None if in_ms < 0 else self._clock.monotonic_ns() + in_ms * NS_PER_MS
        self._tell_loop()

    def _tell_loop(self) -> None:
        """The loop is told only of a wish that comes before all it knows of: woken too early, we wait again."""
        if self._due_ns is not None and (not self._waking_ns or self._due_ns < self._waking_ns[0]):
            heapq.heappush(self._waking_ns, self._due_ns)
            self._loop.call_at(self._due_ns, self._on_time)

    def _on_time(self) -> None:
        heapq.heappop(self._waking_ns)
        if self._due_ns is not None and self._due_ns <= self._clock.monotonic_ns():
            self._due_ns = None
            self._act(pycurl.SOCKET_TIMEOUT, 0)
            if self._due_ns is None:  # libcurl repeats no wish; called a little early, it would wait for ever
                self._set_timer(self._multi.timeout())
        self._tell_loop()

    def _ready(self, fd: int, what: int) -> None:
        self._act(fd, what)

    def _act(self, fd: int, what: int) -> None:
        _, running = self._multi.socket_action(fd, what)
        more = running < len(self._ends)  # else none has ended
        while more:
            queued, well, badly = self._multi.info_read()
            for handle in well:
                self._end(handle, Ended())
            for handle, code, text in badly:
                self._end(handle, Ended(code, text))
            more = queued > 0

    def _end(self, handle: pycurl.Curl, how: Ended) -> None:
        self._multi.remove_handle(handle)
        self._ends.pop(handle)(how)
