"""Whatever happens to the database: in the end it holds every point once."""

import threading

import pytest

from monitoring.errors import StoreDenied, StoreUnavailable
from monitoring.statistics.summary import SiteSummary
from monitoring.storage.base import Points
from monitoring.storage.delivery import forwarder as module
from monitoring.storage.delivery.forwarder import Forwarder
from monitoring.storage.sqlite.store import LocalStore
from tests.support.clock import FakeClock
from tests.support.forwarded import assert_same, drain, maintain
from tests.support.fragile import DOWN, FragileBackend
from tests.support.points import EVER, START_MS, alert, check, checks, recovery
from tests.support.waiting import eventually


def test_everything_is_delivered_in_the_order_of_its_commits(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DELIVERY_POINTS", 2)
    commits = [[check(5)], [check(6)], [check(7), check(1, "slow")], [check(8)]]
    for commit in commits:
        file.append(commit, [], START_MS)
    file.append([], [alert(9)], START_MS)
    drain(forwarder)
    assert [it for points in database.writes for it in points.checks] == [it for commit in commits for it in commit]
    assert_same(file, database)


def test_summaries_follow_the_points_of_their_span(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder, clock: FakeClock
) -> None:
    file.append(checks(range(0, 120, 2)), [], START_MS)
    clock.advance(200)
    maintain(file, clock.now_ms())
    drain(forwarder)
    sent = [it for points in database.writes for it in (*points.checks, *points.summaries)]
    first_summary = next(place for place, it in enumerate(sent) if isinstance(it, SiteSummary))
    assert len(sent[:first_summary]) == 60
    assert_same(file, database)


def test_a_delivery_is_settled_when_all_of_its_requests_have_arrived(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder
) -> None:
    file.append(checks(range(10)), [alert(5)], START_MS)
    database.lost_answers = 1
    assert not forwarder.step(), "one request failed"
    assert file.pending().points == 11
    drain(forwarder)
    assert_same(file, database)


def test_the_database_is_told_of_each_delivery_after_it_and_in_a_request_of_its_own(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder
) -> None:
    forwarder.step()
    before = database.requests
    file.append([check(1)], [], START_MS)
    drain(forwarder)
    assert database.requests == before + 2
    assert database.verify(file.marker) == file.delivered()
    assert file.delivered().newest_ms == check(1).time_ms


def test_an_empty_outbox_is_no_work_and_no_trouble(database: FragileBackend, forwarder: Forwarder, clock: FakeClock) -> None:
    assert forwarder.trouble == "the database has not been asked yet"
    assert not forwarder.step()
    assert forwarder.trouble is None
    assert forwarder.trouble is None
    assert forwarder.complete_ms == clock.now_ms()
    assert not database.writes


def test_a_database_that_is_away_loses_nothing(file: LocalStore, database: FragileBackend, forwarder: Forwarder) -> None:
    database.trouble = DOWN
    for second in range(5):
        file.append([check(second)], [], START_MS)
        assert not forwarder.step()
    assert forwarder.trouble == str(DOWN)
    assert not forwarder.wait_complete(20), "at once, not in 20 s"
    assert file.pending().points == 5
    database.trouble = None
    drain(forwarder)
    assert forwarder.trouble is None
    assert_same(file, database)


def test_a_database_that_denies_is_told_and_tried_again(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder
) -> None:
    database.trouble = StoreDenied("a database in memory does not accept these credentials")
    file.append([check(1)], [], START_MS)
    assert not forwarder.step()
    assert forwarder.trouble == "a database in memory does not accept these credentials"
    assert not file.refusals()
    database.trouble = None
    drain(forwarder)
    assert_same(file, database)


def test_back_off_doubles_from_one_second_to_thirty_and_ends_with_success(
    file: LocalStore, database: FragileBackend
) -> None:
    waits: list[float] = []

    class Waiting(FakeClock):
        def wait(self, stop: threading.Event, seconds: float) -> bool:
            waits.append(seconds)
            if len(waits) == 7:
                database.trouble = None
            if len(waits) == 8:
                stop.set()
            return super().wait(stop, seconds)

    class Failing(FragileBackend):
        def write(self, points: Points) -> None:
            super().write(points)
            self.trouble = DOWN  # once it has taken something it fails anew

    database = Failing()
    database.trouble = DOWN
    file.append([check(1)], [], START_MS)
    Forwarder(file, database, Waiting()).run()
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]


def test_an_error_nobody_foresaw_does_not_end_delivery(file: LocalStore, database: FragileBackend) -> None:
    class Ending(FakeClock):
        def wait(self, stop: threading.Event, seconds: float) -> bool:
            database.trouble = None
            return super().wait(stop, seconds)

    class Strange(FragileBackend):
        def verify(self, marker: str):  # type: ignore[no-untyped-def]
            if self.requests == 0:
                self.requests += 1
                raise KeyError("series")
            return super().verify(marker)

    database = Strange()
    file.append([check(1)], [], START_MS)
    forwarder = Forwarder(file, database, Ending())
    forwarder.start()
    forwarder.notify()
    eventually(lambda: forwarder.trouble is None)
    forwarder.close(20)
    assert_same(file, database)


def test_an_answer_that_is_lost_costs_no_point_and_doubles_none(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder
) -> None:
    database.lost_answers = 2
    for second in range(4):
        file.append([check(second)], [recovery(second)], START_MS)
        forwarder.step()
    drain(forwarder)
    assert_same(file, database)


def test_whoever_waits_goes_on_when_all_that_was_committed_before_is_there(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder
) -> None:
    """Not when the forwarder has looked in vain before: that moment may be the same millisecond."""
    forwarder.start()
    eventually(lambda: forwarder.trouble is None)
    for second in range(100):
        file.append([check(second)], [], START_MS)
        assert forwarder.wait_complete(20)
        assert len(list(database.results(EVER))) == second + 1
    database.trouble = DOWN
    file.append([check(100)], [], START_MS)
    assert not forwarder.wait_complete(20)
    assert forwarder.complete_ms == 0
    forwarder.close(0)


def test_the_end_of_a_monitor_waits_for_delivery_no_longer_than_it_may(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder
) -> None:
    """A database that hangs holds up neither the end nor the program: its thread is a daemon."""
    forwarder.start()
    forwarder.notify()
    eventually(lambda: forwarder.trouble is None)
    database.answers.clear()
    file.append([check(1)], [], START_MS)
    forwarder.notify()
    forwarder.close(0.05)
    assert file.pending().points == 1
    database.answers.set()


def test_a_database_that_only_proves_itself_is_backed_off_from(file: LocalStore) -> None:
    class Deaf(FragileBackend):
        def write(self, points: Points) -> None:
            raise StoreUnavailable("a database in memory is full")

    waits: list[float] = []

    class Waiting(FakeClock):
        def wait(self, stop: threading.Event, seconds: float) -> bool:
            waits.append(seconds)
            if len(waits) == 3:
                stop.set()
            return super().wait(stop, seconds)

    file.append([check(1)], [], START_MS)
    Forwarder(file, Deaf(), Waiting()).run()
    assert waits == [1, 2, 4]


def test_nothing_is_sent_that_nobody_recorded(file: LocalStore, database: FragileBackend, forwarder: Forwarder) -> None:
    drain(forwarder)
    assert not list(database.results(EVER))
    assert not list(database.alerts(EVER))
