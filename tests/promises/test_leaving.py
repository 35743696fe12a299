"""What becomes of the program when its terminal goes away, is borrowed by Ctrl-Z, or has no room for what is printed."""

import json
import os
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.monitor import PATIENCE_S, Monitor, local_file, stored_alerts, stored_checks, wait_for, wait_for_checks
from tests.support.processes import Running, command, environment, without_textual, write_websites
from tests.support.servers import closed_port
from tests.support.target import Target
from tests.support.terminal import ALTERNATE_SCREEN, NORMAL_SCREEN, Terminal, shell_terminal

pytestmark = pytest.mark.promise

Program = Callable[..., list[str]]

HIDE_CURSOR, SHOW_CURSOR = b"\x1b[?25l", b"\x1b[?25h"
FULL, OVER = "nothing can be printed: No space left on device", "printing works again"


@pytest.fixture
def config(target: Target, tmp_path: Path) -> Path:
    """A site that is up and one that is down, of which an alert is stored."""
    target.go_down("/bad")
    path = write_websites(tmp_path, [{"URL": target.url("/good"), "name": "Good"}, {"URL": target.url("/bad")}])
    with Monitor(path) as monitor:
        monitor.wait_for_announcement("alert")
        assert monitor.terminate() == 0
    return path


BARE = (
    pytest.param("-p", without_textual, id="-p without textual"),
    pytest.param("-a", without_textual, id="-a without textual"),
)


@pytest.mark.parametrize(("mode", "program"), [*((mode, command) for mode in ("-m", "-ms", "-p", "-a", "-g")), *BARE])
def test_a_terminal_that_is_closed_ends_the_program_as_sigterm_does(config: Path, mode: str, program: Program) -> None:
    listen = ["--listen", f"127.0.0.1:{closed_port()}"] if mode == "-g" else []
    before = len(stored_checks(local_file(config)))
    with Terminal(100, 30, mode, *listen, "-c", config, program=program) as terminal:
        if mode == "-ms":
            wait_for_checks(local_file(config), more_than=before)
        else:
            terminal.until("it runs", lambda text: "Good" in text or "gateway at" in text or "✖" in text)
        terminal.hang_up()
        assert terminal.end() == 0


def test_without_a_terminal_a_hang_up_reads_the_configuration_again(config: Path) -> None:
    """As under systemd, cron or setsid."""
    with Running("-a", "-c", config) as history:
        history.until(lambda running: "✖" in running.text)
        config.write_text("{")
        os.kill(history.pid, signal.SIGHUP)
        history.until(lambda running: "the previous configuration stays in use" in "".join(running.errors))
        assert history.terminate() == 0


def under_nohup(*arguments: str | Path) -> list[str]:
    return ["/bin/sh", "-c", f"exec nohup {shlex.join(command(*arguments))} >/dev/null 2>&1"]


def test_what_was_started_under_nohup_outlives_its_terminal(config: Path) -> None:
    before = len(stored_checks(local_file(config)))
    with Terminal(100, 30, "-m", "-c", config, program=under_nohup) as terminal:
        wait_for_checks(local_file(config), more_than=before)
        terminal.hang_up()
        wait_for_checks(local_file(config), more_than=len(stored_checks(local_file(config))) + 10)
        terminal.send(signal.SIGTERM)
        assert terminal.end() == 0


@pytest.mark.parametrize(("mode", "program"), [*((mode, command) for mode in ("-m", "-p", "-a")), *BARE])
def test_ctrl_z_gives_the_terminal_back_and_fg_draws_anew(config: Path, mode: str, program: Program) -> None:
    """Screen and cursor are the shell's while it is stopped."""
    with shell_terminal(100, 30) as terminal:
        terminal.type(f"{shlex.join(program(mode, '-c', config))}\n".encode())
        is_line = mode == "-a" and program is without_textual
        shown = "(since " if is_line else "INCIDENTS"
        terminal.until("it runs", lambda text: shown in text)
        terminal.type(b"\x1a")
        terminal.until("the shell", lambda text: "Stopped" in text)
        assert terminal.raw.rfind(SHOW_CURSOR) > terminal.raw.rfind(HIDE_CURSOR)
        assert terminal.raw.count(ALTERNATE_SCREEN) == terminal.raw.count(NORMAL_SCREEN) == (not is_line)
        before = len(terminal.raw)
        terminal.type(b"fg\n")
        wait_for(lambda: shown.encode() in terminal.raw[before:], "the screen again")
        prompts = terminal.raw.count(b"shell> ")
        terminal.type(b"\x03")  # what is typed before the program has ended are keys for it
        wait_for(lambda: terminal.raw.count(b"shell> ") > prompts, "the shell again")
        terminal.type(b"echo status $?\n")
        terminal.until("the end", lambda text: "status 0" in text)
        assert terminal.raw.rfind(SHOW_CURSOR) > terminal.raw.rfind(HIDE_CURSOR)
        terminal.type(b"exit\n")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", folder], check=False, capture_output=True
    ).returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("mode", ["-m", "-p", "-a"])
def test_what_is_printed_onto_a_full_disk_comes_when_there_is_room(
    target: Target, config: Path, small_disk: Path, mode: str
) -> None:
    """One line on stderr, and one when it is over; meanwhile the program goes on, and no line is cut or lost."""
    printed, fill, errors = small_disk / "printed", small_disk / "fill", config.with_name("errors")
    with printed.open("w") as stdout, errors.open("w") as stderr, ExitStack() as stack:
        fill.write_bytes(b"x" * 16_384)
        process = subprocess.Popen(
            command(mode, "--format", "json", "-c", config),
            env=environment(),
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        stack.callback(process.kill)
        if mode != "-m":
            stack.enter_context(Monitor(config))
        wait_for(lambda: errors.read_text() == f"{FULL}\n", "that nothing can be printed")
        target.come_back("/bad")
        wait_for(lambda: len(stored_alerts(local_file(config))) == 2, "the recovery")
        fill.unlink()
        wait_for(lambda: '"recovery"' in printed.read_text(), "the recovery, printed")
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
    assert errors.read_text().splitlines() == [FULL, OVER]
    assert {json.loads(line)["kind"] for line in printed.read_text().splitlines()} >= {"alert"}
