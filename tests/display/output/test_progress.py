"""Work that takes long says so: on a terminal by a sign that goes away, elsewhere in one plain sentence."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from monitoring.display.output.progress import progress, size_text
from tests.support.processes import environment
from tests.support.sources import ROOT
from tests.support.terminal import Terminal

WORK = """
import sys, tty
from monitoring.display.output.progress import progress
if sys.stdin.isatty():
    tty.setcbreak(0)  # what is typed is not shown
with progress("counting sheep", terminal_s=0, plain_s=0):
    sys.stdin.read(1)
print("done")
"""


def test_a_sentence_is_said_once_where_there_is_no_terminal() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WORK],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        assert process.stderr.readline() == "counting sheep …\n"
        assert process.communicate("\n") == ("done\n", "")


def test_on_a_terminal_it_goes_away_when_it_is_over() -> None:
    def program(*_: str | Path) -> list[str]:
        return [sys.executable, "-c", WORK]

    with Terminal(60, 5, program=program, environ={"PYTHONPATH": str(ROOT)}) as terminal:
        terminal.until("the sign", lambda text: "counting sheep" in text)
        terminal.type(b"\n")
        terminal.until("the end", lambda text: "done" in text and "sheep" not in text)
        assert terminal.end() == 0


TOLD = """
import sys, tty
from monitoring.display.output.progress import progress
if sys.stdin.isatty():
    tty.setcbreak(0)
with progress("counting sheep", terminal_s=0, plain_s=0) as shown:
    for number in (1, 2):
        sys.stdin.read(1)
        shown.tell("shearing sheep", f"step {number}")
    sys.stdin.read(1)
print("done")
"""


def test_each_thing_that_is_done_is_said_once_where_there_is_no_terminal() -> None:
    command = [sys.executable, "-c", TOLD]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdin=subprocess.PIPE, stdout=-1, stderr=-1, text=True
    ) as process:
        assert process.stderr
        assert process.stderr.readline() == "counting sheep …\n"
        assert process.communicate("\n\n\n") == ("done\n", "shearing sheep …\n")


def test_on_a_terminal_each_step_takes_the_place_of_the_one_before() -> None:
    def program(*_: str | Path) -> list[str]:
        return [sys.executable, "-c", TOLD]

    with Terminal(60, 5, program=program, environ={"PYTHONPATH": str(ROOT)}) as terminal:
        terminal.until("the sign", lambda text: "counting sheep" in text)
        terminal.type(b"\n")
        terminal.until("the first step", lambda text: "shearing sheep, step 1" in text and "counting" not in text)
        terminal.type(b"\n")
        terminal.until("the second step", lambda text: "shearing sheep, step 2" in text and "step 1" not in text)
        terminal.type(b"\n")
        terminal.until("the end", lambda text: "done" in text and "sheep" not in text)
        assert terminal.end() == 0


def test_what_takes_not_long_is_not_worth_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    before = threading.active_count()
    with progress("nothing", plain_s=3_600):
        pass
    assert threading.active_count() == before
    assert capsys.readouterr().err == ""


def test_what_fails_fails_as_it_would_without(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError), progress("something", plain_s=3_600):
        raise KeyError
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("size", "text"), [(512, "0.5 kB"), (70_000, "70.0 kB"), (3_450_000, "3.5 MB"), (2_400_000_000, "2.4 GB")]
)
def test_a_file_is_named_with_its_size(tmp_path: Path, size: int, text: str) -> None:
    path = tmp_path / "config.db"
    path.touch()
    os.truncate(path, size)
    assert size_text(path) == f"config.db ({text})"
    path.unlink()
    assert size_text(path) == "config.db"


def test_ctrl_c_at_its_very_beginning_leaves_nothing_that_speaks_later(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The signal may come while the timer starts: its thread must neither print nor keep the program from ending."""
    started: list[threading.Timer] = []

    class Interrupted(threading.Timer):
        def start(self) -> None:
            super().start()
            started.append(self)
            raise KeyboardInterrupt

    monkeypatch.setattr("monitoring.display.output.progress.Timer", Interrupted)
    with pytest.raises(KeyboardInterrupt), progress("counting sheep", plain_s=60):
        pass
    assert not started[0].is_alive()
    assert started[0].daemon
    assert capsys.readouterr().err == ""
