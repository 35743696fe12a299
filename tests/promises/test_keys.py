"""Keys of the live screen on a real terminal: what they do, and that they disturb neither the monitor nor the shell."""

import os
import pty
import re
import shlex
import signal
import subprocess
import termios
from functools import partial
from operator import ne
from pathlib import Path

import pytest

from monitoring.models import AlertType
from tests.support.monitor import PATIENCE_S, local_file, stored_alerts, stored_checks, wait_for, wait_for_checks
from tests.support.processes import command, environment, write_websites
from tests.support.target import Target
from tests.support.terminal import Terminal, is_cooked, shell_terminal

pytestmark = pytest.mark.promise

KEYS, CURSOR = "? help", re.compile(r"^>. (\w+)", re.MULTILINE)
DOWN, UP, PAGE_DOWN = b"\x1b[B", b"\x1b[A", b"\x1b[6~"


@pytest.fixture
def config(target: Target, tmp_path: Path) -> Path:
    target.go_down("/bad")
    sites = [{"URL": target.url(f"/{name.lower()}"), "name": name} for name in ("Good", "Bad", "Also")]
    return write_websites(tmp_path, sites)


def test_keys_move_choose_explain_and_stop(config: Path) -> None:
    with Terminal(80, 24, "-m", "-c", config) as terminal:
        terminal.until("the worst site", lambda text: CURSOR.findall(text) == ["Bad"] and KEYS in text)
        terminal.type(DOWN + DOWN)
        terminal.until("the cursor two sites further down", lambda text: CURSOR.findall(text) not in (["Bad"], []))
        terminal.type(b"!")
        terminal.until("only the site with a fault", lambda text: "Good" not in text and "Bad" in text)
        terminal.type(b"!w")
        terminal.until("all sites, and the hour", lambda text: "Good" in text and "TREND 1h" in text)
        terminal.type(b"?")
        terminal.until("the glossary", lambda text: "the last check failed, no alert is open yet" in text)
        terminal.type(PAGE_DOWN * 10)  # fewer than a paste
        terminal.until("the end of the help", lambda text: "any key leaves the help" in text)
        terminal.type(UP)
        terminal.until("one line less, however far it was scrolled", lambda text: " 1 more line: ↓" in text)
        terminal.type(b"x")
        terminal.until("the sites again", lambda text: "TREND 1h" in text)
        terminal.type(b"q")
        terminal.until("the question", lambda text: "Stop monitoring? y/N" in text)
        terminal.type(b"n")
        terminal.until("no end", lambda text: KEYS in text)
        assert not is_cooked(terminal)
        terminal.type(b"qy")
        assert terminal.end() == 0
        assert is_cooked(terminal)
        assert re.search(r"Monitored 3 sites", terminal.text)


def test_a_text_that_is_pasted_stops_nothing(config: Path) -> None:
    """It holds every key there is."""
    with Terminal(80, 24, "-m", "-c", config) as terminal:
        terminal.until("the worst site", lambda text: CURSOR.findall(text) == ["Bad"] and KEYS in text)
        before = len(stored_checks(local_file(config)))
        terminal.type(b"w!qy?y" * 500)
        wait_for_checks(local_file(config), more_than=before + 5)
        terminal.type(b"w")
        terminal.until("the hour", lambda text: "TREND 1h" in text and KEYS in text)
        terminal.type(b"qy")
        assert terminal.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_terminal_is_left_as_it_was_at_every_end(config: Path, number: signal.Signals) -> None:
    with Terminal(80, 24, "-m", "-c", config) as terminal:
        terminal.until("keys", lambda text: KEYS in text)
        terminal.send(number)
        assert terminal.end() == 0
        assert is_cooked(terminal)


