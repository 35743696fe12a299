"""InfluxDB and the terminal stand still, in every phase of a round: checks, alerts and the end do not wait for them."""

import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import product
from pathlib import Path

import pytest

from monitoring.alerts.rule import evaluate
from monitoring.models import AlertType, CheckResult, Downtime, Window
from monitoring.statistics import reference
from monitoring.thresholds import Rule
from tests.support import gated
from tests.support.influxd import Influxd
from tests.support.monitor import PATIENCE_S, local_file, stored_alerts, stored_checks, wait_for, write_config
from tests.support.processes import environment
from tests.support.servers import RawServer, hang
from tests.support.systemd import Systemd
from tests.support.target import Target, assert_holds_all_asked, by_path
from tests.support.terminal import Terminal
from tests.support.waiting import BUSY

pytestmark = pytest.mark.promise

CHECK_MS, INTERVAL_MS = 250, 250
RULE = Rule(Fraction(80), Fraction(90), window_ms=5_000, minimum_failures=2)
"""As `write_config` sets them."""

LATEST_MS = (2_000 + INTERVAL_MS) * BUSY
"""How long after it was due an alert may be recorded."""

ENDS_WITHIN_S = 2.0 * BUSY

WATCHDOG_S = 2.0

LONGEST_GAP_MS = 2_500 * BUSY
"""Ten intervals between two checks: a stalled machine, not a monitor that waits."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A monitor that runs, what stops that on which it depends, and the two sides of its end."""

    stop: Callable[[], None]
    terminate: Callable[[], None]
    wait: Callable[[], int]


class Pipe:
    """What a monitor prints into, read until it is not any more."""

    def __init__(self) -> None:
        self._reading, self.writing = os.pipe()
        self._goes_on = threading.Event()
        self._goes_on.set()
        self.data = b""
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while self._goes_on.is_set():
            if select.select([self._reading], [], [], 0.01)[0]:
                self.data += os.read(self._reading, 65_536)

    def read_no_more(self) -> None:
        self._goes_on.clear()
        self._thread.join()

    def stop(self) -> None:
        """Read no more, and leave no room in it."""
        self.read_no_more()
        writing = os.open(f"/proc/self/fd/{self.writing}", os.O_WRONLY | os.O_NONBLOCK)  # with a mode of its own
        for size in (4_096, 1):
            try:
                while True:
                    os.write(writing, b"x" * size)
            except BlockingIOError:
                continue
        os.close(writing)

    def close(self) -> None:
        self.read_no_more()
        os.close(self._reading)
        os.close(self.writing)


@contextmanager
def printing(
    folder: Path,
    phase: str,
    config: Path,
    source: str,
    stop: Callable[[Pipe], None],
    environ: Mapping[str, str] | None = None,
) -> Iterator[Stage]:
    """A monitor that prints JSON into a pipe, and has printed statistics from this source."""
    pipe = Pipe()
    command = gated.command(folder, phase, "-m", "--format", "json", "-c", config)
    process = subprocess.Popen(command, env=environment(environ), stdout=pipe.writing, stdin=subprocess.DEVNULL)
    try:
        wait_for(lambda: f'"source":"{source}"'.encode() in pipe.data, f"statistics from {source}")
        yield Stage(lambda: stop(pipe), process.terminate, lambda: process.wait(PATIENCE_S))
    finally:
        process.kill()
        process.wait()
        pipe.close()


@contextmanager
def influxdb(folder: Path, phase: str, target: Target) -> Iterator[Stage]:
    """InfluxDB hangs: it accepts connections and answers nothing."""
    with Influxd() as server:
        config = write_config(folder, urls(target), database=server.url("monitoring"))
        with printing(folder, phase, config, "influxdb", lambda _: server.pause()) as stage:
            yield stage


def pipe(folder: Path, phase: str, target: Target) -> AbstractContextManager[Stage]:
    """Nobody reads the pipe any more, and it is full."""
    return printing(folder, phase, write_config(folder, urls(target)), "local", Pipe.stop)


@contextmanager
def terminal(folder: Path, phase: str, target: Target) -> Iterator[Stage]:
    """Somebody presses Ctrl-S."""
    config = write_config(folder, urls(target))
    with Terminal(100, 30, folder, phase, "-m", "-c", config, program=gated.command) as screen:
        screen.until("statistics", lambda text: "TREND 10m" in text)
        yield Stage(partial(screen.type, b"\x13"), partial(screen.send, signal.SIGTERM), screen.end)


def urls(target: Target) -> list[str]:
    return [target.url("/well"), target.url("/bad")]


def standstills() -> Iterator[object]:
    """Whatever stands still in whatever phase; each once with a stop-watch and nothing beside it."""
    for (number, still), (place, phase) in product(enumerate((influxdb, pipe, terminal)), enumerate(gated.CALLED_IN)):
        yield pytest.param(still, phase, marks=[pytest.mark.timing] * (number == place), id=f"{still.__name__} {phase}")


