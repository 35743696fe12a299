"""What people and limits do to an InfluxDB: what it takes arrives, what it does not take is known, and nothing stops."""

import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from monitoring.clock import SystemClock
from monitoring.models import Alert, AlertType, Cause, CheckResult, Window
from monitoring.statistics.reference import summarise
from monitoring.statistics.summary import Span
from monitoring.storage.delivery import words
from monitoring.storage.delivery.forwarder import LOOK_MS, RETRY_MS, Forwarder
from monitoring.storage.influxdb.store import InfluxStore
from monitoring.storage.sqlite.store import LocalStore
from tests.support.clock import FakeClock
from tests.support.forwarded import assert_same, assert_same_summaries, drain, maintain
from tests.support.influx_databases import PATIENT_S, address_of
from tests.support.influxd import Influxd
from tests.support.points import EVER

HOUR_MS, DAY_MS = Span.HOUR.length_ms, Span.DAY.length_ms
START_MS = Span.HOUR.start_of(SystemClock().now_ms()) - 3 * HOUR_MS
WHOLE = Window(START_MS - 2 * DAY_MS, EVER.until_ms)
"""All that is measured. (From 1970 on, the database would be asked about each of half a million hours.)"""
HOSTS = ("a", "b", "c")


class Bad:
    """A local file with two hours of three sites and their alerts, and an InfluxDB that something is done to."""

    def __init__(self, server: Influxd, path: Path) -> None:
        self.server, self.name = server, f"bad-{uuid.uuid4()}"
        self.file: LocalStore = LocalStore(path)
        self.clock = FakeClock(START_MS)
        self.database = InfluxStore(address_of(server, self.name), read_timeout=PATIENT_S)
        self.forwarder = Forwarder(self.file, self.database, self.clock)

    def measure(self, minutes: int = 130) -> None:
        start_ms = self.clock.now_ms()
        times = range(start_ms, start_ms + minutes * 60_000, 10_000)
        checks = [made(at, host) for at in times for host in HOSTS]
        alerts = [Alert(AlertType.ALERT, host, start_ms + 5, start_ms, None, 70.0, Cause.DNS) for host in HOSTS]
        self.file.append(checks, alerts, start_ms)
        self.clock.step_wall(minutes * 60)
        maintain(self.file, self.clock.now_ms())

    def deliver(self, later_ms: int = 0) -> None:
        self.clock.step_wall(later_ms / 1_000)
        drain(self.forwarder)
        drain(self.forwarder)

    def say(self, statement: str) -> None:
        self.server.query(statement, database=self.name)

    def assert_whole(self) -> None:
        assert_same(self.file, self.database)
        assert_same_summaries(self.file, self.database)
        self.assert_true()
        assert not self.file.refusals()

    def assert_true(self) -> None:
        """The numbers of the database are those of the checks that were made."""
        for window, exact in ((Window(START_MS + 1, START_MS + 2 * HOUR_MS), True), (WHOLE, False)):
            expected = summarise(self.file.results(window), window, exact=exact)
            assert self.database.stats(window, exact=exact) == expected


def made(at: int, host: str) -> CheckResult:
    cause, detail = (Cause.STATUS, 'it said "no"') if at // 10_000 % 9 == 0 else (None, "")
    return CheckResult(host, at, 10_000, 7, 503 if cause else 200, 900, (1, 2, 3, 4, 890), cause, detail)


@pytest.fixture(scope="module")
def server() -> Iterator[Influxd]:
    with Influxd() as server:
        yield server


@pytest.fixture
def bad(server: Influxd, tmp_path: Path) -> Iterator[Bad]:
    bad = Bad(server, tmp_path / "config.db")
    with closing(bad.file), closing(bad.database):
        yield bad
        bad.database.drop_database()


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("checks", 'website_availability,host=x covers="two"'),
        ("checks", "website_availability,host=x responseTime=1i"),
        ("checks", "website_availability,host=x status=2.5"),
        ("minutes", "website_availability_1m,host=x packed=1"),
        ("minutes", 'website_availability_1m,host=x mean="fast"'),
        ("minutes", 'website_availability_1m,host=x checks="many"'),
        ("hours", "website_availability_1h,host=x checks=1.5"),
        ("hours", "website_availability_1h,host=x checks=true"),
        ("days", 'website_availability_1d,host=x checks="many"'),
        ("days", "website_availability_1d,host=x causes=true"),
        ("alerts", "website_alerts,host=x startDate=1"),
    ],
)
def test_a_field_of_another_type_in_any_measurement(bad: Bad, kind: str, line: str) -> None:
    bad.database.verify("somebody")
    for at_ms in (START_MS, START_MS - DAY_MS):  # two shards when a week has just begun, and each has types of its own
        bad.server.write(bad.name, f"{line} {at_ms * 1_000_000}")
    bad.clock.step_wall(-86_400)  # so that a day is over: its summary is what is refused
    bad.measure()
    bad.clock.step_wall(86_400)
    bad.measure()
    bad.deliver()
    refused = {it.kind for it in bad.file.refusals()}
    assert refused == {kind}
    assert bad.file.pending().points == 0
    (told, *_) = words.refused(bad.database.name, bad.file.refusals())
    assert "field type conflict" in told.text
    if kind != "checks":
        assert list(bad.database.results(EVER)) == list(bad.file.results(EVER))
        bad.assert_true()
    bad.say(f'DROP DATABASE "{bad.name}"')  # InfluxDB 1.6.7 remembers types of measurements that were dropped
    bad.deliver(RETRY_MS)
    bad.assert_whole()


