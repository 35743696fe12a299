"""What every store promises, whatever it is made of: its answers equal those of the pure functions.

A new database joins with one line in `BACKENDS`, a reader of a local file with one in `LOCAL`.
"""

import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitoring.gateway.databases import Databases
from monitoring.models import Alert, AlertType, Cause, CheckResult, Window
from monitoring.statistics import reference
from monitoring.statistics.summary import SiteSummary, Span, Summary
from monitoring.storage.base import SPAN_KINDS, Backend, Deletion, DeliveryRecord, LocalReader, Points, Reader
from monitoring.storage.sqlite.database import SharedFile
from monitoring.storage.sqlite.store import LocalStore
from tests.support.gateway import client_of, serving
from tests.support.influx_databases import new_database, store_at
from tests.support.memory_backend import MemoryDatabase
from tests.support.points import REASON, by_host
from tests.support.results import LONG_SPAN_MS, ODD_HOSTS, START_MS, Recording, alert_lists, recordings, texts
from tests.support.stored import assert_same_stats, states_of
from tests.support.summaries import summaries_of

ALWAYS = Window(START_MS - 10**10, START_MS + 10**10)
NOW_MS = ALWAYS.until_ms
MINUTE_MS, HOUR_MS = Span.MINUTE.length_ms, Span.HOUR.length_ms

any_history = settings(
    max_examples=30,
    deadline=None,  # a real database on a busy machine
    suppress_health_check=[HealthCheck.too_slow],  # the same
)

OpenBackend = Callable[[str], Backend]
"""Opens a location of one database."""


class Opened(Protocol):
    """A store that has been opened, and the way that checks and alerts take into it."""

    reader: Reader

    def write(self, checks: Sequence[CheckResult], alerts: Sequence[Alert] = ()) -> None: ...


# Backends


@contextmanager
def memory(_: pytest.FixtureRequest) -> Iterator[OpenBackend]:
    yield MemoryDatabase().open


@contextmanager
def influxdb(request: pytest.FixtureRequest) -> Iterator[OpenBackend]:
    with new_database(request.getfixturevalue("influxd")) as address:
        yield partial(store_at, address)


@contextmanager
def shared_file(_: pytest.FixtureRequest) -> Iterator[OpenBackend]:
    with tempfile.TemporaryDirectory() as directory, closing(SharedFile(Path(directory) / "gateway.db")) as shared:
        yield shared.open


@contextmanager
def behind_gateway(
    new: Callable[[pytest.FixtureRequest], AbstractContextManager[OpenBackend]], request: pytest.FixtureRequest
) -> Iterator[OpenBackend]:
    """The same database, asked through a gateway."""
    with new(request) as open_backend, serving(Databases(open_backend, 10)) as port:
        yield partial(client_of, port)


BACKENDS: dict[str, Callable[[pytest.FixtureRequest], AbstractContextManager[OpenBackend]]] = {
    "memory": memory,
    "influxdb": influxdb,
    "file": shared_file,
    "gateway of a file": partial(behind_gateway, shared_file),
    "gateway of an InfluxDB": partial(behind_gateway, influxdb),
}
"""Each makes a new database, which is gone afterwards. (`request.getfixturevalue("influxd")` is a real InfluxDB.)"""


@dataclass
class Written:
    """A backend to which a monitor sends its checks, and the summaries of these spans."""

    reader: Backend
    spans: Sequence[Span] = ()
    sent: tuple[CheckResult, ...] = ()

    def write(self, checks: Sequence[CheckResult], alerts: Sequence[Alert] = ()) -> None:
        self.reader.write(Points(checks=checks, alerts=alerts))
        self.sent = tuple({(check.time_ms, check.host): check for check in [*self.sent, *checks]}.values())
        if self.spans and checks:
            self.reader.write(Points(summaries=summaries_of(self.sent, self.spans)))


@contextmanager
def backend_with(
    new_database: Callable[[pytest.FixtureRequest], AbstractContextManager[OpenBackend]],
    spans: Sequence[Span],
    location: str,
    request: pytest.FixtureRequest,
) -> Iterator[Opened]:
    """A backend with these summaries, and others' points in the same database where it has a location."""
    with new_database(request) as open_backend:
        if location:
            with closing(open_backend("tokyo")) as neighbour, closing(open_backend("")) as nowhere:
                for other in (neighbour, nowhere):
                    stranger = [check(host, at) for host in ("a", ODD_HOSTS[0]) for at in (0, 7)]
                    other.write(Points(stranger, [alert("a", 3)], summaries_of(stranger)))
        with closing(open_backend(location)) as backend:
            backend.verify("contract")
            yield Written(backend, spans)


