"""A site's schedule: checks come at their rate, and every slot is accounted for."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

from monitoring.checks.checker import Checker
from monitoring.checks.schedule import Slot, changed_slot
from monitoring.clock import Stop
from monitoring.errors import CheckAbandoned
from monitoring.models import Cause, CheckResult, ProbeResult, Site
from tests.support.clock import FakeClock
from tests.support.driving import Seeing, live

SITE = Site("site", "http://site/", interval_ms=2_000, timeout_ms=10_000)
SEEN = ProbeResult(503, 1_500, (1, 2, None, 4, 5), Cause.STATUS, "status 503")


class LateClock(FakeClock):
    """Wakes the checker this much later than it asked for, and notes how long it waited."""

    def __init__(self, late_s: Sequence[float] = ()) -> None:
        super().__init__(now_ms=1_000_000)
        self._late_s = iter(late_s)
        self.waits: list[float] = []

    def wait(self, stop: Stop, seconds: float) -> bool:
        self.waits.append(seconds)
        return super().wait(stop, seconds + next(self._late_s, 0))


def run(takes_s: Sequence[float], late_s: Sequence[float] = (), site: Site = SITE) -> tuple[Checker, list[CheckResult]]:
    """Let a checker whose first slot is at once make checks that take so long, in seconds."""
    clock, found, left_s = LateClock(late_s), list[CheckResult](), iter(takes_s)

    def see() -> ProbeResult:
        clock.advance(next(left_s))
        return SEEN

    checker = live(site, see, clock, found.append)
    assert isinstance(checker.crash, StopIteration)
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
    clock, found, steps_s = LateClock(), list[CheckResult](), iter([-3_600, 0])

    def see() -> ProbeResult:
        clock.step_wall(next(steps_s))
        return SEEN

    live(SITE, see, clock, found.append)
    assert [result.time_ms for result in found] == [1_000_000, 1_000_001]


def test_what_a_request_waits_inside_the_monitor_is_lag_and_not_the_sites() -> None:
    clock, found = LateClock([0.25]), list[CheckResult]()
    seen = iter([replace(SEEN, waited_us=3_000)])
    live(SITE, lambda: next(seen), clock, found.append)
    assert [(result.lag_us, result.response_us) for result in found] == [(253_000, 1_500)]


def test_an_abandoned_check_is_unknown_and_counted() -> None:
    """Nobody saw how the site was: neither up nor down is recorded."""
    clock, found = LateClock(), list[CheckResult]()

    def seen() -> Iterator[ProbeResult]:
        yield SEEN
        clock.advance(3)
        raise CheckAbandoned

    results = seen()
    checker = live(SITE, lambda: next(results), clock, found.append)
    assert [result.time_ms for result in found] == [1_000_000]
    assert checker.missed == 2
    assert checker.crash is not None  # by the check after it


def test_a_shorter_interval_counts_at_once_and_settings_that_change_all_the_time_delay_nothing() -> None:
    hourly = Slot(3_600 * 10**9, 3_600_000)
    assert changed_slot(hourly, 2_000, now_ns=10**9) == Slot(2 * 10**9, 2_000)
    assert changed_slot(Slot(3 * 10**9, 2_000), 3_600_000, now_ns=2 * 10**9) == Slot(3 * 10**9, 3_600_000)


def test_a_site_that_was_checked_rarely_is_checked_often_soon() -> None:
    class Told(LateClock):
        def wait(self, stop: Stop, seconds: float) -> bool:
            if seconds > 3_000:  # it waits for its second check: other settings come
                self.waits.append(seconds)
                self.advance(1)
                checker.change(SITE)
                return True
            if len(found) == 3:
                checker.leave()
                return True
            return super().wait(stop, seconds)

    clock, found = Told(), list[CheckResult]()
    hourly = replace(SITE, interval_ms=3_600_000)
    checker = Checker(hourly, lambda _: Seeing(lambda: SEEN), found.append, clock, 0, lambda _: None, threading.Event())
    checker.run()
    assert checker.crash is None
    assert [result.time_ms - 1_000_000 for result in found] == [0, 2_000, 4_000]


def test_the_first_checks_are_spread_at_random() -> None:
    offsets = [_first_wait_s(interval_ms=60_000, spread_ms=5_000) for _ in range(200)]
    assert all(0 <= offset < 5 for offset in offsets)
    assert max(offsets) - min(offsets) > 2
    assert len(set(offsets)) > 100


def test_the_first_check_comes_within_the_first_interval() -> None:
    assert all(0 <= _first_wait_s(interval_ms=500, spread_ms=20_000) < 0.5 for _ in range(100))


def _first_wait_s(interval_ms: int, spread_ms: int) -> float:
    class FirstWait(FakeClock):
        def wait(self, stop: Stop, seconds: float) -> bool:
            waits.append(seconds)
            checker.leave()
            return True

    waits: list[float] = []
    site = Site("site", "http://site/", interval_ms=interval_ms)
    checker = Checker(
        site, lambda _: Seeing(lambda: SEEN), lambda _: None, FirstWait(), spread_ms, lambda _: None, threading.Event()
    )
    checker.run()
    return waits[0]
