"""Everything measured reaches the file within a second, or waits in memory for as long as the file takes nothing."""

import threading
from collections.abc import Callable

import pytest

from monitoring.errors import StoreDamaged, StoreOverwritten, StoreUnavailable
from monitoring.models import Window
from monitoring.statistics import reference
from monitoring.storage.delivery import writer as module
from monitoring.storage.delivery.unwritten import UnwrittenReader
from monitoring.storage.delivery.writer import COMMIT_INTERVAL_S, Point, Writer
from tests.support.clock import FakeClock
from tests.support.failing_file import FailingFile
from tests.support.points import EVER, START_MS, alert, check, checks, recovery

FULL = StoreUnavailable("config.db: database or disk is full")


class Commits:
    """How often the writer said that it committed."""

    def __init__(self) -> None:
        self.count = 0
        self.came = threading.Event()

    def __call__(self) -> None:
        self.count += 1
        self.came.set()


@pytest.fixture
def commits() -> Commits:
    return Commits()


@pytest.fixture
def writer(file: FailingFile, clock: FakeClock, commits: Commits) -> Writer:
    return Writer(file, clock, commits)


def take(writer: Writer, *points: Point) -> None:
    for point in points:
        writer.append(point)


def test_what_comes_is_committed_within_a_second_unasked(file: FailingFile, writer: Writer, commits: Commits) -> None:
    assert COMMIT_INTERVAL_S <= 1
    writer.start()
    take(writer, check(1), alert(2))
    assert commits.came.wait(20)
    assert writer.close(20)
    assert list(file.results(EVER)) == [check(1)]
    assert list(file.alerts(EVER)) == [alert(2)]


def test_commit_waits_until_everything_before_it_is_durable(file: FailingFile, writer: Writer) -> None:
    writer.start()
    for second in range(5):
        writer.append(check(second))
        assert writer.commit(20)
        assert list(file.results(EVER)) == checks(range(second + 1))
    assert writer.close(20)


