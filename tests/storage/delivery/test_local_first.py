"""Everything is stored here first; whom a question goes to, and the words that say why."""

import threading
from collections.abc import Iterator, Mapping
from itertools import cycle
from pathlib import Path

import pytest

from monitoring.clock import Deadline, SystemClock
from monitoring.errors import StoreRefused, StoreUnavailable
from monitoring.models import CheckResult, SiteStats, Window
from monitoring.statistics import reference
from monitoring.storage.base import FRESH_MS, SLOW_PENALTY_MS, Refusal
from monitoring.storage.delivery.asking import Deadlines
from monitoring.storage.delivery.forwarder import Forwarder
from monitoring.storage.delivery.local_first import LARGE_BACKLOG, LocalFirstStore
from monitoring.storage.delivery.upkeep import Upkeep
from monitoring.storage.delivery.words import ConditionLog, Source
from monitoring.storage.delivery.writer import Writer
from monitoring.storage.sqlite.store import LocalStore
from tests.support.clock import FakeClock
from tests.support.failing_file import FailingFile
from tests.support.fragile import DOWN, FragileBackend
from tests.support.points import EVER, START_MS, alert, check, checks
from tests.support.waiting import eventually

WINDOW = Window(START_MS - 600_000, START_MS + 600_000)
LONG_S = 20.0


class StillClock(FakeClock):
    """Waiting takes no time of it, but lets others work."""

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        return stop.wait(0.01)


@pytest.fixture
def clock() -> FakeClock:
    return StillClock()


def counted(answer: tuple[Mapping[str, SiteStats], Source]) -> tuple[int, Source]:
    """How many checks there are, and who says so."""
    found, source = answer
    return sum(it.checks for it in found.values()), source


def flickering(text: str) -> property:
    """An attribute that another thread sets and clears between any two looks at it."""
    values = cycle([text, None])
    return property(lambda _: next(values), lambda _, value: None)


class Running:
    """A store whose threads work, with what is under it."""

    def __init__(self, file: FailingFile, database: FragileBackend, clock: FakeClock, *, is_named: bool = True) -> None:
        self.file, self.database, self.clock = file, database, clock
        self.reader = database.second()
        self.store = LocalFirstStore(file, clock, database, self.reader, is_named=is_named)
        self.store.start()

    def ask(self, window: Window = WINDOW) -> tuple[int, Source]:
        return counted(self.store.stats(window, exact=True))

    def ask_once_there_is_contact(self) -> tuple[int, Source]:
        eventually(lambda: self.store.source().kind == "influxdb")
        return self.ask()


@pytest.fixture
def running(file: FailingFile, database: FragileBackend, clock: FakeClock) -> Iterator[Running]:
    running = Running(file, database, clock)
    yield running
    running.database.answers.set()
    running.reader.answers.set()
    running.store.finish(LONG_S)


def record(running: Running, *points: CheckResult) -> None:
    for point in points:
        running.store.record(point)


def test_what_was_recorded_before_a_question_is_in_its_answer(running: Running) -> None:
    for second in range(5):
        record(running, check(second))
        answer, source = running.ask_once_there_is_contact()
        assert (answer, source.kind) == (second + 1, "influxdb")
        assert source.why == "a database in memory has received everything so far"
    assert running.database.requests
    assert running.reader.requests == 5


def test_what_was_recorded_can_be_read_from_the_file_without_waiting_for_a_database(running: Running) -> None:
    running.database.answers.clear()
    record(running, check(1), check(2))
    running.store.commit()
    assert list(running.store.own_reader().results(EVER)) == [check(1), check(2)]


def test_a_database_that_lacks_something_is_not_asked(running: Running) -> None:
    running.ask_once_there_is_contact()
    running.database.trouble = DOWN
    record(running, check(1))
    asked = running.reader.requests
    answer, source = running.ask()
    assert (answer, source) == (1, Source("local", str(DOWN)))
    assert running.reader.requests == asked


def test_a_database_that_refuses_points_of_the_window_is_not_asked(running: Running) -> None:
    """The mistake that once let an outage pass unseen: what it refused counted as delivered."""
    running.database.refuses = lambda point: StoreRefused("conflict", field="available")
    running.store.record(alert(1))
    record(running, check(1), check(2))
    eventually(lambda: bool(running.file.refusals()) and running.store.source().kind == "influxdb")
    answer, source = running.ask()
    assert (answer, source.kind) == (2, "local")
    assert source.why == "a database in memory lacks 2 points of this time, which it refused"
    lacking = "a database in memory lacks 2 points of the past 20 minutes, which it refused"
    assert running.store.source() == Source("local", lacking), "the header does not say that it has everything"
    later = Window(START_MS + 10_000, START_MS + 20_000)
    assert running.ask(later)[1].kind == "influxdb", "of that time it lacks nothing"
    assert running.store.source() == Source("influxdb", f"{lacking}: from the local file")


