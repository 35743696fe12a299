"""Windows longer than a day from InfluxDB equal the reference, whoever told what of them, also when the points are gone."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from monitoring import stats
from monitoring.config import parse_database
from monitoring.models import Cause, CheckResult, Window
from monitoring.stats import DAY_MS, HOUR_MS
from monitoring.storage.sqlite.connection import transaction
from monitoring.store.forwarder import Forwarder
from monitoring.store.influx import InfluxStore
from monitoring.store.influxpurge import InfluxPurge
from monitoring.store.lineprotocol import CHECKS
from monitoring.store.local import LocalStore
from monitoring.store.purge import Request, ask
from tests.support.clock import FakeClock
from tests.support.influxd import Influxd
from tests.support.points import START_MS, check
from tests.support.stores import new_database
from tests.test_store_contract import assert_same_stats

HOUR_S, DAY_S = HOUR_MS // 1_000, DAY_MS // 1_000

WINDOWS = [
    Window(START_MS + first * HOUR_MS, START_MS + last * HOUR_MS)
    for first, last in [(0, 73), (5, 73), (24, 73), (0, 48), (7, 50), (-2_000, 80), (1, 26)]
]
"""Whole hours; the last one of the story is not over."""


@pytest.fixture
def database(influxd: Influxd) -> Iterator[InfluxStore]:
    with new_database(influxd) as store:
        yield store


@pytest.fixture
def purge(influxd: Influxd, database: InfluxStore) -> Iterator[InfluxPurge]:
    with closing(InfluxPurge.at(parse_database(influxd.url(database._database), {}), 2, 60)) as purge:
        yield purge


class Monitor:
    """A local file whose checks are packed as far as they are over, and delivered with all that follows."""

    def __init__(self, path: Path, database: InfluxStore) -> None:
        self.store = LocalStore(path)
        self.store.file.connection.execute("PRAGMA synchronous = OFF")
        self.forwarder = Forwarder(self.store, database, FakeClock())

    def measure(self, checks: Sequence[CheckResult], until_ms: int) -> None:
        self.store.write(checks, [])
        while self.store.pack(until_ms):
            pass
        self.deliver()

    def deliver(self) -> None:
        while self.forwarder.step():
            pass
        assert self.forwarder.trouble is None


@pytest.fixture
def monitor(tmp_path: Path, database: InfluxStore) -> Iterator[Monitor]:
    monitor = Monitor(tmp_path / "monitor.db", database)
    yield monitor
    monitor.store.close()


def story(host: str, until_s: int = 3 * DAY_S + 500, step: int = 1_100) -> list[CheckResult]:
    """Three days and eight minutes, some of it failed."""
    return [check(second, host, Cause.DNS if second % 7 == 0 else None) for second in range(13, until_s, step)]


END_MS = START_MS + 3 * DAY_MS + 500_000


def assert_right(database: InfluxStore, checks: Sequence[CheckResult]) -> None:
    for window in WINDOWS:
        assert_same_stats(database, checks, window)


def forget_points(purge: InfluxPurge, hosts: Sequence[str], before_ms: int) -> None:
    """As retention does."""
    purge.delete_checks(hosts, before_ms)
    purge.delete_blocks(None, before_ms)


def test_hours_and_days_tell_what_points_told_before_they_were_deleted(
    database: InfluxStore, purge: InfluxPurge, monitor: Monitor
) -> None:
    checks = [*story("a"), *story("b", step=3_700)]
    monitor.measure(checks, END_MS)
    assert_right(database, checks)
    forget_points(purge, ["a", "b"], START_MS + 3 * DAY_MS - HOUR_MS)
    assert_right(database, checks)


def test_a_file_that_ended_within_an_hour_is_told_to_its_end(
    database: InfluxStore, purge: InfluxPurge, monitor: Monitor, tmp_path: Path
) -> None:
    """Nobody sends its last hour; its minutes are read as long as they are there."""
    ended, checks = Monitor(tmp_path / "ended.db", database), story("a")
    last = story("b", until_s=DAY_S + 2_000)
    ended.measure(last, START_MS + DAY_MS + 2_000_000)
    ended.store.close()
    monitor.measure(checks, END_MS)
    assert_right(database, [*checks, *last])
    forget_points(purge, ["a", "b"], START_MS + DAY_MS - 5 * HOUR_MS)
    assert_right(database, [*checks, *last])


def test_the_day_in_which_a_file_ended_is_told_by_its_hours(
    database: InfluxStore, purge: InfluxPurge, monitor: Monitor, tmp_path: Path
) -> None:
    """Its last check was in the last minute of an hour: all its hours are there, and no day of these."""
    ended, checks = Monitor(tmp_path / "ended.db", database), story("a")
    last = [*story("b", until_s=DAY_S + 4 * HOUR_S), check(DAY_S + 5 * HOUR_S - 30, "b")]
    ended.measure(last, START_MS + DAY_MS + 6 * HOUR_MS)
    ended.store.close()
    assert_right(database, last)
    monitor.measure(checks, END_MS)
    assert_right(database, [*checks, *last])
    forget_points(purge, ["a", "b"], START_MS + 3 * DAY_MS - HOUR_MS)
    assert_right(database, [*checks, *last])


def test_two_files_of_one_site_are_added_up(database: InfluxStore, monitor: Monitor, tmp_path: Path) -> None:
    other, checks = Monitor(tmp_path / "other.db", database), story("a")
    moved = [CheckResult("a", one.time_ms + 1, 5, 5, 200, 7_000) for one in checks]
    other.measure(moved, END_MS)
    other.store.close()
    monitor.measure(checks, END_MS)
    assert_right(database, [*checks, *moved])


def test_sites_and_times_that_only_points_tell_of_are_read_from_them(database: InfluxStore, monitor: Monitor) -> None:
    """Of another writer, and of days before there were hours."""
    checks, stranger = story("a"), story("stranger")
    early = [check(second, "a") for second in range(-3 * DAY_S, -HOUR_S, 5_000)]
    database.write([*early, *stranger], [])
    monitor.measure(checks, END_MS)
    assert_right(database, [*early, *checks, *stranger])


def test_a_check_that_comes_late_changes_its_hour_and_its_day(database: InfluxStore, monitor: Monitor) -> None:
    checks, late = story("a"), [check(5, "a", Cause.TIMEOUT), check(DAY_S + 5, "late")]
    monitor.measure(checks, END_MS)
    monitor.measure(late, END_MS)
    assert_right(database, [*checks, *late])


def test_a_database_that_lost_its_disk_gets_all_of_it_again(
    influxd: Influxd, database: InfluxStore, monitor: Monitor
) -> None:
    checks = story("a")
    monitor.measure(checks, END_MS)
    while monitor.store.retain(START_MS + DAY_MS, START_MS):
        pass
    database.drop_database()
    monitor.forwarder.proven = False
    monitor.deliver()
    assert_right(database, checks)
    assert stats.summarise(database.results(WINDOWS[0]), WINDOWS[0])["a"].checks < len(checks) - 2


def test_nothing_is_told_of_a_site_that_was_purged(database: InfluxStore, purge: InfluxPurge, monitor: Monitor) -> None:
    checks = story("b")
    monitor.measure([*story("a"), *checks], END_MS)
    with transaction(monitor.store.file.connection):
        ask(monitor.store.file.connection, Request("a", END_MS, forget=True))
    while monitor.store.purge(END_MS):
        pass
    purge.delete_checks(["a"], END_MS)
    monitor.deliver()
    assert_right(database, checks)
    assert not any("a" in database.stats(window) for window in WINDOWS)
    assert purge.hosts_before(CHECKS, END_MS) == {"b"}
