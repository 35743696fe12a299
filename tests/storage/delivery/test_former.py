"""What 1.1.0 sent of a local file in its own form leaves InfluxDB once all of it has arrived as points."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitoring.config.keys.databases import DatabaseAddress
from monitoring.errors import StoreUnavailable
from monitoring.models import Window
from monitoring.statistics.summary import Span
from monitoring.storage.base import Deletion
from monitoring.storage.delivery.forwarder import RETRY_MS, Forwarder
from monitoring.storage.influxdb.client import InfluxClient
from monitoring.storage.influxdb.points import SUMMARIES
from monitoring.storage.influxdb.store import InfluxStore
from monitoring.storage.sqlite.store import LocalStore
from tests.fixtures.files_1_1_0 import START_MS
from tests.support.clock import FakeClock
from tests.support.forwarded import assert_same_summaries, drain, maintain
from tests.support.influx_databases import PATIENT_S, store_at

WRITTEN = Path(__file__).parents[2] / "fixtures" / "some_hours_1_1_0"
SOURCES = ("website_minutes", "website_hours", "website_days")
LATER_MS = START_MS + 4 * Span.HOUR.length_ms


@pytest.fixture
def client(address: DatabaseAddress) -> Iterator[InfluxClient]:
    """Holds what monitors of 1.1.0 sent, this one and another."""
    with closing(InfluxClient(address, (1.0, PATIENT_S))) as client:
        lines = WRITTEN.with_suffix(".lines").read_text().splitlines()
        client.write([*lines, *(line.replace("file=", "file=another") for line in lines)])
        yield client


@pytest.fixture
def database(address: DatabaseAddress) -> Iterator[InfluxStore]:
    with closing(store_at(address)) as store:
        yield store


@pytest.fixture
def file(tmp_path: Path) -> Iterator[LocalStore]:
    with closing(LocalStore(Path(shutil.copy(WRITTEN.with_suffix(".db"), tmp_path)))) as store:
        maintain(store, LATER_MS)
        yield store


def files(client: InfluxClient) -> dict[str, set[str]]:
    """The markers under which each of the old measurements has series."""
    series = {source: client.query(f"SELECT version FROM {source} GROUP BY file") for source in SOURCES}
    return {source: {one.tags["file"] for one in found} for source, found in series.items()}


def of_both(file: LocalStore) -> dict[str, set[str]]:
    return {key: {file.marker, f"another{file.marker}"} for key in SOURCES}


def of_the_other(file: LocalStore) -> dict[str, set[str]]:
    return {key: {f"another{file.marker}"} for key in SOURCES}


def test_it_goes_after_the_last_hour_has_arrived_and_that_of_others_stays(
    file: LocalStore, database: InfluxStore, client: InfluxClient
) -> None:
    forwarder = Forwarder(file, database, FakeClock(LATER_MS), is_ours=True)
    while file.pending().summaries:
        assert files(client) == of_both(file)
        assert forwarder.step()
    drain(forwarder)
    assert_same_summaries(file, database)
    assert files(client) == of_the_other(file)
    assert file.next_deletion() is None, "once"


def test_a_database_that_lacks_what_1_1_0_delivered_gets_it_again(file: LocalStore, database: InfluxStore) -> None:
    drain(Forwarder(file, database, FakeClock(LATER_MS), is_ours=True))
    always = Window(0, LATER_MS)
    assert list(database.results(always)) == list(file.results(always))
    assert list(database.alerts(always)) == list(file.alerts(always))


def test_it_stays_while_the_database_refuses_hours(file: LocalStore, database: InfluxStore, client: InfluxClient) -> None:
    client.write([f"{SUMMARIES[Span.HOUR]},host=x packed=1i {START_MS}"])
    clock = FakeClock(LATER_MS)
    forwarder = Forwarder(file, database, clock, is_ours=True)
    drain(forwarder)
    assert file.refusals()
    assert not file.pending().summaries
    assert files(client) == of_both(file)
    client.query(f"DROP MEASUREMENT {SUMMARIES[Span.HOUR]}")
    clock.advance(RETRY_MS / 1_000)
    drain(forwarder)
    assert files(client) == of_the_other(file)
    assert_same_summaries(file, database)


class Failing(InfluxStore):
    """Fails after the first step of each deletion."""

    def delete(self, deletion: Deletion) -> Iterator[None]:
        yield next(super().delete(deletion))
        raise StoreUnavailable("gone")


def test_a_deletion_that_failed_is_begun_again_after_a_restart(
    file: LocalStore, database: InfluxStore, address: DatabaseAddress, client: InfluxClient
) -> None:
    with closing(Failing(address, "", PATIENT_S)) as failing:
        drain(Forwarder(file, failing, FakeClock(LATER_MS), is_ours=True))
    assert files(client) == {**of_both(file), SOURCES[0]: {f"another{file.marker}"}}
    file.close()
    with closing(LocalStore(file.path)) as again:
        drain(Forwarder(again, database, FakeClock(LATER_MS), is_ours=True))
        assert files(client) == of_the_other(file)
        assert again.next_deletion() is None
