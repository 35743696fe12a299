"""Whom a program reads that writes no store itself: chosen anew as databases, files and monitors come and go."""

import os
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitoring.config import Config, parse_database
from monitoring.errors import StoreError, StoreUnavailable
from monitoring.models import Site
from monitoring.store.choosing import NO_MONITOR, ReaderChoice
from monitoring.store.influx import InfluxStore
from monitoring.store.local import LocalStore
from tests.support.clock import FakeClock
from tests.support.influxd import Influxd, free_port
from tests.support.points import START_MS, checks

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
    with closing(InfluxStore(host=influxd.host, port=influxd.port, database=name, read_timeout=60)) as database:
        database.prove("test")
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
        with closing(LocalStore(tmp_path / "config.db")) as store:
            assert chosen(choice)[0] == "influxdb"
            store.append(checks([0]), [], created_ms=clock.now_ms())
            assert chosen(choice)[0] == "influxdb"
            clock.advance(6)
            assert chosen(choice) == ("local", f"127.0.0.1:{influxd.port} has yet to receive 1 points")
        assert chosen(choice)[0] == "influxdb"


def test_a_database_that_no_monitor_wrote_to_is_not_read(influxd: Influxd, tmp_path: Path, clock: FakeClock) -> None:
    with closing(LocalStore(tmp_path / "config.db")):
        config = influx_config(tmp_path, influxd.port, f"never-{uuid.uuid4()}")
        with closing(ReaderChoice(config, clock)) as choice:
            assert chosen(choice)[0] == "local"


def test_a_database_that_leaves_questions_open_is_left_alone_for_a_while(
    influxd: Influxd, known: str, tmp_path: Path, clock: FakeClock
) -> None:
    with (
        closing(LocalStore(tmp_path / "config.db")),
        closing(ReaderChoice(influx_config(tmp_path, influxd.port, known), clock, 60)) as choice,
    ):
        assert chosen(choice)[0] == "influxdb"
        choice.distrust()
        assert chosen(choice) == ("local", f"127.0.0.1:{influxd.port} answers too slowly")
        clock.advance(31)
        assert chosen(choice)[0] == "influxdb"


def test_without_a_file_a_database_that_was_named_says_itself_why_not(tmp_path: Path, clock: FakeClock) -> None:
    config = influx_config(tmp_path, free_port())
    with closing(ReaderChoice(config, clock)) as choice, pytest.raises(StoreUnavailable, match=r"InfluxDB at 127.0.0.1"):
        choice.choose()


def test_a_file_that_takes_the_place_of_another_is_read(tmp_path: Path, config: Config, clock: FakeClock) -> None:
    with closing(ReaderChoice(config, clock)) as choice:
        for second in (1, 2):
            with closing(LocalStore(config.local_database)) as store:
                store.write(checks([second]), [])
            readers, _ = choice.choose()
            assert readers[""].last_time() == START_MS + second * 1_000
            assert choice.choose()[0] == readers
            for file in tmp_path.glob("config.db*"):
                os.remove(file)
        with pytest.raises(StoreError, match=NO_MONITOR):
            choice.choose()
