"""The only module that reads a clock."""

import threading
import time
from contextlib import suppress
from typing import Protocol

from monitoring.units import NS_PER_MS

STEP_NS = 500 * NS_PER_MS
"""A larger difference between the wall clock and the monotonic one means that the clock was set or the machine slept."""


class Stop(Protocol):
    """What ends a wait: an `Event`, or something with the same method."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float) -> bool: ...


class Clock(Protocol):
    """The monitor's time: milliseconds that never run backwards."""

    def now_ms(self) -> int:
        """UTC milliseconds since 1970, by the monitor's own time."""

    def monotonic_ns(self) -> int:
        """Nanoseconds of the monotonic clock."""

    def stamp_ms(self, monotonic_ns: int) -> int:
        """The time of `monotonic_ns`, as `now_ms` would have returned it then."""

    def ahead_ms(self) -> int:
        """The monitor's lead over a wall clock that was set back; 0 when they agree."""

    def start_after(self, last_ms: int | None) -> None:
        """Return only times after `last_ms`, the newest one that is stored anywhere."""

    def wait(self, stop: Stop, seconds: float) -> bool:
        """Wait until `stop` is set (True) or `seconds` are over (False)."""


class StopSignal(threading.Event):
    """An event that a signal handler may set while the thread that it interrupts waits for it. Only one thread may wait.

    `threading.Event.set` takes a lock. If the handler interrupts a `wait` that holds this lock, both wait for ever. Here
    it only releases one. (A `SimpleQueue` would wait for ever if a handler outlasts the timeout, as that of Ctrl-Z does.)
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_set = False
        self._unset = threading.Lock()
        self._unset.acquire()

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        with suppress(RuntimeError):  # it was set before
            self._unset.release()

    def wait(self, timeout: float | None = None) -> bool:
        if not self._is_set:
            self._unset.acquire(timeout=-1 if timeout is None else timeout)
        return self._is_set


class Deadline:
    """A time of the monotonic clock by which something must end."""

    def __init__(self, clock: Clock, at_ns: int) -> None:
        self._clock = clock
        self.at_ns = at_ns

    @classmethod
    def after(cls, clock: Clock, milliseconds: int) -> "Deadline":
        """The deadline this many milliseconds from now."""
        return cls(clock, clock.monotonic_ns() + milliseconds * NS_PER_MS)

    def left_s(self) -> float:
        """The seconds left; 0 when it has passed."""
        return max(0, self.at_ns - self._clock.monotonic_ns()) / 1e9


class SystemClock:
    """The machine's clocks, combined so that stored times only rise.

    It reads the wall clock once and then follows the monotonic clock. If the wall clock jumps forward (it was set, or the
    machine slept), this clock jumps with it, and the time in between is unknown. If the wall clock is set back, this clock
    stays ahead of it, because no time may be used twice. `start_after` ensures the same across restarts.
    """

    def __init__(self) -> None:
        self.monotonic_ns = time.monotonic_ns  # not through a method: each check asks for it 14 times
        self._lock = threading.Lock()
        self._anchor = (time.time_ns(), time.monotonic_ns())

    def start_after(self, last_ms: int | None) -> None:
        """Continue after `last_ms`, the newest stored time, if the clock is behind it."""
        if last_ms is None:
            return
        now_ms = self.now_ms()
        with self._lock:
            wall_ns, mono_ns = self._anchor
            self._anchor = (wall_ns + max(0, last_ms + 1 - now_ms) * NS_PER_MS, mono_ns)

    def ahead_ms(self) -> int:
        ahead_ns = self.now_ms() * NS_PER_MS - time.time_ns()
        return ahead_ns // NS_PER_MS if ahead_ns > STEP_NS else 0

    def now_ms(self) -> int:
        return self.stamp_ms(time.monotonic_ns())

    def stamp_ms(self, monotonic_ns: int) -> int:
        wall_ns, mono_ns = self._current_anchor()
        return (wall_ns + monotonic_ns - mono_ns) // NS_PER_MS

    def wait(self, stop: Stop, seconds: float) -> bool:
        return stop.wait(max(0.0, seconds))

    def _current_anchor(self) -> tuple[int, int]:
        wall_ns, mono_ns = anchor = self._anchor
        now_wall, now_mono = time.time_ns(), time.monotonic_ns()
        if now_wall - (wall_ns + now_mono - mono_ns) <= STEP_NS:
            return anchor
        with self._lock:
            if self._anchor is anchor:
                self._anchor = (now_wall, now_mono)
            return self._anchor