def test_a_stopped_terminal_is_left_as_it_was_and_delays_no_alert(target: Target, config: Path) -> None:
    with Terminal(80, 24, "-m", "-c", config) as terminal:
        terminal.until("keys, and the outage", lambda text: KEYS in text and "1 open" in text)
        terminal.type(b"\x13")
        target.come_back("/bad")
        wait_for(lambda: stored_alerts(local_file(config))[-1].type is AlertType.RECOVERY, "the recovery")
        terminal.type(b"!w?")
        before = len(stored_checks(local_file(config)))
        wait_for_checks(local_file(config), more_than=before + 5)
        terminal.send(signal.SIGTERM)
        assert terminal.end() == 0
        assert is_cooked(terminal)


def test_ctrl_z_gives_the_keys_to_the_shell_and_fg_takes_them_again(config: Path) -> None:
    with shell_terminal(80, 24) as terminal:
        terminal.type(f"{shlex.join(command('-m', '-c', config))}\n".encode())
        terminal.until("keys", lambda text: KEYS in text)
        terminal.type(b"\x1a")
        terminal.until("the shell", lambda text: "Stopped" in text)
        terminal.type(b"echo $((40 + 2)) qy\n")
        terminal.until("what the shell says", lambda text: "42 qy" in text)
        terminal.type(b"fg\n")
        terminal.until("the screen again", lambda text: "INCIDENTS" in text)
        for _ in range(2):  # it goes on deciding and telling, without a key
            terminal.until("a newer time", partial(ne, terminal.text))
        terminal.type(b"?")
        terminal.until("the help", lambda text: "ON THE SCREEN" in text)
        terminal.type(b"xqy")
        terminal.until("the shell again", lambda text: text.rstrip().endswith("shell>"))
        terminal.type(b"echo status $?\n")
        terminal.until("the end", lambda text: "status 0" in text)
        terminal.type(b"exit\n")


def test_in_the_background_it_takes_no_key_and_is_not_stopped(config: Path) -> None:
    """The shell has the terminal, and its keys; the monitor goes on checking. `fg` gives it the keys."""
    with shell_terminal(80, 24) as terminal:
        terminal.type(f"{shlex.join(command('-m', '-c', config))} >/dev/null 2>&1 &\n".encode())
        wait_for_checks(local_file(config), more_than=5)
        terminal.type(b"jobs; echo $((40 + 2)) qy\n")
        terminal.until("it runs", lambda text: "Running" in text and "42 qy" in text and "Stopped" not in text)
        wait_for_checks(local_file(config), more_than=len(stored_checks(local_file(config))) + 5)
        terminal.type(b"kill %1; wait %1; echo status $?\n")
        terminal.until("the end", lambda text: "status 0" in text)
        terminal.type(b"exit\n")


def test_without_a_terminal_on_standard_input_there_are_no_keys(config: Path) -> None:
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    process = subprocess.Popen(
        command("-m", "-c", config), env=environment(), stdin=subprocess.DEVNULL, stdout=slave, stderr=slave
    )
    try:
        wait_for_checks(local_file(config), more_than=5)
        assert termios.tcgetattr(slave) == before
        os.write(master, b"qy")
        wait_for_checks(local_file(config), more_than=len(stored_checks(local_file(config))) + 3)
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()
        os.close(slave)
        os.close(master)


def test_the_background_of_the_terminal_decides_on_the_colours(config: Path) -> None:
    """Asked, it answers: on a light one nothing is drawn in the colours for a dark one any more."""
    dark_green, light_green = b"38;2;95;215;135", b"38;2;0;95;0"
    with Terminal(80, 24, "-m", "-c", config, environ={"COLORTERM": "truecolor"}) as terminal:
        wait_for(lambda: b"\x1b]11;?" in terminal.raw, "the question")
        terminal.type(b"\x1b]11;rgb:fdfd/f6f6/e3e3\x07")
        terminal.until("keys", lambda text: KEYS in text and "Good" in text)
        wait_for(lambda: light_green in terminal.raw, "colours for a light background")
        assert dark_green not in terminal.raw.rpartition(light_green)[2]
        assert "fdfd" not in terminal.text
        assert terminal.interrupt() == 0
