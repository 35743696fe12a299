"""Hours and days through the gateway: no number is trusted that sums of checks cannot have, and what is right arrives."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitoring.clock import SystemClock
from monitoring.gateway import rollups
from monitoring.models import Cause, CheckResult, Window
from monitoring.stats import DAY_MS, HOUR_MS
from monitoring.store.forwarder import Forwarder
from monitoring.store.gateway import rolled_json
from monitoring.store.local import LocalStore
from monitoring.store.rolledblocks import RolledBlock
from monitoring.store.wire import Malformed
from tests.support.gateway import through_gateway
from tests.support.influxd import Influxd
from tests.test_store_contract import assert_same_stats, influx_store

START_MS = 1_767_225_600_000
HOSTS = ("https://one.example", "https://two.example")


def story(days: int = 1) -> list[CheckResult]:
    return [
        CheckResult(host, START_MS + at + place, 600_000, 9, 503 if at % 7 == 0 else 200, 10_000 + at % 9_973,
                    (1, None, 3, 4, 5), Cause.STATUS if at % 7 == 0 else None)
        for at in range(0, days * DAY_MS, 600_000) for place, host in enumerate(HOSTS)
    ]  # fmt: skip


@pytest.fixture
def blocks(tmp_path: Path) -> list[RolledBlock]:
    """A day and its hours, as a monitor sends them."""
    store = LocalStore(tmp_path / "monitor.db")
    store.write([*story(), CheckResult(HOSTS[0], START_MS + DAY_MS, 1, 1)], [])
    while store.pack(START_MS + 2 * DAY_MS):
        pass
    found: list[RolledBlock] = []
    while some := store.next_rollups(10):
        found += some
        store.acknowledge_rollups(some)
    store.close()
    return found


def sent(block: RolledBlock) -> Any:
    return json.loads(json.dumps(rolled_json(block)))


def test_what_a_monitor_sends_is_put_together_anew_and_is_the_same(blocks: list[RolledBlock]) -> None:
    assert [block.table for block in blocks] == ["days"] + ["hours"] * 24
    for block in blocks:
        found = rollups.read_block(sent(block))
        assert found.rows == block.rows
        assert (found.table, found.start_ms, found.part, found.hosts) == (block.table, block.start_ms, 0, HOSTS)


def site(**changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda known: {**known, "sites": [{**known["sites"][0], **changes}, *known["sites"][1:]]}


def sums(place: int, change: Callable[[int], int]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Another number at this place."""

    def changed(known: dict[str, Any]) -> dict[str, Any]:
        numbers = list(known["sites"][0]["sums"])
        numbers[place] = change(numbers[place])
        return site(sums=numbers)(known)

    return changed


CHECKS, GOOD, COVERS, GOOD_COVERS, TIMES, TIMES_SUM, RESOLVE = range(7)

WRONG: dict[str, tuple[Callable[[dict[str, Any]], dict[str, Any]], str]] = {
    "no table": (lambda known: {**known, "table": "weeks"}, "table"),
    "cut hour": (lambda known: {**known, "startMs": START_MS + 1}, "startMs"),
    "a day at an hour": (lambda known: {**known, "table": "days", "startMs": START_MS + HOUR_MS}, "startMs"),
    "too many hosts": (lambda known: {**known, "hosts": ["x"] * 101}, "hosts"),
    "no host": (lambda known: {**known, "hosts": ["", HOSTS[1]]}, r"sites\[0\]: place"),
    "twice": (lambda known: {**known, "sites": known["sites"][:1] * 2}, "sites"),
    "another key": (site(more=1), "unknown key"),
    "place": (site(place=2), "place"),
    "fewer sums": (site(sums=[1, 2]), "sums"),
    "a text": (site(sums=["1"] * 16), "sums"),
    "a truth": (site(place=True), "place"),
    "more good than checks": (sums(GOOD, lambda number: number + 9), "sums"),
    "more failed than causes": (sums(GOOD, lambda number: number - 1), "causes"),
    "no check": (sums(CHECKS, lambda _: 0), "sums"),
    "nothing covered": (sums(COVERS, lambda _: 0), "sums"),
    "good covers more": (sums(GOOD_COVERS, lambda number: number * 9), "sums"),
    "times of failed checks": (sums(TIMES, lambda number: number + 99), "sums"),
    "times not in the sketch": (sums(TIMES, lambda number: number - 1), "sketch"),
    "a sum of times too large": (sums(TIMES_SUM, lambda number: number * 9), "sums"),
    "a phase of nothing": (sums(RESOLVE, lambda _: 0), "sums"),
    "an enormous sum": (sums(COVERS, lambda _: 10**18), "sums"),
    "statuses": (site(statuses={"200": 99}), "statuses"),
    "a status": (site(statuses={"020": 1}), "statuses"),
    "a status of another kind": (site(statuses={"٣00": 1}), "statuses"),
    "a cause": (site(causes={"whim": 1}), "causes"),
    "no failure": (site(lastFailureMs=None), "lastFailureMs"),
    "a failure at another time": (site(lastFailureMs=START_MS - 1), "lastFailureMs"),
    "no shortest": (site(shortestUs=None), "shortestUs"),
    "another shortest": (site(shortestUs=1), "sketch"),
    "no sketch": (site(sketch=""), "sketch"),
    "a sketch that is none": (site(sketch="AAAA"), "sketch"),
    "a sketch of no width": (site(sketch="AAAAAAAA"), "sketch"),
    "a sketch far away": (site(sketch="Af//AQ=="), "sketch"),
    "no base64": (site(sketch="?"), "sketch"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_no_checks_add_up_to_is_refused_by_name(blocks: list[RolledBlock], name: str) -> None:
    change, words = WRONG[name]
    known = sent(blocks[1])
    rollups.read_block(known)
    with pytest.raises(Malformed, match=words):
        rollups.read_block(change(known))


def test_windows_of_days_equal_the_reference_through_a_gateway_that_hours_were_delivered_through(
    influxd: Influxd, tmp_path: Path
) -> None:
    local = LocalStore(tmp_path / "monitor.db")
    checks = story(days=3)
    local.write(checks, [])
    while local.pack(START_MS + 5 * DAY_MS):
        pass
    with influx_store(influxd) as database, through_gateway(database) as gateway:
        forwarder = Forwarder(local, gateway, SystemClock())
        while forwarder.step():
            pass
        assert forwarder.trouble is None
        for first, last in ((0, 72), (5, 50), (3, 72)):
            window = Window(START_MS + first * HOUR_MS, START_MS + last * HOUR_MS)
            assert_same_stats(gateway, checks, window)
    local.close()