@pytest.mark.parametrize(
    "statement",
    [
        "DROP MEASUREMENT website_alerts",
        "DELETE FROM website_alerts WHERE host = 'b'",
        "DROP SERIES FROM website_availability WHERE host = 'b'",
        "DROP SERIES WHERE host = 'b'",
        "DROP MEASUREMENT website_monitor",
        "DROP MEASUREMENT website_availability",
    ],
)
def test_what_somebody_deletes_is_there_again_within_a_minute(bad: Bad, statement: str) -> None:
    bad.measure()
    bad.deliver()
    bad.assert_whole()
    bad.say(statement)
    bad.deliver(LOOK_MS)
    bad.assert_whole()


@pytest.mark.parametrize("measurement", ["website_availability_1m", "website_availability_1h", "website_availability_1d"])
def test_summaries_that_somebody_deletes_are_answered_from_points(bad: Bad, measurement: str) -> None:
    bad.measure()
    bad.deliver()
    bad.say(f"DROP MEASUREMENT {measurement}")
    bad.assert_true()


def test_points_that_somebody_overwrites_do_not_change_what_was_summarised(bad: Bad) -> None:
    bad.measure()
    bad.deliver()
    for at in range(START_MS + HOUR_MS, START_MS + HOUR_MS + 600_000, 10_000):
        bad.server.write(bad.name, f"website_availability,host=a available=0i,responseTime=9.5 {at * 1_000_000}")
    bad.assert_true()


def test_a_database_that_is_dropped_while_it_is_sent_something(bad: Bad) -> None:
    bad.measure(300)
    bad.forwarder.step()
    assert bad.file.pending().points
    bad.say(f'DROP DATABASE "{bad.name}"')
    bad.deliver()
    bad.assert_whole()


def test_another_default_retention_policy_hides_everything_and_gets_it(bad: Bad) -> None:
    bad.measure()
    bad.deliver()
    bad.say(f'CREATE RETENTION POLICY "long" ON "{bad.name}" DURATION INF REPLICATION 1 DEFAULT')
    assert not list(bad.database.results(EVER))
    bad.deliver(LOOK_MS)
    bad.assert_whole()


def test_without_a_default_retention_policy_it_is_told_and_waits(bad: Bad) -> None:
    bad.measure()
    bad.deliver()
    bad.say(f'DROP RETENTION POLICY "autogen" ON "{bad.name}"')
    bad.measure(5)
    bad.deliver()
    assert "retention policy not found" in str(bad.forwarder.trouble)
    assert bad.file.pending().points
    bad.say(f'CREATE RETENTION POLICY "new" ON "{bad.name}" DURATION INF REPLICATION 1 DEFAULT')
    bad.deliver()
    bad.assert_whole()


def test_a_server_that_takes_small_requests_only(tmp_path: Path) -> None:
    with Influxd({"INFLUXDB_HTTP_MAX_BODY_SIZE": "20000"}) as server:
        bad = Bad(server, tmp_path / "config.db")
        bad.measure()
        bad.deliver()
        bad.assert_whole()


def test_a_user_who_may_not_write_is_told_and_delivery_goes_on_with_the_right_to(tmp_path: Path) -> None:
    with Influxd({"INFLUXDB_HTTP_AUTH_ENABLED": "true"}) as server:
        admin = ("admin", "secret")
        server.query("CREATE USER admin WITH PASSWORD 'secret' WITH ALL PRIVILEGES")
        bad = Bad(server, tmp_path / "config.db")
        server.query(f'CREATE DATABASE "{bad.name}"', *admin)
        server.query("CREATE USER monitor WITH PASSWORD 'other'", *admin)
        server.query(f'GRANT READ ON "{bad.name}" TO monitor', *admin)
        address = replace(address_of(server, bad.name), username="monitor", password="other")
        bad.database = InfluxStore(address, read_timeout=PATIENT_S)
        bad.forwarder = Forwarder(bad.file, bad.database, bad.clock)
        bad.measure()
        bad.deliver()
        assert "does not accept these credentials" in str(bad.forwarder.trouble)
        server.query(f'GRANT ALL ON "{bad.name}" TO monitor', *admin)
        bad.deliver()
        bad.assert_whole()


def test_more_sites_than_it_takes(tmp_path: Path) -> None:
    """What fits is there, what does not is known and in the local file; with the limit lifted everything is there."""
    with Influxd({"INFLUXDB_DATA_MAX_SERIES_PER_DATABASE": "3"}) as server:
        bad = Bad(server, tmp_path / "config.db")
        bad.measure()
        bad.deliver()
        refused = [it for it in bad.file.refusals() if it.kind == "checks"]
        stored = list(bad.database.results(EVER))
        assert refused
        assert len(stored) + sum(it.count for it in refused) == len(list(bad.file.results(EVER)))
        assert {it.host for it in refused}.isdisjoint({check.host for check in stored})
        assert bad.file.pending().points == 0
        server.stop()
        server.settings.clear()
        server.start()
        bad.deliver(RETRY_MS)
        bad.assert_whole()
