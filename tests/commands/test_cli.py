"""The command line as people and scripts meet it: modes, errors, exit status, and no secret anywhere."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from monitoring import __version__
from monitoring.commands import cli, program
from monitoring.config.keys.databases import DEFAULT_LISTEN
from tests.support.contents import file_bytes, influx_text
from tests.support.influxd import Influxd
from tests.support.monitor import wait_for
from tests.support.processes import SCRIPT, Running, environment, run_program, write_websites
from tests.support.servers import OK, HttpServer, closed_port, redirect, response

MODES = ("-m", "-a", "-t", "--check-config")
OPTIONS = ("--config", "--silent", "--database", "--once", "--format", "--version", "--help")

HEAVY = {
    *("rich", "requests", "influxdb", "flask", "pycurl", "json5", "regex", "certifi", "msgspec", "sqlite3", "ssl"),
    *("asyncio", "dataclasses", "decimal", "email", "fractions", "inspect", "json", "logging", "socket", "subprocess"),
    "threading",
}
"""What takes long to import and is not needed to answer a question about the command line."""

OWN = {
    *("monitoring", "monitoring.names", "monitoring.shell", "monitoring.errors"),
    *("monitoring.commands", "monitoring.commands.arguments", "monitoring.commands.cli", "monitoring.commands.program"),
}
"""What answers it."""

NEWLY_IMPORTED = f"""
import runpy, sys
sys.argv = [{str(SCRIPT)!r}, *sys.argv[1:]]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit:
    print(*sys.modules, sep="\\n", file=sys.stderr)
"""


def main(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a run that ends by itself, in this process."""
    try:
        status = program.main([*map(str, arguments)], {})
    except SystemExit as leaving:
        status = int(leaving.code or 0)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_one_mode_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = main(capsys)
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert "a mode is missing: -m checks the sites" in err


