"""Whole minutes through the gateway: nothing of a client's bytes is trusted, and what is right arrives as it was."""

import base64
import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.clock import SystemClock
from monitoring.gateway import minutes
from monitoring.models import Cause, CheckResult, Window
from monitoring.store import packing, schema
from monitoring.store.blocks import MINUTE_MS, PackedChecks, SiteColumns, encode_checks
from monitoring.store.forwarder import Forwarder
from monitoring.store.influx import InfluxStore
from monitoring.store.influxblocks import Piece, Told, data_text
from monitoring.store.local import LocalStore
from monitoring.store.wire import LONGEST, Malformed
from tests.support.gateway import through_gateway
from tests.support.influxd import Influxd
from tests.test_store_contract import assert_same_stats, influx_store

MINUTE = 1_767_225_600_000
SITES = ("https://one.example", "https://two.example", "https://three.example")
SPAN = Window(MINUTE, MINUTE + 3 * MINUTE_MS)


def checks(sites: int = len(SITES), minutes_long: int = 3) -> list[CheckResult]:
    """A check a site every two seconds, some failed, each with a text that explains it."""
    return [
        CheckResult(
            SITES[site],
            MINUTE + at + site,
            2_000,
            lag_us=at % 977,
            status=503 if at % 14_000 == 0 else 200,
            response_us=100_000 + at * (site + 1),
            phases_us=(at, None, 3, None, 5),
            cause=Cause.STATUS if at % 14_000 == 0 else None,
            detail="it said 503" if at % 14_000 == 0 else "",
        )
        for at in range(0, minutes_long * MINUTE_MS, 2_000)
        for site in range(sites)
    ]


def rows(count: int = 3) -> list[schema.Row]:
    return [schema.result_row(check, SITES.index(check.host), 0)[:-1] for check in checks(minutes_long=1)[:count]]


def block(data: bytes, **changes: object) -> dict[str, object]:
    return {"minuteMs": MINUTE, "part": 0, "hosts": list(SITES), "checks": data_text(data), **changes}


def repacked(change: Any) -> bytes:
    """Packed checks whose head, or whose body, `change` has altered."""
    head, _, body = zlib.decompress(encode_checks(rows(9))).partition(b"\n")
    told = json.loads(head)
    changed = change(told)
    body = changed if isinstance(changed, bytes) else body
    return zlib.compress(json.dumps(told).encode() + b"\n" + body)


def test_a_block_is_added_up_anew_and_its_texts_stay_out() -> None:
    found = minutes.read_block(block(encode_checks(rows(90))))
    assert found.sums == tuple(packing.add_up_sites(MINUTE, SiteColumns.of(rows(90))))
    assert [(*row[:-1], None) for row in sorted(rows(90))] == PackedChecks(found.data).rows(MINUTE, 0)


def test_a_place_without_checks_needs_no_name() -> None:
    found = minutes.read_block(block(encode_checks(rows(1)), hosts=[SITES[0], "", "x"]))
    assert found.hosts == (SITES[0], "", "x")


def test_a_piece_is_put_together_anew() -> None:
    value = block(encode_checks(rows(9)), number=7)
    del value["part"]
    assert minutes.read_piece(value) == Piece.of(MINUTE, 7, checks(minutes_long=1)[:9])


ODD_ROWS = {
    "covers": 0, "lag": -1, "status": 99, "response": -1, "resolve": LONGEST + 1, "cause": len(schema.CAUSES),
}  # fmt: skip


@pytest.mark.parametrize(("column", "value"), [*ODD_ROWS.items(), ("covers", None), ("lag", 10**30), ("response", 2**32)])
def test_an_odd_check_spoils_its_block(column: str, value: object) -> None:
    bad = list(rows(1)[0])
    bad[schema.Columns._fields.index(column)] = value
    with pytest.raises(Malformed, match="checks: "):
        minutes.read_block(block(encode_checks([tuple(bad), *rows(3)[1:]])))


def test_the_same_check_twice_spoils_its_block() -> None:
    with pytest.raises(Malformed, match="different moments"):
        minutes.read_block(block(encode_checks([*rows(3), rows(1)[0]])))


ODD_BLOCKS = [
    {"minuteMs": MINUTE + 1}, {"minuteMs": -MINUTE_MS}, {"part": -1}, {"part": 10**7}, {"hosts": [*SITES[:2], "a\nb"]},
    {"hosts": []}, {"hosts": list(SITES[:1])}, {"hosts": ["", *SITES[1:]]}, {"hosts": ["x"] * 101}, {"checks": "%%%"},
    {"checks": ""}, {"checks": 7}, {"checks": data_text(b"")}, {"checks": data_text(b"junk")}, {"extra": 1},
    {"checks": data_text(zlib.compress(b"[]\n"))}, {"checks": data_text(zlib.compress(b"[" * 100_000))},
]  # fmt: skip


@pytest.mark.parametrize("change", ODD_BLOCKS, ids=lambda change: ascii(change)[:40])
def test_an_odd_block_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        minutes.read_block({**block(encode_checks(rows(9))), **change})