def ask_in_time(running: Running, window: Window, patience_ms: int = 200) -> tuple[int, Source]:
    soon, later = (Deadline.after(SystemClock(), ms) for ms in (patience_ms, 20_000))
    return counted(running.store.stats(window, exact=True, until=Deadlines(soon, later)))


def test_a_question_that_takes_too_long_goes_to_the_file_and_the_database_is_left_alone_for_a_while(
    running: Running,
) -> None:
    record(running, check(1))
    running.ask_once_there_is_contact()
    running.reader.answers.clear()
    assert ask_in_time(running, WINDOW) == (1, Source("local", "a database in memory does not answer in time"))
    running.reader.answers.set()
    assert running.store.source() == Source("local", "a database in memory answers too slowly")
    asked = running.reader.requests
    assert ask_in_time(running, WINDOW, 20_000)[1].kind == "local"
    assert running.reader.requests == asked
    running.clock.advance(SLOW_PENALTY_MS / 1_000)
    eventually(lambda: running.ask()[1].kind == "influxdb")
    assert running.store.source().why == "a database in memory has received everything so far"


def test_a_window_that_is_too_slow_leaves_the_others_to_the_database_and_the_header_says_so(running: Running) -> None:
    """The hour of very many sites must not take the ten minutes with it, nor the header flip with each round."""
    record(running, check(1))
    running.ask_once_there_is_contact()
    hour = Window(WINDOW.until_ms - 3_600_000, WINDOW.until_ms)
    said = "a database in memory has received everything so far"
    said += ", but answers too slowly about the past hour: from the local file"
    for penalty_ms in (SLOW_PENALTY_MS, 2 * SLOW_PENALTY_MS, 4 * SLOW_PENALTY_MS):
        running.reader.answers.clear()
        eventually(lambda: "does not answer in time" in ask_in_time(running, hour)[1].why)
        running.reader.answers.set()
        for _ in range(2):
            eventually(lambda: running.ask()[1] == Source("influxdb", said))
            assert ask_in_time(running, hour, 20_000)[1] == Source("local", "a database in memory answers too slowly")
            running.clock.advance(penalty_ms / 2_000)
            eventually(lambda: running.store.source() == Source("influxdb", said))
    eventually(lambda: ask_in_time(running, hour, 20_000)[1].kind == "influxdb")
    assert running.ask()[1].why == "a database in memory has received everything so far"


def test_a_question_that_fails_is_answered_by_the_file(running: Running) -> None:
    record(running, check(1))
    running.ask_once_there_is_contact()
    running.reader.trouble = StoreUnavailable("a database in memory answered in part only")
    assert running.ask() == (1, Source("local", "a database in memory answered in part only"))


def test_a_file_that_cannot_be_written_is_read_together_with_what_waits_in_memory(running: Running) -> None:
    record(running, check(1))
    running.ask_once_there_is_contact()
    running.file.trouble = StoreUnavailable("config.db: database or disk is full")
    record(running, check(2))
    answer, source = running.ask()
    assert (answer, source.kind) == (2, "local")
    assert source.why == "config.db: database or disk is full; 1 point waits in memory"
    (found,) = running.store.own_reader().stats(WINDOW, exact=True).values()
    assert found == reference.summarise(checks([1, 2]), WINDOW, exact=True)["a"]
    log = ConditionLog()
    assert log.news(running.store.conditions()) == [
        "checks cannot be written: config.db: database or disk is full; 1 point waits in memory"
    ]
    record(running, check(3))
    running.store.commit()
    assert log.news(running.store.conditions()) == [], "once"
    running.file.trouble = None
    running.store.commit()
    assert log.news(running.store.conditions()) == ["checks are written again"]
    assert list(running.file.results(EVER)) == checks([1, 2, 3])


def test_a_named_database_that_is_away_is_missed(running: Running) -> None:
    log = ConditionLog()
    record(running, check(1))
    running.ask_once_there_is_contact()
    assert log.news(running.store.conditions()) == []
    running.database.trouble = DOWN
    record(running, check(2))
    eventually(lambda: bool(running.store.conditions()))
    running.store.commit()
    assert log.news(running.store.conditions()) == [f"{DOWN}; 1 point waits in the local file"]
    running.database.trouble = None
    eventually(lambda: not running.store.conditions())
    assert log.news(running.store.conditions()) == ["a database in memory is there again"]


@pytest.mark.parametrize(
    ("whose", "attribute"),
    [(Writer, "trouble"), (Writer, "maintenance_trouble"), (Forwarder, "trouble"), (Upkeep, "trouble")],
)
def test_a_trouble_that_ends_while_it_is_told_is_told_whole(
    file: FailingFile,
    database: FragileBackend,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    whose: type,
    attribute: str,
) -> None:
    """The monitor once ended with a traceback: the reason was gone between the question for it and its use."""
    monkeypatch.setattr(whose, attribute, flickering("the reason"), raising=False)
    store = LocalFirstStore(file, clock, database, database.second())
    told = [text for _ in range(9) for text in (store.source().why, *(it.text for it in store.conditions()))]
    assert all(told)
    assert any("the reason" in text for text in told)
    assert not any("None" in text for text in told)


