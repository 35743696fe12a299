"""What is deleted from InfluxDB is what was named, before the moment that was named, and nothing of anybody else."""

from collections.abc import Iterator

import pytest

from monitoring.config import parse_database
from monitoring.models import Window
from monitoring.store.blocks import MinuteBlock
from monitoring.store.influx import InfluxStore
from monitoring.store.influxblocks import read_sums, sums_text
from monitoring.store.influxpurge import Held, InfluxPurge
from tests.support.influxd import Influxd
from tests.support.points import EVER, START_MS, alert, check, checks, recovery
from tests.support.stores import new_database


@pytest.fixture
def store(influxd: Influxd) -> Iterator[InfluxStore]:
    with new_database(influxd) as store:
        yield store


@pytest.fixture
def database(influxd: Influxd, store: InfluxStore) -> Iterator[InfluxPurge]:
    database = InfluxPurge.at(parse_database(influxd.url(store._database), {}), 2, 60)
    yield database
    database.close()


def test_named_hosts_lose_what_was_before_the_moment(store: InfluxStore, database: InfluxPurge) -> None:
    odd = 'it\'s, a="b" host'
    store.write(
        [*checks([1, 9], odd), *checks([1, 9], "b"), check(2, "c")], [alert(3, odd), recovery(9, odd), alert(3, "b")]
    )
    assert database.held([odd, "b"], START_MS + 9_000) == Held(2, 2, START_MS + 1_000)
    database.delete([odd], START_MS + 9_000, {})
    assert store.results(EVER) == [check(1, "b"), check(2, "c"), check(9, "b"), check(9, odd)]
    assert set(store.alerts(EVER)) == {recovery(9, odd), alert(3, "b")}
    assert database.held([odd], START_MS + 9_000) == Held()


def test_an_open_alert_stays(store: InfluxStore, database: InfluxPurge) -> None:
    store.write([], [alert(1), recovery(2), alert(3), alert(1, "b")])
    database.delete(["a", "b"], START_MS + 9_000, {"a": START_MS + 3_000})
    assert store.alerts(EVER) == [alert(3)]


def test_many_hosts_go_in_several_statements_and_what_can_be_no_tag_deletes_nothing(
    store: InfluxStore, database: InfluxPurge
) -> None:
    hosts = [f"site {number}" for number in range(250)]
    store.write([check(1, host) for host in [*hosts, "stays"]], [])
    database.delete([*hosts, "back\\slash", ""], START_MS + 9_000, {})
    assert store.results(EVER) == [check(1, "stays")]


def test_blocks_of_one_file_go_by_whole_minutes_and_its_proof_stays(store: InfluxStore, database: InfluxPurge) -> None:
    for file in ("ours", "theirs"):
        store.write_blocks(file, [MinuteBlock(START_MS + n * 60_000, 0, ("a",), (), b"") for n in range(4)])
    database.delete_blocks("ours", START_MS + 2 * 60_000 + 59_999)
    kept = {file for at in store._minutes.outline(Window(START_MS, START_MS + 120_000)).values() for file, *_ in at.blocks}
    assert kept == {"theirs"}
    assert len(store._minutes.outline(Window(START_MS + 120_000, START_MS + 240_000))) == 2
    assert database.knows("ours")
    assert not database.knows("nobody")


def test_a_block_of_which_nothing_is_left_can_be_read() -> None:
    hosts, rows = read_sums(sums_text(MinuteBlock(START_MS, 0, ("", "b"), (), b"")))
    assert (hosts, list(rows)) == (["", "b"], [])
