"""A thread a site: its checks come at their rate, and nothing a site does can stop the others."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from monitoring.checker import MINIMUM_SPREAD_MS, Checker, CheckerPool, Prober
from monitoring.clock import SystemClock
from monitoring.models import Cause, CheckResult, ProbeResult, Site
from tests.support.clock import FakeClock
from tests.support.waiting import eventually

SITE = Site("site", "http://site/", interval_ms=2_000, timeout_ms=10_000)
SEEN = ProbeResult(503, 1_500, (1, 2, None, 4, 5), Cause.STATUS, "status 503")


@dataclass
class ScriptedProbe:
    """Keeps `Prober`: each check takes the next of these times, in seconds; then the test is over."""

    clock: FakeClock
    takes_s: Sequence[float]
    seen: ProbeResult = SEEN
    closed: int = 0
    _left: Iterator[float] = field(init=False)

    def __post_init__(self) -> None:
        self._left = iter(self.takes_s)

    def check(self) -> ProbeResult:
        self.clock.advance(next(self._left))
        return self.seen

    def close(self) -> None:
        self.closed += 1


class LateClock(FakeClock):
    """Wakes the checker this much later than it asked for, and notes how long it waited."""

    def __init__(self, late_s: Sequence[float] = ()) -> None:
        super().__init__(now_ms=1_000_000)
        self._late_s = iter(late_s)
        self.waits: list[float] = []

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        self.waits.append(seconds)
        return super().wait(stop, seconds + next(self._late_s, 0))


def run(takes_s: Sequence[float], late_s: Sequence[float] = (), site: Site = SITE) -> tuple[Checker, list[CheckResult]]:
    """Let a checker whose first slot is at once run until its probe has no more to do."""
    clock, found = LateClock(late_s), list[CheckResult]()
    probe = ScriptedProbe(clock, takes_s)
    checker = Checker(site, lambda _: probe, found.append, clock, spread_ms=0)
    with pytest.raises(StopIteration):
        checker.run(probe)
    return checker, found


def test_a_result_is_what_the_probe_saw_in_its_place_of_the_schedule() -> None:
    _, found = run([0.1], late_s=[0.25])
    assert found == [CheckResult("site", 1_000_000, 2_000, 250_000, 503, 1_500, SEEN.phases_us, Cause.STATUS, "status 503")]


def test_checks_come_at_a_fixed_rate_whatever_each_takes_and_however_late_it_starts() -> None:
    _, found = run([0.1, 1.5, 0, 0.7], late_s=[0.3, 0, 1.9, 0.001])
    assert [result.time_ms for result in found] == [1_000_000, 1_002_000, 1_004_000, 1_006_000]
    assert [result.lag_us for result in found] == [300_000, 0, 1_900_000, 1_000]
    assert {result.covers_ms for result in found} == {2_000}


def test_a_long_check_covers_the_slots_it_skips() -> None:
    _, found = run([0.1, 5, 10.2, 1.999, 2, 0.1])
    assert [(result.time_ms - 1_000_000, result.covers_ms) for result in found] == [
        (0, 2_000),
        (2_000, 6_000),  # until 7 s: the slots of 4 and 6 s passed
        (8_000, 12_000),  # until 18.2 s
        (20_000, 2_000),
        (22_000, 4_000),  # until exactly 24 s, when the next was due
        (26_000, 2_000),
    ]


def test_a_stalled_check_covers_no_more_than_it_could_have_taken() -> None:
    """The process was stopped for an hour during a check: that hour is nobody's."""
    checker, found = run([0.1, 3_600, 0.1])
    assert [(result.time_ms - 1_000_000, result.covers_ms) for result in found] == [
        (0, 2_000),
        (2_000, 14_000),
        (3_604_000, 2_000),
    ]
    assert checker.missed == 0


def test_slots_slept_through_are_counted_and_not_made_up_for() -> None:
    checker, found = run([0.1, 0.1, 0.1], late_s=[0, 100.5])
    assert [result.time_ms - 1_000_000 for result in found] == [0, 104_000, 106_000]
    assert checker.missed == 51
    assert {result.lag_us for result in found} == {0}


def test_times_rise_even_if_the_clock_does_not() -> None:
    clock, found = LateClock(), list[CheckResult]()
    probe = ScriptedProbe(clock, [0.1] * 3)
    checker = Checker(SITE, lambda _: probe, found.append, clock, spread_ms=0)
    checker.step(probe)
    clock.step_wall(-3_600)
    checker.step(probe)
    checker.step(probe)
    assert [result.time_ms for result in found] == [1_000_000, 1_000_001, 1_000_002]


