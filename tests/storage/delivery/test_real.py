"""A real local file and a real InfluxDB that is treated badly: in the end it holds exactly the checks that were made."""

import sqlite3
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitoring.clock import SystemClock
from monitoring.models import Cause, CheckResult, Window
from monitoring.statistics import reference
from monitoring.statistics.summary import Span, Summary
from monitoring.storage.delivery import words
from monitoring.storage.delivery.forwarder import LOOK_MS, RETRY_MS, Forwarder
from monitoring.storage.delivery.local_first import LocalFirstStore
from monitoring.storage.influxdb.store import InfluxStore
from monitoring.storage.sqlite.store import LocalStore
from tests.support.clock import FakeClock
from tests.support.forwarded import assert_same, assert_same_summaries, drain, maintain
from tests.support.influx_databases import address_of
from tests.support.influxd import Influxd
from tests.support.points import EVER, alert, recovery
from tests.support.waiting import eventually

PATIENT_S = 60.0
SHORT_S = 1.0
"""How long a database that is known to hang is waited for."""

HOUR_MS = Span.HOUR.length_ms
NOW_MS = SystemClock().now_ms()
"""InfluxDB has a clock of its own, which decides what is too old."""


@pytest.fixture(scope="module")
def server() -> Iterator[Influxd]:
    with Influxd() as server:
        yield server


@pytest.fixture
def name(server: Influxd) -> str:
    return f"delivery-{uuid.uuid4()}"


@pytest.fixture
def database(server: Influxd, name: str) -> Iterator[InfluxStore]:
    with closing(InfluxStore(address_of(server, name), read_timeout=PATIENT_S)) as store:
        yield store
        store.drop_database()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW_MS)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[LocalStore]:
    with closing(LocalStore(tmp_path / "config.db")) as store:
        yield store


def made(time_ms: int, host: str = "a", cause: Cause | None = None) -> CheckResult:
    detail = "said so itself" if cause else ""
    return CheckResult(host, time_ms, 2_000, 5, 200, 1_000, (100, 200, None, 300, 400), cause, detail)