ODD_HEADS: list[Any] = [
    lambda head: head.update(places=[]),
    lambda head: head.update(places=[[0, 10**9]]),
    lambda head: head.update(places=[[0, -3], [1, 12]]),
    lambda head: head.update(places=[[1, 3], [0, 3], [2, 3]]),
    lambda head: head.update(places=[[0, 3], [0, 6]]),
    lambda head: head.update(places=[[0, 9.0]]),
    lambda head: head.update(places="abc"),
    lambda head: head.update(fields=head["fields"][1:]),
    lambda head: head["fields"].__setitem__(3, [99, False, None, False]),
    lambda head: head["fields"].__setitem__(3, [-1, False, None, False]),
    lambda head: head["fields"].__setitem__(3, [0, False, "text", False]),
    lambda head: head["fields"].__setitem__(3, [0, False, [1] * 8, True]),
    lambda head: head["fields"].__setitem__(3, [0, False, ["x"] * 9, True]),
    lambda head: head["fields"].__setitem__(3, [0, False, 2.5, False]),
    lambda head: head.update(details=7),
    lambda head: head.pop("details"),
    lambda head: b"\0",
]


@pytest.mark.parametrize("change", ODD_HEADS)
def test_packed_checks_that_contradict_themselves_are_refused(change: Any) -> None:
    minutes.read_block(block(repacked(lambda head: None)))  # without a change they are right
    with pytest.raises(Malformed):
        minutes.read_block(block(repacked(change)))


def test_nothing_small_unpacks_into_something_enormous() -> None:
    with pytest.raises(Malformed, match="too long"):
        minutes.read_block(block(zlib.compress(b"0" * (minutes.MOST_BYTES + 1), 9)))


@given(place=st.integers(0, 10**6), value=st.integers(0, 255), cut=st.integers(0, 200))
def test_whatever_bytes_come_a_block_is_right_or_refused(place: int, value: int, cut: int) -> None:
    raw = bytearray(zlib.decompress(encode_checks(rows(30))))
    raw[place % len(raw)] = value
    try:
        found = minutes.read_block(block(zlib.compress(bytes(raw[: len(raw) - (cut if cut < 100 else 0)]))))
    except Malformed:
        return
    assert found.sums == tuple(packing.add_up_sites(MINUTE, SiteColumns.of(PackedChecks(found.data).rows(MINUTE, 0))))


@given(st.binary(max_size=300) | st.binary(max_size=300).map(zlib.compress))
def test_any_bytes_are_right_or_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        minutes.read_block(block(data, checks=base64.b64encode(data).decode()))


def test_what_is_said_of_minutes_comes_back(influxd: Influxd) -> None:
    with influx_store(influxd) as database, through_gateway(database) as store:
        assert store.open_minutes("file") == {}
        store.announce("file", {MINUTE: Told.PIECES, MINUTE + MINUTE_MS: Told.POINTS}, [])
        assert store.open_minutes("file") == {MINUTE: Told.PIECES, MINUTE + MINUTE_MS: Told.POINTS}
        assert store.open_minutes("other") == {}
        store.seal("file", [MINUTE])
        assert store.open_minutes("file") == {MINUTE + MINUTE_MS: Told.POINTS}


def test_a_file_is_known_after_its_proof(influxd: Influxd) -> None:
    with influx_store(influxd) as database, through_gateway(database) as store:
        assert not store.knows("file")
        assert not store.prove("file")
        assert store.knows("file")
        assert store.prove("file")
        assert store.is_known()
        store.ping()


def delivered(local: LocalStore, store: Any) -> None:
    forwarder = Forwarder(local, store, SystemClock())
    while forwarder.step():
        pass
    assert forwarder.trouble is None
    assert local.pending() == (0, None)
    assert not local.dead_letters()


@pytest.mark.parametrize("packed_first", [True, False])
def test_what_a_monitor_delivers_through_a_gateway_is_what_it_delivers_without_one(
    influxd: Influxd, tmp_path: Path, packed_first: bool
) -> None:
    """Points, pieces and blocks: the database answers from all of them with the reference's numbers."""
    local = LocalStore(tmp_path / "monitor.db")
    half = len(checks()) // 2
    with influx_store(influxd) as database, through_gateway(database) as store:
        for part in (checks()[:half], checks()[half:]):
            local.write(part, [])
            if packed_first:
                pack(local)
            delivered(local, store)
        pack(local)
        delivered(local, store)
        assert store.open_minutes(local.marker) == {}
        for window in (SPAN, Window(MINUTE + 7_000, SPAN.until_ms - 13_001)):
            assert_same_stats(store, checks(), window)
        assert store.results(SPAN) == [replace(check, detail="") for check in checks()]
        assert_blocks_tell_all(database)
    local.close()


def assert_blocks_tell_all(database: InfluxStore) -> None:
    outlines = database._minutes.outline(SPAN)
    assert len(outlines) == 3
    assert all(outline.is_sealed for outline in outlines.values())


def pack(local: LocalStore) -> None:
    while local.pack(SPAN.until_ms + 60_000):
        pass
