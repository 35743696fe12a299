"""What alerts are decided by: the local file, loose, packed or partly in memory, answers as the pure functions do."""

import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from monitoring import stats
from monitoring.models import Alert, Cause, CheckResult, Window
from monitoring.store.base import AlertReader
from monitoring.store.journal import Journal
from monitoring.store.local import LocalStore
from monitoring.store.memory import MemoryReader
from tests.support.clock import FakeClock
from tests.support.results import ODD_HOSTS, START_MS, Recording, recordings

ALWAYS = Window(START_MS - 10**10, START_MS + 10**10)

any_history = settings(
    max_examples=60,
    deadline=None,  # a file on a busy machine
    suppress_health_check=[HealthCheck.too_slow],  # the same
)

Opened = tuple[AlertReader, Callable[[Sequence[CheckResult]], None]]
"""A reader, and what gives it checks."""


class PackingStore(LocalStore):
    """Packs whatever it is given at once, however little it is."""

    def write(self, results: Sequence[CheckResult], alerts: Sequence[Alert]) -> None:
        super().write(results, alerts)
        while self.pack(ALWAYS.until_ms):
            pass


@contextmanager
def in_file(kind: type[LocalStore]) -> Iterator[Opened]:
    with tempfile.TemporaryDirectory() as folder, closing(kind(Path(folder) / "monitor.db")) as store:
        yield store, lambda checks: store.write(checks, ())


@contextmanager
def in_memory() -> Iterator[Opened]:
    """Half of what it is given is in the file, the other half waits to be written."""
    with tempfile.TemporaryDirectory() as folder, closing(LocalStore(Path(folder) / "monitor.db")) as store:
        journal = Journal(store, FakeClock(START_MS), lambda: None)

        def take(checks: Sequence[CheckResult]) -> None:
            store.write(checks[::2], ())
            for check in checks[1::2]:
                journal.append(check)

        yield MemoryReader(store, journal), take


READERS: dict[str, Callable[[], AbstractContextManager[Opened]]] = {
    "loose": lambda: in_file(LocalStore),
    "packed": lambda: in_file(PackingStore),
    "partly in memory": in_memory,
}


@pytest.fixture(params=list(READERS.values()), ids=list(READERS))
def fresh(request: pytest.FixtureRequest) -> Callable[[], AbstractContextManager[Opened]]:
    opener: Callable[[], AbstractContextManager[Opened]] = request.param
    return opener


def failed(host: str = "a", at: int = 0) -> CheckResult:
    return CheckResult(host, START_MS + at, covers_ms=2_000, lag_us=7, cause=Cause.DNS)


@settings(any_history, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(recording=recordings())
def test_what_the_alert_rule_asks_for_equals_the_reference(
    fresh: Callable[[], AbstractContextManager[Opened]], recording: Recording
) -> None:
    checks, window = recording.checks, recording.window
    hosts = {check.host for check in checks}
    with fresh() as (reader, take):
        take(checks)
        assert reader.downtime(window) == stats.downtime(checks, window)
        some = sorted(hosts)[::2]
        assert reader.downtime(window, some) == stats.downtime(checks, window, some)
        failures = reader.failures(window, hosts)
        assert {host: list(found) for host, found in failures.items()} == stats.failures(checks, window, hosts)


def test_an_empty_file_answers_with_nothing(fresh: Callable[[], AbstractContextManager[Opened]]) -> None:
    with fresh() as (reader, _):
        assert not reader.downtime(ALWAYS)
        assert not reader.downtime(ALWAYS, ["a"])
        assert not reader.failures(ALWAYS, ["a"])


def test_a_window_holds_its_first_millisecond_and_not_its_last(fresh: Callable[[], AbstractContextManager[Opened]]) -> None:
    with fresh() as (reader, take):
        take([failed(at=0), failed(at=1_000)])
        window = Window(START_MS, START_MS + 1_000)
        assert reader.downtime(window)["a"].checks == 1
        assert [failure.time_ms for failure in reader.failures(window, ["a"])["a"]] == [START_MS]
        assert not reader.downtime(Window(START_MS, START_MS))
        assert not reader.downtime(Window(START_MS + 1, START_MS + 1_000))


def test_any_text_that_names_a_site_is_only_a_name(fresh: Callable[[], AbstractContextManager[Opened]]) -> None:
    with fresh() as (reader, take):
        take([failed(host) for host in ODD_HOSTS])
        assert reader.downtime(ALWAYS).keys() == set(ODD_HOSTS)
        for host in ODD_HOSTS:
            assert reader.failures(ALWAYS, [host]).keys() == {host}
            assert reader.downtime(ALWAYS, [host]).keys() == {host}


def test_sites_that_were_not_asked_for_stay_out(fresh: Callable[[], AbstractContextManager[Opened]]) -> None:
    hosts = [f"host {number}" for number in range(350)]
    with fresh() as (reader, take):
        take([failed(host) for host in hosts])
        for some in (hosts[:2], hosts[:45], hosts[:300], []):
            assert reader.failures(ALWAYS, some).keys() == set(some)
            assert reader.downtime(ALWAYS, some).keys() == set(some)
        assert not reader.failures(ALWAYS, ["nobody", "no\nbody", "no'body\\"])
        assert not reader.downtime(ALWAYS, ["nobody"])


def test_threads_may_write_and_ask_at_once(fresh: Callable[[], AbstractContextManager[Opened]]) -> None:
    problems: list[BaseException] = []
    with fresh() as (reader, take):

        def work(host: str) -> None:
            try:
                for at in range(10):
                    take([failed(host, at)])
                    assert reader.downtime(ALWAYS)[host].checks == at + 1
            except BaseException as problem:  # noqa: BLE001 - handed over to the test's own thread
                problems.append(problem)

        threads = [threading.Thread(target=work, args=(f"host {number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not problems
