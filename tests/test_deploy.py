"""What systemd and Docker are told is true of the program: flags, paths, variables; and it behaves as they expect."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.dockerfile import Instruction, in_context, instructions
from deploy.healthcheck import INTERVALS, QUIET_MS, trouble
from monitoring.commands.cli import parse_arguments
from monitoring.config import load_config
from monitoring.models import PHASES, Cause, CheckResult
from monitoring.storage.sqlite.store import LocalStore
from tests.support.monitor import write_config
from tests.support.servers import HttpServer, response
from tests.support.sources import ROOT, modules

DEPLOY = ROOT / "deploy"
UNITS = {path.name: path.read_text() for path in sorted(DEPLOY.glob("*.service"))}
DOCKERFILE = instructions((ROOT / "Dockerfile").read_text())
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
OURS = ("monitor", "gateway", "web")

every_unit = pytest.mark.parametrize("unit", UNITS)


def settings(unit: str, name: str) -> list[str]:
    """What a unit gives a setting, in order; a setting may stand more than once."""
    return re.findall(rf"^{name}=(.*)$", UNITS[unit], re.MULTILINE)


def step(name: str) -> Instruction:
    """The one step of this name in the Dockerfile."""
    (found,) = (instruction for instruction in DOCKERFILE if instruction.name == name)
    return found


def program_arguments(words: list[str]) -> list[str]:
    return words[next(place for place, word in enumerate(words) if word.endswith("monitoringApp.py")) + 1 :]


# --- systemd ---------------------------------------------------------------------------------------------------------


@every_unit
def test_a_unit_starts_the_program_with_flags_that_exist(unit: str) -> None:
    (command,) = settings(unit, "ExecStart")
    arguments = parse_arguments(program_arguments(command.split()))
    assert arguments.mode == unit.removesuffix(".service").replace("monitoring", "monitor")


def test_the_monitor_may_have_a_thread_for_each_website() -> None:
    """systemd's own limit is a share of the machine's: 2000 websites would not fit everywhere."""
    assert settings("monitoring.service", "TasksMax") == ["infinity"]
    assert settings("monitoring.service", "LimitNPROC") == []


@every_unit
def test_a_unit_may_write_nothing_but_its_own_directory(unit: str) -> None:
    assert settings(unit, "ProtectSystem") == ["strict"]
    assert settings(unit, "DynamicUser") == ["yes"]
    assert settings(unit, "StateDirectory") == settings(unit, "User")
    assert settings(unit, "ReadWritePaths") == []


def test_the_monitor_tells_systemd_before_it_would_be_killed() -> None:
    """Its main loop says so four times within the limit, and turns once a second."""
    assert settings("monitoring.service", "Type") == ["notify"]
    assert int(settings("monitoring.service", "WatchdogSec")[0]) >= 60


def test_a_wrong_configuration_is_not_tried_again_for_ever() -> None:
    assert all(settings(unit, "RestartPreventExitStatus") == ["2"] for unit in UNITS)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
@every_unit
def test_systemd_finds_nothing_wrong_and_little_exposed(unit: str, tmp_path: Path) -> None:
    """The program's path is replaced by one that exists here: systemd looks."""
    copy = tmp_path / unit
    copy.write_text(re.sub(r"/opt/website-monitor/\.venv/bin/python", sys.executable, UNITS[unit]))
    verified = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
    assert (verified.returncode, [line for line in verified.stderr.splitlines() if unit in line]) == (0, [])
    secure = ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", copy]
    assessed = subprocess.run(secure, capture_output=True, text=True, check=False)
    assert assessed.returncode == 0, assessed.stdout[-300:]


# --- Docker ----------------------------------------------------------------------------------------------------------


