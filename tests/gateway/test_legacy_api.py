"""Monitors of 1.1.0 behind a newer gateway: their queue does not stop, and their numbers stay right.

The requests are those that 1.1.0 made of twelve checks a site, of which every fourth failed.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from monitoring.clock import SystemClock
from monitoring.gateway.application import make_application
from monitoring.gateway.databases import Databases
from monitoring.gateway.limits import Limits
from monitoring.models import AlertType, Cause, CheckResult, Window
from monitoring.statistics import reference
from monitoring.statistics.summary import Span
from monitoring.storage.base import Points
from monitoring.storage.sqlite.database import FileDatabase, SharedFile
from tests.support.gateway import NO_TOKENS
from tests.support.points import EVER, START_MS, alert, by_host

FILE = "0123456789abcdef0123456789abcdef"
DAY = Window(START_MS, START_MS + Span.DAY.length_ms)
MONTH = Window(START_MS, START_MS + 30 * Span.DAY.length_ms)


def measured(host: str, number: int, second: int) -> CheckResult:
    check = CheckResult(host, START_MS + second * 1_000 + number, 15_000, 120 + number)
    if second // 15 % 4 == number + 1:
        return replace(check, cause=Cause.CONNECT)
    took_us = 40_000 + second * 11 + number
    return replace(check, status=200, response_us=took_us, phases_us=(1, 2, None, took_us - 10, 7))


CHECKS = [
    measured(host, number, second) for second in range(0, 180, 15) for number, host in enumerate(("http://a", "http://b"))
]

SITES: list[dict[str, Any]] = [
    {
        "place": 0,
        "sums": [12, 9, 180000, 135000, 9, 368415, 9, 9, 9, 18, 0, 0, 9, 368325, 9, 63],
        "lastFailureMs": 1767225735000,
        "statuses": {"200": 9},
        "causes": {"connect": 3},
        "shortestUs": 40000,
        "longestUs": 41815,
        "sketch": "ARMCAQMEAQ==",
    },
    {
        "place": 1,
        "sums": [12, 9, 180000, 135000, 9, 367929, 9, 9, 9, 18, 0, 0, 9, 367839, 9, 63],
        "lastFailureMs": 1767225750001,
        "statuses": {"200": 9},
        "causes": {"connect": 3},
        "shortestUs": 40001,
        "longestUs": 41816,
        "sketch": "ARMCAQQDAQ==",
    },
]
BLOCK: dict[str, Any] = {"table": "days", "startMs": START_MS, "part": 0, "hosts": ["http://a", "http://b"], "sites": SITES}
MINUTE = {"minuteMs": START_MS, "part": 0, "hosts": ["http://a", "http://b"], "checks": "eAGrVirISUxOLVay"}


@pytest.fixture
def file(tmp_path: Path) -> Iterator[SharedFile]:
    with closing(SharedFile(tmp_path / "gateway.db")) as file:
        yield file


@pytest.fixture
def database(file: SharedFile) -> FileDatabase:
    return file.open()


@pytest.fixture
def client(file: SharedFile) -> Client:
    return make_application(Databases(file.open, 9), NO_TOKENS, Limits(), SystemClock()).test_client()


def sent(check: CheckResult) -> dict[str, Any]:
    return {
        "host": check.host,
        "timeMs": check.time_ms,
        "coversMs": check.covers_ms,
        "lagUs": check.lag_us,
        "status": check.status,
        "responseUs": check.response_us,
        "phasesUs": check.phases_us,
        "cause": check.cause,
    }


def send(client: Client, what: str, **content: object) -> TestResponse:
    return client.post(f"/api/v1/{what}", json=content)


def test_checks_and_alerts_are_stored_and_come_back(client: Client, database: FileDatabase) -> None:
    """With no other keys than 1.1.0 knows: it would take that for no answer."""
    told = alert(3, "http://a")
    alerts = [
        {
            "type": told.type,
            "host": told.host,
            "timeMs": told.time_ms,
            "startMs": told.start_ms,
            "endMs": None,
            "availability": told.availability,
            "cause": told.cause,
        }
    ]
    assert send(client, "results", checks=list(map(sent, CHECKS)), alerts=alerts).json == {"stored": 25}
    assert list(database.results(EVER)) == CHECKS
    assert database.alerts(EVER) == [replace(told, detail="")]
    database.write(Points(alerts=[told]))
    asked = f"from={DAY.from_ms}&until={DAY.until_ms}"
    found = client.get(f"/api/v1/results?{asked}").json["checks"]
    assert found == [{**sent(check), "phasesUs": list(check.phases_us)} for check in CHECKS]
    assert (
        client.get(f"/api/v1/alerts?{asked}").json["alerts"] == client.get("/api/v1/alerts/latest").json["alerts"] == alerts
    )
    sites = client.get(f"/api/v1/stats?{asked}").json["sites"]
    assert [(site["host"], site["checks"], site["available"]) for site in sites] == [
        ("http://a", 12, 9),
        ("http://b", 12, 9),
    ]
    assert client.get("/api/v1/last-time").json == {"timeMs": CHECKS[-1].time_ms}
    assert client.get("/api/v1/locations").json == {"locations": [""]}


def test_a_reader_learns_since_when_sites_are_good(client: Client) -> None:
    send(client, "results", checks=list(map(sent, CHECKS)))
    streaks = client.get(f"/api/v1/streaks?until={EVER.until_ms // 2}").json["sites"]
    assert streaks[0] == {
        "host": "http://a",
        "lastFailureMs": START_MS + 135_000,
        "goodSinceMs": START_MS + 150_000,
    }


def test_a_file_that_is_new_here_is_sent_whole(client: Client) -> None:
    """1.1.0 asks first, sends everything if it is not known, and proves the database then."""
    assert client.get("/api/v1/known").json == {"known": False}
    for _ in range(2):
        assert send(client, "proof", file=FILE, prove=False).json == {"known": False}
    assert send(client, "proof", file=FILE, prove=True).json == {"known": False}
    assert send(client, "proof", file=FILE, prove=False).json == {"known": True}
    assert send(client, "proof", file=FILE, prove=True).json == {"known": True}
    assert client.get("/api/v1/known").json == {"known": True}


def test_a_newer_monitor_sends_all_that_1_1_0_had_sent_once_more(client: Client, database: FileDatabase) -> None:
    """It has summaries, which 1.1.0 had not: what the database is said to have is nothing."""
    send(client, "proof", file=FILE, prove=True)
    record = database.verify(FILE)
    assert record is not None
    assert record.newest_ms == record.summarised_ms == 0


def test_what_it_packs_of_minutes_is_accepted_and_needed_by_nobody(client: Client, database: FileDatabase) -> None:
    told = [{"minuteMs": START_MS, "told": 1}]
    piece = {"minuteMs": START_MS, "number": 0, "hosts": ["http://a"], "checks": "eAGr"}
    assert client.get(f"/api/v1/minutes?file={FILE}").json == {"minutes": []}
    assert send(client, "minutes", file=FILE, blocks=[MINUTE]).status_code == 200
    assert send(client, "minutes/announcements", file=FILE, told=told, pieces=[piece]).status_code == 200
    assert send(client, "minutes/seals", file=FILE, minutes=[START_MS]).status_code == 200
    assert not list(database.results(EVER))
    assert not database.counts(EVER, "minutes")


def test_its_days_are_summaries_which_stay_when_checks_are_gone(client: Client, database: FileDatabase) -> None:
    assert send(client, "rollups", file=FILE, blocks=[BLOCK]).json == {"stored": 2}
    assert by_host(database.counts(DAY, "days")) == {"http://a": 12, "http://b": 12}
    assert dict(database.stats(MONTH, exact=False)) == reference.summarise(CHECKS, MONTH, exact=False)


@pytest.mark.parametrize(
    "change",
    [
        *({"place": place} for place in (-1, 2, "0")),
        *({"sums": sums} for sums in ([], [1] * 15, [12, 13, *SITES[0]["sums"][2:]])),
        *({"sketch": text} for text in ("", "????", "ARMCAQMEAg==")),
        *({"statuses": {"x": 1}}, {"causes": {"joy": 3}}, {"lastFailureMs": None}, {"shortestUs": 1}),
    ],
    ids=ascii,
)
def test_sums_of_no_checks_are_refused(client: Client, database: FileDatabase, change: dict[str, object]) -> None:
    answer = send(client, "rollups", file=FILE, blocks=[BLOCK, {**BLOCK, "sites": [SITES[0], {**SITES[1], **change}]}])
    assert answer.status_code == 422
    assert answer.json["error"].startswith("blocks[1]")
    assert not database.counts(DAY, "days")


@pytest.mark.parametrize(
    ("what", "content"),
    [
        ("results", {"checks": [{"host": "a"}]}),
        ("results", {"checks": [{**sent(CHECKS[0]), "phasesUs": [1]}]}),
        ("results", {"checks": [{**sent(CHECKS[0]), "host": "a\nb"}]}),
        ("results", {"location": "a\nb"}),
        ("proof", {"file": "no file", "prove": True}),
        ("proof", {"file": FILE, "prove": 1}),
        ("rollups", {"file": "no file", "blocks": []}),
        ("minutes", {}),
    ],
)
def test_what_1_1_0_would_not_send_is_refused(client: Client, what: str, content: dict[str, object]) -> None:
    assert send(client, what, **content).status_code == 422


def test_what_it_decided_alerts_by_is_not_answered(client: Client) -> None:
    """To 1.1.0 that is a database that is away, not one without failures: it decides by its own file."""
    for question in ("failing", "downtime", "failures"):
        assert client.get(f"/api/v1/{question}?from=1&until=2&host=a").status_code == 404


def test_its_alerts_are_of_known_kinds(client: Client) -> None:
    told = alert(3)
    wrong = {"type": AlertType.ALERT, "host": "a", "timeMs": told.time_ms, "startMs": told.start_ms, "endMs": told.time_ms}
    assert send(client, "results", alerts=[{**wrong, "availability": 5}]).status_code == 422
