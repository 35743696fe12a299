"""What every store promises, whatever it is made of: its answers equal those of the pure reference functions.

A new store joins with one line in `STORES`.
"""

import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, example, given, settings

from monitoring import stats
from monitoring.gateway.database import Databases
from monitoring.models import Alert, AlertType, Bucket, Cause, CheckResult, SiteStats, Window
from monitoring.store.base import Store
from monitoring.store.influx import InfluxStore
from monitoring.store.local import LocalStore
from tests.support.forwarding import ForwardingStore
from tests.support.gateway import through_gateway
from tests.support.influxd import Influxd
from tests.support.locations import Crowded
from tests.support.results import ODD_HOSTS, START_MS, Recording, alert_lists, long_recordings, recordings

FreshStore = Callable[[], AbstractContextManager[Store]]
"""Opens an empty store and removes it afterwards."""

ALWAYS = Window(START_MS - 10**10, START_MS + 10**10)

any_history = settings(
    max_examples=40,
    deadline=None,  # a real database on a busy machine
    suppress_health_check=[HealthCheck.too_slow],  # the same
)


@contextmanager
def influx_store(server: Influxd) -> Iterator[InfluxStore]:
    store = InfluxStore(host=server.host, port=server.port, database=f"contract {uuid.uuid4()}", read_timeout=60)
    store.prove("contract")
    try:
        yield store
    finally:
        store.drop_database()
        store.close()


@contextmanager
def local_store(_: Influxd) -> Iterator[Store]:
    with tempfile.TemporaryDirectory() as directory:
        store = LocalStore(Path(directory) / "monitor.db")
        try:
            yield store
        finally:
            store.close()


class PackingStore(LocalStore):
    """Packs whatever it is given at once, however little it is: each answer comes from packed checks."""

    def write(self, results: Sequence[CheckResult], alerts: Sequence[Alert]) -> None:
        super().write(results, alerts)
        while self.pack(ALWAYS.until_ms):
            pass


@contextmanager
def packing_store(_: Influxd) -> Iterator[Store]:
    with tempfile.TemporaryDirectory() as directory:
        store = PackingStore(Path(directory) / "monitor.db")
        try:
            yield store
        finally:
            store.close()


@contextmanager
def gateway_store(server: Influxd) -> Iterator[Store]:
    with influx_store(server) as database, through_gateway(database) as store:
        yield store


@contextmanager
def influx_store_with_blocks(server: Influxd) -> Iterator[Store]:
    with tempfile.TemporaryDirectory() as directory:
        store = ForwardingStore(server, f"contract {uuid.uuid4()}", Path(directory))
        store.prove("contract")
        try:
            yield store
        finally:
            store.drop_database()
            store.close()


def crowded(opened: Sequence[Store]) -> Store:
    """The first of these stores, the others around it."""
    return cast(Store, Crowded(opened[0], opened[1:]))


@contextmanager
def influx_store_with_blocks_among_others(server: Influxd) -> Iterator[Store]:
    name = f"contract {uuid.uuid4()}"
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        store = ForwardingStore(server, name, Path(directory), "paris, 1er 'étage'")
        store.prove("contract")
        neighbour = InfluxStore(host=server.host, port=server.port, database=name, location="tokyo", read_timeout=60)
        for one in (store, neighbour):
            stack.callback(one.close)
        stack.callback(store.drop_database)
        yield crowded([store, neighbour])


@contextmanager
def gateway_store_among_others(server: Influxd) -> Iterator[Store]:
    name = f"contract {uuid.uuid4()}"

    def open_at(location: str) -> InfluxStore:
        return InfluxStore(host=server.host, port=server.port, database=name, location=location, read_timeout=60)

    with closing(Databases(open_at, 9)) as databases, closing(open_at("")) as database:
        database.prove("contract")
        with through_gateway(databases, "paris") as store, through_gateway(databases, "tokyo") as neighbour:
            yield crowded([store, neighbour, database])
        database.drop_database()


