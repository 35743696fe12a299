"""The service manager hears that we have started, live and end, and hears nothing while something stands still."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitoring.service import systemd as notify
from monitoring.service.systemd import ServiceManager
from tests.support.clock import FakeClock
from tests.support.systemd import Systemd


@pytest.fixture(params=["a file", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Systemd]:
    name = f"monitoring-test-{os.getpid()}"
    file = str(tmp_path / "notify")
    with Systemd(file if request.param == "a file" else f"@{name}") as systemd:
        yield systemd


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_start_life_and_end_are_told(systemd: Systemd) -> None:
    notify.ready(systemd.environ, "4 sites")
    notify.alive(systemd.environ)
    notify.stopping(systemd.environ)
    assert systemd.heard() == ["READY=1\nSTATUS=4 sites", "WATCHDOG=1", "STOPPING=1"]


def test_a_status_is_one_line_whatever_it_holds(systemd: Systemd) -> None:
    """A line break in it would let an error text of someone else's server speak for us."""
    notify.alive(systemd.environ, "refused\nMAINPID=1\x1b[2J" + "x" * 1_000)
    (heard,) = systemd.heard()
    assert heard.startswith("WATCHDOG=1\nSTATUS=refused MAINPID=1 [2Jxxx")
    assert len(heard) < 600


@pytest.mark.parametrize(
    "environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}, {"NOTIFY_SOCKET": "/no/such"}]
)
def test_without_a_manager_that_listens_nothing_happens(environ: dict[str, str]) -> None:
    notify.ready(environ)
    notify.alive(environ)
    notify.stopping(environ)


def test_a_manager_that_never_reads_holds_nobody_up(systemd: Systemd) -> None:
    for _ in range(10_000):
        notify.alive(systemd.environ, "x" * 400)
    assert 0 < len(systemd.heard()) < 10_000


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"WATCHDOG_USEC": "5000000"}, 5_000_000),
        ({"WATCHDOG_USEC": "5000000", "WATCHDOG_PID": str(os.getpid())}, 5_000_000),
        ({"WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "1"}, None),  # meant for the process that started us
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_limit_is_what_the_manager_says_to_this_process(environ: dict[str, str], expected: int | None) -> None:
    assert notify.watchdog_us(environ) == expected


def test_life_is_told_four_times_within_the_limit(systemd: Systemd, clock: FakeClock) -> None:
    told = ServiceManager(systemd.environ, clock.monotonic_ns)
    for _ in range(60):
        told.step()
        clock.advance(1)
    assert systemd.heard() == ["WATCHDOG=1"] * 4


def test_nobody_is_told_of_a_life_that_nobody_watches(systemd: Systemd, clock: FakeClock) -> None:
    told = ServiceManager({"NOTIFY_SOCKET": systemd.environ["NOTIFY_SOCKET"]}, clock.monotonic_ns)
    assert not told.step()
    assert systemd.heard() == []


def test_work_that_does_not_end_silences_the_main_loop(systemd: Systemd, clock: FakeClock) -> None:
    """The display is stuck: the main loop is well, but the monitor is not. Once it goes on, so does life."""
    told = ServiceManager(systemd.environ, clock.monotonic_ns)
    told.begin("display")
    clock.advance(29)
    assert told.step()
    clock.advance(16)
    assert told.stuck() == ["display"]
    assert not told.step()
    told.end("display")
    assert told.step()


def test_what_has_ended_is_not_stuck(systemd: Systemd, clock: FakeClock) -> None:
    """A loop that turns once an hour is no reason to be killed after a minute."""
    told = ServiceManager(systemd.environ, clock.monotonic_ns)
    told.begin("display")
    told.end("display")
    clock.advance(3_600)
    assert told.step()


def test_work_counts_from_when_it_was_begun_first(systemd: Systemd, clock: FakeClock) -> None:
    """Whoever asks the checkers again and again for a sign of life cannot hide that none comes."""
    told = ServiceManager(systemd.environ, clock.monotonic_ns)
    assert told.begin("checkers")
    for _ in range(40):
        clock.advance(1)
        assert not told.begin("checkers")
    assert told.stuck() == ["checkers"]
    told.end("checkers")
    told.end("checkers")
    assert told.stuck() == []
