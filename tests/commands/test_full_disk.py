"""Standard output or standard error on a full disk: one line says so, and what does more than print goes on."""

import subprocess
from pathlib import Path

import pytest
import requests

from tests.support.influxd import free_port
from tests.support.monitor import PATIENCE_S, wait_for
from tests.support.processes import command, environment, write_websites

FULL = "nothing can be printed: No space left on device\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_websites(tmp_path, [{"URL": "http://127.0.0.1:9/"}])


def run(*arguments: str | Path, full: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end, with "stdout" or "stderr" on a full disk and the other one in a pipe."""
    with open("/dev/full", "w") as disk:
        outputs = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, full: disk}
        return subprocess.run(command(*arguments), env=environment(), **outputs, text=True, timeout=PATIENCE_S, check=False)


@pytest.mark.parametrize(
    "mode", [("--check-config",), ("--check-config", "--format", "json"), ("--print-completion", "bash")]
)
def test_what_only_prints_says_so_in_one_line(config: Path, mode: tuple[str, ...]) -> None:
    ended = run(*mode, "-c", config, full="stdout")
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
