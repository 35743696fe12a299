"""`-m` where people meet it: on a terminal of any size, in a pipe, and when they leave."""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.monitor import PATIENCE_S, Monitor, local_file, stored_alerts, wait_for
from tests.support.processes import Running, command, environment, write_websites
from tests.support.target import Target
from tests.support.terminal import ALTERNATE_SCREEN, NORMAL_SCREEN, Terminal

pytestmark = pytest.mark.promise

FIRST_STATISTICS_S = 12.0
"""When statistics stand on the screen: they come every 10 s."""

BUSY_S = 15.0
"""What a machine that has other things to do may add."""

STATISTICS = re.compile(r"SITE +STATE +10m .*\bWHY\b")
UP, DOWN = re.compile(r"● Good +up \d"), re.compile(r"✖ Bad +down \d")
ALERT, OUTAGE = re.compile(r"Website \S+/bad is down\.| is down\. availability"), re.compile(r"✖ \d\d:\d\d- .* Bad ")
RECOVERED = re.compile(r"✔ \d\d:\d\d-\d\d:\d\d .* Bad ")


@pytest.fixture
def config(target: Target, tmp_path: Path) -> Path:
    """A site that is up and one that is down."""
    target.go_down("/bad")
    return write_websites(
        tmp_path, [{"URL": target.url("/good"), "name": "Good"}, {"URL": target.url("/bad"), "name": "Bad"}]
    )


