"""Where sites stand, read from a real InfluxDB: with long runs, with many sites, and again and again."""

import contextlib
import random
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests

from monitoring.models import Cause, CheckResult, LastState
from monitoring.statistics.status import advance
from monitoring.storage.base import Points
from monitoring.storage.influxdb.store import InfluxStore
from monitoring.storage.sessions import TrustingSession
from monitoring.units import DAY_MS, HOUR_MS
from tests.support.influx_databases import new_database, store_at
from tests.support.influxd import Influxd

START_MS = 1_767_225_600_000


@pytest.fixture
def store(influxd: Influxd) -> Iterator[InfluxStore]:
    with new_database(influxd) as address, contextlib.closing(store_at(address, "here")) as opened:
        yield opened


def check(host: str, at_ms: int, good: bool) -> CheckResult:
    cause = None if good else Cause.TIMEOUT
    return CheckResult(host, START_MS + at_ms, 2_000, 7, cause=cause, detail="" if good else f"timed out at {at_ms}")


def led_to(checks: Iterable[CheckResult], before_ms: int) -> dict[str, LastState]:
    found: dict[str, LastState] = {}
    for one in sorted(checks, key=lambda one: one.time_ms):
        if one.time_ms < before_ms:
            found[one.host] = advance(found.get(one.host), one)
    return found


@pytest.mark.parametrize("gap_ms", [2_000, HOUR_MS + 1, DAY_MS + 1, 20 * DAY_MS])
@pytest.mark.parametrize("ending", ["good", "failing"])
def test_runs_are_found_however_long_they_are(store: InfluxStore, gap_ms: int, ending: str) -> None:
    """The last good check before a long outage lies far back."""
    runs = [True, False, True, False, *([True] if ending == "good" else [])]
    checks = [check("a", gap_ms * place + number, good) for place, good in enumerate(runs) for number in range(3)]
    store.write(Points(checks=checks))
    for one in checks:
        for before_ms in (one.time_ms, one.time_ms + 1):
            assert store.last_states(before_ms) == led_to(checks, before_ms)


@pytest.mark.parametrize("before", [0, 1], ids=["never failed before", "failed before"])
def test_the_last_failure_before_a_long_maintenance_is_found(store: InfluxStore, before: int) -> None:
    earlier = [check(host, at_ms, at_ms > 10 or not before) for host in ("a", "b") for at_ms in (0, 10, 20)]
    inside = [replace(check("a", HOUR_MS + 2_000 * number, False), maintenance=1) for number in range(1_200)]
    store.write(Points(checks=[*earlier, *inside]))
    assert store.last_states(START_MS + DAY_MS) == led_to([*earlier, *inside], START_MS + DAY_MS)


def test_many_sites_are_followed_check_by_check(store: InfluxStore) -> None:
    """What is remembered from one question to the next stays right, forwards and backwards."""
    draw = random.Random(7)
    hosts = [f"host {number}" for number in range(130)]
    checks: list[CheckResult] = []
    for round_number in range(6):
        new = [check(host, round_number * 60_000 + 7, draw.random() < 0.7) for host in hosts if draw.random() < 0.9]
        store.write(Points(checks=new))
        checks += new
        for before_ms in (START_MS + 10**7, START_MS + round_number * 30_000):
            assert store.last_states(before_ms) == led_to(checks, before_ms)


def test_a_late_check_between_failure_and_recovery_is_seen_when_the_site_fails_again(store: InfluxStore) -> None:
    early = [check("a", 0, True), check("a", 10, False), check("a", 30, True)]
    store.write(Points(checks=early))
    assert store.last_states(START_MS + 100) == led_to(early, START_MS + 100)
    every = [*early, check("a", 20, True), check("a", 40, False), check("a", 50, True)]
    store.write(Points(checks=every[3:]))
    assert store.last_states(START_MS + 100) == led_to(every, START_MS + 100)


def test_what_is_asked_of_every_site_is_one_request(store: InfluxStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database may be far away, and a screen that begins waits for these answers."""
    checks = [check(host, at_ms, True) for host in ("a", "b") for at_ms in (0, 10)]
    store.write(Points(checks=checks))
    sent: list[str] = []
    send = TrustingSession.send

    def counted(session: TrustingSession, request: requests.PreparedRequest, **more: Any) -> requests.Response:
        sent.append(request.url or "")
        return send(session, request, **more)

    monkeypatch.setattr(TrustingSession, "send", counted)
    assert store.last_states(START_MS + DAY_MS) == led_to(checks, START_MS + DAY_MS)
    assert len(sent) == 1
