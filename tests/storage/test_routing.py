"""Whom a program reads that writes no store itself: chosen anew as databases, files and monitors come and go."""

import os
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitoring.clock import SystemClock
from monitoring.config import Config, parse_database
from monitoring.config.keys.databases import DATABASES, DatabaseKind
from monitoring.errors import ConfigError, StoreError, StoreUnavailable
from monitoring.models import Site
from monitoring.storage.backends import open_backend
from monitoring.storage.delivery.forwarder import Forwarder
from monitoring.storage.influxdb.store import InfluxStore
from monitoring.storage.routing import ReaderChoice
from monitoring.storage.sqlite.file.lock import FileLock
from monitoring.storage.sqlite.store import LocalStore
from tests.support.clock import FakeClock
from tests.support.forwarded import drain
from tests.support.influx_databases import address_of
from tests.support.influxd import Influxd, free_port
from tests.support.points import START_MS, alert, checks
from tests.support.printed import NO_MONITOR

SITE = Site("a", "http://a/", interval_ms=2_000, timeout_ms=10_000)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START_MS + 60_000)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config((SITE, Site("b", "http://b/")), parse_database("sqlite:", {}), tmp_path / "config.db")


def influx_config(folder: Path, port: int, database: str = "monitoring") -> Config:
    return Config((SITE,), parse_database(f"influxdb://127.0.0.1:{port}/{database}", {}), folder / "config.db")


@pytest.fixture
def known(influxd: Influxd) -> Iterator[str]:
    """The name of a database that a monitor has written to."""
    name = f"print-{uuid.uuid4()}"
    with closing(InfluxStore(address_of(influxd, name), read_timeout=60)) as database:
        database.verify("test")
        yield name
        database.drop_database()


def chosen(choice: ReaderChoice) -> tuple[str, str]:
    readers, source = choice.choose()
    assert {reader.kind for reader in readers.values()} == {source.kind}
    return source.kind, source.why


def test_the_database_is_read_unless_a_live_monitor_has_undelivered_data(
    influxd: Influxd, known: str, tmp_path: Path, clock: FakeClock
) -> None:
    """What a dead one left undelivered does not keep anybody from reading what others deliver."""
    with closing(ReaderChoice(influx_config(tmp_path, influxd.port, known), clock, 60)) as choice:
        assert chosen(choice)[0] == "influxdb"
        with closing(LocalStore(tmp_path / "config.db")) as file:
            assert chosen(choice)[0] == "influxdb"
            file.append(checks([0]), [], clock.now_ms())
            assert chosen(choice)[0] == "influxdb"
            clock.advance(6)
            assert chosen(choice) == ("local", f"InfluxDB at 127.0.0.1:{influxd.port} has yet to receive 1 point")
        assert chosen(choice)[0] == "influxdb"


def test_what_a_database_refused_of_a_live_monitor_is_read_from_its_file(
    influxd: Influxd, known: str, tmp_path: Path
) -> None:
    clock = FakeClock(SystemClock().now_ms())
    influxd.write(known, f"website_availability,host=x available=true {START_MS * 1_000_000}")
    config = influx_config(tmp_path, influxd.port, known)
    with closing(LocalStore(tmp_path / "config.db")) as file, closing(ReaderChoice(config, clock, 60)) as choice:
        file.append(checks([0, 1]), [], clock.now_ms())
        with closing(open_backend(parse_database(influxd.url(known), {}), 60)) as database:
            clock = FakeClock(START_MS + 60_000)
            with closing(ReaderChoice(config, clock, 60)) as then:
                drain(Forwarder(file, database, clock))
                name = f"InfluxDB at 127.0.0.1:{influxd.port}"
                assert chosen(then) == ("local", f"{name} lacks 2 points of the past day, which it refused")
                (condition,) = then.conditions()
                assert "2 points stay in the local file" in condition.text
        assert chosen(choice)[0] == "influxdb", "long ago: that is not what anybody looks at"


def test_alerts_that_a_database_refused_are_read_from_the_file(influxd: Influxd, known: str, tmp_path: Path) -> None:
    influxd.write(known, f"website_alerts,host=x startDate=1 {START_MS * 1_000_000}")
    config = influx_config(tmp_path, influxd.port, known)
    clock = FakeClock(START_MS + 60_000)
    with closing(LocalStore(tmp_path / "config.db")) as file, closing(ReaderChoice(config, clock, 60)) as choice:
        file.append(checks([0, 1]), [alert(5)], clock.now_ms())
        with closing(open_backend(parse_database(influxd.url(known), {}), 60)) as database:
            drain(Forwarder(file, database, clock))
            assert chosen(choice) == ("local", f"{database.name} lacks 1 point of the past day, which it refused")


def test_a_database_that_no_monitor_wrote_to_is_not_read(influxd: Influxd, tmp_path: Path, clock: FakeClock) -> None:
    with closing(LocalStore(tmp_path / "config.db")):
        config = influx_config(tmp_path, influxd.port, f"never-{uuid.uuid4()}")
        with closing(ReaderChoice(config, clock)) as choice:
            assert chosen(choice) == ("local", f"no monitor has written to InfluxDB at 127.0.0.1:{influxd.port}")


def test_a_database_that_leaves_questions_open_is_left_alone_for_a_while_with_its_own_words(
    influxd: Influxd, known: str, tmp_path: Path, clock: FakeClock
) -> None:
    with (
        closing(LocalStore(tmp_path / "config.db")),
        closing(ReaderChoice(influx_config(tmp_path, influxd.port, known), clock, 60)) as choice,
    ):
        assert chosen(choice)[0] == "influxdb"
        choice.distrust(StoreUnavailable("InfluxDB at x:1 does not answer in time"))
        assert chosen(choice) == ("local", "InfluxDB at x:1 does not answer in time")
        clock.advance(31)
        assert chosen(choice)[0] == "influxdb"


