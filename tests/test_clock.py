"""One line of time: it may jump ahead, and never runs backwards."""

import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

import monitoring.clock
from monitoring.clock import Deadline, StopSignal, SystemClock
from tests.support.clock import FakeClock

SECOND = 1_000_000_000
HOUR_MS = 3_600_000


class Machine:
    """The two clocks of a machine, set by hand."""

    def __init__(self) -> None:
        self.wall_ns = 1_767_225_600 * SECOND
        self.mono_ns = 42 * SECOND

    def pass_time(self, seconds: float) -> None:
        self.wall_ns += round(seconds * SECOND)
        self.mono_ns += round(seconds * SECOND)

    def set_wall(self, seconds: float) -> None:
        self.wall_ns += round(seconds * SECOND)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    sources = SimpleNamespace(time_ns=lambda: machine.wall_ns, monotonic_ns=lambda: machine.mono_ns)
    monkeypatch.setattr(monitoring.clock, "time", sources)
    return machine


def test_time_passes_as_the_monotonic_clock_says(machine: Machine) -> None:
    clock = SystemClock()
    assert clock.now_ms() == 1_767_225_600_000
    machine.pass_time(1.5)
    assert clock.now_ms() == 1_767_225_601_500
    assert clock.monotonic_ns() == machine.mono_ns
    assert clock.stamp_ms(machine.mono_ns - SECOND) == 1_767_225_600_500


@pytest.mark.parametrize("seconds", [1, 60, 7 * 24 * 3_600])
def test_a_step_forward_is_followed(machine: Machine, seconds: int) -> None:
    """NTP, or a machine that slept: its monotonic clock stood still meanwhile."""
    clock = SystemClock()
    before = clock.now_ms()
    machine.set_wall(seconds)
    assert clock.now_ms() == before + seconds * 1_000
    machine.pass_time(2)
    assert clock.now_ms() == before + seconds * 1_000 + 2_000
    assert clock.ahead_ms() == 0


@pytest.mark.parametrize("seconds", [0.01, 1, 3_600])
def test_a_step_back_never_repeats_a_time(machine: Machine, seconds: float) -> None:
    clock = SystemClock()
    times = [clock.now_ms()]
    machine.set_wall(-seconds)
    for _ in range(5):
        machine.pass_time(1)
        times.append(clock.now_ms())
    assert times == [times[0] + 1_000 * count for count in range(6)]


def test_how_far_the_line_runs_ahead_of_a_clock_that_was_set_back(machine: Machine) -> None:
    clock = SystemClock()
    assert clock.ahead_ms() == 0
    machine.set_wall(-0.4)
    assert clock.ahead_ms() == 0  # what NTP slews away
    machine.set_wall(-3_599.6)
    assert clock.ahead_ms() == HOUR_MS
    machine.set_wall(3_600)
    assert clock.ahead_ms() == 0


def test_back_and_forth_leads_back_to_the_wall_clock(machine: Machine) -> None:
    clock = SystemClock()
    machine.set_wall(-60)
    before = clock.now_ms()
    machine.set_wall(60 + 10)
    assert clock.now_ms() == before + 10_000 == machine.wall_ns // 1_000_000


def test_slow_drift_is_caught_up_in_small_steps(machine: Machine) -> None:
    """A wall clock that runs 1 % fast: the line lags half a second at most, and never goes back."""
    clock, last = SystemClock(), 0
    for _ in range(1_000):
        machine.pass_time(1)
        machine.set_wall(0.01)
        now = clock.now_ms()
        assert last < now
        assert 0 <= machine.wall_ns // 1_000_000 - now <= 500
        last = now


def test_after_a_restart_the_line_begins_after_what_is_stored(machine: Machine) -> None:
    """The clock was set back an hour while the monitor was off."""
    stored_ms = machine.wall_ns // 1_000_000 + HOUR_MS
    clock = SystemClock()
    clock.start_after(stored_ms)
    assert clock.now_ms() == stored_ms + 1
    assert clock.ahead_ms() == HOUR_MS + 1
    machine.pass_time(1)
    assert clock.now_ms() == stored_ms + 1_001


@pytest.mark.parametrize("stored_ms", [None, 0, 1_767_225_599_000])
def test_an_older_history_does_not_move_the_line(machine: Machine, stored_ms: int | None) -> None:
    clock = SystemClock()
    clock.start_after(stored_ms)
    assert clock.now_ms() == 1_767_225_600_000


def test_threads_see_one_jump(machine: Machine) -> None:
    clock = SystemClock()
    machine.set_wall(100)
    seen: list[int] = []
    threads = [threading.Thread(target=lambda: seen.append(clock.now_ms())) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen) == {1_767_225_700_000}


def test_waiting_ends_when_told_to(machine: Machine) -> None:
    clock, stop = SystemClock(), threading.Event()
    assert not clock.wait(stop, 0.001)
    assert not clock.wait(stop, -5)
    stop.set()
    assert clock.wait(stop, 3_600)


def test_a_deadline_leaves_time_until_it_has_passed() -> None:
    clock = FakeClock()
    deadline = Deadline.after(clock, 1_500)
    assert deadline.left_s() == 1.5
    clock.advance(1.25)
    assert deadline.left_s() == 0.25
    clock.advance(60)
    assert deadline.left_s() == 0


def test_a_stop_signal_wakes_whoever_waits_and_stays_set() -> None:
    clock, stop = SystemClock(), StopSignal()
    assert not clock.wait(stop, 0)
    threading.Timer(0.05, stop.set).start()
    assert clock.wait(stop, 60)
    assert stop.is_set()
    assert clock.wait(stop, 60)


INTERRUPTED = """
import signal
from monitoring.clock import StopSignal

rings = 0

def ring(*_):
    global rings
    rings += 1
    stop.set()

stop = StopSignal()
signal.signal(signal.SIGALRM, ring)
signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
while rings < 1_000:
    stop.wait(0.0001)
    stop = StopSignal()
signal.setitimer(signal.ITIMER_REAL, 0)
"""


def test_a_signal_handler_may_set_it_at_any_instant_of_the_wait() -> None:
    """A thousand signals while the main thread only waits: at one of them a `threading.Event` waits for itself."""
    root = Path(__file__).resolve().parents[1]
    subprocess.run([sys.executable, "-c", INTERRUPTED], cwd=root, check=True, timeout=60)


OUTLASTED = """
import signal, time
from monitoring.clock import StopSignal

def outlast(*_):
    begun = time.monotonic()
    while time.monotonic() - begun < 0.2:
        pass
    suspensions.append(begun)

suspensions = []
signal.signal(signal.SIGALRM, outlast)
signal.setitimer(signal.ITIMER_REAL, 0.05, 0)
while not suspensions:
    assert not StopSignal().wait(0.1)
"""


def test_a_signal_handler_may_outlast_the_wait() -> None:
    """As that of Ctrl-Z does, until `fg`: then the time is over, and not the beginning of a wait for ever."""
    root = Path(__file__).resolve().parents[1]
    subprocess.run([sys.executable, "-c", OUTLASTED], cwd=root, check=True, timeout=60)