@pytest.mark.parametrize(("standing_still", "phase"), [*standstills()])
def test_a_standstill_delays_neither_checks_nor_alerts_nor_the_end(
    target: Target,
    tmp_path: Path,
    standing_still: Callable[[Path, str, Target], AbstractContextManager[Stage]],
    phase: str,
) -> None:
    file = local_file(tmp_path / "config.json")
    with standing_still(tmp_path, phase, target) as stage:
        (tmp_path / "arm").touch()
        wait_for((tmp_path / "reached").exists, phase)
        stage.stop()
        target.go_down("/bad")
        (tmp_path / "go").touch()
        wait_for(lambda: stored_alerts(file), "the alert")
        wait_for_checks_of(target)
        assert end_s(stage) < ENDS_WITHIN_S
    checks, (alert,) = stored_checks(file), stored_alerts(file)
    bad = [check for check in checks if check.host == alert.host]
    assert by_path(bad).keys() == {"/bad"}
    assert alert.type is AlertType.ALERT
    assert 0 <= alert.time_ms - due_ms(bad) <= LATEST_MS
    assert_holds_all_asked(checks, target)
    assert target.longest_gap_ms() < LONGEST_GAP_MS


@pytest.mark.timing
def test_the_end_waits_for_none_of_them_when_all_stand_still_and_sites_hang(target: Target, tmp_path: Path) -> None:
    with Influxd() as server, RawServer(hang) as hanging:
        config = write_config(tmp_path, [*urls(target), hanging.url("/")], database=server.url("monitoring"))

        def stop(pipe: Pipe) -> None:
            pipe.stop()
            server.pause()

        with printing(tmp_path, "during drawing", config, "influxdb", stop) as stage:
            stage.stop()
            wait_for_checks_of(target)
            assert end_s(stage) < ENDS_WITHIN_S
    assert_holds_all_asked(stored_checks(local_file(config)), target)


def test_a_pipe_that_nobody_reads_is_told_to_the_service_manager_and_no_reason_to_be_killed(
    target: Target, tmp_path: Path
) -> None:
    config = write_config(tmp_path, urls(target))
    with (
        Systemd(str(tmp_path / "notify"), WATCHDOG_S) as systemd,
        printing(tmp_path, "during drawing", config, "local", Pipe.stop, systemd.environ) as stage,
    ):
        stage.stop()
        heard: list[str] = []

        def lives(times: int) -> bool:
            heard.extend(systemd.heard())
            signs = [message for message in heard if message.startswith("WATCHDOG=1")]
            return len([message for message in signs if message.endswith("; nobody reads what is printed")]) >= times

        wait_for(lambda: lives(8), "signs of life for more than the limit")
        stage.terminate()
        assert stage.wait() == 0


@pytest.mark.parametrize("phase", ["during evaluation", "during drawing"])
def test_a_loop_or_a_display_that_is_stuck_gives_no_more_signs_of_life(target: Target, tmp_path: Path, phase: str) -> None:
    config = write_config(tmp_path, urls(target))
    with (
        Systemd(str(tmp_path / "notify"), WATCHDOG_S) as systemd,
        printing(tmp_path, phase, config, "local", Pipe.stop, systemd.environ) as stage,
    ):
        (tmp_path / "arm").touch()
        wait_for((tmp_path / "reached").exists, phase)
        time.sleep(2 * WATCHDOG_S)  # half the limit, and what was under way
        systemd.heard()
        time.sleep(WATCHDOG_S)
        assert systemd.heard() == []
        (tmp_path / "go").touch()
        wait_for(systemd.heard, "signs of life again")
        stage.terminate()
        assert stage.wait() == 0


def wait_for_checks_of(target: Target) -> None:
    asked = target.counts()
    wait_for(lambda: min((target.counts() - asked).values(), default=0) > 20, "twenty checks of each site more")


def end_s(stage: Stage) -> float:
    """End it as a service manager does; how long that takes."""
    began = time.monotonic()
    stage.terminate()
    assert stage.wait() == 0
    return time.monotonic() - began


def due_ms(checks: list[CheckResult]) -> int:
    """The first moment at which the rule demands an alert, by the checks that had ended by then."""
    ended = [(check.time_ms + (check.lag_us + (check.response_us or 0)) // 1_000 + 1, check) for check in checks]
    for now_ms in sorted(at_ms for at_ms, _ in ended):
        window = Window.before(now_ms, RULE.window_ms)
        known = [check for at_ms, check in ended if at_ms <= now_ms]
        seen = reference.downtime(known, window).get(checks[0].host, Downtime())
        if evaluate(False, seen, RULE).change:
            return now_ms
    raise AssertionError("an alert never was due")