@pytest.mark.timing
def test_sessions_from_start_to_ctrl_c(target: Target, config: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Statistics, states as glyph and word, an alert that stays; in the end the closing screen on the normal one."""
    wide = tmp_path_factory.mktemp("wide") / "config.json"  # a session of its own, beside the narrow one
    wide.write_text(config.read_text())
    began = time.monotonic()
    with Terminal(80, 24, "-m", "-c", config) as narrow, Terminal(140, 45, "-m", "-c", wide) as large:
        for terminal in (narrow, large):
            terminal.until("the alert", OUTAGE.search)
        for terminal in (narrow, large):
            terminal.until("statistics", STATISTICS.search, FIRST_STATISTICS_S + BUSY_S)
            terminal.until("both states", lambda text: bool(UP.search(text) and DOWN.search(text)))
        assert time.monotonic() - began < FIRST_STATISTICS_S + BUSY_S
        target.come_back("/bad")
        for terminal in (narrow, large):
            terminal.until("the recovery", RECOVERED.search)
            assert not OUTAGE.search(terminal.text), "the outage stands twice"
            assert NORMAL_SCREEN not in terminal.raw
            assert terminal.interrupt() == 0
            _closed_well(terminal)


def _closed_well(terminal: Terminal) -> None:
    """The alternate screen was entered and left once, the cursor is shown again, the closing screen is what remains."""
    assert (terminal.raw.count(ALTERNATE_SCREEN), terminal.raw.count(NORMAL_SCREEN)) == (1, 1)
    assert terminal.raw.rfind(b"\x1b[?25h") > terminal.raw.rfind(b"\x1b[?25l")
    remains = terminal.raw.partition(NORMAL_SCREEN)[2].decode()
    assert re.search(r"[Mm]onitored .*2 sites", remains)
    assert " recovered." in re.sub(r"\s*\r\n\s*", " ", remains)
    assert "Traceback" not in remains


def test_a_resize_does_no_harm(config: Path) -> None:
    """Smaller, tiny, larger: what is shown fits the new size, and goes on."""
    with Terminal(100, 30, "-m", "-c", config) as terminal:
        terminal.until("the alert", OUTAGE.search)
        for width, height in ((40, 10), (10, 3), (160, 50)):
            terminal.resize(width, height)
            terminal.wait_for_output()
        terminal.until("the alert, once", lambda text: len(OUTAGE.findall(text)) == 1)
        assert terminal.interrupt() == 0
        assert "Traceback" not in terminal.raw.decode()


def test_a_terminal_that_was_stopped_shows_every_alert_when_it_goes_on_and_ends_on_ctrl_c(
    target: Target, config: Path, tmp_path: Path
) -> None:
    """Ctrl-S, an outage that begins and ends, Ctrl-Q; Ctrl-S again and Ctrl-C, which lets it go on, too."""
    with Terminal(140, 45, "-m", "-c", config) as terminal:
        terminal.until("the alert", OUTAGE.search)
        terminal.type(b"\x13")
        target.come_back("/bad")
        wait_for(lambda: len(stored_alerts(local_file(config))) == 2, "the recovery")
        assert not RECOVERED.search(terminal.text)
        terminal.type(b"\x11")
        terminal.until("the recovery", RECOVERED.search)
        terminal.type(b"\x13")
        assert terminal.interrupt() == 0
        _closed_well(terminal)


def test_a_terminal_that_wants_no_colour_gets_the_same_screen_with_attributes(config: Path) -> None:
    with Terminal(100, 30, "-m", "-c", config, environ={"NO_COLOR": "1"}) as terminal:
        terminal.until("both states", lambda text: bool(UP.search(text) and DOWN.search(text)))
        assert terminal.interrupt() == 0
        attributes = {code for codes in re.findall(rb"\x1b\[([0-9;]+)m", terminal.raw) for code in codes.split(b";")}
        assert attributes <= {b"0", b"1", b"2", b"7"}, "a colour"
        assert {b"1", b"2"} <= attributes


def test_a_terminal_that_cannot_be_drawn_on_gets_plain_lines(config: Path) -> None:
    """What is said at the end does not stand behind the ^C with which it was ended."""
    with Terminal(200, 30, "-m", "-c", config, environ={"TERM": "dumb"}) as terminal:
        terminal.until("the alert", ALERT.search)
        assert terminal.interrupt() == 0
        assert b"\x1b" not in terminal.raw
        assert b"^C\r\nstill down: " in terminal.raw
        assert "\n== monitored 2 sites for " in terminal.text


def test_a_pipe_gets_plain_lines(config: Path) -> None:
    with Running("-m", "-c", config) as monitor:
        monitor.until(lambda running: ALERT.search(running.text))
        assert monitor.interrupt() == 0
        assert monitor.errors == []
        assert monitor.printed[0].startswith("== waiting for the first checks: 2 sites, ")
        assert [line for line in monitor.printed if not line.isprintable()] == []
        assert any(line.startswith("== monitored 2 sites for ") for line in monitor.printed)


@contextmanager
def first_byte_of(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """The program when its reader has taken one byte and left, as `| head -c 1` does."""
    reading, writing = os.pipe()
    process = subprocess.Popen(command(*arguments), env=environment(), stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    try:
        os.read(reading, 1)
        os.close(reading)
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_monitor_whose_reader_leaves_ends_quietly(config: Path, form: str) -> None:
    """With the next line that it prints, without a word and with status 0."""
    with first_byte_of("-m", "--format", form, "-c", config) as process:
        _, errors = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, errors) == (0, "")


def test_a_history_whose_reader_leaves_ends_quietly(target: Target, config: Path) -> None:
    with Monitor(config) as monitor:
        monitor.wait_for_announcement("alert")
        with first_byte_of("-a", "-c", config) as process:
            target.come_back("/bad")
            _, errors = process.communicate(timeout=PATIENCE_S)
            assert (process.returncode, errors) == (0, "")


def test_sigterm_ends_it_like_ctrl_c(config: Path) -> None:
    with Running("-m", "-c", config) as monitor:
        monitor.until(lambda running: ALERT.search(running.text))
        assert monitor.terminate() == 0
        assert any(line.startswith("== monitored 2 sites for ") for line in monitor.printed)


def unfolded(text: str) -> str:
    """What the screen says, without the ends of its lines."""
    return " ".join(text.split())


@pytest.mark.parametrize("mode", ["-m", "-p"])
def test_a_wrong_configuration_stands_in_the_header_as_long_as_it_is_wrong(config: Path, mode: str) -> None:
    whole = config.read_text()
    with Terminal(140, 40, mode, "-c", config) as terminal:
        terminal.until("the sites", lambda text: "2 sites" in text or "no monitor has run here" in text)
        config.write_text("{")
        terminal.until("what is wrong", lambda text: unfolded(text).count("the previous configuration stays in use") == 1)
        config.write_text(whole)
        terminal.until(
            "that it is over",
            lambda text: "stays in use" not in unfolded(text) and "the configuration is valid again" in unfolded(text),
        )
        assert terminal.interrupt() == 0
