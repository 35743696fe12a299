"""`--check-config`: all that would run, for people and for programs, without a secret."""

import json
from pathlib import Path
from typing import Any

import pytest

from monitoring.commands import program
from tests.support.processes import write_websites

SHOP = {
    "URL": "https://user:s3cret@shop.example",
    "name": "shop",
    "id": "shop",
    "tags": ["money"],
    "expectedText": "welcome",
}
CHANNELS = [
    {
        "name": "ops",
        "url": "json://hooks.example/t0ken",
        "sites": ["tag:money"],
        "on": ["alert", "reminder"],
        "reminder": "1h",
    },
    {"command": ["true", "s3cret"]},
    "alertmanager+http://127.0.0.1:9093",
]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    sites = [SHOP, {"URL": "http://127.0.0.1:1", "enabled": False, "checkInterval": 2.5}]
    return write_websites(tmp_path, sites, database="influxdb://me:s3cret@localhost/x", notifications=CHANNELS)


def said(config: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert program.main(["--check-config", "-c", str(config), *options], {}) == 0
    out, err = capsys.readouterr()
    assert (err, "s3cret" in out, "t0ken" in out) == ("", False, False)
    return out


def test_people_see_who_would_be_told(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(config, capsys).splitlines()[-3:] == [
        "channel ops: alert, reminder of tag:money, a reminder every 1 h",
        "channel command[1]: alert, recovery, certificate of all websites",
        "channel alertmanager+http[2]: alert, recovery of all websites",
    ]


def test_programs_get_an_object(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found: dict[str, Any] = json.loads(said(config, capsys, "--format", "json"))
    assert (found["schema"], found["kind"], found["alertInterval"]) == (1, "configuration", 0.2)
    assert found["database"] == "influxdb://me:***@localhost:8086/x"
    assert found["localDatabase"] == str(config.with_suffix(".db"))
    assert found["retention"] == {"checks": 2_592_000, "alerts": 31_536_000}
    shop, other = found["websites"]
    assert (shop["URL"], shop["address"], shop["tags"]) == ("shop", "https://user:***@shop.example", ["money"])
    assert (other["enabled"], other["checkInterval"], other["name"]) == (False, 2.5, None)
    assert list(other["alerting"]) == ["threshold", "recoveryThreshold", "window", "minimumFailures"]
    assert len(shop["expects"]) == 2
    ops, command, _ = found["notifications"]
    assert ops == {"name": "ops", "kind": "apprise", "sites": ["tag:money"], "on": ["alert", "reminder"], "reminder": 3_600}
    assert (command["kind"], command["sites"], command["reminder"]) == ("command", None, None)


def test_what_is_wrong_is_said_as_always(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_websites(tmp_path, [{"URL": "example.org"}])
    assert program.main(["--check-config", "-c", str(config), "--format", "json"], {}) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
