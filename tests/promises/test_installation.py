"""`pip install .` in a fresh virtual environment gives `website-monitor`: the same program, without the checkout."""

import fcntl
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from monitoring import __version__
from tests.support.monitor import ROOT
from tests.support.processes import Running, environment, write_websites
from tests.support.servers import HttpServer

pytestmark = pytest.mark.promise

TIMEOUT_S = 300


def run(arguments: Sequence[str | Path], folder: Path, status: int = 0) -> str:
    """What a command prints that is started in this folder."""
    done = subprocess.run(
        [*map(str, arguments)], cwd=folder, env=environment(), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an sdist, and of the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("built")
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT], folder)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    return next(built.glob("*.whl"))


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory, testrun_uid: str) -> Path:
    """`website-monitor`, with all that it depends on and nothing else, in an environment of its own.

    The first process of the run that needs it installs it, for the others, too: that takes half a minute of CPU.
    """
    folder = tmp_path_factory.getbasetemp().parent / f"fresh-{testrun_uid}"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "installed").exists():
            run([sys.executable, "-m", "venv", folder], folder)
            run([folder / "bin" / "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check", wheel], folder)
            (folder / "installed").touch()
    return folder / "bin" / "website-monitor"


class Installed(Running):
    """The installed program while it runs, started outside of the checkout."""

    def __init__(self, program: Path, folder: Path, *arguments: str | Path) -> None:
        super().__init__(environ={"XDG_STATE_HOME": str(folder)})
        self._command = ["env", "-C", str(folder), str(program), *map(str, arguments)]


def test_a_wheel_puts_nothing_generic_at_the_top(wheel: Path) -> None:
    """A top-level `test` would hide the standard library's."""
    top = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in top if not name.startswith(f"website_monitor-{__version__}")} == {
        "monitoring",
        "website_monitor",
    }


def test_what_is_required_is_written_once(wheel: Path) -> None:
    """`requirements.txt` is what an installation asks for, and everything in it has a lower bound."""
    metadata = next(name for name in zipfile.ZipFile(wheel).namelist() if name.endswith("/METADATA"))
    asked = re.findall("^Requires-Dist: (.+)$", zipfile.ZipFile(wheel).read(metadata).decode(), re.MULTILINE)
    lines = (line.partition("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines())
    assert sorted(asked) == sorted(line for line in lines if line)
    assert [line for line in asked if not re.fullmatch(r"[a-z0-9-]+>=[0-9.]+", line)] == []


def test_the_tested_versions_of_python_are_those_that_are_stated() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    stated = [
        it.rpartition(" ")[2] for it in project["classifiers"] if it.startswith("Programming Language :: Python :: 3.")
    ]
    assert ".".join(map(str, sys.version_info[:2])) in stated, "state this version, now that the tests run with it"


def test_it_answers_under_its_own_name(program: Path, tmp_path: Path) -> None:
    assert run([program, "--version"], tmp_path) == f"website-monitor {__version__}\n"
    assert run([program, "--help"], tmp_path).startswith("usage: website-monitor MODE [options]\n")
    assert run([program, "-m", "--once"], tmp_path, status=2).startswith("website-monitor: --once goes with")
    assert "complete -o bashdefault -F _shtab_website_monitor website-monitor" in run(
        [program, "--print-completion", "bash"], tmp_path
    )
    # It is not on the PATH here, so what is to be typed has its path.
    assert f"; {program} -m https://example.org needs none" in run([program, "-m"], tmp_path, status=2)
    config = write_websites(tmp_path, [{"URL": "http://127.0.0.1:1"}], database="sqlite:")
    nobody = run([program, "-p", "--once", "-c", config], tmp_path, status=1)
    assert nobody == f"no monitor has run here yet: start {program} -m -c {config}\n"
    assert (program.parents[1] / "share" / "man" / "man1" / "website-monitor.1").exists()


def test_the_standard_librarys_modules_are_still_found(program: Path, tmp_path: Path) -> None:
    said = run([program.with_name("python"), "-c", "import test, monitoring; print(test.__file__)"], tmp_path)
    assert "site-packages" not in said


def test_it_tests_itself(program: Path, tmp_path: Path) -> None:
    assert "PASSED" in run([program, "-t"], tmp_path)


def test_it_watches_a_url_tells_of_it_and_shows_it_again(program: Path, tmp_path: Path) -> None:
    with HttpServer() as server:
        url = server.url()
        with Installed(program, tmp_path, "-m", url, "--format", "json") as monitor:
            monitor.until(lambda it: any(line["sites"][0]["checks"] for line in it.objects("stats")))
            assert monitor.terminate() == 0
    local = tmp_path / "website-monitor" / "monitor.db"
    config = write_websites(tmp_path, [{"URL": url}], localDatabase=str(local))
    assert f"127.0.0.1:{server.port}" in run([program, "-p", "--once", "-c", config], tmp_path)
    assert "no alert" in run([program, "-a", "--once", "-c", config], tmp_path)
