"""Hours and days of which a database knows more than the local file are not sent over what it knows: on a real InfluxDB."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitoring.clock import SystemClock
from monitoring.models import CheckResult, Window
from monitoring.statistics import reference
from monitoring.statistics.summary import Span
from monitoring.storage.base import Deletion
from monitoring.storage.delivery.forwarder import Forwarder
from monitoring.storage.influxdb.store import InfluxStore
from monitoring.storage.sqlite.store import LocalStore
from tests.support.clock import FakeClock
from tests.support.forwarded import drain, maintain
from tests.support.influx_databases import new_database, store_at
from tests.support.influxd import Influxd
from tests.support.points import EVER, by_host

MINUTE_MS, HOUR_MS, DAY_MS = (span.length_ms for span in Span)
DAY_START_MS = Span.DAY.start_of(SystemClock().now_ms()) - 3 * DAY_MS
EVERY_MS = 20_000


@pytest.fixture
def database(influxd: Influxd) -> Iterator[InfluxStore]:
    with new_database(influxd) as address, closing(store_at(address)) as store:
        yield store


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(DAY_START_MS)


class Monitor:
    """One local file, and who delivers it."""

    def __init__(self, path: Path, database: InfluxStore, clock: FakeClock) -> None:
        self.file: LocalStore = LocalStore(path)
        self.database, self.clock = database, clock
        self.forwarder = Forwarder(self.file, database, clock)

    def measure(self, from_ms: int, until_ms: int, *hosts: str) -> None:
        """All that is summarised by then is delivered."""
        for start_ms in range(DAY_START_MS + from_ms, DAY_START_MS + until_ms, HOUR_MS // 2):
            times = range(start_ms, min(start_ms + HOUR_MS // 2, DAY_START_MS + until_ms), EVERY_MS)
            checks = [CheckResult(host, at, EVERY_MS, 5, 200, at % 1_000_000) for at in times for host in hosts]
            self.file.append(checks, [], checks[-1].time_ms)
        self.rest_until(until_ms + MINUTE_MS)

    def rest_until(self, until_ms: int) -> None:
        self.clock.step_wall((DAY_START_MS + until_ms - self.clock.now_ms()) / 1_000)
        maintain(self.file, self.clock.now_ms())
        drain(self.forwarder)

    def restart(self) -> None:
        self.forwarder = Forwarder(self.file, self.database, self.clock)
        drain(self.forwarder)


def monitors(path: Path, database: InfluxStore, clock: FakeClock) -> Iterator[Monitor]:
    for name in ("old", "new"):
        yield Monitor(path / f"{name}.db", database, clock)


def hours_of(database: InfluxStore, host: str = "a") -> list[int]:
    """The hours of the day that have a summary."""
    starts = (DAY_START_MS + hour * HOUR_MS for hour in range(24))
    return [
        hour
        for hour, start_ms in enumerate(starts)
        if host in by_host(database.counts(Window(start_ms, start_ms + HOUR_MS), "hours"))
    ]


def assert_true(database: InfluxStore, length_ms: int = 2 * DAY_MS) -> None:
    """A long window is answered from days and hours, and has all the checks that were made."""
    window = Window(DAY_START_MS, DAY_START_MS + length_ms)
    assert database.stats(window, exact=False) == reference.summarise(database.results(EVER), window, exact=False)


def test_a_new_file_sends_no_hour_or_day_that_began_before_it(
    database: InfluxStore, clock: FakeClock, tmp_path: Path
) -> None:
    """The old file was lost at 02:30: what it sent of that hour is in minutes and points."""
    old, new = monitors(tmp_path, database, clock)
    old.measure(0, 5 * HOUR_MS // 2, "a")
    new.measure(5 * HOUR_MS // 2, 26 * HOUR_MS, "a", "only in the new one")
    assert hours_of(database) == [0, 1, *range(3, 24)]
    assert "a" not in by_host(database.counts(EVER, "days"))
    assert "only in the new one" in by_host(database.counts(EVER, "days")), "nobody knows more of that one"
    assert hours_of(database, "only in the new one") == list(range(2, 24))
    assert_true(database)
    for one in (old, new):
        one.file.close()


def test_a_day_of_which_the_first_minutes_are_in_no_hour_is_not_sent(
    database: InfluxStore, clock: FakeClock, tmp_path: Path
) -> None:
    """The old file was lost at 00:10, so that no hour tells of more than the new file's day."""
    old, new = monitors(tmp_path, database, clock)
    old.measure(0, 10 * MINUTE_MS, "a")
    new.measure(10 * MINUTE_MS, 26 * HOUR_MS, "a")
    assert hours_of(database) == list(range(1, 24))
    assert not database.counts(EVER, "days")
    assert_true(database)
    for one in (old, new):
        one.file.close()


def test_a_file_put_back_from_a_copy_does_not_send_less_over_more(
    database: InfluxStore, clock: FakeClock, tmp_path: Path
) -> None:
    """The copy ends at 01:20 and goes on at 01:40; what was measured between is in the database alone."""
    old, copy = monitors(tmp_path, database, clock)
    old.measure(0, 100 * MINUTE_MS, "a")
    copy.file.append(list(old.file.results(Window(0, DAY_START_MS + 80 * MINUTE_MS))), [], clock.now_ms())
    copy.measure(100 * MINUTE_MS, 3 * HOUR_MS, "a")
    assert hours_of(database) == [0, 2]
    assert_true(database)
    for one in (old, copy):
        one.file.close()


def test_what_was_not_sent_is_not_taken_for_lost(database: InfluxStore, clock: FakeClock, tmp_path: Path) -> None:
    old, new = monitors(tmp_path, database, clock)
    old.measure(0, HOUR_MS // 2, "a")
    new.measure(HOUR_MS // 2, 3 * HOUR_MS, "a")
    assert hours_of(database) == [1, 2]
    delivered = new.file.delivered()
    new.restart()
    assert new.file.delivered() == delivered, "contact found nothing to send again"
    for one in (old, new):
        one.file.close()


def test_what_nobody_knows_better_is_sent(database: InfluxStore, clock: FakeClock, tmp_path: Path) -> None:
    """What was finer has become too old: half an hour is better than none."""
    old, new = monitors(tmp_path, database, clock)
    old.measure(0, 5 * HOUR_MS // 2, "a")
    for _ in database.delete(Deletion(None, clock.now_ms(), spans=(Span.MINUTE,), alerts=False)):
        pass
    new.measure(5 * HOUR_MS // 2, 5 * HOUR_MS, "a")
    assert hours_of(database) == [0, 1, 2, 3, 4]
    for one in (old, new):
        one.file.close()