# Local files


@dataclass
class LocalFile:
    """A local file that is written and read."""

    reader: LocalReader
    write: Callable[..., None]


@contextmanager
def sqlite_rows(_: pytest.FixtureRequest) -> Iterator[LocalFile]:
    """Nothing is summarised yet."""
    with tempfile.TemporaryDirectory() as directory, closing(LocalStore(Path(directory) / "monitor.db")) as store:
        yield LocalFile(store, lambda checks, alerts=(): store.append(checks, alerts, NOW_MS))


@contextmanager
def sqlite_summarised(_: pytest.FixtureRequest) -> Iterator[LocalFile]:
    """Whatever is written is summarised at once, and what follows comes late."""
    with tempfile.TemporaryDirectory() as directory, closing(LocalStore(Path(directory) / "monitor.db")) as store:

        def write(checks: Sequence[CheckResult], alerts: Sequence[Alert] = ()) -> None:
            store.append(checks, alerts, NOW_MS)
            while store.maintain(NOW_MS):
                pass

        yield LocalFile(store, write)


LOCAL: dict[str, Callable[[pytest.FixtureRequest], AbstractContextManager[LocalFile]]] = {
    "sqlite, rows": sqlite_rows,
    "sqlite, summarised": sqlite_summarised,
}

STORES: dict[str, Callable[[pytest.FixtureRequest], AbstractContextManager[Opened]]] = {
    **LOCAL,
    **{f"{name}, points alone": partial(backend_with, new, (), "") for name, new in BACKENDS.items()},
    **{f"{name}, with minutes": partial(backend_with, new, (Span.MINUTE,), "") for name, new in BACKENDS.items()},
    **{f"{name}, with all summaries": partial(backend_with, new, tuple(Span), "") for name, new in BACKENDS.items()},
    **{
        f"{name}, among others": partial(backend_with, new, tuple(Span), "paris, 1er 'étage'")
        for name, new in BACKENDS.items()
    },
}

FreshStore = Callable[[], AbstractContextManager[Opened]]
FreshDatabase = Callable[[], AbstractContextManager[OpenBackend]]


@pytest.fixture(params=list(STORES.values()), ids=list(STORES), scope="module")
def fresh_store(request: pytest.FixtureRequest) -> FreshStore:
    return partial(request.param, request)


@pytest.fixture(params=list(LOCAL.values()), ids=list(LOCAL), scope="module")
def fresh_file(request: pytest.FixtureRequest) -> Callable[[], AbstractContextManager[LocalFile]]:
    return partial(request.param, request)


@pytest.fixture(params=list(BACKENDS.values()), ids=list(BACKENDS), scope="module")
def fresh_database(request: pytest.FixtureRequest) -> FreshDatabase:
    return partial(request.param, request)


DELETING = {name: new for name, new in BACKENDS.items() if "gateway" not in name}
"""Nobody deletes through a gateway: what is kept is for whoever runs it to say."""


@pytest.fixture(params=list(DELETING.values()), ids=list(DELETING), scope="module")
def deleting_database(request: pytest.FixtureRequest) -> FreshDatabase:
    return partial(request.param, request)


@pytest.fixture
def store(fresh_store: FreshStore) -> Iterator[Opened]:
    with fresh_store() as opened:
        yield opened


@pytest.fixture
def backend(fresh_database: FreshDatabase) -> Iterator[Backend]:
    with fresh_database() as open_backend, closing(open_backend("")) as opened:
        opened.verify("contract")
        yield opened


# What is stored

details = st.text(st.characters(exclude_categories=("Cs",)), max_size=20) | texts


@st.composite
def explained(draw: st.DrawFn, span_ms: int) -> Recording:
    """Any recording; what failed says why, and some responses took longer than their phases."""
    recording = draw(recordings(span_ms))
    checks = [
        replace(
            check,
            detail=draw(details) if check.cause else "",
            response_us=check.response_us
            if check.response_us is None
            else check.response_us + draw(st.sampled_from([0, 0, 7])),
        )
        for check in recording.checks
    ]
    return Recording(tuple(checks), recording.window)


every_recording = explained(3_600_000) | explained(LONG_SPAN_MS)