STORES = {
    "influxdb": influx_store,
    "influxdb, with blocks": influx_store_with_blocks,
    "local": local_store,
    "local, packed": packing_store,
    "gateway": gateway_store,
    "influxdb, with blocks, at a location": influx_store_with_blocks_among_others,
    "gateway, at a location": gateway_store_among_others,
}


@pytest.fixture(params=list(STORES.values()), ids=list(STORES), scope="module")
def fresh_store(request: pytest.FixtureRequest, influxd: Influxd) -> FreshStore:
    return partial(request.param, influxd)


@pytest.fixture
def store(fresh_store: FreshStore) -> Iterator[Store]:
    with fresh_store() as opened:
        yield opened


def check(host: str = "a", at: int = 0, cause: Cause | None = None, status: int = 200) -> CheckResult:
    return CheckResult(
        host, START_MS + at, covers_ms=2_000, lag_us=7, status=status, response_us=1_500_000 + at, cause=cause
    )


def alert(host: str = "a", at: int = 0) -> Alert:
    return Alert(AlertType.ALERT, host, START_MS + at, START_MS + at - 5, None, 76.5, Cause.DNS)


def recovery(host: str = "a", at: int = 0) -> Alert:
    return Alert(AlertType.RECOVERY, host, START_MS + at, START_MS - 5, START_MS + at - 1, 80.25, Cause.DNS)


def exact_part(site: SiteStats) -> SiteStats:
    """All but the means: integers, that must be equal to the last digit."""
    return replace(
        site,
        response=site.response and replace(site.response, mean_us=0.0),
        phases_us={},
        trend=tuple(Bucket(None, bucket.failures) for bucket in site.trend),
    )


def means(site: SiteStats) -> dict[str, float]:
    found = dict(site.phases_us)
    if site.response:
        found["response"] = site.response.mean_us
    return found | {f"trend {index}": it.mean_us for index, it in enumerate(site.trend) if it.mean_us is not None}


def assert_same_stats(store: Store, checks: Sequence[CheckResult], window: Window) -> None:
    seen, wanted = store.stats(window), stats.summarise(checks, window)
    assert {host: exact_part(site) for host, site in seen.items()} == {host: exact_part(it) for host, it in wanted.items()}
    for host, site in wanted.items():
        assert means(seen[host]) == pytest.approx(means(site), rel=1e-9, abs=1e-6)


@any_history
@given(recording=recordings())
def test_statistics_of_any_window_equal_the_reference(fresh_store: FreshStore, recording: Recording) -> None:
    with fresh_store() as store:
        store.write(recording.checks, [])
        assert_same_stats(store, recording.checks, recording.window)


@any_history
@given(recording=long_recordings())
@example(
    recording=Recording(
        (
            CheckResult("https://example.org/", START_MS, covers_ms=1, lag_us=0),
            CheckResult("https://example.org/", 1_767_419_940_000, covers_ms=1, lag_us=0),  # 05:59: no day ends
        ),
        Window(START_MS, START_MS + 3 * stats.DAY_MS + 1),
    )
)
def test_statistics_of_days_equal_the_reference_wherever_hours_are_cut(
    fresh_store: FreshStore, recording: Recording
) -> None:
    with fresh_store() as store:
        store.write(recording.checks, [])
        assert_same_stats(store, recording.checks, recording.window)


@any_history
@given(recording=recordings())
def test_every_check_comes_back_as_it_was_written(fresh_store: FreshStore, recording: Recording) -> None:
    window = recording.window
    with fresh_store() as store:
        store.write(recording.checks, [])
        assert list(store.results(ALWAYS)) == list(recording.checks)
        assert list(store.results(window)) == [
            check for check in recording.checks if window.from_ms <= check.time_ms < window.until_ms
        ]
        assert store.last_time() == recording.checks[-1].time_ms


@any_history
@given(alerts=alert_lists())
def test_every_alert_comes_back_as_it_was_written(fresh_store: FreshStore, alerts: list[Alert]) -> None:
    window = Window(alerts[0].time_ms, alerts[-1].time_ms)
    with fresh_store() as store:
        store.write([], alerts)
        assert list(store.alerts(ALWAYS)) == alerts
        assert list(store.alerts(window)) == [alert for alert in alerts if alert.time_ms < window.until_ms]
        assert store.last_alerts() == {alert.host: alert for alert in alerts}


