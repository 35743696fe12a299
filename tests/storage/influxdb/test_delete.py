"""Deleting a part of a series from InfluxDB leaves the rest of it where it was, and where it is found."""

from collections.abc import Iterator, Sequence

import pytest

from monitoring.config.keys.databases import DatabaseAddress
from monitoring.models import Alert, AlertType, Cause, CheckResult, Window
from monitoring.statistics.summary import Span
from monitoring.storage.base import Deletion, Points
from monitoring.storage.influxdb import delete
from monitoring.storage.influxdb.client import InfluxClient, Series
from monitoring.storage.influxdb.points import ALERTS, CHECKS, SUMMARIES
from monitoring.storage.influxdb.questions import at_location
from monitoring.storage.influxdb.store import InfluxStore
from tests.support.influx_databases import PATIENT_S, store_at
from tests.support.points import by_host
from tests.support.summaries import summaries_of

START_MS = 1_767_225_600_000
EVER = Window(START_MS - 10**10, START_MS + 10**10)
DAY_MS = Span.DAY.length_ms

ODD = 'http://h/a b,c=d"e'


class Watched(InfluxClient):
    """A client that keeps what it writes, and what it runs to change something."""

    written: Sequence[str] = ()
    statements: Sequence[str] = ()

    def write(self, lines: Sequence[str]) -> None:
        self.written = [*self.written, *lines]
        super().write(lines)

    def query(self, statement: str) -> list[Series]:
        if not statement.startswith("SELECT"):
            self.statements = [*self.statements, statement]
        return super().query(statement)


@pytest.fixture
def client(address: DatabaseAddress) -> Iterator[Watched]:
    client = Watched(address, (1.0, PATIENT_S))
    yield client
    client.close()


@pytest.fixture(params=["", "the west, end=1"])
def location(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(address: DatabaseAddress, location: str) -> Iterator[InfluxStore]:
    opened = store_at(address, location)
    yield opened
    opened.close()


def check(host: str, second: int) -> CheckResult:
    return CheckResult(host, START_MS + 1_000 * second, covers_ms=1_000, lag_us=7, status=200, response_us=1_500)


def carry_out(client: Watched, location: str, deletion: Deletion) -> int:
    return sum(1 for _ in delete.deletion_steps(client, at_location(location), deletion))


def test_what_stays_is_written_again_and_is_the_same(client: Watched, store: InfluxStore, location: str) -> None:
    """InfluxDB may have lost sight of it, which no test can bring about soon: one point of each series brings it back."""
    old, new = [check(ODD, 1), check("gone", 2), check(ODD, 4)], [check(ODD, 5), check(ODD, 9)]
    store.write(Points(checks=[*old, *new, check("other", 1)]))
    carry_out(client, location, Deletion([ODD, "gone"], START_MS + 5_000))
    assert list(store.results(EVER)) == [check("other", 1), *new]
    assert [line.rpartition(" ")[2] for line in client.written] == [str(new[-1].time_ms)]


def test_alerts_and_summaries_that_stay_are_written_again_too(client: Watched, store: InfluxStore, location: str) -> None:
    checks = [check("a", 1), check("a", 2 * DAY_MS // 1_000)]
    alerts = [Alert(AlertType.ALERT, "a", it.time_ms, it.time_ms, None, 50.0, Cause.DNS) for it in checks]
    store.write(Points(alerts=alerts, summaries=summaries_of(checks)))
    carry_out(client, location, Deletion(["a"], START_MS + DAY_MS))
    assert store.alerts(EVER) == alerts[1:]
    assert {span: by_host(store.counts(EVER, span.kind)) for span in Span} == {span: {"a": 1} for span in Span}
    assert [line.partition(",")[0] for line in client.written] == [*reversed(SUMMARIES.values()), ALERTS]


def test_what_is_deleted_whole_is_not_written_again(client: Watched, store: InfluxStore, location: str) -> None:
    store.write(Points(checks=[check("gone", 1), check("gone", 2), check("other", 1)]))
    carry_out(client, location, Deletion(["gone"], START_MS + 5_000))
    assert list(store.results(EVER)) == [check("other", 1)]
    assert client.written == ()


def test_a_deletion_takes_few_hosts_a_step_and_only_those_that_have_something(
    client: Watched, store: InfluxStore, location: str
) -> None:
    hosts = [f"host {number}" for number in range(250)]
    store.write(Points(checks=[check(host, 1) for host in hosts] + [check("young", 100)]))
    assert carry_out(client, location, Deletion(None, START_MS + 5_000)) == 3
    assert list(store.results(EVER)) == [check("young", 100)]
    assert carry_out(client, location, Deletion(None, START_MS + 5_000)) == 0
    assert len(client.statements) == 3


def test_summaries_go_from_the_longest_to_the_shortest_before_their_points(
    client: Watched, store: InfluxStore, location: str
) -> None:
    store.write(Points(checks=[check("a", 1)], summaries=summaries_of([check("a", 1)])))
    for _ in delete.deletion_steps(client, at_location(location), Deletion(None, START_MS + 5_000)):
        assert store.stats(EVER, exact=False).keys() <= {"a"}
    sources = [statement.split()[2] for statement in client.statements]
    assert sources == [*reversed(SUMMARIES.values()), CHECKS]


def test_names_that_can_be_no_tag_are_nowhere_to_delete(client: Watched, store: InfluxStore, location: str) -> None:
    store.write(Points(checks=[check("a", 1)]))
    assert carry_out(client, location, Deletion(["line\nend", "'; DROP DATABASE x; --"], START_MS + 5_000)) == 0
    assert list(store.results(EVER)) == [check("a", 1)]
