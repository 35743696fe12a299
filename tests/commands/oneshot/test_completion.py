"""What `--print-completion` prints makes a real shell complete this command line."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from monitoring.commands.cli import MODES, OPTIONS, SHELLS
from monitoring.commands.oneshot.completion import completion
from monitoring.shell import program_name
from tests.support.processes import run_program

COMPLETED = """
source "$1"
COMP_WORDS=("${@:2}") COMP_CWORD=$(($# - 2))
_shtab_website_monitor 2>/dev/null
printf '%s\\n' "${COMPREPLY[@]}"
"""
"""Prints what bash offers at the end of a command line."""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "completion.bash"
    path.write_text(completion("website-monitor", "bash"))
    return path


def offered(script: Path, words: Sequence[str]) -> set[str]:
    command = ["bash", "-c", COMPLETED, "bash", str(script), "website-monitor", *words]
    return set(subprocess.run(command, cwd=script.parent, capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--ch"], {"--check-config"}),
        (["-p", "--format", ""], {"text", "json", "csv"}),
        (["-p", "--wi"], {"--window"}),
        (["-m", "-c", "comp"], {"completion.bash"}),
    ],
)
def test_bash_completes(script: Path, words: Sequence[str], expected: set[str]) -> None:
    assert offered(script, words) == expected


@pytest.mark.parametrize("shell", SHELLS)
def test_every_flag_is_offered_in_every_shell(shell: str) -> None:
    printed = run_program("--print-completion", shell)
    assert (printed.returncode, printed.stderr) == (0, "")
    assert printed.stdout == completion(program_name(), shell).expandtabs() + "\n"
    flags = [flag for flags in (*(it.flags for it in MODES.values()), *(it.flags for it in OPTIONS)) for flag in flags]
    assert [flag for flag in flags if flag.lstrip("-") not in printed.stdout] == []


def test_another_shell_is_refused_with_those_that_are_known() -> None:
    refused = run_program("--print-completion", "fish")
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
    assert all(shell in refused.stderr for shell in SHELLS)
