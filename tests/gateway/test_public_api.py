"""People and their scripts get from a gateway what the command line prints, to the letter."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
import requests
from werkzeug.test import Client

from monitoring.clock import SystemClock
from monitoring.gateway.application import make_application
from monitoring.gateway.databases import Databases
from monitoring.gateway.limits import Limits
from monitoring.gateway.public_api import AlertObject, StatsObject
from monitoring.models import Site
from monitoring.storage.base import Points
from monitoring.storage.sqlite.database import SharedFile
from tests.support.gateway import NO_TOKENS, Gateway
from tests.support.gateway_application import reason
from tests.support.influx_databases import address_of, store_at
from tests.support.influxd import Influxd
from tests.support.points import alert, checks, recovery
from tests.support.printed import story
from tests.support.processes import run_program, write_websites

FIRST, SECOND = {"URL": "http://first.example", "name": "first", "tags": ["shop"]}, {"URL": "http://second.example"}
MOMENT = "2026-01-01T11:30:00Z"

STATS = [
    ({}, []),
    ({"window": "1h"}, ["--window", "1h"]),
    ({"site": "tag:shop"}, ["--site", "tag:shop"]),
    ({"location": ""}, ["--location", ""]),
]
ALERTS = [({}, []), ({"limit": "1"}, ["--limit", "1"]), ({"site": "first"}, ["--site", "first"])]


@pytest.fixture(scope="module")
def machines(influxd: Influxd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Path, Path]]:
    """A gateway, and configurations of these websites: its own, and one of a machine that knows the gateway alone."""
    here, elsewhere = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("elsewhere")
    with closing(store_at(address_of(influxd, "dialect"))) as store:
        store.verify("test")
        store.write(Points(*story()))
    config = write_websites(here, [FIRST, SECOND], database=influxd.url("dialect"), retention={"checks": "3650d"})
    with Gateway(config, tokens=NO_TOKENS) as gateway:
        gateway.wait_until_it_serves()
        yield gateway, config, write_websites(elsewhere, [FIRST, SECOND], database=gateway.url)


def answered(gateway: Gateway, what: str, asked: dict[str, str]) -> bytes:
    answer = requests.get(f"http://127.0.0.1:{gateway.port}/api/v2/{what}", asked, timeout=60)
    assert answer.status_code == 200
    return answer.content


def printed(*arguments: str | Path) -> list[object]:
    answer = run_program(*arguments, "--format", "json")
    assert (answer.returncode, answer.stderr) == (0, "")
    return [json.loads(line) for line in answer.stdout.splitlines()]


@pytest.mark.parametrize(("asked", "options"), STATS, ids=str)
def test_statistics_are_those_of_the_command_line(
    machines: tuple[Gateway, Path, Path], asked: dict[str, str], options: list[str]
) -> None:
    gateway, config, elsewhere = machines
    answer = answered(gateway, "stats", {"at": MOMENT, **asked})
    arguments = ["-p", "--at", MOMENT, *options]
    assert json.loads(answer) == printed(*arguments, "-c", config)[0]
    assert {**json.loads(answer), "source": "gateway"} == printed(*arguments, "-c", elsewhere)[0]
    msgspec.json.decode(answer, type=StatsObject)


@pytest.mark.parametrize(("asked", "options"), ALERTS, ids=str)
def test_alerts_are_those_of_the_command_line(
    machines: tuple[Gateway, Path, Path], asked: dict[str, str], options: list[str]
) -> None:
    gateway, config, elsewhere = machines
    lines = answered(gateway, "alerts", asked).splitlines()
    arguments = ["-a", "--once", *options]
    assert [json.loads(line) for line in lines] == printed(*arguments, "-c", config) == printed(*arguments, "-c", elsewhere)
    assert all(msgspec.json.decode(line, type=AlertObject) for line in lines)


# Without its server


@pytest.fixture
def databases(tmp_path: Path) -> Iterator[Databases]:
    file = SharedFile(tmp_path / "gateway.db")
    databases = Databases(file.open, 10, file)
    databases.at("").write(Points(checks([2, 4]), [alert(3), recovery(5)]))
    databases.at("paris").write(Points(checks([2], "b")))
    yield databases
    databases.close()


@pytest.fixture
def client(databases: Databases) -> Client:
    named = Site("b", "http://b", name="B", group="shops")
    configured = (Site("nobody", "http://nobody"), named)
    return make_application(databases, NO_TOKENS, Limits(), SystemClock(), sites=lambda: configured).test_client()


AT = "at=2026-01-01T00:00:10Z"


def test_every_site_that_is_stored_is_told_of_in_every_place(client: Client) -> None:
    found = client.get(f"/api/v2/stats?{AT}").json
    assert (found["schema"], found["kind"], found["window"]) == (1, "stats", 600)
    seen = [(site["URL"], site["name"], site["group"], site.get("location"), site["state"]) for site in found["sites"]]
    assert seen == [("b", "B", "shops", "paris", "up"), ("a", None, None, None, "up")]
    (only,) = client.get(f"/api/v2/stats?{AT}&location=paris").json["sites"]
    assert only["URL"] == "b"


def test_what_is_stored_is_no_dialect(client: Client) -> None:
    """Integers for programs do not bear the number of what is for people."""
    for path in ("stats?window=600", "results?window=600", "alerts?window=600", "last-time", "locations"):
        assert "schema" not in client.get(f"/api/v2/store/{path}").json


def test_only_what_was_decided_since_and_what_is_still_open(client: Client, databases: Databases) -> None:
    databases.at("").write(Points(alerts=[alert(1, "c")]))
    assert client.get("/api/v2/alerts").content_type == "application/x-ndjson"
    lines = [json.loads(line) for line in client.get("/api/v2/alerts?since=2026-01-01T00:00:04Z").text.splitlines()]
    assert [(line["URL"], line["type"]) for line in lines] == [("c", "alert"), ("a", "recovery")]


@pytest.mark.parametrize(("question", "words"), [
    ("stats?window=soon", 'window: must be a duration: a number of seconds, or "500ms"'),
    ("stats?window=0", "window: must be from 1 s to 3650 d"),
    ("stats?at=2999-01-01T00:00:00Z", "at: 2999-01-01T00:00:00.000Z is yet to come"),
    ("stats?at=yesterday", "at: must be a time"),
    ("stats?exact=true", "object contains unknown field exact"),
    ("stats?location=a%0Ab", "location must hold"),
    ("alerts?limit=0", "limit: expected int >= 1"),
    ("alerts?since=never", "since: must be a time"),
    ("alerts?site=a%0Ab", "site: must be the id, the name or the URL of a website"),
])  # fmt: skip
def test_odd_questions_are_refused_in_the_words_of_the_command_line(client: Client, question: str, words: str) -> None:
    refused = client.get(f"/api/v2/{question}")
    assert refused.status_code == 422
    assert reason(refused).startswith(words)


def test_a_site_that_nobody_knows_is_no_site(client: Client) -> None:
    assert client.get("/api/v2/stats?site=http://other").json["sites"] == []
    assert client.get("/api/v2/alerts?site=http://other").data == b""
