"""The commands in messages: pasted into the shell of whoever started the program, they work."""

import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitoring.commands.cli import parse_arguments
from monitoring.shell import PLAIN, SCRIPT, Program
from tests.support.monitor import PATIENCE_S, wait_for
from tests.support.processes import environment, write_websites
from tests.support.target import Target


@pytest.mark.parametrize(
    ("program", "wanted"),
    [
        (PLAIN, "./monitoringApp.py --explain shop"),
        (Program(options=("-c", "my config.json")), "./monitoringApp.py --explain shop -c 'my config.json'"),
        (Program(("website-monitor",), ("-c", "x")), "website-monitor --explain shop -c x"),
        (Program(("/a b/python", "./monitoringApp.py")), "'/a b/python' ./monitoringApp.py --explain shop"),
        (Program(urls=("https://a", "https://b")), "./monitoringApp.py --explain shop shop"),
        (Program(repeatable=False), ""),
    ],
)
def test_a_command_starts_the_program_as_it_was_started(program: Program, wanted: str) -> None:
    assert program.explain("shop") == wanted


@pytest.mark.parametrize("name", ["it's", "a b", "$HOME", "`date`", "https://a/?x=1&y=2", "été", "-x"])
def test_a_name_is_one_word_to_the_shell(name: str) -> None:
    arguments = parse_arguments(shlex.split(PLAIN.explain(name))[1:])
    assert (arguments.mode, arguments.explained) == ("explain", name)


def test_no_command_holds_what_cannot_be_pasted_or_must_not_be_seen() -> None:
    assert PLAIN.explain("a\x1b[31m") == ""
    assert PLAIN.explain("a\x1b[31m", "https://a") == PLAIN.explain(None, "https://a") == PLAIN.explain("https://a")
    assert Program(urls=("https://u@a",)).explain("https://***@a") == ""


@pytest.fixture
def target() -> Iterator[Target]:
    with Target() as sites:
        yield sites


@pytest.mark.promise
def test_the_command_of_a_message_works_where_the_program_was_started(target: Target, tmp_path: Path) -> None:
    """Started by a relative path, with a configuration and a local file whose names hold blanks."""
    target.go_down("/a")
    folder, box = tmp_path / "a folder", tmp_path / "box"
    folder.mkdir()
    website = {"URL": target.url("/a"), "name": "it's a shop"}
    channel = {"command": ["sh", "-c", f"cat > {box}.new; mv {box}.new {box}"]}
    write_websites(folder, [website], notifications=[channel]).rename(folder / "my config.json")
    started = [os.path.relpath(SCRIPT, folder), "-m", "-c", "my config.json", "--local-database", "my file.db", "-s"]
    with subprocess.Popen(started, cwd=folder, env=environment(), start_new_session=True) as monitor:
        try:
            wait_for(box.exists, "the message")
            text = str(json.loads(box.read_text())["text"])
            line = next(line for line in text.splitlines() if line.startswith("More: "))
            pasted = subprocess.run(
                ["sh", "-c", line.removeprefix("More: ")],
                cwd=folder,
                env=environment(),
                capture_output=True,
                text=True,
                timeout=PATIENCE_S,
                check=False,
            )
        finally:
            monitor.terminate()
    assert (pasted.returncode, pasted.stderr) == (0, "")
    assert pasted.stdout.startswith("it's a shop")
