"""Drives checks: by a network thread of their own, or a checker through a life on a clock that is told to go."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from monitoring.checks.checker import Checker
from monitoring.checks.network import Network
from monitoring.clock import Clock, Stop, SystemClock
from monitoring.models import CheckResult, ProbeResult, Site


@contextmanager
def running_network() -> Iterator[Network]:
    network = Network(SystemClock())
    network.start()
    try:
        yield network
    finally:
        network.stop()


class Seeing:
    """Keeps `Prober`: a check's result is whatever `see` returns."""

    def __init__(self, see: Callable[[], ProbeResult]) -> None:
        self.check = see

    def close(self) -> None: ...


class LifeClock:
    """Another clock, at whose end the checker is told to leave."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.checker: Checker | None = None
        self.now_ms, self.monotonic_ns, self.stamp_ms = clock.now_ms, clock.monotonic_ns, clock.stamp_ms
        self.ahead_ms, self.start_after = clock.ahead_ms, clock.start_after

    def wait(self, stop: Stop, seconds: float) -> bool:
        if is_over := self._clock.wait(stop, seconds):
            assert self.checker
            self.checker.leave()
        return is_over


def live(site: Site, see: Callable[[], ProbeResult], clock: Clock, record: Callable[[CheckResult], None]) -> Checker:
    """Let a checker, the first slot of which is now, check until the clock says that it is over.

    Each check takes what `see` takes; what it raises ends the checker.
    """
    life = LifeClock(clock)
    checker = life.checker = Checker(site, lambda _: Seeing(see), record, life, 0, lambda _: None, threading.Event())
    checker.run()  # in this thread: nobody else moves the clock
    return checker
