"""The program without a configuration: what a newcomer is told, and sites that are given on the command line."""

from pathlib import Path

import pytest

from monitoring.commands import program
from tests.support.processes import Running, run_program, write_websites
from tests.support.servers import HttpServer, closed_port


@pytest.mark.parametrize("mode", ["-m", "-p", "--check-config"])
def test_a_newcomer_without_a_configuration_is_told_how_to_begin(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert program.main([mode], {}) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("config.json: there is no such file; ./monitoringApp.py -m https://example.org needs none")
    smallest = err[err.index("{") : err.rindex("}") + 1]
    (tmp_path / "config.json").write_text(smallest)
    assert program.main(["--check-config"], {}) == 0


def test_urls_are_watched_without_a_configuration_and_kept_in_the_users_state_directory(tmp_path: Path) -> None:
    with HttpServer() as site:
        urls = site.url().rstrip("/"), f"http://127.0.0.1:{closed_port()}"
        with Running("-m", urls[0], "--database", "sqlite:", urls[1], environ={"XDG_STATE_HOME": str(tmp_path)}) as monitor:
            monitor.until(lambda running: all(url in running.text for url in urls))
            assert monitor.interrupt() == 0
    assert (tmp_path / "website-monitor" / "monitor.db").exists()


def test_what_is_no_url_is_refused_as_in_a_configuration(tmp_path: Path) -> None:
    answer = run_program("-m", "example.org", environ={"XDG_STATE_HOME": str(tmp_path)})
    assert answer.returncode == 2
    assert answer.stderr.startswith("URL 1: must be a URL")


def test_a_second_monitor_without_a_configuration_is_told_of_a_file_of_its_own(tmp_path: Path) -> None:
    url, environ = f"http://127.0.0.1:{closed_port()}", {"XDG_STATE_HOME": str(tmp_path)}
    with Running("-m", url, environ=environ) as first:
        first.until(lambda running: running.printed)
        refused = run_program("-m", "http://127.0.0.1:2", environ=environ)
        assert refused.stderr.endswith("); --local-database FILE gives this one a file of its own\n")
        own = ("--local-database", tmp_path / "own.db")
        with Running("-m", "http://127.0.0.1:2", *own, environ=environ) as second:
            second.until(lambda running: "checks=1" in running.text)
            assert second.interrupt() == 0
        shown = run_program("-p", "http://127.0.0.1:2", "--once", *own, environ=environ)
        assert (shown.returncode, "causes=connect" in shown.stdout) == (0, True)
        assert first.interrupt() == 0


def test_the_local_file_of_the_command_line_is_not_the_configuration(tmp_path: Path) -> None:
    path = write_websites(tmp_path, [{"URL": "http://127.0.0.1:1"}])
    refused = run_program("--check-config", "-c", path, "--local-database", path)
    assert (refused.returncode, refused.stderr) == (2, "--local-database: must not be the configuration file itself\n")


def test_a_configuration_that_cannot_be_looked_at_is_not_said_to_be_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").symlink_to("config.json")
    assert program.main(["-m"], {}) == 2
    assert capsys.readouterr().err == "config.json: cannot be read: Too many levels of symbolic links\n"