def test_an_empty_store_answers_with_nothing(store: Store) -> None:
    assert not store.stats(ALWAYS)
    assert not store.results(ALWAYS)
    assert not store.alerts(ALWAYS)
    assert not store.last_alerts()
    assert store.last_time() is None


def test_writing_nothing_is_fine(store: Store) -> None:
    store.write([], [])
    assert store.last_time() is None


def test_a_window_holds_its_first_millisecond_and_not_its_last(store: Store) -> None:
    store.write([check(at=0), check(at=1_000)], [alert(at=0), alert(at=1_000)])
    window = Window(START_MS, START_MS + 1_000)
    assert list(store.results(window)) == [check(at=0)]
    assert list(store.alerts(window)) == [alert(at=0)]
    assert store.stats(window)["a"].checks == 1


def test_an_empty_window_holds_nothing(store: Store) -> None:
    store.write([check()], [alert()])
    window = Window(START_MS, START_MS)
    assert not store.stats(window)
    assert not store.results(window)
    assert not store.alerts(window)


def test_what_is_written_twice_is_there_once(store: Store) -> None:
    """A forwarder that did not hear the answer sends the same points again."""
    checks = [check(at=at, cause=Cause.TIMEOUT if at else None) for at in (0, 2_000)]
    store.write(checks, [alert()])
    store.write([*checks, check(at=4_000)], [alert()])
    checks.append(check(at=4_000))
    assert list(store.results(ALWAYS)) == checks
    assert list(store.alerts(ALWAYS)) == [alert()]
    assert_same_stats(store, checks, ALWAYS)


def test_any_text_that_names_a_site_is_only_a_name(store: Store) -> None:
    """Quotes, statements and markup in a name neither break a question nor reach another site's data."""
    checks = sorted((check(host, cause=Cause.DNS) for host in ODD_HOSTS), key=lambda check: check.host)
    alerts = [alert(check.host) for check in checks]
    store.write(checks, alerts)
    assert list(store.results(ALWAYS)) == checks
    assert list(store.alerts(ALWAYS)) == alerts
    assert store.stats(ALWAYS).keys() == set(ODD_HOSTS)
    assert store.last_alerts().keys() == set(ODD_HOSTS)


def test_every_status_is_counted_however_many_there_are(store: Store) -> None:
    checks = [check(at=index, status=200 + index % 7) for index in range(40)]
    checks += [check("steady", at=index) for index in range(5)]
    checks += [check("broken", at=index, cause=Cause.STATUS, status=500 + index % 2) for index in range(5)]
    store.write(checks, [])
    assert_same_stats(store, checks, ALWAYS)


def test_the_newest_transition_tells_nothing_of_those_before(store: Store) -> None:
    """An alert has no end even when the recovery before it had one."""
    store.write([], [alert(at=0), recovery(at=10), alert(at=20)])
    assert store.last_alerts() == {"a": alert(at=20)}
    store.write([], [recovery(at=30), alert("b", at=30)])
    assert store.last_alerts() == {"a": recovery(at=30), "b": alert("b", at=30)}


def test_threads_may_write_and_ask_at_once(store: Store) -> None:
    problems: list[BaseException] = []

    def work(host: str) -> None:
        try:
            for at in range(10):
                store.write([check(host, at)], [])
                assert store.stats(ALWAYS)[host].checks == at + 1
        except BaseException as problem:  # noqa: BLE001 - handed over to the test's own thread
            problems.append(problem)

    threads = [threading.Thread(target=work, args=(f"host {number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert len(store.results(ALWAYS)) == 40


def test_the_newest_time_is_that_of_a_check_or_an_alert(store: Store) -> None:
    store.write([check("a", at=50), check("b", at=20)], [alert("a", at=10)])
    assert store.last_time() == START_MS + 50
    store.write([], [alert("c", at=60), alert("b", at=55)])
    assert store.last_time() == START_MS + 60


def test_closing_twice_does_nothing(store: Store) -> None:
    store.close()
    store.close()