def check(host: str = "a", at: int = 0, cause: Cause | None = None, status: int = 200) -> CheckResult:
    detail = f"{cause} at {at}" if cause else ""
    return CheckResult(
        host, START_MS + at, covers_ms=2_000, lag_us=7, status=status, response_us=1_500_000 + at, cause=cause, detail=detail
    )


def alert(host: str = "a", at: int = 0) -> Alert:
    return Alert(AlertType.ALERT, host, START_MS + at, START_MS + at - 5, None, 76.5, Cause.DNS, detail=REASON)


def recovery(host: str = "a", at: int = 0) -> Alert:
    return Alert(AlertType.RECOVERY, host, START_MS + at, START_MS - 5, START_MS + at - 1, 80.25, Cause.DNS)


# Every store


@any_history
@given(recording=every_recording)
def test_statistics_of_any_window_equal_the_reference(fresh_store: FreshStore, recording: Recording) -> None:
    with fresh_store() as store:
        store.write(recording.checks)
        assert_same_stats(store.reader, recording.checks, recording.window)


@any_history
@given(recording=every_recording, data=st.data())
def test_checks_that_come_late_are_counted_like_any_other(
    fresh_store: FreshStore, recording: Recording, data: st.DataObject
) -> None:
    late = data.draw(st.sets(st.sampled_from(recording.checks)))
    with fresh_store() as store:
        store.write([check for check in recording.checks if check not in late])
        store.write([check for check in recording.checks if check in late])
        assert_same_stats(store.reader, recording.checks, recording.window)
        assert list(store.reader.results(ALWAYS)) == list(recording.checks)
        assert store.reader.last_states(ALWAYS.until_ms) == states_of(recording.checks, ALWAYS.until_ms)


@any_history
@given(recording=every_recording)
def test_every_check_comes_back_as_it_was_written(fresh_store: FreshStore, recording: Recording) -> None:
    window = recording.window
    with fresh_store() as store:
        store.write(recording.checks)
        assert list(store.reader.results(ALWAYS)) == list(recording.checks)
        assert list(store.reader.results(window)) == [
            check for check in recording.checks if window.from_ms <= check.time_ms < window.until_ms
        ]
        assert store.reader.last_time() == recording.checks[-1].time_ms


@any_history
@given(recording=every_recording)
def test_every_site_stands_where_its_checks_lead(fresh_store: FreshStore, recording: Recording) -> None:
    moments = {recording.checks[0].time_ms, recording.window.from_ms, recording.window.until_ms, ALWAYS.until_ms}
    with fresh_store() as store:
        store.write(recording.checks)
        for moment in moments:
            assert store.reader.last_states(moment) == states_of(recording.checks, moment)


@any_history
@given(alerts=alert_lists())
def test_every_alert_comes_back_as_it_was_written(fresh_store: FreshStore, alerts: list[Alert]) -> None:
    window = Window(alerts[0].time_ms, alerts[-1].time_ms)
    with fresh_store() as store:
        store.write([], alerts)
        assert list(store.reader.alerts(ALWAYS)) == alerts
        assert list(store.reader.alerts(window)) == [alert for alert in alerts if alert.time_ms < window.until_ms]
        assert store.reader.last_alerts() == {alert.host: alert for alert in alerts}


def test_an_empty_store_answers_with_nothing(fresh_store: FreshStore, request: pytest.FixtureRequest) -> None:
    with fresh_store() as store:
        reader = store.reader
        for exact in (True, False):
            assert not reader.stats(ALWAYS, exact=exact)
        assert not list(reader.results(ALWAYS))
        assert not reader.alerts(ALWAYS)
        assert not reader.last_alerts()
        assert not reader.last_states(ALWAYS.until_ms)
        assert reader.last_time() is None
        assert reader.missing(ALWAYS) == 0


def test_writing_nothing_is_fine(store: Opened) -> None:
    store.write([])
    assert store.reader.last_time() is None


def test_a_window_holds_its_first_millisecond_and_not_its_last(store: Opened) -> None:
    store.write([check(at=0), check(at=1_000)], [alert(at=0), alert(at=1_000)])
    window = Window(START_MS, START_MS + 1_000)
    assert list(store.reader.results(window)) == [check(at=0)]
    assert list(store.reader.alerts(window)) == [alert(at=0)]
    assert store.reader.stats(window, exact=True)["a"].checks == 1
    assert store.reader.last_states(START_MS + 1_000)["a"].last_ms == START_MS