def test_commit_does_not_wait_for_maintenance(file: FailingFile, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A summary that takes its time holds up the next commit at most, and no question."""
    goes_on = threading.Event()
    monkeypatch.setattr(file, "maintain", lambda _: goes_on.wait(20) and False)
    writer.start()
    writer.append(check(1))
    assert writer.commit(20)
    goes_on.set()
    assert writer.close(20)


def test_many_threads_lose_nothing(file: FailingFile, writer: Writer) -> None:
    writer.start()
    hosts = [f"site {number}" for number in range(8)]
    threads = [threading.Thread(target=take, args=(writer, *checks(range(200), host))) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert writer.close(20)
    assert {host: seen.checks for host, seen in file.downtime(EVER).items()} == dict.fromkeys(hosts, 200)


def test_closing_commits_what_is_left_and_ends_the_thread(file: FailingFile, writer: Writer) -> None:
    writer.start()
    writer.append(check(1))
    assert writer.close(20)
    assert list(file.results(EVER)) == [check(1)]
    assert not any(thread.name == "writer" for thread in threading.enumerate())


def test_a_step_commits_once_and_says_so(file: FailingFile, writer: Writer, commits: Commits) -> None:
    writer.step()
    assert commits.count == 0
    take(writer, check(1), check(2))
    writer.step()
    writer.step()
    assert commits.count == 1
    assert (file.pending().points, file.pending().oldest_ms) == (2, START_MS)


def test_between_commits_the_file_is_maintained_for_a_fifth_of_the_time(
    file: FailingFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []

    class Working(FakeClock):
        def monotonic_ns(self) -> int:
            self.advance(0.03)
            return super().monotonic_ns()

    def maintain(now_ms: int) -> bool:
        steps.append(now_ms)
        return True

    monkeypatch.setattr(file, "maintain", maintain)
    Writer(file, Working(), Commits()).step()
    assert len(steps) == 4, "one every 30 ms, until 100 ms are over"


def test_while_the_file_is_being_saved_commits_go_on(
    file: FailingFile, writer: Writer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A big file takes its time to be copied back under its name."""
    committed: list[int] = []

    def look(now_ms: int, between: Callable[[], None]) -> None:
        for second in range(3):
            writer.append(check(second))
            between()
            clock.advance(COMMIT_INTERVAL_S)
            between()
            committed.append(len(list(file.results(EVER))))

    monkeypatch.setattr(file.guard, "look", look)
    writer.step()
    assert committed == [1, 2, 3]


def test_what_cannot_be_maintained_is_told_and_keeps_nobody_from_writing(
    file: FailingFile, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(file, "maintain", lambda _: 1 / 0)
        writer.append(check(1))
        writer.step()
        assert writer.trouble is None
        assert writer.maintenance_trouble == "ZeroDivisionError: division by zero"
    writer.step()
    assert writer.maintenance_trouble is None
    assert list(file.results(EVER)) == [check(1)]


def test_while_the_disk_is_full_points_wait_in_memory_and_all_is_written_later_once(
    file: FailingFile, writer: Writer, commits: Commits
) -> None:
    writer.append(check(1))
    writer.step()
    file.trouble = FULL
    for second in range(2, 5):
        writer.append(check(second))
        writer.step()
    writer.append(alert(5))
    assert writer.trouble == "config.db: database or disk is full; 3 points wait in memory"
    assert writer.unwritten() == [*checks(range(2, 5)), alert(5)]
    assert list(file.results(EVER)) == [check(1)]

    file.trouble = None
    writer.step()
    assert writer.trouble is None
    assert writer.unwritten() == []
    writer.step()
    assert list(file.results(EVER)) == checks(range(1, 5))
    assert list(file.alerts(EVER)) == [alert(5)]
    assert file.pending().points == 5
    assert commits.count == 2


def test_what_waits_in_memory_counts_in_every_answer(file: FailingFile, writer: Writer) -> None:
    """Statistics and alerts go on while the file takes nothing; each check counts once."""
    reader = UnwrittenReader(file, writer.unwritten)
    stored = [check(0, "a"), check(1), check(2, "b")]
    waiting = [check(3), check(4, "b"), check(5, "c")]
    take(writer, *stored, alert(1))
    writer.step()
    file.trouble = FULL
    take(writer, *waiting, recovery(6))
    writer.step()
    everything, window = [*stored, *waiting], Window(START_MS + 1_000, START_MS + 5_000)

    def assert_right() -> None:
        assert list(reader.results(EVER)) == everything
        assert reader.stats(window, exact=True) == reference.summarise(everything, window, exact=True)
        assert reader.downtime(window) == reference.downtime(everything, window)
        assert reader.failures(window, ["a"]) == reference.failures(everything, window, ["a"])
        assert list(reader.alerts(EVER)) == [alert(1), recovery(6)]

    assert_right()
    file.trouble = None
    writer.step()
    assert_right()


def test_a_file_that_cannot_even_be_read_counts_as_empty(file: FailingFile, writer: Writer) -> None:
    take(writer, check(1), alert(2))
    file.readers.close()
    with pytest.raises(StoreUnavailable):
        file.alerts(EVER)
    reader = UnwrittenReader(file, writer.unwritten)
    assert list(reader.results(EVER)) == [check(1)]
    assert list(reader.alerts(EVER)) == [alert(2)]


def test_trouble_keeps_the_writer_alive_and_ends_by_itself(file: FailingFile, writer: Writer, commits: Commits) -> None:
    file.trouble = FULL
    writer.start()
    writer.append(check(1))
    assert not writer.commit(20)
    assert writer.trouble
    assert not writer.commit(20)
    file.trouble = None
    assert writer.commit(20)
    assert commits.count == 1
    assert writer.close(20)


def test_closing_says_when_something_could_not_be_written(file: FailingFile, writer: Writer) -> None:
    file.trouble = FULL
    writer.start()
    writer.append(check(1))
    assert not writer.close(20)
    assert writer.unwritten() == [check(1)]


def test_an_error_nobody_thought_of_does_not_end_the_writer(
    file: FailingFile, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.start()
    with monkeypatch.context() as patch:
        patch.setattr(file, "append", lambda *_: 1 / 0)
        writer.append(check(1))
        assert not writer.commit(20)
        assert writer.trouble == "ZeroDivisionError: division by zero; 1 point waits in memory"
    assert writer.commit(20)
    assert writer.trouble is None
    assert writer.close(20)
    assert list(file.results(EVER)) == [check(1)]


def test_memory_is_bounded_and_what_was_dropped_is_counted(
    file: FailingFile, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MEMORY_LIMIT", 3)
    file.trouble = FULL
    take(writer, *checks(range(5)))
    writer.step()
    assert writer.trouble is not None
    assert writer.trouble.endswith("3 points wait in memory, 2 lost")
    file.trouble = None
    writer.step()
    assert list(file.results(EVER)) == checks((2, 3, 4))


@pytest.mark.parametrize("kind", [StoreOverwritten, StoreDamaged])
def test_a_file_that_somebody_writes_into_is_left_to_its_guard_for_a_moment(
    file: FailingFile, writer: Writer, kind: type[StoreUnavailable]
) -> None:
    """The guard soon goes on elsewhere and says so. If it cannot, that is said as of any other file."""
    file.trouble = kind("config.db was overwritten by another program")
    writer.append(check(1))
    for expected in (True, True, False):
        writer.step()
        assert str(file.trouble) in (writer.trouble or "")
        assert writer.is_left_to_guard is expected
    file.trouble = FULL
    writer.step()
    assert not writer.is_left_to_guard
    file.trouble = None
    writer.step()
    assert writer.trouble is None
    assert list(file.results(EVER)) == [check(1)]
