"""Standard output or standard error on a full disk: one line says so, and what does more than print goes on."""

import subprocess
from contextlib import closing
from pathlib import Path

import pytest
import requests

from monitoring.storage.sqlite.store import LocalStore
from tests.support.influxd import free_port
from tests.support.monitor import PATIENCE_S, local_file, wait_for
from tests.support.points import START_MS, alert, checks
from tests.support.processes import command, environment, write_websites

SITE = "http://127.0.0.1:9"
FULL = "nothing can be printed: No space left on device\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_websites(tmp_path, [{"URL": "http://127.0.0.1:9/"}])


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    """A configuration whose monitor has stored checks and an alert."""
    path = write_websites(tmp_path, [{"URL": SITE}], database="sqlite:")
    with closing(LocalStore(local_file(path))) as store:
        store.append(checks([0, 2, 4], SITE), [alert(4, SITE)], START_MS)
    return path


def run(*arguments: str | Path, full: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end, with "stdout" or "stderr" on a full disk and the other one in a pipe."""
    with open("/dev/full", "w") as disk:
        outputs = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, full: disk}
        return subprocess.run(command(*arguments), env=environment(), **outputs, text=True, timeout=PATIENCE_S, check=False)


@pytest.mark.parametrize(
    "mode",
    [
        ("--check-config",),
        ("--check-config", "--format", "json"),
        ("--print-completion", "bash"),
        ("-a", "--once"),
        ("-a", "--once", "--all"),
        ("-a", "--once", "--format", "json"),
        ("-p", "--once"),
        ("-p", "--once", "--format", "json"),
        ("--report", "2026-01"),
        ("--purge", "--site", SITE),
        ("--explain", SITE),
        ("--replay", "--since", "2026-01-01"),
    ],
)
def test_what_only_prints_says_so_in_one_line(measured: Path, mode: tuple[str, ...]) -> None:
    ended = run(*mode, "-c", measured, full="stdout")
    assert (ended.returncode, ended.stderr) == (1, FULL)


def test_a_warning_that_cannot_be_printed_ends_nothing(tmp_path: Path) -> None:
    config = write_websites(tmp_path, [{"URL": "http://127.0.0.1:9/"}, {"name": "it has no URL, which is warned of"}])
    ended = run("--check-config", "-c", config, full="stderr")
    assert ended.returncode == 0
    assert "http://127.0.0.1:9" in ended.stdout


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=PATIENCE_S).ok
    except requests.ConnectionError:
        return False


@pytest.mark.parametrize("mode", ["-g", "-w"])
def test_what_serves_goes_on_serving(config: Path, mode: str) -> None:
    address = f"127.0.0.1:{free_port()}"
    program = command(mode, "-c", config, "--listen", address)
    with (
        open("/dev/full", "w") as full,
        subprocess.Popen(program, env=environment(), stdout=full, stderr=subprocess.PIPE, text=True) as process,
    ):
        try:
            wait_for(lambda: answers(f"http://{address}/"), "it serves")
        finally:
            process.terminate()
        assert FULL in process.communicate()[1]
        assert process.returncode == 0