def test_a_store_knows_when_a_certificate_expires_by_the_newest_check_that_looked(store: Opened) -> None:
    looks = {0: 4_000_000_000, 1_000: None, 2_000: 1_800_000_000, 3_000: None, 4_000: None}
    checks = [replace(check(at=at), certificate_s=seen) for at, seen in looks.items()]
    store.write(checks)
    assert list(store.reader.results(ALWAYS)) == checks
    assert store.reader.last_states(ALWAYS.until_ms)["a"].certificate_s == 1_800_000_000


def test_a_window_without_a_whole_minute_may_lie_in_two_marks(store: Opened) -> None:
    """Of minutes, when percentiles are exact, and of hours when they are not."""
    turn_ms = START_MS // HOUR_MS * HOUR_MS + HOUR_MS - START_MS
    checks = [check(host, turn_ms + at) for at in (-30_000, -1, 0, 20_000) for host in "ab"]
    window = Window(START_MS + turn_ms - 40_000, START_MS + turn_ms + 40_000)
    store.write(checks)
    assert {len(site.trend) for site in reference.summarise(checks, window, exact=False).values()} == {2}
    assert_same_stats(store.reader, checks, window)


def test_an_empty_window_holds_nothing(store: Opened) -> None:
    store.write([check()], [alert()])
    window = Window(START_MS, START_MS)
    assert not store.reader.stats(window, exact=True)
    assert not list(store.reader.results(window))
    assert not store.reader.alerts(window)


def test_what_is_written_twice_is_there_once(store: Opened) -> None:
    """A forwarder that did not hear the answer sends the same points again."""
    checks = [check(at=at, cause=Cause.TIMEOUT if at else None) for at in (0, 2_000)]
    store.write(checks, [alert()])
    store.write([*checks, check(at=4_000)], [alert()])
    checks.append(check(at=4_000))
    assert list(store.reader.results(ALWAYS)) == checks
    assert list(store.reader.alerts(ALWAYS)) == [alert()]
    assert_same_stats(store.reader, checks, ALWAYS)


def test_any_text_that_names_a_site_is_only_a_name(store: Opened) -> None:
    """Quotes, statements and markup in a name neither break a question nor reach another site's data."""
    checks = sorted((check(host, cause=Cause.DNS) for host in ODD_HOSTS), key=lambda check: check.host)
    alerts = [alert(check.host) for check in checks]
    store.write(checks, alerts)
    assert list(store.reader.results(ALWAYS)) == checks
    assert list(store.reader.alerts(ALWAYS)) == alerts
    assert store.reader.stats(ALWAYS, exact=True).keys() == set(ODD_HOSTS)


def test_every_status_is_counted_however_many_there_are(store: Opened) -> None:
    checks = [check(at=index, status=200 + index % 7) for index in range(40)]
    checks += [check("steady", at=index) for index in range(5)]
    checks += [check("broken", at=index, cause=Cause.STATUS, status=500 + index % 2) for index in range(5)]
    store.write(checks)
    assert_same_stats(store.reader, checks, ALWAYS)


def test_the_newest_state_change_tells_nothing_of_those_before(store: Opened) -> None:
    """An alert has no end even when the recovery before it had one."""
    store.write([], [alert(at=0), recovery(at=10), alert(at=20)])
    assert store.reader.last_alerts() == {"a": alert(at=20)}
    store.write([], [recovery(at=30), alert("b", at=30)])
    assert store.reader.last_alerts() == {"a": recovery(at=30), "b": alert("b", at=30)}


def test_the_newest_time_is_that_of_a_check_or_an_alert(store: Opened) -> None:
    store.write([check("a", at=50), check("b", at=20)], [alert("a", at=10)])
    assert store.reader.last_time() == START_MS + 50
    store.write([], [alert("c", at=60), alert("b", at=55)])
    assert store.reader.last_time() == START_MS + 60


def test_threads_may_ask_while_another_writes(store: Opened) -> None:
    problems: list[BaseException] = []
    written = threading.Event()

    def ask() -> None:
        try:
            while not written.is_set():
                seen = len(list(store.reader.results(ALWAYS)))
                found = store.reader.stats(ALWAYS, exact=True)
                assert sum(site.checks for site in found.values()) >= seen
        except BaseException as problem:  # noqa: BLE001 - handed over to the test's own thread
            problems.append(problem)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for at in range(10):
        store.write([check(f"host {number}", at) for number in range(3)])
    written.set()
    for thread in threads:
        thread.join()
    assert not problems
    assert len(list(store.reader.results(ALWAYS))) == 30


