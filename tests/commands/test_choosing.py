"""What a mode is about: the websites of a file, of standard input, of URLs, or one of them."""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from monitoring.commands.invocation import is_piped
from tests.support.monitor import PATIENCE_S, Monitor, wait_for
from tests.support.processes import Running, command, environment, run_program, write_websites
from tests.support.target import Target

pytestmark = pytest.mark.xdist_group("choosing")  # one process runs them all: most read what one monitor has left


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with Target() as target:
        yield target


@pytest.fixture(scope="module")
def config(target: Target, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sites with names, both of which were down. Whoever uses it only reads."""
    sites: list[dict[str, object]] = [{"URL": target.url(f"/{name}"), "name": name} for name in ("shop", "docs")]
    sites[0] |= {"tags": ["eu", "sells"], "group": "front: a"}
    path = write_websites(tmp_path_factory.mktemp("watched"), sites)
    for site in ("/shop", "/docs"):
        target.go_down(site)
    with Monitor(path) as monitor:
        wait_for(lambda: len(monitor.announced("alert")) == 2, "both alerts")
        assert monitor.terminate() == 0
    return path


def check(path: str, *, data: bytes, folder: Path, home: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command("--check-config", "-c", path),
        input=data,
        cwd=folder,
        env=environment({"XDG_STATE_HOME": str(home)}),
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )


@pytest.mark.parametrize("source", ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"])
def test_a_configuration_comes_from_standard_input(tmp_path: Path, source: str) -> None:
    """The local file then lies in the user's state directory, unless the configuration names one."""
    home = tmp_path / "state"
    answer = check(source, data=b'{"websites": [{"URL": "http://a.example"}]}', folder=tmp_path, home=home)
    assert answer.returncode == 0, answer.stderr
    assert f"local file: {home}/website-monitor/standard-input.db\n" in answer.stdout.decode()
    named = check(
        source, data=b'{"websites": [{"URL": "http://a.example"}], "localDatabase": "my.db"}', folder=tmp_path, home=home
    )
    assert "local file: my.db\n" in named.stdout.decode()


def test_a_configuration_comes_from_a_pipe_with_a_name(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ExitStack() as stack:
        writer = stack.enter_context(subprocess.Popen(["sh", "-c", f"echo '{{}}' > {pipe}"]))
        answer = check(str(pipe), data=b"", folder=tmp_path, home=tmp_path / "state")
        writer.wait(PATIENCE_S)
    assert answer.stderr.decode() == f"{pipe}: websites: nothing to check: no website with a URL\n"
    assert not list(tmp_path.glob("*.db"))


def test_what_a_shell_substitutes_is_called_by_its_path(tmp_path: Path) -> None:
    """As of `-c <(…)`. Names in it are relative to the working directory, which may be another one than its own."""
    (tmp_path / "more.json").write_text('{"websites": [{"URL": "http://a.example", "checkIntervall": 1}]}')
    configuration = '{"include": "more.json", "websites": 3}'
    line = f"exec {shlex.join(command('--check-config', '-c'))} <(echo {shlex.quote(configuration)})"
    environ = environment({"XDG_STATE_HOME": str(tmp_path)})
    answer = subprocess.run(["bash", "-c", line], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert answer.returncode == 2
    first, second = answer.stderr.splitlines()
    assert re.fullmatch(r"/dev/fd/\d+:1: websites: must be a list, .*", first)
    assert second.startswith("more.json:1: websites[0].checkIntervall: ")


def test_a_file_in_memory_is_a_file_like_any_other() -> None:
    """Its local file lies beside it."""
    assert not is_piped(Path("/dev/shm/config.json"))


def test_what_is_wrong_with_standard_input_is_one_line(tmp_path: Path) -> None:
    answer = check("-", data=b"{\n", folder=tmp_path, home=tmp_path)
    assert answer.returncode == 2
    assert answer.stderr.startswith(b"standard input:2:1: ")
    assert answer.stderr.count(b"\n") == 1


@pytest.mark.parametrize("mode", ["-p", "-a"])
@pytest.mark.parametrize("site", ["shop", "URL", "tag:sells", "group:front: a"])
def test_one_site_is_shown_by_its_name_url_tag_or_group(target: Target, config: Path, mode: str, site: str) -> None:
    asked = target.url("/shop") if site == "URL" else site
    answer = run_program(mode, "--once", "--site", asked, "-c", config)
    assert answer.returncode == 0, answer.stderr
    assert "shop" in answer.stdout
    assert "docs" not in answer.stdout


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("shpo", "no website is called shpo; did you mean shop?"),
        ("tag:shop", "no website has the tag shop; --check-config lists them"),
        ("group:eu", "no website has the group eu; --check-config lists them"),
    ],
)
def test_a_site_that_is_not_configured_is_one_line(config: Path, asked: str, words: str) -> None:
    answer = run_program("-p", "--once", "--site", asked, "-c", config)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == f"--site: {words}\n"
    history = run_program("-a", "--once", "--site", asked, "-c", config)  # it may have been configured once
    assert (history.returncode, history.stdout, history.stderr) == (0, "no alerts so far\n", f"--site: {words}\n")


@pytest.fixture
def state(target: Target, tmp_path: Path) -> dict[str, str]:
    """An environment in whose state directory `-m URL URL` has left its file."""
    environ = {"XDG_STATE_HOME": str(tmp_path)}
    urls = [target.url("/shop"), target.url("/docs")]
    with Running("-m", *urls, "--database", "sqlite:", environ=environ) as monitor:
        monitor.until(lambda running: "from local" in running.text)
        assert monitor.interrupt() == 0
    return environ


def test_readers_take_urls_as_a_monitor_does(target: Target, state: dict[str, str]) -> None:
    url = target.url("/shop")
    answer = run_program("-p", "--once", url, "--database", "sqlite:", environ=state)
    assert answer.returncode == 0, answer.stderr
    assert url in answer.stdout
    assert "/docs" not in answer.stdout
    assert "checks=0 " not in answer.stdout
    history = run_program("-a", "--once", url, "--database", "sqlite:", environ=state)
    assert (history.returncode, history.stdout) == (0, "no alerts so far\n")


def test_a_mode_without_websites_takes_no_urls() -> None:
    answer = run_program("--purge", "http://a.example")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "URLs go with --monitor, --print, --alerts and --explain, not with --purge" in answer.stderr
