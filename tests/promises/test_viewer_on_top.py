"""`v` on the live screen: a viewer has the terminal until it ends, and the monitor goes on."""

import shlex
import signal
from pathlib import Path

import psutil
import pytest

from tests.support.monitor import local_file, stored_checks, wait_for, wait_for_checks
from tests.support.processes import command, started_with, write_config, write_websites
from tests.support.target import Target
from tests.support.terminal import Terminal, is_cooked, shell_terminal

pytestmark = pytest.mark.promise

MONITOR, VIEWER = "v viewer", "/ filter"


@pytest.fixture
def config(target: Target, tmp_path: Path) -> Path:
    target.go_down("/bad")
    return write_websites(tmp_path, [{"URL": target.url(f"/{name.lower()}"), "name": name} for name in ("Good", "Bad")])


def viewers() -> list[psutil.Process]:
    return started_with("--print")


def test_a_viewer_has_the_terminal_until_it_ends_and_the_monitor_goes_on(config: Path) -> None:
    with Terminal(100, 24, "-m", "-c", config) as terminal:
        for key in (b"v", b"\r"):
            terminal.until("the monitor", lambda text: MONITOR in text and "Good" in text)
            terminal.type(key)
            terminal.until("the viewer", lambda text: VIEWER in text and "Good" in text)
            wait_for_checks(local_file(config), more_than=len(stored_checks(local_file(config))) + 5)
            terminal.type(b"q")
            wait_for(lambda: not viewers(), "the end of the viewer")
        terminal.until("the monitor again", lambda text: MONITOR in text and VIEWER not in text)
        assert not is_cooked(terminal)
        terminal.type(b"qy")
        assert terminal.end() == 0
        assert is_cooked(terminal)


def test_a_monitor_that_ends_takes_its_viewer_along_and_leaves_the_terminal_as_it_was(config: Path) -> None:
    with Terminal(100, 24, "-m", "-c", config) as terminal:
        terminal.until("the monitor", lambda text: MONITOR in text)
        terminal.type(b"v")
        terminal.until("the viewer", lambda text: VIEWER in text)
        terminal.send(signal.SIGTERM)
        assert terminal.end() == 0
        assert is_cooked(terminal)
        assert viewers() == []
        assert "Monitored 2 sites" in terminal.text


def test_a_viewer_that_is_killed_costs_nothing(config: Path) -> None:
    with Terminal(100, 24, "-m", "-c", config) as terminal:
        terminal.until("the monitor", lambda text: MONITOR in text)
        terminal.type(b"v")
        terminal.until("the viewer", lambda text: VIEWER in text)
        for viewer in viewers():
            viewer.kill()
        terminal.until("the monitor again", lambda text: MONITOR in text and VIEWER not in text)
        terminal.type(b"?")
        terminal.until("its help", lambda text: "ON THE SCREEN" in text)
        assert terminal.interrupt() == 0
        assert is_cooked(terminal)


def test_ctrl_z_in_the_viewer_gives_the_shell_the_terminal(config: Path) -> None:
    with shell_terminal(100, 24) as terminal:
        terminal.type(f"{shlex.join(command('-m', '-c', config))}\n".encode())
        terminal.until("the monitor", lambda text: MONITOR in text)
        terminal.type(b"v")
        terminal.until("the viewer", lambda text: VIEWER in text)
        terminal.type(b"\x1a")
        terminal.until("the shell", lambda text: "Stopped" in text)
        terminal.type(b"fg\n")
        terminal.until("the viewer again", lambda text: VIEWER in text)
        terminal.type(b"q")
        terminal.until("the monitor again", lambda text: MONITOR in text and VIEWER not in text)
        terminal.type(b"qy")
        terminal.until("the end", lambda text: text.rstrip().endswith("shell>"))
        terminal.type(b"exit\n")


def test_ctrl_z_before_the_viewer_has_drawn_needs_fg_once(config: Path) -> None:
    """Until it reads keys, the terminal sends Ctrl-Z to the monitor as well."""
    with shell_terminal(100, 24) as terminal:
        terminal.type(f"{shlex.join(command('-m', '-c', config))}\n".encode())
        terminal.until("the monitor", lambda text: MONITOR in text)
        terminal.type(b"v")
        wait_for(viewers, "the viewer's process")
        terminal.type(b"\x1a")
        terminal.until("the shell", lambda text: "Stopped" in text)
        terminal.type(b"fg\n")
        terminal.until("the viewer", lambda text: VIEWER in text and "Good" in text)
        assert terminal.raw.count(b"Stopped") == 1
        terminal.type(b"q")
        terminal.until("the monitor again", lambda text: MONITOR in text and VIEWER not in text)
        terminal.type(b"qy")
        terminal.until("the end", lambda text: text.rstrip().endswith("shell>"))
        terminal.type(b"exit\n")


def test_a_configuration_that_was_piped_in_has_no_viewer(target: Target, tmp_path: Path) -> None:
    """Nobody can read it again: one line says so, and the screen stays."""
    config = write_config(tmp_path, [target.url("/good")])
    with Terminal(100, 24, "-m", "-c", "/dev/fd/3", program=lambda *arguments: piped(config, *arguments)) as terminal:
        terminal.until("the monitor", lambda text: MONITOR in text)
        terminal.type(b"v")
        terminal.until("why there is none", lambda text: "a viewer cannot read a piped configuration again" in text)
        assert terminal.interrupt() == 0


def piped(config: Path, *arguments: str | Path) -> list[str]:
    return ["/bin/bash", "-c", f"exec {shlex.join(command(*arguments))} 3< <(cat {shlex.quote(str(config))})"]
