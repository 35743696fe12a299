"""`-m --silent` as a service: silent while all is well, heard once when it is not, and known to the service manager."""

import os
import signal
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.local_files import fill_disk, free_disk
from tests.support.monitor import Monitor, local_file, stored_alerts, stored_checks, wait_for, wait_for_checks, write_config
from tests.support.systemd import Systemd
from tests.support.target import Target

pytestmark = pytest.mark.promise

INTERVAL_S = 0.5
STALL_S = 3
WATCHDOG_S = 2.0


def test_nothing_is_said_of_sites_that_go_down_and_come_back(target: Target, tmp_path: Path) -> None:
    config = write_config(tmp_path, [target.url("/")])
    file = local_file(config)
    with Monitor(config, "--silent") as monitor:
        wait_for_checks(file)
        target.go_down("/")
        wait_for(lambda: len(stored_alerts(file)) == 1, "the alert")
        target.come_back("/")
        wait_for(lambda: len(stored_alerts(file)) == 2, "the recovery")
        assert monitor.terminate() == 0
    assert monitor.printed == monitor.errors == []


def test_trouble_with_the_file_is_said_once_and_its_end_too(target: Target, tmp_path: Path) -> None:
    config = write_config(tmp_path, [target.url("/")])
    file = local_file(config)
    with Monitor(config, "--silent") as monitor:
        wait_for_checks(file)
        fill_disk(monitor, file)
        wait_for(lambda: monitor.errors, "words about the full disk")
        stored, asked = len(stored_checks(file)), len(target.asked("/"))
        wait_for(lambda: len(target.asked("/")) > asked + 20, "checks that go on")
        assert len(monitor.errors) == 1
        assert monitor.errors[0].startswith(f"checks cannot be written: {file}: ")
        free_disk(monitor)
        wait_for_checks(file, more_than=stored)
        wait_for(lambda: len(monitor.errors) == 2, "words about the free disk")
        assert monitor.terminate() == 0
    assert monitor.errors[1:] == ["checks are written again"]
    assert monitor.printed == []


def unmeasured_slots(file: Path) -> list[int]:
    """Each gap between the checks of a site, in slots that no check covers."""
    checks = sorted(stored_checks(file), key=lambda check: (check.host, check.time_ms))
    pairs = [(before, after) for before, after in pairwise(checks) if before.host == after.host]
    gaps_ms = [after.time_ms - before.time_ms - before.covers_ms for before, after in pairs]
    return [round(gap_ms / 1_000 / INTERVAL_S) for gap_ms in gaps_ms if gap_ms > 0]


@pytest.mark.parametrize("options", [("--silent",), ("--format", "json"), ("--format", "text")], ids=" ".join)
def test_checks_that_a_stall_prevented_are_told_once(target: Target, tmp_path: Path, options: tuple[str, ...]) -> None:
    config = write_config(tmp_path, [target.url(path) for path in ("/one", "/two")], interval_s=INTERVAL_S)
    with Monitor(config, *options) as monitor:
        wait_for_checks(local_file(config), more_than=3)  # both sites have some before it
        os.kill(monitor.pid, signal.SIGSTOP)
        time.sleep(STALL_S)
        os.kill(monitor.pid, signal.SIGCONT)
        wait_for(lambda: monitor.stalls, "words about the stall")
        wait_for_checks(local_file(config), more_than=len(stored_checks(local_file(config))) + 8)
        assert monitor.terminate() == 0
    (said,) = monitor.stalls
    gaps = unmeasured_slots(local_file(config))
    assert max(gaps) <= int(said.split()[0]) <= sum(gaps), "the stall, at least at one site; a busy machine may add more"
    assert monitor.errors == []


def test_a_place_that_cannot_be_written_is_said_at_the_start_and_checks_go_on(target: Target, tmp_path: Path) -> None:
    config = write_config(tmp_path, [target.url("/")], localDatabase="missing/checks.db")
    with Monitor(config, "--silent", environ={"TMPDIR": str(tmp_path)}) as monitor:
        wait_for(lambda: len(target.asked("/")) > 10, "checks")
        assert monitor.terminate() == 0
    (said,) = monitor.errors
    assert said.startswith(f"{tmp_path}/missing/checks.db: ")
    assert "; checks are kept in " in said
    assert monitor.printed == []


def test_the_service_manager_hears_of_the_start_of_life_and_of_the_end(target: Target, tmp_path: Path) -> None:
    config = write_config(tmp_path, [target.url("/")])
    with Systemd(str(tmp_path / "notify"), WATCHDOG_S) as systemd:
        heard: list[str] = []

        def lives(times: int) -> bool:
            heard.extend(systemd.heard())
            return sum(message.startswith("WATCHDOG=1") for message in heard) >= times

        with Monitor(config, "--silent", environ=systemd.environ) as monitor:
            wait_for(lambda: lives(3), "three signs of life")
            assert monitor.terminate() == 0
        heard.extend(systemd.heard())
    kinds = [message.partition("\n")[0] for message in heard]
    assert kinds == ["READY=1", *["WATCHDOG=1"] * (len(kinds) - 2), "STOPPING=1"]
    assert "\nSTATUS=1 site" in heard[0]
    assert monitor.errors == []


def test_a_configuration_that_is_wrong_for_a_while_is_said_in_the_status_as_on_stderr(
    target: Target, tmp_path: Path
) -> None:
    """Once when that begins, in the status as long as it lasts, and once when it is over."""
    config = write_config(tmp_path, [target.url("/")])
    whole = config.read_text()
    with Systemd(str(tmp_path / "notify")) as systemd, Monitor(config, "--silent", environ=systemd.environ) as monitor:
        wait_for_checks(local_file(config))
        statuses: list[str] = []

        def status() -> str:
            statuses.extend(message for message in systemd.heard() if "STATUS=" in message)
            return statuses[-1] if statuses else ""

        config.write_text(whole.replace("websites", "webseits"))
        wait_for(lambda: "previous configuration stays" in status(), "the status")
        wait_for(lambda: len(monitor.errors) == 3, "the errors")
        assert f"{monitor.errors[0]} (and 1 more); the previous configuration stays in use" in status()
        config.write_text(whole)
        wait_for(lambda: "previous configuration stays" not in status(), "the status without it")
        assert monitor.terminate() == 0
    assert monitor.errors[2:] == ["the previous configuration stays in use", "the configuration is valid again"]
