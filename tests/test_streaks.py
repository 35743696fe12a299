"""When each site failed last and since when it is good: from InfluxDB and through a gateway what the checks say."""

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from monitoring.errors import StoreUnavailable
from monitoring.gateway.database import FileDatabase
from monitoring.models import Cause, CheckResult, Streak
from monitoring.store.base import StreakReader
from monitoring.store.influx import InfluxStore
from monitoring.store.influxstreaks import STATEMENTS_AT_ONCE
from tests.support.gateway import through_gateway
from tests.support.influxd import Influxd
from tests.support.points import START_MS, check, checks
from tests.support.stores import new_database
from tests.support.streaks import streaks_of

WEEK_S = 7 * 86_400


@pytest.fixture
def influx(influxd: Influxd) -> Iterator[InfluxStore]:
    with new_database(influxd) as store:
        yield store


def some_months() -> list[CheckResult]:
    """Of more sites than one request asks about, over many weeks; some never fail, some always do."""
    chance = random.Random(5)
    hosts = [f'it\'s "{number}", a site' for number in range(2 * STATEMENTS_AT_ONCE + 10)]
    found = []
    for number, host in enumerate(hosts):
        share = (0, 0.2, 1)[number % 3]
        times = sorted(chance.sample(range(12 * WEEK_S), 9))
        found += [check(second, host, Cause.DNS if chance.random() < share else None) for second in times]
    return sorted(found, key=lambda one: (one.time_ms, one.host))


def test_streaks_are_those_of_the_stored_checks_at_any_moment(influx: InfluxStore) -> None:
    stored = some_months()
    influx.write(stored, [])
    assert isinstance(influx, StreakReader)
    with through_gateway(influx) as gateway:
        for week in (13, 6, 13, 1, 0):
            before_ms = START_MS + week * WEEK_S * 1_000
            assert influx.streaks(before_ms) == gateway.streaks(before_ms) == streaks_of(stored, before_ms)


def test_a_site_that_comes_back_is_good_since_then(influx: InfluxStore) -> None:
    influx.write([check(1), check(2, cause=Cause.DNS)], [])
    assert influx.streaks(START_MS + 9_000) == {"a": Streak(START_MS + 2_000, None, START_MS + 2_000)}
    influx.write(checks([3, 4]), [])
    assert influx.streaks(START_MS + 9_000) == {"a": Streak(START_MS + 2_000, START_MS + 3_000, START_MS + 4_000)}
    assert influx.streaks(START_MS + 3_000) == {"a": Streak(START_MS + 2_000, None, START_MS + 2_000)}
    influx.write([check(5, cause=Cause.DNS), check(7)], [])
    assert influx.streaks(START_MS + 9_000) == {"a": Streak(START_MS + 5_000, START_MS + 7_000, START_MS + 7_000)}


def test_a_database_that_does_not_answer_all_of_it_answers_nothing(influx: InfluxStore) -> None:
    with pytest.raises(StoreUnavailable, match="in part only"):
        influx._client.query_each(["SELECT last(cause) FROM a; SELECT last(cause) FROM b"])
    with pytest.raises(StoreUnavailable, match="refused"):
        influx._client.query_each(["SELECT last(cause) FROM a", "SELECT last(cause FROM b"])
    influx.drop_database()
    with pytest.raises(StoreUnavailable, match="database not found"):
        influx._client.query_each(["SELECT last(cause) FROM a"])


def test_a_gateways_file_tells_what_has_not_changed_since(tmp_path: Path) -> None:
    stored = [check(1), check(1, "b"), check(2), check(3, cause=Cause.DNS), *checks([5, 6]), check(9, "b")]
    with closing(FileDatabase(tmp_path / "gateway.db")) as database, through_gateway(database) as gateway:
        database.write(stored, [])
        assert gateway.streaks(START_MS + 10_000) == streaks_of(stored, START_MS + 10_000)
        for second in (7, 4):
            known = {
                host: replace(streak, last_ms=None) for host, streak in gateway.streaks(START_MS + second * 1_000).items()
            }
            before = streaks_of(stored, START_MS + second * 1_000)
            assert known == {host: replace(streak, last_ms=None) for host, streak in before.items()}
        assert gateway.streaks(START_MS + 3_000).keys() == {"b"}
