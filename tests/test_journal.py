"""Everything measured reaches the file within a second, or waits in memory for as long as the file takes nothing."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitoring import stats
from monitoring.models import Alert, Cause, CheckResult, Window
from monitoring.store import journal as module
from monitoring.store.journal import COMMIT_INTERVAL_S, Journal
from monitoring.store.local import LocalStore
from monitoring.store.memory import MemoryReader
from tests.support.clock import FakeClock
from tests.support.points import EVER, START_MS, alert, check, checks

BULKY = "x" * 10_000
"""Detail that needs pages of its own in the file."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    store = LocalStore(tmp_path / "monitor.db")
    yield store
    store.close()


class Commits:
    """How often the journal said that it committed."""

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
def journal(store: LocalStore, commits: Commits) -> Journal:
    return Journal(store, FakeClock(), commits)


def fill_disk(store: LocalStore) -> None:
    """No page may be added to the file: what SQLite says of a full disk, it says of this too."""
    pages = store.file.connection.execute("PRAGMA page_count").fetchone()[0]
    store.file.connection.execute(f"PRAGMA max_page_count = {pages}")


def free_disk(store: LocalStore) -> None:
    store.file.connection.execute("PRAGMA max_page_count = 1000000")


def take(journal: Journal, *points: CheckResult | Alert) -> None:
    for point in points:
        journal.append(point)


def bulky(second: float) -> CheckResult:
    return check(second, cause=Cause.ERROR, detail=BULKY)


def test_what_comes_is_committed_within_a_second_unasked(store: LocalStore, journal: Journal, commits: Commits) -> None:
    assert COMMIT_INTERVAL_S <= 1
    journal.start()
    journal.append(check(1))
    journal.append(alert(2))
    assert commits.came.wait(20)
    assert journal.close(20)
    assert list(store.results(EVER)) == [check(1)]
    assert list(store.alerts(EVER)) == [alert(2)]


def test_flush_waits_until_everything_before_it_can_be_read(store: LocalStore, journal: Journal) -> None:
    journal.start()
    for second in range(5):
        journal.append(check(second))
        assert journal.flush(20)
        assert list(store.results(EVER)) == checks(range(second + 1))
    assert journal.close(20)


def test_many_threads_lose_nothing(store: LocalStore, journal: Journal) -> None:
    journal.start()
    hosts = [f"site {number}" for number in range(8)]

    def measure(host: str) -> None:
        for result in checks(range(200), host):
            journal.append(result)

    threads = [threading.Thread(target=measure, args=(host,)) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert journal.close(20)
    assert {host: seen.checks for host, seen in store.downtime(EVER).items()} == dict.fromkeys(hosts, 200)


def test_closing_commits_what_is_left_and_ends_the_thread(store: LocalStore, journal: Journal) -> None:
    journal.start()
    journal.append(check(1))
    assert journal.close(20)
    assert list(store.results(EVER)) == [check(1)]
    assert not any(thread.name == "journal" for thread in threading.enumerate())


def test_a_step_commits_once_and_says_so(store: LocalStore, journal: Journal, commits: Commits) -> None:
    assert not journal.step()
    journal.append(check(1))
    journal.append(check(2))
    assert journal.step()
    assert not journal.step()
    assert commits.count == 1
    assert store.pending() == (2, START_MS)


def test_while_the_disk_is_full_points_wait_in_memory_and_all_is_written_later_once(
    store: LocalStore, journal: Journal, commits: Commits
) -> None:
    journal.append(bulky(1))
    assert journal.step()
    fill_disk(store)
    for second in range(2, 5):
        journal.append(bulky(second))
        assert not journal.step()
    journal.append(alert(5))
    assert journal.trouble == f"{store.path}: database or disk is full; 3 checks wait in memory"
    assert journal.waiting() == [*map(bulky, range(2, 5)), alert(5)]
    assert list(store.results(EVER)) == [bulky(1)]

    free_disk(store)
    assert journal.step()
    assert journal.trouble is None
    assert journal.waiting() == []
    assert not journal.step()
    assert list(store.results(EVER)) == [*map(bulky, range(1, 5))]
    assert list(store.alerts(EVER)) == [alert(5)]
    assert store.pending()[0] == 5
    assert commits.count == 2


def test_what_waits_in_memory_counts_in_every_answer(store: LocalStore, journal: Journal) -> None:
    """Statistics and alerts go on while the file takes nothing; each check counts once."""
    reader = MemoryReader(store, journal)
    stored = [check(0, "a"), bulky(1), check(2, "b")]
    waiting = [bulky(3), check(4, "b"), check(5, "c")]
    take(journal, *stored, alert(1))
    assert journal.step()
    fill_disk(store)
    take(journal, *waiting, alert(6))
    assert not journal.step()
    everything, window = [*stored, *waiting], Window(START_MS + 1_000, START_MS + 5_000)
    assert list(reader.results(EVER)) == everything
    assert reader.stats(window) == stats.summarise(everything, window)
    assert reader.downtime(window) == stats.downtime(everything, window)
    assert reader.failures(window, ["a"]) == stats.failures(everything, window, ["a"])
    assert list(reader.alerts(EVER)) == [alert(1), alert(6)]
    free_disk(store)
    assert journal.step()
    assert list(reader.results(EVER)) == everything


def test_trouble_keeps_the_writer_alive_and_ends_by_itself(store: LocalStore, journal: Journal, commits: Commits) -> None:
    fill_disk(store)
    journal.start()
    journal.append(bulky(1))
    assert not journal.flush(20)
    assert journal.trouble
    assert not journal.flush(20)
    free_disk(store)
    assert journal.flush(20)
    assert commits.count == 1
    assert journal.close(20)


def test_closing_says_when_something_could_not_be_written(store: LocalStore, journal: Journal) -> None:
    fill_disk(store)
    journal.start()
    journal.append(bulky(1))
    assert not journal.close(20)
    assert journal.waiting() == [bulky(1)]


def test_an_error_nobody_thought_of_does_not_end_the_writer(
    store: LocalStore, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.start()
    with monkeypatch.context() as patch:
        patch.setattr(store, "append", lambda *_: 1 / 0)
        journal.append(check(1))
        assert not journal.flush(20)
        assert journal.trouble == "ZeroDivisionError: division by zero"
    assert journal.flush(20)
    assert journal.trouble is None
    assert journal.close(20)
    assert list(store.results(EVER)) == [check(1)]


def test_memory_is_bounded_and_what_was_given_up_is_counted(
    store: LocalStore, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MEMORY_LIMIT", 3)
    fill_disk(store)
    for second in range(5):
        journal.append(bulky(second))
    assert not journal.step()
    assert journal.trouble is not None
    assert journal.trouble.endswith("3 checks wait in memory, 2 lost")
    free_disk(store)
    assert journal.step()
    assert list(store.results(EVER)) == [*map(bulky, (2, 3, 4))]
