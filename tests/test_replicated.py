"""Local first: the database is asked only while it has received everything that matters, and both say the same."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitoring import stats
from monitoring.clock import Deadline, SystemClock
from monitoring.errors import StoreUnavailable
from monitoring.models import Cause, CheckResult, Window
from monitoring.store.base import Reader
from monitoring.store.local import LocalStore
from monitoring.store.replicated import FRESH_MS, SLOW_PENALTY_MS, Deadlines, ReplicatedStore, Source
from tests.support.clock import FakeClock
from tests.support.points import EVER, START_MS, alert, check, checks
from tests.support.remote import DOWN, Remote
from tests.support.waiting import eventually


class StandingClock(FakeClock):
    """Waits for real, a moment only, so that threads which back off do not move time."""

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        return stop.wait(0.005)


@pytest.fixture
def clock() -> FakeClock:
    return StandingClock(START_MS)


@pytest.fixture
def store(local: LocalStore, remote: Remote, clock: FakeClock) -> Iterator[ReplicatedStore]:
    store = ReplicatedStore(local, clock, remote, remote, "database")
    yield store
    if store._journal._thread.is_alive():
        store.flush(20)


def settled(store: ReplicatedStore, *points: CheckResult) -> None:
    """Started, and everything delivered."""
    store.start()
    for point in points:
        store.record(point)
    store.settle()
    eventually(lambda: store.source().kind == "influxdb" and store.undelivered() == 0)


def counted(window: Window = EVER) -> Callable[[Reader], object]:
    """Who answers; and by host how many checks there are, and how many of them failed."""
    return lambda reader: (
        reader.kind,
        {host: (site.checks, site.checks - site.available) for host, site in reader.stats(window).items()},
    )


def test_without_a_database_the_local_file_answers(tmp_path: Path, clock: FakeClock) -> None:
    store = ReplicatedStore(LocalStore(tmp_path / "alone.db"), clock)
    store.start()
    store.record(check(1, cause=Cause.DNS))
    store.settle()
    answer, source = store.ask(counted())
    assert answer == ("local", {"a": (1, 1)})
    assert source == Source("local", "as configured")
    assert store.undelivered() == 0
    assert store.flush(20)
    store.close()


def test_a_database_that_was_never_asked_answers_nothing(store: ReplicatedStore) -> None:
    assert store.source() == Source("local", "the database has not been asked yet")
    assert not store.has_met_database


def test_a_database_that_has_everything_answers(store: ReplicatedStore) -> None:
    settled(store, *checks(range(5)))
    answer, source = store.ask(counted())
    assert answer == ("influxdb", {"a": (5, 0)})
    assert source == Source("influxdb", "database has received everything so far")
    assert store.has_met_database


def test_both_say_the_same(store: ReplicatedStore, local: LocalStore, remote: Remote) -> None:
    points = [check(second, host, Cause.DNS if second % 7 == 3 else None) for second in range(60) for host in "abc"]
    settled(store, *points)
    window = Window(START_MS + 5_000, START_MS + 55_000)
    questions: tuple[Callable[[Reader], object], ...] = (
        lambda reader: reader.stats(window),
        lambda reader: reader.results(window),
    )
    for question in questions:
        answer, source = store.ask(question)
        assert source.kind == "influxdb"
        assert answer == question(local)
    assert store.ask(lambda reader: reader.stats(window))[0] == stats.summarise(points, window)


def test_a_database_that_lags_five_seconds_is_not_asked(store: ReplicatedStore, local: LocalStore, clock: FakeClock) -> None:
    settled(store, check(0))
    store.flush(20)  # its threads have ended: nothing is delivered any more
    local.append(checks(range(1, 4)), [], clock.now_ms())
    clock.advance(FRESH_MS / 1_000)
    assert store.source().kind == "influxdb"
    clock.advance(0.001)
    assert store.source() == Source("local", "database has yet to receive 3 points")
    assert store.ask(counted())[0] == ("local", {"a": (4, 0)})


def test_a_database_that_lost_its_disk_is_not_asked_before_it_has_everything_again(
    store: ReplicatedStore, local: LocalStore
) -> None:
    """Young points among the old do not make it fresh: half a window could look like a recovery."""
    settled(store, *checks(range(5)))
    store.flush(20)
    local.append([check(6)], [], START_MS)
    local.requeue()
    assert store.source() == Source("local", "database has yet to receive 6 points")


def test_a_question_that_fails_goes_to_the_local_file_and_the_next_ones_too(
    store: ReplicatedStore, remote: Remote, clock: FakeClock
) -> None:
    settled(store, *checks(range(5)))
    remote.trouble = DOWN
    same = {"a": (5, 0)}
    assert store.ask(counted()) == (("local", same), Source("local", "database: connection refused"))
    remote.trouble = None
    assert store.ask(counted()) == (("local", same), Source("local", "database answers too slowly"))
    clock.advance(SLOW_PENALTY_MS / 1_000)
    assert store.ask(counted())[0] == ("influxdb", same)


def test_a_database_in_trouble_is_named_and_asked_again_afterwards(store: ReplicatedStore, remote: Remote) -> None:
    settled(store, check(0))
    remote.trouble = DOWN
    store.record(check(1))
    eventually(lambda: store.source() == Source("local", "database: connection refused"))
    assert store.ask(counted())[0] == ("local", {"a": (2, 0)})
    assert store.undelivered() == 1
    remote.trouble = None
    eventually(lambda: store.source().kind == "influxdb" and store.undelivered() == 0)
    assert store.ask(counted())[0] == ("influxdb", {"a": (2, 0)})


def test_while_the_file_takes_nothing_memory_answers(store: ReplicatedStore, local: LocalStore) -> None:
    settled(store, check(0))
    local.file.connection.execute(
        f"PRAGMA max_page_count = {local.file.connection.execute('PRAGMA page_count').fetchone()[0]}"
    )
    store.record(check(1, cause=Cause.DNS, detail="x" * 10_000))
    store.record(alert(2))
    store.settle()
    eventually(lambda: store.trouble)
    answer, source = store.ask(counted())
    assert answer == ("local", {"a": (2, 1)})
    assert "disk is full" in source.why
    assert store.own_alerts(EVER) == [alert(2)]
    local.file.connection.execute("PRAGMA max_page_count = 1000000")
    store.settle()
    eventually(lambda: not store.trouble)
    eventually(lambda: store.ask(counted())[0] == ("influxdb", {"a": (2, 1)}))


def test_what_was_recorded_is_readable_when_it_is_settled(store: ReplicatedStore) -> None:
    settled(store)
    for second in range(10):
        store.record(check(second))
        store.settle()
        answer, _ = store.ask(lambda reader: len(reader.results(EVER)))
        assert answer == second + 1


def test_the_transitions_of_a_run_are_at_hand_while_the_database_is_away(store: ReplicatedStore, remote: Remote) -> None:
    settled(store, check(0))
    remote.trouble = DOWN
    for second in (5, 9):
        store.record(alert(second))
    store.settle()
    assert store.own_alerts(EVER) == [alert(5), alert(9)]


def test_ending_delivers_what_can_be_delivered(store: ReplicatedStore, remote: Remote) -> None:
    store.start()
    eventually(lambda: store.has_met_database)
    for second in range(100):
        store.record(check(second))
    store.record(alert(5))
    assert store.flush(20)
    assert list(remote.results(EVER)) == checks(range(100))
    assert list(remote.alerts(EVER)) == [alert(5)]
    assert store.undelivered() == 0


@pytest.fixture
def hangs() -> Iterator[Callable[[Reader], str]]:
    """A question that the database leaves open."""
    free = threading.Event()

    def question(reader: Reader) -> str:
        return "late" if reader.kind == "influxdb" and free.wait(20) else reader.kind

    yield question
    free.set()


def deadlines(database_ms: int, in_all_ms: int) -> Deadlines:
    clock = SystemClock()
    return Deadlines(Deadline.after(clock, database_ms), Deadline.after(clock, in_all_ms))


def test_a_database_that_is_late_is_abandoned_and_the_file_answers(
    store: ReplicatedStore, hangs: Callable[[Reader], str], clock: FakeClock
) -> None:
    settled(store, check(0))
    assert store.ask(hangs, deadlines(50, 20_000)) == ("local", Source("local", "database does not answer in time"))
    assert store.source() == Source("local", "database answers too slowly")
    clock.advance(SLOW_PENALTY_MS / 1_000)
    assert store.ask(hangs, deadlines(50, 20_000)) == ("local", Source("local", "database does not answer in time"))


def test_neither_is_waited_for_beyond_the_deadline(store: ReplicatedStore) -> None:
    settled(store, check(0))
    free = threading.Event()
    with pytest.raises(StoreUnavailable, match="does not answer in time"):
        store.ask(lambda reader: free.wait(20), deadlines(20, 40))
    free.set()


def test_the_end_waits_for_no_question(
    store: ReplicatedStore, remote: Remote, hangs: Callable[[Reader], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settled(store, check(0))
    closed: list[Remote] = []
    monkeypatch.setattr(remote, "close", lambda: closed.append(remote))
    threading.Timer(0.05, store.give_up_questions).start()
    with pytest.raises(StoreUnavailable, match="is not waited for any more"):
        store.ask(hangs, deadlines(20_000, 20_000))
    assert store.flush(20)
    store.close()
    assert closed == [remote], "as what receives, not as what still works on a question"
