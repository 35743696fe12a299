"""What `make monitor` says while it installs: what is done, and nothing of pip's unless it fails."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.sources import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "python-environment", tmp_path / "scripts")
    return tmp_path


def install(checkout: Path, requirements: str) -> subprocess.CompletedProcess[str]:
    (checkout / "requirements.txt").write_text(requirements)
    return subprocess.run(
        [checkout / "scripts" / "python-environment", "requirements.txt"], capture_output=True, text=True, check=False
    )


def test_it_says_what_it_does_and_pip_says_nothing(checkout: Path) -> None:
    done = install(checkout, "# what is needed\nidna>=3.10  # names\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "making the virtual environment .venv",
        "installing 1 package into .venv, about 5 s",
    ]
    assert subprocess.run([checkout / ".venv" / "bin" / "python", "-c", "import idna"], check=False).returncode == 0


def test_what_pip_says_is_shown_when_it_fails(checkout: Path) -> None:
    done = install(checkout, "./missing\n")
    assert done.returncode != 0
    assert "./missing" in done.stderr