@pytest.mark.parametrize("second", MODES[1:])
def test_two_modes_are_too_many(capsys: pytest.CaptureFixture[str], second: str) -> None:
    status, out, err = main(capsys, "-m", second)
    assert (status, out, err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize(
    "arguments",
    [
        ("-m", "--unknown"),
        ("-t", "extra"),
        ("-m", "http://a.example", "-c", "x"),
        ("-a", "--format", "xml"),
        ("-m", "-c"),
        ("-z",),
    ],
)
def test_wrong_usage_is_said_in_one_line_that_points_to_help(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    status, out, err = main(capsys, *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("monitoringApp.py: ")
    assert err.endswith("(see --help)\n")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(capsys, "--version") == (0, f"monitoringApp.py {__version__}\n", "")


def test_help_lists_every_mode_and_option(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = main(capsys, "--help")
    assert (status, err) == (0, "")
    assert [flag for flag in (*MODES, *OPTIONS, "--monitor", "--alerts", "--test") if flag not in out] == []


def test_help_says_modes_first_then_options_by_mode_then_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = main(capsys, "--help")
    headings = [line.removesuffix(":") for line in out.splitlines() if line.endswith(":") and not line.startswith(" ")]
    every_mode, *of_some, other = headings[1:-3]
    assert headings[0] == "modes (exactly one)"
    assert (every_mode, other) == ("options of every mode", "other")
    assert headings[-3:] == ["examples", "exit status", "documentation"]
    assert set(of_some) >= {"options of --monitor", "options of --alerts and --print", "options of --gateway and --web"}
    assert len(re.findall(r"^  \./monitoringApp\.py -", out, re.MULTILINE)) == 3
    assert "docs/" in out


def test_every_example_of_the_help_is_one_that_the_program_takes(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = main(capsys, "--help")
    for line in re.findall(r"^  \./monitoringApp\.py (-.+?)  ", out, re.MULTILINE):
        cli.parse_arguments(line.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-p", "--listen", "127.0.0.1:0"), "--listen goes with --gateway and --web, not with --print"),
        (
            ("--purge", "--format", "json"),
            "--format json goes with --monitor, --alerts, --print, --report, --check-config, --explain and --replay, not "
            "with --purge",
        ),
        (("-m", "--once"), "--once goes with --alerts and --print, not with --monitor"),
        (
            ("-m", "--location", ""),
            "--location goes with --alerts, --explain, --print, --replay, --web, --report and --purge, not with --monitor",
        ),
    ],
)
def test_a_misplaced_option_is_refused_with_the_mode_that_it_goes_with(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert main(capsys, *arguments) == (2, "", f"monitoringApp.py: {said} (see --help)\n")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["--nonsense"], ["-m", "--listen", "x"], []], ids=str)
def test_a_question_about_the_command_line_imports_nothing_heavy(arguments: list[str]) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", NEWLY_IMPORTED, *arguments], env=environment(), capture_output=True, text=True, check=True
    )
    imported = set(answer.stderr.split())
    assert {name for name in imported if name.startswith("monitoring.") or name == "monitoring"} == OWN
    assert HEAVY & {name.partition(".")[0] for name in imported} == set()


def test_help_names_the_address_at_which_a_gateway_listens(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = main(capsys, "--help")
    assert DEFAULT_LISTEN in out


def test_check_config_says_what_would_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = write_websites(tmp_path, [{"URL": "http://127.0.0.1:1/", "name": "one"}, {"name": "no URL"}])
    status, out, err = main(capsys, "--check-config", "-c", path)
    assert status == 0
    assert "http://127.0.0.1:1 (one): GET every 100 ms" in out
    assert err == f"{path}:1: websites[1] (no URL): no URL, ignored\n"


def test_check_config_says_all_that_is_wrong_at_once(tmp_path: Path) -> None:
    """On stderr, a line each, exit status 2; nothing on stdout, no traceback."""
    path = write_websites(
        tmp_path,
        [
            {"URL": "http://a.example", "checkIntervall": 3},
            {"URL": "nonsense"},
            {"URL": "http://b.example", "timeout": -1},
        ],
        database="mysql://x",
    )
    answer = run_program("--check-config", "-c", path)
    assert (answer.returncode, answer.stdout) == (2, "")
    lines = answer.stderr.splitlines()
    places = (
        "websites[0].checkIntervall: unknown key; did you mean checkInterval?",
        "websites[1].URL",
        "[2].timeout",
        "database",
    )
    assert len(lines) == len(places)
    assert all(line.startswith(f"{path}:1: ") for line in lines)
    assert [place for place in places if not any(place in line for line in lines)] == []


@pytest.mark.parametrize("mode", ["-m", "-a", "--check-config"])
def test_a_missing_configuration_is_one_line(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "absent.json"
    answer = run_program(mode, "-c", path)
    assert (answer.returncode, answer.stdout, answer.stderr) == (2, "", f"{path}: there is no such file\n")


def test_a_second_monitor_on_the_same_file_fails_and_names_the_first(tmp_path: Path) -> None:
    path = write_websites(tmp_path, [{"URL": f"http://127.0.0.1:{closed_port()}"}])
    with Running("-m", "-c", path) as first:
        first.until(lambda running: running.printed)
        second = run_program("-m", "-c", path)
        assert first.interrupt() == 0
    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert "another monitor writes here already (process " in second.stderr


def test_silent_prints_nothing(tmp_path: Path) -> None:
    with HttpServer() as site:
        path = write_websites(tmp_path, [{"URL": site.url()}])
        with Running("-m", "-s", "-c", path) as monitor:
            wait_for(lambda: len(site.requests) > 3, "it checks")
            assert monitor.interrupt() == 0
            assert (monitor.printed, monitor.errors) == ([], [])


def test_the_database_of_the_command_line_stands_over_the_one_of_the_file(tmp_path: Path) -> None:
    path = write_websites(tmp_path, [{"URL": "http://127.0.0.1:1"}])
    answer = run_program("--check-config", "-c", path, "--database", "influxdb://db.example:99/elsewhere")
    assert "database: influxdb://db.example:99/elsewhere\n" in answer.stdout


SECRETS = {"PASSWORD": "s3cr3t-password", "TOKEN": "t0k3n-of-the-header", "KEY": "k3y-in-the-query"}
WRITTEN = ("written-in-the-file", "database-password")


@pytest.fixture(scope="module")
def secretive_run(influxd: Influxd, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Everything that the program said about sites full of secrets that fail in many ways, and where its files are."""
    directory = tmp_path_factory.mktemp("secretive")
    answers: dict[str, bytes] = {}
    with HttpServer(lambda request: answers.get(request.target, OK)) as site:
        answers |= _tell_tales(site.port)
        path = _secretive_config(directory, [*answers], site.port, influxd)
        said = run_program("--check-config", "-c", path, environ=SECRETS)
        with Running("-m", "-c", path, environ=SECRETS) as plain:
            plain.until(lambda running: running.text.count(" is down. ") == len(answers) + 2)
            plain.until(lambda running: "== reading influxdb" in running.text.lower())
            assert plain.interrupt() == 0
        history = run_program("-a", "--once", "--format", "json", "-c", path, environ=SECRETS)
    assert history.stdout.count("\n") == len(answers) + 2
    assert any(request.headers.get("authorization") == f"Bearer {SECRETS['TOKEN']}" for request in site.requests)
    parts = (said.stdout, said.stderr, plain.text, *plain.errors, history.stdout, history.stderr)
    return "".join(parts), directory


def _tell_tales(port: int) -> dict[str, bytes]:
    """Pages that echo what they were asked, as real servers do, each with another failure."""
    echo = f"admin:{SECRETS['PASSWORD']}@127.0.0.1"
    query = f"?key={SECRETS['KEY']}"
    return {
        f"/denied{query}": response(401, SECRETS["TOKEN"].encode()),
        f"/redirected{query}": redirect(f"ftp://{echo}/{query}"),
        f"/looping{query}": redirect(f"http://{echo}:{port}/looping{query}"),
        f"/broken{query}": f"{SECRETS['TOKEN']}\r\n\r\n".encode(),
    }


def _secretive_config(directory: Path, targets: Sequence[str], port: int, influxd: Influxd) -> Path:
    """These pages, a refused connection and a page without its text; secrets wherever a configuration takes them."""
    server = "http://admin:${PASSWORD}@127.0.0.1"
    headers = {"Authorization": "Bearer ${TOKEN}", "X-Plain": "written-in-the-file"}
    paths = [f"{server}:{port}{target.partition('?')[0]}" for target in targets]
    paths.append(f"{server}:{closed_port()}/")
    websites: list[dict[str, object]] = [{"URL": f"{path}?key=${{KEY}}", "headers": headers} for path in paths]
    text = {"URL": f"{server}:{port}/text", "method": "POST", "body": "${TOKEN}", "expectedText": "${TOKEN}"}
    # An InfluxDB without authentication takes any credentials: they are sent, and must not come back.
    database = influxd.url("secretive").replace("://", "://reader:database-password@")
    return write_websites(directory, [*websites, text], database=database)


def test_no_output_holds_a_secret(secretive_run: tuple[str, Path]) -> None:
    said, _ = secretive_run
    assert "admin:***@127.0.0.1" in said
    assert "reader:***@" in said
    assert [secret for secret in (*SECRETS.values(), *WRITTEN) if secret in said] == []


def test_no_local_file_holds_a_secret(secretive_run: tuple[str, Path]) -> None:
    _, directory = secretive_run
    files = {name: data for name, data in file_bytes(directory).items() if name != "config.json"}
    assert b"admin:***@127.0.0.1" in files["config.db"]
    found = [
        (secret, name) for secret in (*SECRETS.values(), *WRITTEN) for name, data in files.items() if secret.encode() in data
    ]
    assert found == []


def test_influxdb_holds_no_secret(secretive_run: tuple[str, Path], influxd: Influxd) -> None:
    text = influx_text(influxd, "secretive")
    assert "admin:***@127.0.0.1" in text
    assert [secret for secret in (*SECRETS.values(), *WRITTEN) if secret in text] == []


@pytest.mark.parametrize(
    "broken", ["influxdb://user:s3cr3t-password@host:port/x", "influxdb://user:s3cr3t-password@h/x?q", "s3cr3t-password"]
)
def test_no_configuration_error_quotes_a_secret(tmp_path: Path, broken: str) -> None:
    websites: list[dict[str, object]] = [
        {"URL": "http://admin:s3cr3t-password@ho st/"},
        {"URL": "http://a.example", "headers": {"s3cr3t-password: x": "y", "A": "s3cr3t-password\n"}},
        {"URL": "http://b.example", "expectedPattern": "(s3cr3t-password", "method": "s3cr3t password"},
    ]
    answer = run_program("--check-config", "-c", write_websites(tmp_path, websites, database=broken))
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 6
    assert "s3cr3t-password" not in answer.stderr + answer.stdout


def test_an_unset_variable_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = write_websites(tmp_path, [{"URL": "http://a.example", "headers": {"A": "${NOT_SET_ANYWHERE}"}}])
    answer = run_program("-m", "-c", path)
    assert answer.returncode == 2
    assert "headers.A: ${NOT_SET_ANYWHERE} is not set in the environment" in answer.stderr
