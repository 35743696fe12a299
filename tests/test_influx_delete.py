"""Deleting a part of a series from InfluxDB leaves the rest of it where it was, and where it is found."""

from collections.abc import Iterator, Sequence

import pytest

from monitoring.models import CheckResult, Window
from monitoring.store import influxdelete
from monitoring.store.influx import InfluxStore
from monitoring.store.influxclient import InfluxClient
from monitoring.store.influxminutes import among
from monitoring.store.lineprotocol import CHECKS
from tests.support.influxd import Influxd
from tests.support.results import START_MS
from tests.support.stores import new_database

EVER = Window(START_MS - 10**10, START_MS + 10**10)
CUT_MS = START_MS + 5_000

ODD = 'http://h/a b,c=d"e'


class Watched(InfluxClient):
    """A client that keeps what it writes."""

    written: Sequence[str] = ()

    def write(self, lines: Sequence[str]) -> None:
        self.written = [*self.written, *lines]
        super().write(lines)


@pytest.fixture
def database(influxd: Influxd) -> Iterator[str]:
    with new_database(influxd) as store:
        yield store._database


@pytest.fixture
def client(influxd: Influxd, database: str) -> Iterator[Watched]:
    client = Watched(
        host=influxd.host, port=influxd.port, database=database, username="", password="", tls=None, timeout=(2, 60)
    )
    yield client
    client.close()


def stored(influxd: Influxd, database: str, location: str = "") -> InfluxStore:
    return InfluxStore(host=influxd.host, port=influxd.port, database=database, location=location)


def check(host: str, second: int) -> CheckResult:
    return CheckResult(host, START_MS + 1_000 * second, covers_ms=1_000, lag_us=7, status=200, response_us=1_500)


@pytest.mark.parametrize("location", ["", "the west, end=1"])
def test_what_stays_is_written_again_and_is_the_same(
    influxd: Influxd, database: str, client: Watched, location: str
) -> None:
    """InfluxDB may have lost sight of it, which no test can bring about soon: one point of each series brings it back."""
    store = stored(influxd, database, location)
    old, new = [check(ODD, 1), check("gone", 2), check(ODD, 4)], [check(ODD, 5), check(ODD, 9)]
    store.write([*old, *new, check("other", 1)], [])
    influxdelete.delete(client, CHECKS, [among([ODD, "gone"])], [influxdelete.before(CUT_MS)])
    assert store.results(EVER) == [check("other", 1), *new]
    assert [line.rpartition(" ")[2] for line in client.written] == [str(new[-1].time_ms)]
    store.close()


def test_what_is_deleted_whole_is_not_written_again(influxd: Influxd, database: str, client: Watched) -> None:
    store = stored(influxd, database)
    store.write([check("gone", 1), check("gone", 2), check("other", 1)], [])
    influxdelete.delete(client, CHECKS, [among(["gone"])], [influxdelete.before(CUT_MS)])
    assert store.results(EVER) == [check("other", 1)]
    assert client.written == ()
    store.close()


def test_a_span_in_the_middle_goes_and_both_sides_stay(influxd: Influxd, database: str, client: Watched) -> None:
    store = stored(influxd, database)
    store.write([check("a", second) for second in range(10)], [])
    spans = [Window(START_MS + 2_000, START_MS + 4_000), Window(START_MS + 6_000, START_MS + 7_000)]
    influxdelete.delete(client, CHECKS, [], spans)
    assert store.results(EVER) == [check("a", second) for second in (0, 1, 4, 5, 7, 8, 9)]
    store.close()