def measure(file: LocalStore, clock: FakeClock, minutes: int) -> None:
    """Two sites, a check of each every five seconds, every seventh has failed."""
    for _ in range(minutes):
        times = range(clock.now_ms(), clock.now_ms() + 60_000, 5_000)
        checks = [made(it, host, Cause.DNS if it // 5_000 % 7 == 0 else None) for it in times for host in ("a", "b")]
        file.append(checks, [], clock.now_ms())
        clock.advance(60)
        maintain(file, clock.now_ms())


def began(clock: FakeClock, hours: int) -> None:
    """So long ago, that what is measured now is past."""
    clock.step_wall(-3_600 * hours)


def began_this_week(clock: FakeClock) -> None:
    """An hour ago, or two: InfluxDB knows the types of fields for each week apart, and all is to lie in one."""
    began(clock, 1)
    if week_of(clock.now_ms()) != week_of(NOW_MS):
        began(clock, 1)


def week_of(time_ms: int) -> int:
    return datetime.fromtimestamp(time_ms / 1_000, UTC).isocalendar().week


def assert_whole(file: LocalStore, database: InfluxStore) -> None:
    """Exactly the checks that were made, once each; the numbers of any window are those of the file."""
    assert_same(file, database)
    assert_same_summaries(file, database)
    assert database.counts(EVER) == file.counts(EVER)
    newest_ms = file.last_time() or 0
    window = Window(newest_ms - 2 * HOUR_MS + 12_345, newest_ms - 7_654)
    expected, asked = reference.summarise(list(file.results(window)), window, exact=True), list[Window]()
    assert database.stats(window, exact=True) == expected

    def ends(part: Window) -> Mapping[str, Summary]:
        """As a running monitor has it: its own file answers where no summary reaches."""
        asked.append(part)
        return file.summaries(part)

    assert (database.stats(window, exact=True, ends=ends), bool(asked)) == (expected, True)
    assert database.missing(window) == 0


def test_what_is_measured_arrives_with_all_summaries(file: LocalStore, database: InfluxStore, clock: FakeClock) -> None:
    began(clock, 3)
    file.append([], [alert(0), recovery(5)], clock.now_ms())
    measure(file, clock, 170)
    drain(Forwarder(file, database, clock))
    assert_whole(file, database)


def test_s1_a_field_of_another_type_is_refused_told_and_never_believed_to_be_there(
    server: Influxd, name: str, file: LocalStore, database: InfluxStore, clock: FakeClock
) -> None:
    """It is enough that somebody wrote a boolean: what 1.1.0 took for delivered, and raised no alert."""
    database.verify("somebody")
    server.write(name, f"website_availability,host=x available=true {NOW_MS * 1_000_000}")
    with closing(InfluxStore(address_of(server, name), read_timeout=PATIENT_S)) as reader:
        store = LocalFirstStore(file, clock, database, reader)
        store.start()
        failed = [made(NOW_MS - 10_000 + 1_000 * second, "a", Cause.STATUS) for second in range(10)]
        for check in failed:
            store.record(check)
        store.record(alert(0))
        store.commit()
        eventually(lambda: file.pending().points == 0 and store.source().kind == "influxdb")
        window = Window(NOW_MS - 60_000, NOW_MS)
        found, source = store.stats(window, exact=True)
        assert found == reference.summarise(failed, window, exact=True), "the numbers are those of the local file"
        assert (source.kind, source.why) == (
            "local",
            f"{database.name} lacks 10 points of this time, which it refused",
        )
        (condition,) = store.conditions()
        assert 'input field "available"' in condition.text
        assert "10 points stay in the local file, to be tried again every hour" in condition.text
        assert list(database.alerts(EVER)) == [alert(0)], "what is taken is delivered"
        assert store.finish(PATIENT_S)


def test_s1_what_was_refused_is_taken_once_the_database_is_mended(
    server: Influxd, name: str, file: LocalStore, database: InfluxStore, clock: FakeClock
) -> None:
    database.verify("somebody")
    began_this_week(clock)
    server.write(name, f"website_availability,host=x available=true {clock.now_ms() * 1_000_000}")
    measure(file, clock, 50)
    forwarder = Forwarder(file, database, clock)
    drain(forwarder)
    refused = sum(it.count for it in file.refusals() if it.kind == "checks")
    assert refused == 50 * 24
    server.query(f'DROP DATABASE "{name}"')
    clock.advance(RETRY_MS / 1_000)
    drain(forwarder)
    drain(forwarder)
    assert not file.refusals()
    assert_whole(file, database)


def test_only_what_has_the_field_is_refused(
    server: Influxd, name: str, file: LocalStore, database: InfluxStore, clock: FakeClock
) -> None:
    """`detail` stands in failed checks alone: the good ones are there, and counted."""
    database.verify("somebody")
    began_this_week(clock)
    server.write(name, f"website_availability,host=x detail=1 {clock.now_ms() * 1_000_000}")
    measure(file, clock, 50)
    drain(Forwarder(file, database, clock))
    good = [check for check in file.results(EVER) if check.available]
    assert list(database.results(EVER)) == good
    assert sum(it.count for it in file.refusals()) == 50 * 24 - len(good)
    assert {it.field for it in file.refusals()} == {"detail"}


def test_s2_what_is_older_than_the_database_keeps_is_counted_and_the_rest_is_delivered(
    server: Influxd, name: str, file: LocalStore, database: InfluxStore, clock: FakeClock
) -> None:
    server.query(f'CREATE DATABASE "{name}" WITH DURATION 1h')
    began(clock, 3)
    measure(file, clock, 170)
    forwarder = Forwarder(file, database, clock)
    drain(forwarder)
    pending = file.pending()
    assert (pending.points, pending.summaries) == (0, 0)
    there = list(database.results(EVER))
    every = list(file.results(EVER))
    assert there
    assert there == every[-len(there) :], "the newest, without a gap"
    dropped = [it for it in file.refusals() if it.kind == "checks"]
    assert all(it.by_age for it in dropped)
    assert sum(it.count for it in dropped) == len(every) - len(there)
    assert any("keeps nothing that old: it dropped" in it.text for it in words.refused(database.name, file.refusals()))


def test_a_database_that_hangs_gets_everything_when_it_goes_on(
    server: Influxd, name: str, file: LocalStore, database: InfluxStore, clock: FakeClock
) -> None:
    began(clock, 3)
    measure(file, clock, 60)
    with closing(InfluxStore(address_of(server, name), read_timeout=SHORT_S)) as impatient:
        forwarder = Forwarder(file, impatient, clock)
        forwarder.step()
        server.pause()
        try:
            measure(file, clock, 60)
            assert not forwarder.step()
            assert "does not answer in time" in (forwarder.trouble or "")
        finally:
            server.resume()
    drain(Forwarder(file, database, clock))
    assert_whole(file, database)


def test_a_database_that_is_restarted_while_it_is_sent_something_has_it_once(
    server: Influxd, name: str, file: LocalStore, database: InfluxStore, clock: FakeClock
) -> None:
    began(clock, 3)
    measure(file, clock, 60)
    forwarder = Forwarder(file, database, clock)
    forwarder.step()
    server.kill()
    assert not forwarder.step()
    server.start()
    measure(file, clock, 60)
    drain(forwarder)
    assert_whole(file, database)


def test_a_database_that_lost_its_disk_gets_everything_again(
    server: Influxd, name: str, file: LocalStore, database: InfluxStore, clock: FakeClock
) -> None:
    began(clock, 3)
    measure(file, clock, 90)
    forwarder = Forwarder(file, database, clock)
    drain(forwarder)
    server.wipe()
    measure(file, clock, 30)
    assert not forwarder.step()
    server.start()
    drain(forwarder)
    assert_whole(file, database)


def test_a_database_put_back_from_a_copy_gets_what_came_since(
    server: Influxd, name: str, file: LocalStore, database: InfluxStore, clock: FakeClock, tmp_path: Path
) -> None:
    began(clock, 4)
    measure(file, clock, 90)
    forwarder = Forwarder(file, database, clock)
    drain(forwarder)
    server.back_up(tmp_path / "copy")
    server.start()
    measure(file, clock, 120)
    drain(forwarder)
    drain(forwarder)
    server.put_back(tmp_path / "copy")
    server.start()
    clock.advance(LOOK_MS / 1_000)
    drain(forwarder)
    drain(forwarder)
    assert_whole(file, database)


@pytest.mark.parametrize(
    "measurement", ["website_availability", "website_availability_1m", "website_availability_1h", "website_alerts"]
)
def test_a_measurement_that_was_dropped_is_there_again(
    server: Influxd, name: str, file: LocalStore, database: InfluxStore, clock: FakeClock, measurement: str
) -> None:
    began(clock, 6)
    measure(file, clock, 240)
    file.append([], [replace(alert(0), time_ms=clock.now_ms() - 60_000)], clock.now_ms())
    drain(Forwarder(file, database, clock))
    server.query(f"DROP MEASUREMENT {measurement}", database=name)
    drain(Forwarder(file, database, clock))
    assert_whole(file, database)


def test_a_shard_that_was_lost_is_there_again(
    server: Influxd, name: str, file: LocalStore, database: InfluxStore, clock: FakeClock
) -> None:
    """Shards of an hour, as InfluxDB makes them for short retention: one in the middle loses all of its time."""
    server.query(f'CREATE DATABASE "{name}" WITH DURATION 48h SHARD DURATION 1h')
    began(clock, 6)
    measure(file, clock, 240)
    drain(Forwarder(file, database, clock))
    assert_whole(file, database)
    lost = _shard_of(server, name, clock.now_ms() - 2 * HOUR_MS)
    server.query(f"DROP SHARD {lost}")
    assert database.counts(EVER) != file.counts(EVER)
    drain(Forwarder(file, database, clock))
    assert_whole(file, database)


def _shard_of(server: Influxd, name: str, time_ms: int) -> int:
    """The number of the shard that holds this moment."""
    for series in server.series("SHOW SHARDS"):
        if series["name"] == name:
            for row in series["values"]:
                of = dict(zip(series["columns"], row, strict=True))
                start, end = (datetime.fromisoformat(of[key]).timestamp() * 1_000 for key in ("start_time", "end_time"))
                if start <= time_ms < end:
                    return int(of["id"])
    raise AssertionError("no such shard")


def test_a_local_file_put_back_from_a_copy_costs_the_database_nothing(
    file: LocalStore, database: InfluxStore, clock: FakeClock, tmp_path: Path
) -> None:
    began(clock, 4)
    measure(file, clock, 60)
    drain(Forwarder(file, database, clock))
    with closing(sqlite3.connect(file.path)) as here, closing(sqlite3.connect(tmp_path / "copy.db")) as there:
        here.backup(there)
    measure(file, clock, 60)
    drain(Forwarder(file, database, clock))
    was = list(database.results(EVER))
    with closing(LocalStore(tmp_path / "copy.db")) as copied:
        marker = copied.marker
        forwarder = Forwarder(copied, database, clock)
        drain(forwarder)
        assert copied.marker != marker
        assert list(database.results(EVER)) == was, "what the copy does not know was made all the same"
        measure(copied, clock, 30)
        drain(forwarder)
        every = sorted({*was, *copied.results(EVER)}, key=lambda check: (check.time_ms, check.host))
        assert list(database.results(EVER)) == every
        window = Window(every[0].time_ms, clock.now_ms())
        assert database.stats(window, exact=True) == reference.summarise(every, window, exact=True)