def test_the_image_starts_the_monitor_without_a_shell_and_not_as_root() -> None:
    words = [*step("ENTRYPOINT").words, *step("CMD").words]
    assert parse_arguments(program_arguments(words)).mode == "monitor"
    assert step("ENTRYPOINT").text.startswith("[")
    assert step("CMD").text.startswith("[")
    assert int(step("USER").text.partition(":")[0]) > 0


def test_the_image_runs_the_python_that_the_project_needs() -> None:
    python = re.fullmatch(r"python:3\.(\d+)-slim-\w+", step("FROM").text)
    assert python
    assert int(python[1]) >= 11


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """The directory that a build would be sent."""
    files = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file()]
    for name in in_context(files, (ROOT / ".dockerignore").read_text()):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_the_image_holds_the_program_and_nothing_else(context: Path) -> None:
    """No history, no tests, no configuration with its secrets, no data."""
    programs = {*(path.name for path in ROOT.glob("*.py")), "requirements.txt", "deploy", "monitoring"}
    assert {path.name for path in context.iterdir()} == programs
    of_the_page = {".html", ".atom", ".css", ".js"}
    assert {path.suffix for path in context.rglob("*") if path.is_file()} == {".py", ".txt", *of_the_page}
    copied = [source for one in DOCKERFILE if one.name == "COPY" for source in one.words[:-1]]
    assert {source.split("/")[0] for source in copied} == programs
    assert [source for source in copied if not (context / source).exists()] == []


def test_what_is_in_the_image_is_enough(context: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    config = write_config(tmp_path_factory.mktemp("config"), ["http://127.0.0.1:1/"])
    for arguments in (["-m", "deploy.healthcheck", "/no/such"], ["monitoringApp.py", "--check-config", "-c", str(config)]):
        done = subprocess.run([sys.executable, *arguments], cwd=context, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr
        assert done.returncode == (1 if "deploy.healthcheck" in arguments else 0)


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("monitoring/storage/sqlite/store.py", True),
        ("monitoring/__pycache__/clock.pyc", False),
        ("deploy/healthcheck.py", True),
        ("deploy/config/config.json", False),
        ("config.json", False),
        ("config.db", False),
        (".git/config", False),
        ("tests/test_deploy.py", False),
    ],
)
def test_what_a_build_is_sent(path: str, sent: bool) -> None:
    assert list(in_context([path], (ROOT / ".dockerignore").read_text())) == [path] * sent


def test_without_a_profile_only_the_database_starts() -> None:
    assert {name: service.get("profiles", []) for name, service in COMPOSE["services"].items()} == {
        "influxdb": [],
        "monitor": ["monitor"],
        "gateway": ["gateway"],
        "web": ["web"],
    }


def test_the_database_is_reached_from_this_machine_only() -> None:
    assert COMPOSE["services"]["influxdb"]["ports"] == ["127.0.0.1:8086:8086"]


@pytest.mark.parametrize("service", OURS)
def test_a_container_has_no_rights_that_it_does_not_need(service: str) -> None:
    given = COMPOSE["services"][service]
    assert given["read_only"] is True
    assert given["cap_drop"] == ["ALL"]
    assert given["security_opt"] == ["no-new-privileges:true"]
    assert given["depends_on"] == {"influxdb": {"condition": "service_healthy"}}
    assert [volume.rpartition(":")[2] for volume in given["volumes"]] == ["ro", "/data"]


@pytest.mark.parametrize("service", OURS)
def test_a_container_is_started_with_flags_that_exist(service: str) -> None:
    words = [*step("ENTRYPOINT").words, *COMPOSE["services"][service]["command"]]
    assert parse_arguments(program_arguments(words)).mode == service


@pytest.mark.parametrize("place", ["units", "containers"])
def test_every_variable_that_is_set_is_one_that_the_program_reads(place: str) -> None:
    source = "\n".join(module.text for module in modules())
    if place == "units":
        named = {name for unit in UNITS for line in settings(unit, "Environment") for name in re.findall(r"(\w+)=", line)}
    else:
        named = {name for service in OURS for name in COMPOSE["services"][service]["environment"]} | set(step("ENV").pairs)
    ours = {name.removesuffix("_FILE") if name.startswith("MONITORING_") else name for name in named}
    assert [name for name in sorted(ours) if not name.startswith("PYTHON") and name not in source] == []