def test_the_default_database_is_not_missed_before_it_was_ever_there(
    file: FailingFile, database: FragileBackend, clock: FakeClock
) -> None:
    """Somebody without InfluxDB sees nothing that looks like an error."""
    database.trouble = DOWN
    running = Running(file, database, clock, is_named=False)
    try:
        record(running, check(1))
        eventually(lambda: running.database.requests > 0)
        assert running.ask() == (1, Source("local", "stored in config.db"))
        assert running.store.conditions() == []
        assert running.store.pending().points == 0
        database.trouble = None
        running.ask_once_there_is_contact()
        database.trouble = DOWN
        record(running, check(2))
        eventually(lambda: bool(running.store.conditions()))
    finally:
        running.store.finish(LONG_S)


def test_what_is_known_of_delivery_stays_known_while_the_file_cannot_be_read(
    tmp_path: Path, database: FragileBackend, clock: FakeClock
) -> None:
    """Whoever asks for it is the main loop, which must go on."""
    path = tmp_path / "config.db"
    file = LocalStore(path)
    file.append(checks([1, 2, 3]), [], START_MS)
    delivery = file.next_delivery(2)
    assert delivery
    file.acknowledge(delivery, [Refusal("checks", "a", START_MS, START_MS + 2_000, 2, "status", "refused: why")])
    store = LocalFirstStore(file, clock, database, database.second())

    def known() -> object:
        return store.conditions(), store.pending(), store.expired(), store.source(), store.left_behind()

    before = known()
    assert "2 points stay" in str(before)
    assert store.pending().points == 1
    path.unlink()
    file.readers.close()
    with pytest.raises(StoreUnavailable):
        file.pending()
    assert known() == before
    file.close()


def test_what_waits_in_another_file_than_the_next_start_opens_is_named_with_it(
    tmp_path: Path, database: FragileBackend, clock: FakeClock
) -> None:
    stand_in, home = tmp_path / "stand-in.db", tmp_path / "config.db"
    for path, words in (
        (stand_in, f"2 points wait in {stand_in} for the database; a monitor whose localDatabase"),
        (home, "2 points wait in the local file for the database; the next start"),
    ):
        file = LocalStore(path, home=home)
        file.append(checks([1, 2]), [], START_MS)
        (left,) = LocalFirstStore(file, clock, database, database.second()).left_behind()
        assert left.startswith(words)
        file.close()


def test_the_local_file_alone_is_asked_as_configured(file: FailingFile, clock: FakeClock) -> None:
    store = LocalFirstStore(file, clock)
    store.start()
    store.record(check(1))
    assert counted(store.stats(WINDOW, exact=True)) == (1, Source("local", "as configured"))
    assert store.conditions() == []
    assert store.finish(LONG_S)


def test_at_the_end_everything_is_written_and_delivered_while_that_goes(
    file: FailingFile, database: FragileBackend, clock: FakeClock
) -> None:
    running = Running(file, database, clock)
    running.ask_once_there_is_contact()
    record(running, *checks(range(100)))
    assert running.store.finish(LONG_S)
    assert list(database.results(EVER)) == checks(range(100))


def test_what_is_left_at_the_end_stays_for_the_next_start(
    file: FailingFile, database: FragileBackend, clock: FakeClock
) -> None:
    running = Running(file, database, clock)
    running.ask_once_there_is_contact()
    database.trouble = DOWN
    record(running, *checks(range(100)))
    assert running.store.finish(LONG_S)
    assert file.pending().points == 100
    database.trouble = None
    forwarder = Forwarder(file, database, clock)
    while forwarder.step():
        pass
    assert list(database.results(EVER)) == checks(range(100))


def test_a_large_backlog_is_told_once_where_nobody_sees_a_header_and_its_end(running: Running) -> None:
    """As of the first delivery of a file that is months old."""
    log, store = ConditionLog(), running.store
    running.ask_once_there_is_contact()
    running.database.answers.clear()
    running.file.append(checks(range(LARGE_BACKLOG + 1)), [], START_MS)
    running.clock.advance(FRESH_MS / 1_000 + 1)
    assert log.news(store.conditions()) == [f"{store.name} has yet to receive {LARGE_BACKLOG + 1} points"]
    assert (log.news(store.conditions()), store.left_behind()[1:]) == ([], ())
    running.database.answers.set()
    eventually(lambda: store.source().kind == "influxdb")
    assert log.news(store.conditions()) == [f"{store.name} has received everything so far"]
