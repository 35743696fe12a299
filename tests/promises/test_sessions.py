"""How people keep a program running without their terminal: screen, tmux, setsid, cron. Real ones of each."""

import getpass
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.monitor import local_file, stored_checks, wait_for, wait_for_checks
from tests.support.processes import command, environment, has_ended, write_websites
from tests.support.target import Target
from tests.support.terminal import Terminal, shell_terminal

pytestmark = pytest.mark.promise

CRON_S = 90.0
"""How long it may take until cron looks at its tables, which it does once a minute."""

REFUSED = "the previous configuration stays in use"


@pytest.fixture
def config(target: Target, tmp_path: Path) -> Path:
    return write_websites(tmp_path, [{"URL": target.url("/good"), "name": "Good"}])


@dataclass(frozen=True)
class Kept:
    """A program that somebody else keeps running, on a terminal that people attach to and detach from."""

    attach: Sequence[str]
    close: Sequence[str]
    environ: Mapping[str, str]
    said: Path

    @property
    def process(self) -> int:
        return int(wait_for(lambda: self.said.exists() and self.said.read_text(), "the program"))

    def close_terminal(self) -> None:
        """Close the terminal that the program runs on."""
        subprocess.run(self.close, env=environment(self.environ), check=True)


@contextmanager
def kept(multiplexer: str, folder: Path, *arguments: str | Path) -> Iterator[Kept]:
    """The program in a session of screen or tmux that nobody has attached to yet."""
    said = folder / "process"
    line = f"echo $$ > {said}; exec {shlex.join(command(*arguments))}"
    sockets = folder / "sockets"
    sockets.mkdir(mode=0o700)
    program = str(shutil.which(multiplexer))
    if multiplexer == "screen":
        environ, options = {"SCREENDIR": str(sockets)}, ["-S", "kept"]
        begin, attach, close = ["-d", "-m", "sh", "-c", line], ["-r"], ["-X", "quit"]
    else:
        environ, options = {"TMUX_TMPDIR": str(sockets), "TMUX": ""}, ["-f", "/dev/null"]
        begin, attach, close = ["new-session", "-d", "-x", "100", "-y", "30", line], ["attach"], ["kill-server"]
    subprocess.run([program, *options, *begin], env=environment(environ), check=True)
    session = Kept([program, *options, *attach], [program, *options, *close], environ, said)
    try:
        yield session
    finally:
        subprocess.run(session.close, env=environment(environ), check=False, capture_output=True)


def checks(config: Path) -> int:
    return len(stored_checks(local_file(config)))


@pytest.mark.parametrize("multiplexer", ["screen", "tmux"])
def test_a_session_that_is_left_goes_on_and_its_end_ends_the_program(config: Path, tmp_path: Path, multiplexer: str) -> None:
    """Losing the connection to a session is not losing the terminal: that belongs to the session."""
    with kept(multiplexer, tmp_path, "-m", "-c", config) as session:
        wait_for_checks(local_file(config))
        with Terminal(100, 30, program=lambda *_: [*session.attach], environ=session.environ) as terminal:
            terminal.until("the screen", lambda text: "Good" in text)
            terminal.hang_up()
        wait_for_checks(local_file(config), more_than=checks(config) + 10)
        with Terminal(100, 30, program=lambda *_: [*session.attach], environ=session.environ) as terminal:
            terminal.until("the screen again", lambda text: "Good" in text)
            terminal.hang_up()
        session.close_terminal()
        assert_ends_in_order(session.process, config)


def assert_ends_in_order(process: int, config: Path) -> None:
    """What it has measured is in the file, and the file is closed."""
    wait_for(lambda: has_ended(process), "its end")
    assert not Path(f"{local_file(config)}-wal").exists()


def assert_goes_on_reloads_and_ends(process: int, config: Path, errors: Path) -> None:
    """It goes on checking, on SIGHUP it reads its configuration again, and on SIGTERM it ends."""
    wait_for_checks(local_file(config), more_than=checks(config) + 10)
    config.write_text("{")
    os.kill(process, signal.SIGHUP)
    wait_for(lambda: REFUSED in errors.read_text(), "that it has read the configuration again")
    wait_for_checks(local_file(config), more_than=checks(config) + 10)
    os.kill(process, signal.SIGTERM)
    assert_ends_in_order(process, config)


def in_background(config: Path, errors: Path) -> str:
    """What is typed into a shell so that a monitor without a terminal says its process id, and then what is wrong."""
    monitor = f"echo $$ > {errors}; exec {shlex.join(command('-ms', '-c', config))}"
    return f"setsid sh -c {shlex.quote(monitor)} < /dev/null > /dev/null 2>> {errors} &\n"


def test_what_was_started_with_setsid_outlives_its_terminal_and_reloads_on_sighup(config: Path, tmp_path: Path) -> None:
    errors = tmp_path / "errors"
    with shell_terminal(100, 30) as terminal:
        terminal.type(in_background(config, errors).encode())
        wait_for_checks(local_file(config))
        terminal.hang_up()
        terminal.end()
    process = int(errors.read_text().split()[0])
    assert_goes_on_reloads_and_ends(process, config, errors)


@contextmanager
def cron(folder: Path, line: str) -> Iterator[None]:
    """A real cron with this job, every minute; what it has started goes on after it."""
    tabs, log = folder / "crontabs", folder / "cron.log"
    tabs.mkdir()
    (tabs / getpass.getuser()).write_text(f"* * * * * {line}\n")
    crond = subprocess.Popen([str(shutil.which("busybox-crond")), "-f", "-c", str(tabs), "-L", str(log)], env=environment())
    try:
        yield
    finally:
        crond.terminate()
        crond.wait()


def test_what_cron_starts_outlives_it_reloads_on_sighup_and_ends_on_sigterm(config: Path, tmp_path: Path) -> None:
    """Without a terminal, in a session of its own, with hardly any environment."""
    said, errors = tmp_path / "process", tmp_path / "errors"
    job = f"[ -e {said} ] || {{ echo $$ > {said}; exec {shlex.join(command('-ms', '-c', config))} 2> {errors}; }}"
    with cron(tmp_path, job):
        process = int(wait_for(lambda: said.exists() and said.read_text(), "the minute", CRON_S))
        wait_for_checks(local_file(config))
    assert_goes_on_reloads_and_ends(process, config, errors)