def test_the_containers_configuration_is_right_and_writes_into_the_volume() -> None:
    config = load_config(DEPLOY / "config" / "config.json", {})
    assert config.warnings == ()
    assert config.local_database.parent == Path("/data")
    assert step("VOLUME").words == ["/data"]
    assert config.database
    assert config.database.host in COMPOSE["services"]


@pytest.mark.parametrize("profile", [[], *(["--profile", name] for name in OURS)])
def test_docker_compose_accepts_its_file(profile: list[str]) -> None:
    """It checks the file against its schema; no engine is asked."""
    command = ["docker-compose", "-f", str(ROOT / "docker-compose.yaml"), *profile, "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# --- health ----------------------------------------------------------------------------------------------------------


NOW_MS = 1_767_225_600_000


def write_check(directory: Path, time_ms: int, interval_ms: int = 2_000, name: str = "checks.db") -> None:
    store = LocalStore(directory / name)
    store.append([CheckResult("http://a", time_ms, interval_ms, 0, 0, None, (None,) * len(PHASES), Cause.CONNECT)], [], 0)
    store.close()


def test_a_monitor_that_wrote_lately_is_well(tmp_path: Path) -> None:
    """Whether sites are up or down is another question."""
    write_check(tmp_path, NOW_MS - QUIET_MS)
    assert trouble(str(tmp_path), NOW_MS) is None


def test_a_monitor_that_has_written_nothing_for_long_is_not(tmp_path: Path) -> None:
    write_check(tmp_path, NOW_MS - QUIET_MS - 1_000)
    assert trouble(str(tmp_path), NOW_MS) == f"{tmp_path}/checks.db: nothing was checked for 121 s"


def test_a_monitor_whose_sites_are_asked_rarely_may_be_quiet_for_longer(tmp_path: Path) -> None:
    write_check(tmp_path, NOW_MS, interval_ms=600_000)
    assert trouble(str(tmp_path), NOW_MS + INTERVALS * 600_000) is None
    assert trouble(str(tmp_path), NOW_MS + INTERVALS * 600_000 + 1) is not None


def test_one_file_that_is_written_is_enough(tmp_path: Path) -> None:
    """The name of the local file may change; the old one stays behind."""
    write_check(tmp_path, NOW_MS - 10 * QUIET_MS, name="a-old.db")
    write_check(tmp_path, NOW_MS, name="new.db")
    assert trouble(str(tmp_path), NOW_MS) is None


def test_a_clock_that_was_set_back_makes_nobody_ill(tmp_path: Path) -> None:
    write_check(tmp_path, NOW_MS + 3_600_000)
    assert trouble(str(tmp_path), NOW_MS) is None


def test_a_directory_without_a_monitors_file_is_told(tmp_path: Path) -> None:
    assert trouble(str(tmp_path), NOW_MS) == f"{tmp_path}: no monitor has written here"
    (tmp_path / "checks.db").write_bytes(b"not a file of this program" * 100)
    assert "checks.db: " in (trouble(str(tmp_path), NOW_MS) or "")


@pytest.mark.parametrize(("status", "well"), [(200, True), (503, False)])
def test_a_gateway_is_as_well_as_it_says(status: int, well: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with HttpServer(response(status, b"")) as server:
        assert trouble(server.url("/healthz"), NOW_MS) == (None if well else f"{server.url('/healthz')}: answered {status}")
        assert [request.target for request in server.requests] == ["/healthz"]


def test_a_gateway_that_does_not_answer_is_told() -> None:
    assert "ConnectionRefusedError" in (trouble("http://127.0.0.1:1/healthz", NOW_MS) or "")