def test_closing_twice_does_nothing(store: Opened) -> None:
    store.reader.close()
    store.reader.close()


# Local files: what alerts are decided from


@any_history
@given(recording=every_recording)
def test_what_the_alert_rule_asks_for_equals_the_reference(
    fresh_file: Callable[[], AbstractContextManager[LocalFile]], recording: Recording
) -> None:
    hosts = {check.host for check in recording.checks}
    times = sorted(check.time_ms for check in recording.checks)
    middle_ms = times[len(times) // 2] if times else recording.window.from_ms
    with fresh_file() as file:
        file.write(recording.checks)
        for asked in (None, hosts, sorted(hosts)[:1], ["nobody", "no'body\\"], []):
            for ended in ({}, dict.fromkeys(hosts, middle_ms), {sorted(hosts)[-1]: middle_ms} if hosts else {}):
                assert file.reader.downtime(recording.window, asked, ended) == reference.downtime(
                    recording.checks, recording.window, asked, ended
                )
        for chosen in (hosts, sorted(hosts)[:1], ["nobody"], []):
            found = file.reader.failures(recording.window, chosen)
            assert {host: list(failed) for host, failed in found.items()} == reference.failures(
                recording.checks, recording.window, chosen
            )


# Backends: what a monitor asks of a database


def test_a_new_database_knows_no_marker_and_then_what_it_was_told(fresh_database: FreshDatabase) -> None:
    record = DeliveryRecord(delivery=7, newest_ms=START_MS, summarised_ms=START_MS // MINUTE_MS * MINUTE_MS)
    with fresh_database() as open_backend, closing(open_backend("")) as backend:
        assert backend.verify("ours") is None
        assert backend.verify("ours") is None
        backend.record("ours", record)
        assert backend.verify("ours") == record
        assert backend.verify("another") is None
        backend.record("ours", replace(record, delivery=8, newest_ms=START_MS + 1))
        assert backend.verify("ours") == replace(record, delivery=8, newest_ms=START_MS + 1)
        assert backend.is_known()
        assert backend.last_time() is None
        assert not list(backend.results(ALWAYS))
        assert not backend.locations()


def test_a_rewritten_summary_replaces_the_former_one_whole(backend: Backend) -> None:
    checks = [check(at=0), check(at=10, cause=Cause.DNS, status=0), check(at=20, cause=Cause.STATUS, status=503)]
    backend.write(Points(checks=checks[:1], summaries=summaries_of(checks)))
    backend.write(Points(summaries=summaries_of(checks[:1])))
    assert_same_stats(backend, checks[:1], ALWAYS)


@pytest.mark.parametrize("spans", [(Span.MINUTE,), tuple(Span)], ids=["minutes", "all spans"])
def test_summaries_are_believed_where_points_are_missing(backend: Backend, spans: Sequence[Span]) -> None:
    checks = [check(host, at=at, cause=Cause.DNS if at % 3 else None) for at in range(0, 180_000, 20_000) for host in "ab"]
    kept = [check for check in checks if check.host == "b" or check.time_ms > START_MS + 70_000]
    backend.write(Points(checks=kept, summaries=summaries_of(checks, spans)))
    window = Window(START_MS // MINUTE_MS * MINUTE_MS, START_MS + 10 * MINUTE_MS)
    assert backend.stats(window, exact=True) == reference.summarise(checks, window, exact=True)
    assert backend.missing(window) == len(checks) - len(kept)
    assert list(backend.results(window)) == sorted(kept, key=lambda check: (check.time_ms, check.host))


def test_hours_and_days_stand_alone_where_nothing_finer_is_left(backend: Backend) -> None:
    """Past the retention of checks."""
    checks = [check(at=at * 600_000, cause=Cause.DNS if at % 5 == 0 else None) for at in range(300)]
    backend.write(Points(summaries=summaries_of(checks, (Span.HOUR, Span.DAY))))
    day_ms = Span.DAY.length_ms
    window = Window(START_MS // day_ms * day_ms, START_MS // day_ms * day_ms + 4 * day_ms)
    assert backend.stats(window, exact=False) == reference.summarise(checks, window, exact=False)


def test_points_count_where_summaries_tell_of_fewer(backend: Backend) -> None:
    """A late check, two monitors at one location, a lost minute."""
    checks = [check(at=at) for at in range(0, 300_000, 20_000)]
    backend.write(Points(checks=checks, summaries=summaries_of(checks[::2])))
    assert_same_stats(backend, checks, ALWAYS)


@any_history
@given(recording=explained(3_600_000), data=st.data())
def test_whatever_summaries_are_lacking_the_numbers_are_right(
    fresh_database: FreshDatabase, recording: Recording, data: st.DataObject
) -> None:
    every = summaries_of(recording.checks)
    known = data.draw(st.lists(st.sampled_from(every), unique_by=lambda one: (one.span, one.start_ms, one.host)))
    outdated = data.draw(st.sets(st.sampled_from(recording.checks)))
    old = summaries_of([check for check in recording.checks if check not in outdated])
    with fresh_database() as open_backend, closing(open_backend("")) as backend:
        backend.write(Points(summaries=old))
        backend.write(Points(checks=recording.checks, summaries=known))
        assert_same_stats(backend, recording.checks, recording.window)


def assert_counts_by_span(backend: Backend, checks: Sequence[CheckResult], window: Window, span: Span) -> None:
    def is_inside(time_ms: int) -> bool:
        return window.from_ms <= time_ms < window.until_ms

    for each in (Span.HOUR, Span.DAY):
        points = Counter((each.start_of(it.time_ms), it.host) for it in checks if is_inside(it.time_ms))
        assert backend.counts(window, each=each) == points
        if each.length_ms >= span.length_ms:
            summed = Counter[tuple[int, str]]()
            for one in summaries_of(checks, (span,)):
                summed[each.start_of(one.start_ms), one.host] += one.summary.checks if is_inside(one.start_ms) else 0
            assert backend.counts(window, SPAN_KINDS[span], each) == +summed


@any_history
@given(recording=every_recording)
def test_points_are_counted_by_host(fresh_database: FreshDatabase, recording: Recording) -> None:
    with fresh_database() as open_backend, closing(open_backend("")) as backend:
        backend.write(Points(checks=recording.checks, summaries=summaries_of(recording.checks)))
        counts = {host: found.checks for host, found in reference.downtime(recording.checks, recording.window).items()}
        assert by_host(backend.counts(recording.window)) == counts
        for span in Span:
            window = Window(span.start_of(recording.window.from_ms), recording.window.until_ms)
            told = [
                one for one in summaries_of(recording.checks, (span,)) if window.from_ms <= one.start_ms < window.until_ms
            ]
            counts = {
                host: sum(one.summary.checks for one in told if one.host == host) for host in {one.host for one in told}
            }
            assert by_host(backend.counts(window, SPAN_KINDS[span])) == counts
            assert_counts_by_span(backend, recording.checks, window, span)


def test_alerts_are_counted_by_host_and_hour(fresh_database: FreshDatabase) -> None:
    hour_ms = Span.HOUR.length_ms
    start_ms = 1_000 * hour_ms
    with fresh_database() as open_backend, closing(open_backend("")) as backend:
        alerts = [
            Alert(AlertType.ALERT, host, start_ms + place, start_ms, None, 50.0, None) for host in "ab" for place in (0, 9)
        ]
        later = Alert(AlertType.ALERT, "a", start_ms + hour_ms, start_ms, None, 50.0, None)
        backend.write(Points(alerts=[*alerts, later]))
        whole = Window(start_ms + 1, start_ms + 2 * hour_ms)
        assert backend.counts(whole, "alerts") == {(whole.from_ms, "a"): 2, (whole.from_ms, "b"): 1}
        by_hour = {(start_ms, "a"): 1, (start_ms, "b"): 1, (start_ms + hour_ms, "a"): 1}
        assert backend.counts(whole, "alerts", Span.HOUR) == by_hour


def test_each_location_is_a_store_of_its_own(fresh_database: FreshDatabase) -> None:
    with fresh_database() as open_backend:
        for number, location in enumerate(("paris, 1er 'étage'", "", "tokyo")):
            with closing(open_backend(location)) as backend:
                backend.write(Points([check(at=number)], [alert(at=number)], summaries_of([check(at=number)])))
        for number, location in enumerate(("paris, 1er 'étage'", "", "tokyo")):
            with closing(open_backend(location)) as backend:
                assert backend.locations() == ["", "paris, 1er 'étage'", "tokyo"]
                assert list(backend.results(ALWAYS)) == [check(at=number)]
                assert backend.last_alerts() == {"a": alert(at=number)}
                assert_same_stats(backend, [check(at=number)], ALWAYS)


def test_a_location_of_which_only_summaries_are_left_is_one(fresh_database: FreshDatabase) -> None:
    """Its checks have grown too old; whoever deletes the rest one day has to know of it."""
    with fresh_database() as open_backend, closing(open_backend("paris")) as backend:
        backend.write(Points(summaries=summaries_of([check()])))
        assert backend.locations() == ["paris"]


@dataclass(frozen=True)
class Kept:
    """What a deletion leaves."""

    checks: Sequence[CheckResult]
    alerts: Sequence[Alert]


def left_by(deletion: Deletion, checks: Sequence[CheckResult], alerts: Sequence[Alert]) -> Kept:
    def goes(host: str, time_ms: int) -> bool:
        return time_ms < deletion.before_ms and (deletion.hosts is None or host in deletion.hosts)

    last = {alert.host: alert for alert in alerts}
    kept = last.keys() if deletion.open_alerts_of is None else deletion.open_alerts_of
    still_open = [one for host, one in last.items() if one.type is AlertType.ALERT and host in kept]
    return Kept(
        [one for one in checks if not (deletion.checks and goes(one.host, one.time_ms))],
        [one for one in alerts if one in still_open or not (deletion.alerts and goes(one.host, one.time_ms))],
    )


@any_history
@given(recording=every_recording, alerts=alert_lists(), data=st.data())
def test_a_deletion_takes_what_it_names_and_nothing_else(
    deleting_database: FreshDatabase, recording: Recording, alerts: list[Alert], data: st.DataObject
) -> None:
    hosts = sorted({point.host for point in [*recording.checks, *alerts]})
    moments = [point.time_ms + more for point in [*recording.checks, *alerts] for more in (0, 1)]
    deletion = Deletion(
        hosts=data.draw(st.none() | st.lists(st.sampled_from(hosts), min_size=1, unique=True)),
        before_ms=data.draw(st.sampled_from(moments)),
        checks=data.draw(st.sampled_from([True, True, False])),
        alerts=data.draw(st.booleans()),
        open_alerts_of=data.draw(st.sampled_from([None, (), tuple(hosts[:1])])),
    )
    left = left_by(deletion, recording.checks, alerts)
    with (
        deleting_database() as open_backend,
        closing(open_backend("here")) as backend,
        closing(open_backend("there")) as other,
    ):
        for one in (backend, other):
            one.write(Points(recording.checks, alerts, summaries_of(recording.checks)))
        for _ in backend.delete(deletion):
            pass
        assert list(backend.results(ALWAYS)) == list(left.checks)
        assert list(backend.alerts(ALWAYS)) == list(left.alerts)
        assert_same_stats(backend, left.checks, recording.window)
        assert list(other.results(ALWAYS)) == list(recording.checks)
        assert list(other.alerts(ALWAYS)) == alerts
        assert_same_stats(other, recording.checks, recording.window)


def test_summaries_may_be_kept_when_checks_go(deleting_database: FreshDatabase) -> None:
    """Retention: checks go after 30 days, hours and days stay."""
    checks = [check(at=at * HOUR_MS) for at in range(3)]
    window = Window(START_MS // HOUR_MS * HOUR_MS, START_MS // HOUR_MS * HOUR_MS + 3 * HOUR_MS)
    with deleting_database() as open_backend, closing(open_backend("")) as backend:
        backend.write(Points(checks=checks, summaries=summaries_of(checks)))
        for _ in backend.delete(Deletion(None, window.until_ms, spans=(), alerts=False)):
            pass
        assert not list(backend.results(ALWAYS))
        assert backend.stats(window, exact=False) == reference.summarise(checks, window, exact=False)


def test_a_summary_of_nothing_is_nothing(backend: Backend) -> None:
    """What is left of a span whose checks were purged."""
    start_ms = START_MS // MINUTE_MS * MINUTE_MS
    backend.write(Points(summaries=summaries_of([check()])))
    backend.write(Points(summaries=[SiteSummary("a", span, span.start_of(start_ms), Summary()) for span in Span]))
    assert not backend.stats(ALWAYS, exact=True)
    assert not backend.stats(ALWAYS, exact=False)
    assert backend.missing(ALWAYS) == 0