def test_the_first_checks_are_spread_at_random() -> None:
    offsets = [_first_wait_s(interval_ms=60_000, spread_ms=5_000) for _ in range(200)]
    assert all(0 <= offset < 5 for offset in offsets)
    assert max(offsets) - min(offsets) > 2
    assert len(set(offsets)) > 100


def test_the_first_check_comes_within_the_first_interval() -> None:
    assert all(0 <= _first_wait_s(interval_ms=500, spread_ms=20_000) < 0.5 for _ in range(100))


def _first_wait_s(interval_ms: int, spread_ms: int) -> float:
    clock = LateClock()
    probe = ScriptedProbe(clock, [])
    site = Site("site", "http://site/", interval_ms=interval_ms)
    with pytest.raises(StopIteration):
        Checker(site, lambda _: probe, lambda _: None, clock, spread_ms).run(probe)
    return clock.waits[0]


def test_a_checker_told_to_stop_makes_no_more_checks() -> None:
    clock, found = LateClock(), list[CheckResult]()
    probe = ScriptedProbe(clock, [0.1])
    checker = Checker(SITE, lambda _: probe, found.append, clock, spread_ms=0)
    checker.ask_to_stop()
    checker.start()
    checker.join(10)
    assert not checker.is_alive()
    assert (found, probe.closed, checker.failure) == ([], 1, None)


class Quick:
    """Keeps `Prober`: answers at once, or does what it is told instead."""

    def __init__(self, instead: Callable[[], None] = lambda: None) -> None:
        self._instead = instead

    def check(self) -> ProbeResult:
        self._instead()
        return ProbeResult(200, 1)

    def close(self) -> None: ...


def sites(count: int, interval_ms: int = 20) -> list[Site]:
    return [Site(f"site {number}", "http://site/", interval_ms=interval_ms) for number in range(count)]


def count_of(host: str, found: Sequence[CheckResult]) -> int:
    return sum(result.host == host for result in found)


def test_a_checker_that_dies_is_replaced_and_the_others_never_notice() -> None:
    """Twice: once its probe cannot be made, once it raises in the middle of a check."""
    found: list[CheckResult] = []
    deaths: list[Exception] = [MemoryError("none left"), ValueError("out of order")]

    def make_probe(site: Site) -> Prober:
        if site.host == "site 0" and len(deaths) == 2:
            raise deaths.pop()
        return Quick(lambda: _raise_next(deaths) if site.host == "site 0" else None)

    pool = CheckerPool(make_probe, found.append, SystemClock())
    pool.start(sites(2))
    told: list[str] = []

    def site_0_was_checked() -> bool:
        told.extend(pool.replace_dead())
        return count_of("site 0", found) > 0

    eventually(site_0_was_checked)
    eventually(lambda: count_of("site 1", found) > 3)
    pool.stop()
    assert told == [
        "the checker of site 0 died (ValueError('out of order')) and was replaced",
        "the checker of site 0 died (MemoryError('none left')) and was replaced",
    ]


def _raise_next(deaths: list[Exception]) -> None:
    if deaths:
        raise deaths.pop()


def test_a_site_that_hangs_does_not_disturb_the_others() -> None:
    release, found = threading.Event(), list[CheckResult]()

    def hang() -> None:
        release.wait(30)

    pool = CheckerPool(lambda site: Quick(hang) if site.host == "site 0" else Quick(), found.append, SystemClock())
    pool.start(sites(5))
    eventually(lambda: all(count_of(f"site {number}", found) >= 5 for number in range(1, 5)))
    assert count_of("site 0", found) == 0
    release.set()
    pool.stop()


def test_results_of_a_site_are_handed_on_in_order() -> None:
    found: list[CheckResult] = []
    pool = CheckerPool(lambda _: Quick(), found.append, SystemClock())
    pool.start(sites(3))
    eventually(lambda: len(found) >= 30)
    pool.stop()
    for host in ("site 0", "site 1", "site 2"):
        times = [result.time_ms for result in found if result.host == host]
        assert times == sorted(set(times))


def test_two_thousand_checks_that_hang_are_left_behind_in_two_seconds() -> None:
    release, under_way = threading.Event(), threading.Semaphore(0)

    def hang() -> None:
        under_way.release()
        release.wait(30)

    pool = CheckerPool(lambda _: Quick(hang), lambda _: None, SystemClock())
    pool.start(sites(2_000, interval_ms=MINIMUM_SPREAD_MS))
    try:
        for _ in range(2_000):
            assert under_way.acquire(timeout=20)
        began = time.monotonic()
        pool.stop()
        assert time.monotonic() - began < 2
    finally:
        release.set()
        eventually(lambda: not any(thread.name.startswith("checker") for thread in threading.enumerate()))
