"""Checkers of sites that answer at once, or as a test says."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from monitoring.checks.checker import Prober
from monitoring.checks.checkers import Checkers, MakeProbe
from monitoring.checks.network import Network
from monitoring.clock import SystemClock
from monitoring.models import CheckResult, ProbeResult, Site
from tests.support.driving import Seeing

FINE = ProbeResult(200, 1)


def quick(then: Callable[[], object] = lambda: None) -> Prober:
    """Answers at once, after whatever else it is told to do."""

    def see() -> ProbeResult:
        then()
        return FINE

    return Seeing(see)


def quick_ones(_site: Site, _network: Network) -> Prober:
    return quick()


@contextmanager
def running(make_probe: MakeProbe, sites: Sequence[Site], found: list[CheckResult]) -> Iterator[Checkers]:
    checkers = Checkers(make_probe, found.append, SystemClock())
    checkers.start(sites)
    try:
        yield checkers
    finally:
        checkers.stop()


def sites(count: int, interval_ms: int = 20, url: str = "http://site/", timeout_ms: int = 10_000) -> list[Site]:
    return [Site(f"site {number}", url, interval_ms=interval_ms, timeout_ms=timeout_ms) for number in range(count)]


def count_of(host: str, found: Sequence[CheckResult]) -> int:
    return sum(result.host == host for result in found)


def checker_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("checker")]