def test_a_database_that_is_away_is_named_for_the_same_reason_as_by_the_monitor(tmp_path: Path, clock: FakeClock) -> None:
    """It had been "answers too slowly" first, and then "has yet to receive 37 points"."""
    port = free_port()
    with (
        closing(LocalStore(tmp_path / "config.db")) as file,
        closing(ReaderChoice(influx_config(tmp_path, port), clock)) as choice,
        closing(open_backend(parse_database(f"influxdb://127.0.0.1:{port}/monitoring", {}), 1)) as database,
    ):
        file.append(checks(range(37)), [], START_MS)
        forwarder = Forwarder(file, database, clock)
        forwarder.step()
        for _ in range(3):
            assert chosen(choice) == ("local", forwarder.trouble)
            clock.advance(20)


def test_at_the_default_address_nobody_is_missed_who_was_never_there(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitoring.storage.backends.DEFAULT_DATABASE", f"influxdb://127.0.0.1:{free_port()}/monitoring")
    with (
        closing(LocalStore(tmp_path / "config.db")),
        closing(ReaderChoice(Config((SITE,), None, tmp_path / "config.db"), clock)) as choice,
    ):
        assert chosen(choice) == ("local", "stored in config.db")


def test_without_a_file_a_database_that_was_named_says_itself_why_not(tmp_path: Path, clock: FakeClock) -> None:
    config = influx_config(tmp_path, free_port())
    with closing(ReaderChoice(config, clock)) as choice, pytest.raises(StoreUnavailable, match=r"InfluxDB at 127.0.0.1"):
        choice.choose()


def test_a_file_that_takes_the_place_of_another_is_read(tmp_path: Path, config: Config, clock: FakeClock) -> None:
    with closing(ReaderChoice(config, clock)) as choice:
        for second in (1, 2):
            with closing(LocalStore(config.local_database)) as store:
                store.append(checks([second]), [], START_MS)
            readers, source = choice.choose()
            assert source.why == "as configured"
            assert readers[""].last_time() == START_MS + second * 1_000
            assert choice.choose()[0] == readers
            for file in tmp_path.glob("config.db*"):
                os.remove(file)
        with pytest.raises(StoreError, match=NO_MONITOR):
            choice.choose()


def test_what_a_monitor_writes_in_place_of_its_file_is_read_and_said(
    tmp_path: Path, config: Config, clock: FakeClock
) -> None:
    """Its file was busy, damaged or replaced: what lies there is old."""
    home, elsewhere = config.local_database, tmp_path / "elsewhere.db"
    with closing(LocalStore(home)) as store:
        store.append(checks([1]), [], START_MS)
    with closing(ReaderChoice(config, clock)) as choice:
        assert choice.choose()[0][""].last_time() == START_MS + 1_000
        with closing(LocalStore(elsewhere, home=home)) as store:
            store.append(checks([2]), [], START_MS)
            assert choice.choose()[0][""].last_time() == START_MS + 2_000
            (condition,) = choice.conditions()
            assert condition.text == f"the running monitor keeps its checks in {elsewhere} until it can write {home}"
            elsewhere.rename(tmp_path / "hidden.db")
            with pytest.raises(StoreError, match="which cannot be read from here"):
                choice.choose()
        assert choice.choose()[0][""].last_time() == START_MS + 1_000
        assert not choice.conditions()


def test_a_monitor_whose_file_is_gone_is_not_taken_for_none(config: Config, clock: FakeClock) -> None:
    with closing(LocalStore(config.local_database)), closing(ReaderChoice(config, clock)) as choice:
        config.local_database.unlink()
        with pytest.raises(StoreError, match="a monitor is running, and its file is gone"):
            choice.choose()


def test_a_file_that_a_monitor_is_just_making_is_not_there_yet(config: Config, clock: FakeClock) -> None:
    """SQLite writes its header before the first table: a reader must not call that file empty."""
    path = config.local_database
    lock = FileLock(path)
    with closing(ReaderChoice(config, clock)) as choice:
        with pytest.raises(StoreError, match=NO_MONITOR):
            choice.choose()
        with closing(sqlite3.connect(path)) as begun:
            begun.execute("PRAGMA journal_mode = WAL")
            assert path.stat().st_size
            with pytest.raises(StoreError, match=NO_MONITOR):
                choice.choose()
        lock.release()
        with closing(LocalStore(path)) as store:
            store.append(checks([1]), [], START_MS)
            assert choice.choose()[0][""].last_time() == START_MS + 1_000


@pytest.mark.parametrize("kind", DATABASES, ids=lambda kind: kind.name)
def test_the_registry_names_stores_that_there_are(kind: DatabaseKind) -> None:
    for scheme, is_tls in ((kind.scheme, False), (kind.tls_scheme, True)):
        address = parse_database(f"{scheme}://127.0.0.1:9{'/x' if kind.has_name else ''}", {})
        assert (address.backend, address.tls is not None) == (kind, is_tls)
        with closing(open_backend(address, 1)) as backend:
            assert isinstance(backend.name, str)


def test_the_registry_knows_what_is_no_database() -> None:
    assert parse_database("sqlite:", {}).backend is None
    with pytest.raises(ConfigError, match="this needs a database"):
        open_backend(parse_database("sqlite:", {}), 1)
