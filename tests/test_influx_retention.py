"""What is older than retention leaves InfluxDB, and nothing else: a statement a step, tried again, told when it stays."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import pytest

from monitoring.config import parse_database
from monitoring.errors import StoreUnavailable
from monitoring.models import Window
from monitoring.store.blocks import MinuteBlock
from monitoring.store.influx import InfluxStore
from monitoring.store.influxpurge import HOSTS_AT_ONCE, InfluxPurge
from monitoring.store.influxretention import DAY_MS, PATIENCE, RETRY_MS, InfluxRetention, end_ms
from monitoring.store.lineprotocol import ALERTS, CHECKS
from tests.support.influxd import Influxd
from tests.support.points import EVER, START_MS, alert, check, checks, recovery
from tests.support.stores import new_database

HOUR_MS = 3_600_000
HOUR_S = 3_600


@dataclass
class File:
    """A local file that has these hosts."""

    names: Collection[str]
    marker: str = "ours"

    def hosts(self) -> Collection[str]:
        return self.names


@pytest.fixture
def store(influxd: Influxd) -> Iterator[InfluxStore]:
    with new_database(influxd) as store:
        yield store


@pytest.fixture
def database(influxd: Influxd, store: InfluxStore) -> Iterator[InfluxPurge]:
    database = InfluxPurge.at(parse_database(influxd.url(store._database), {}), 2, 60)
    yield database
    database.close()


def finish(retention: InfluxRetention, now_ms: int) -> int:
    """Take all steps there are now; how many were there?"""
    count = 1
    while retention.step(now_ms):
        count += 1
    assert retention.trouble is None
    return count


def kept_minutes(store: InfluxStore) -> Mapping[int, set[str]]:
    """The files that have blocks, by minute."""
    outline = store._minutes.outline(Window(START_MS, START_MS + 10 * DAY_MS))
    return {minute_ms: {file for file, *_ in found.blocks} for minute_ms, found in outline.items()}


def write_blocks(store: InfluxStore, hours: Collection[int]) -> None:
    for file in ("ours", "theirs"):
        store.write_blocks(file, [MinuteBlock(START_MS + hour * HOUR_MS, 0, ("a",), (), b"") for hour in hours])


def test_a_monitor_deletes_what_is_older_of_its_own_sites_and_nothing_of_others(
    store: InfluxStore, database: InfluxPurge
) -> None:
    store.write([*checks([1, HOUR_S, 2 * HOUR_S]), check(1, "theirs")], [alert(1), recovery(2), alert(9, "theirs")])
    write_blocks(store, [0, 1, 2])
    retention = InfluxRetention(database, File(["a", "never checked"]))
    retention.keep(HOUR_MS, 2 * HOUR_MS)
    finish(retention, START_MS + 2 * HOUR_MS)
    assert store.results(EVER) == [check(1, "theirs"), check(HOUR_S), check(2 * HOUR_S)]
    assert len(store.alerts(EVER)) == 3
    assert kept_minutes(store) == {
        START_MS: {"theirs"},
        START_MS + HOUR_MS: {"ours", "theirs"},
        START_MS + 2 * HOUR_MS: {"ours", "theirs"},
    }
    finish(retention, START_MS + 3 * HOUR_MS)
    assert store.results(EVER) == [check(1, "theirs"), check(2 * HOUR_S)]
    assert store.alerts(EVER) == [alert(9, "theirs")]
    assert database.knows("ours")


def test_a_gateway_deletes_what_is_older_of_everybody(store: InfluxStore, database: InfluxPurge) -> None:
    store.write([*checks([1, HOUR_S]), check(1, "theirs")], [alert(1), recovery(2), recovery(3, "theirs")])
    write_blocks(store, [0, 1])
    retention = InfluxRetention(database)
    retention.keep(HOUR_MS, HOUR_MS)
    finish(retention, START_MS + 2 * HOUR_MS)
    assert store.results(EVER) == [check(HOUR_S)]
    assert not store.alerts(EVER)
    assert kept_minutes(store) == {START_MS + HOUR_MS: {"ours", "theirs"}}


def test_an_alert_that_is_still_open_stays(store: InfluxStore, database: InfluxPurge) -> None:
    store.write([], [alert(1), recovery(2), alert(3), alert(1, "b"), recovery(2, "b")])
    retention = InfluxRetention(database, File("ab"))
    retention.keep(HOUR_MS, HOUR_MS)
    finish(retention, START_MS + 2 * HOUR_MS)
    assert store.alerts(EVER) == [alert(3)]


def test_nothing_is_deleted_before_it_is_said_how_long_things_are_kept(store: InfluxStore, database: InfluxPurge) -> None:
    store.write([check(1)], [recovery(1)])
    assert not InfluxRetention(database, File("a")).step(START_MS + 999 * DAY_MS)
    assert (len(store.results(EVER)), len(store.alerts(EVER))) == (1, 1)


def test_another_retention_takes_effect_at_once(store: InfluxStore, database: InfluxPurge) -> None:
    store.write(checks([1, HOUR_S]), [])
    retention = InfluxRetention(database, File("a"))
    now_ms = START_MS + 2 * HOUR_MS
    retention.keep(DAY_MS, DAY_MS)
    finish(retention, now_ms)
    assert len(store.results(EVER)) == 2
    retention.keep(HOUR_MS, DAY_MS)
    finish(retention, now_ms)
    assert store.results(EVER) == [check(HOUR_S)]


def test_what_is_deleted_goes_in_whole_hours_or_days_so_that_it_happens_seldom() -> None:
    midnight_ms = START_MS
    for kept_ms, grain_ms in (
        (HOUR_MS, HOUR_MS), (DAY_MS, HOUR_MS), (7 * DAY_MS, 5 * HOUR_MS), (30 * DAY_MS, DAY_MS), (365 * DAY_MS, DAY_MS)
    ):  # fmt: skip
        ends = [end_ms(midnight_ms + minute * 60_000, kept_ms) for minute in range(0, 2_880, 10)]
        assert {end % grain_ms for end in ends} == {0}
        assert all(
            0 <= midnight_ms + minute * 60_000 - kept_ms - end < grain_ms
            for minute, end in zip(range(0, 2_880, 10), ends, strict=True)
        )


def test_where_no_monitor_has_written_yet_there_is_nothing_to_do(store: InfluxStore, database: InfluxPurge) -> None:
    store.drop_database()
    retention = InfluxRetention(database)
    retention.keep(HOUR_MS, HOUR_MS)
    assert not any(retention.step(START_MS + attempt * RETRY_MS) for attempt in range(2 * PATIENCE))
    assert retention.trouble is None


class Database(InfluxPurge):
    """Notes what it is asked for; statements fail as long as `trouble` says why."""

    def __init__(self, hosts: Collection[str]) -> None:
        self.location = ""
        self.asked: list[tuple[object, ...]] = []
        self.trouble: StoreUnavailable | None = None
        self._hosts = set(hosts)

    def hosts_before(self, source: str, before_ms: int) -> set[str]:
        self._note("hosts", source, before_ms)
        return self._hosts

    def open_alerts(self) -> Mapping[str, int]:
        return {}

    def delete_checks(self, hosts: Collection[str], before_ms: int) -> None:
        self._note(CHECKS, len(hosts))

    def delete_alerts(self, hosts: Collection[str], before_ms: int, open_since_ms: Mapping[str, int]) -> None:
        self._note(ALERTS, len(hosts))

    def delete_blocks(self, marker: str | None, before_ms: int) -> None:
        self._note("blocks", marker)

    def delete_rolled(self, table: str, marker: str | None, before_ms: int) -> None:
        self._note(table, marker)

    def _note(self, *question: object) -> None:
        self.asked.append(question)
        if self.trouble:
            raise self.trouble


def test_a_step_is_one_statement_about_so_many_hosts_and_the_next_round_comes_with_its_hour() -> None:
    hosts = [f"site {number}" for number in range(2 * HOSTS_AT_ONCE + 1)]
    database = Database(hosts)
    retention = InfluxRetention(database, File(hosts))
    retention.keep(HOUR_MS, HOUR_MS)
    assert finish(retention, START_MS) == 9
    deleted = [HOSTS_AT_ONCE, HOSTS_AT_ONCE, 1]
    assert [question for question in database.asked if question[0] != "hosts"] == [
        *((CHECKS, count) for count in deleted), ("blocks", "ours"), ("hours", "ours"), ("days", "ours"),
        *((ALERTS, count) for count in deleted)
    ]  # fmt: skip
    count = len(database.asked)
    assert not retention.step(START_MS + HOUR_MS - 1)
    assert len(database.asked) == count
    assert retention.step(START_MS + HOUR_MS)


def test_a_step_that_fails_is_taken_again_later_and_is_trouble_only_when_it_stays() -> None:
    database = Database("a")
    retention = InfluxRetention(database, File("a"))
    retention.keep(HOUR_MS, HOUR_MS)
    assert retention.step(START_MS)
    database.trouble = StoreUnavailable("InfluxDB at x does not answer in time")
    asked = len(database.asked)
    for attempt in range(PATIENCE):
        assert retention.trouble is None
        now_ms = START_MS + attempt * RETRY_MS
        assert not retention.step(now_ms)
        assert not retention.step(now_ms + RETRY_MS - 1)
        assert database.asked[asked:] == [("blocks", "ours")] * (attempt + 1)
    assert retention.trouble == "InfluxDB at x does not answer in time"
    database.trouble = None
    finish(retention, START_MS + PATIENCE * RETRY_MS)
    assert database.asked[-1] == (ALERTS, 1)


def test_a_question_that_fails_is_asked_again_and_nothing_of_its_round_is_left_out() -> None:
    database = Database("a")
    retention = InfluxRetention(database, File("a"))
    retention.keep(HOUR_MS, HOUR_MS)
    database.trouble = StoreUnavailable("away")
    assert not retention.step(START_MS)
    database.trouble = None
    finish(retention, START_MS + RETRY_MS)
    assert [question[0] for question in database.asked[1:]] == ["hosts", "hosts", CHECKS, "blocks", "hours", "days", ALERTS]
