"""What was purged here, and what is older than retention, leaves the database too: in steps, when nothing waits."""

from collections.abc import Iterator

import pytest

from monitoring.statistics.summary import Span
from monitoring.storage.base import Deletion
from monitoring.storage.delivery.forwarder import Forwarder
from monitoring.storage.delivery.upkeep import PATIENCE, RETRY_MS, Upkeep, end_ms, monitor_upkeep
from monitoring.storage.sqlite.store import LocalStore
from monitoring.storage.sqlite.tables.purge import Request
from tests.support.clock import FakeClock
from tests.support.forwarded import ask_purge, assert_same, assert_same_summaries, drain, maintain
from tests.support.fragile import DOWN, FragileBackend
from tests.support.points import EVER, START_MS, alert, check, checks, recovery

DAY_MS = Span.DAY.length_ms
HOUR_MS = Span.HOUR.length_ms


@pytest.fixture
def upkeep(file: LocalStore, database: FragileBackend) -> Upkeep:
    return monitor_upkeep(file, database, is_ours=True)


def run(upkeep: Upkeep, now_ms: int) -> int:
    """Take all steps there are now; returns how many."""
    for count in range(1_000):
        if not upkeep.step(now_ms):
            return count
    raise AssertionError("upkeep never ends")


def test_a_purge_is_carried_out_in_the_database_once_nothing_is_on_its_way(
    file: LocalStore, database: FragileBackend, clock: FakeClock
) -> None:
    """What was read before it was deleted here may still arrive there: deleting waits until it has."""
    forwarder = Forwarder(file, database, clock, is_ours=True)
    file.append([*checks(range(10)), *checks(range(10), "b")], [alert(5)], START_MS)
    drain(forwarder)
    ask_purge(file, Request("a", START_MS + 5_000, forget=True))
    maintain(file, START_MS)
    file.append([check(20)], [], START_MS)
    assert file.next_delivery(1)
    assert file.next_deletion() is None
    file.postpone()
    drain(forwarder)
    staying = [*checks(range(5, 10)), *checks(range(10), "b"), check(20)]
    assert list(database.results(EVER)) == sorted(staying, key=lambda it: (it.time_ms, it.host))
    assert file.next_deletion() is None
    sent = len(database.deletions)
    drain(forwarder)
    assert len(database.deletions) == sent


def test_what_a_purge_leaves_of_a_day_is_summed_up_in_the_database_too(
    file: LocalStore, database: FragileBackend, clock: FakeClock
) -> None:
    """The database deletes the summaries that the moment cuts, also those that it was sent since."""
    file.append([*checks(range(0, 2 * 86_400, 600)), *checks(range(0, 2 * 86_400, 600), "b")], [], START_MS)
    clock.step_wall(2 * 86_400 + 60)
    maintain(file, clock.now_ms())
    forwarder = Forwarder(file, database, clock, is_ours=True)
    drain(forwarder)
    ask_purge(file, Request("a", START_MS + 10 * HOUR_MS, forget=False))
    maintain(file, clock.now_ms())
    drain(forwarder)  # deletes
    drain(forwarder)
    assert_same(file, database)
    assert_same_summaries(file, database)


def test_a_purge_waits_for_a_database_that_is_away(file: LocalStore, database: FragileBackend, upkeep: Upkeep) -> None:
    ask_purge(file, Request("a", START_MS, forget=False))
    maintain(file, START_MS)
    database.trouble = DOWN
    run(upkeep, START_MS)
    assert file.next_deletion()
    database.trouble = None
    assert run(upkeep, START_MS) == 0, "not at once"
    run(upkeep, START_MS + RETRY_MS)
    assert file.next_deletion() is None


def test_what_is_older_than_retention_goes_and_an_open_alert_stays(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder, upkeep: Upkeep
) -> None:
    file.append([check(0), check(0, "b"), check(40 * 86_400)], [alert(1), alert(1, "b"), recovery(2, "b")], START_MS)
    drain(forwarder)
    upkeep.set_retention(30 * DAY_MS, 35 * DAY_MS)
    now_ms = START_MS + 41 * DAY_MS
    run(upkeep, now_ms)
    assert list(database.results(EVER)) == [check(40 * 86_400)]
    assert list(database.alerts(EVER)) == [alert(1)]
    minutes, longer, alerts = database.deletions
    assert (minutes.spans, longer.spans, alerts.spans) == ((Span.MINUTE,), (Span.HOUR, Span.DAY), ())
    assert run(upkeep, now_ms + HOUR_MS) == 0, "once a day"
    assert run(upkeep, now_ms + DAY_MS)


def test_before_retention_is_known_nothing_is_too_old(upkeep: Upkeep, database: FragileBackend) -> None:
    assert run(upkeep, START_MS) == 0
    assert not database.deletions


def test_behind_a_gateway_that_sees_to_it_retention_is_left_alone(file: LocalStore, database: FragileBackend) -> None:
    upkeep = monitor_upkeep(file, database, is_ours=False)
    upkeep.set_retention(DAY_MS, DAY_MS)
    assert run(upkeep, START_MS) == 0


def test_only_sites_of_this_file_are_deleted(file: LocalStore, database: FragileBackend, upkeep: Upkeep) -> None:
    """Other monitors write to the same database."""
    file.append([check(0)], [], START_MS)
    upkeep.set_retention(DAY_MS, DAY_MS)
    run(upkeep, START_MS)
    assert all(set(deletion.hosts or ()) == {"a"} for deletion in database.deletions)


def test_a_step_that_fails_is_taken_again_later_and_told_when_it_never_goes(
    database: FragileBackend, upkeep: Upkeep
) -> None:
    upkeep.set_retention(DAY_MS, DAY_MS)
    database.trouble = DOWN
    for attempt in range(PATIENCE):
        assert upkeep.trouble is None
        run(upkeep, START_MS + attempt * RETRY_MS)
        assert run(upkeep, START_MS + attempt * RETRY_MS) == 0, "not before a minute is over"
    assert upkeep.trouble == str(DOWN)
    database.trouble = None
    assert run(upkeep, START_MS + PATIENCE * RETRY_MS)
    assert upkeep.trouble is None
    assert database.deletions


def test_delivery_goes_on_between_two_steps(
    file: LocalStore, database: FragileBackend, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_three_steps(deletion: Deletion) -> Iterator[None]:
        for second in range(3):
            file.append([check(second)], [], clock.now_ms())
            yield

    monkeypatch.setattr(database, "delete", in_three_steps)
    forwarder = Forwarder(file, database, clock, is_ours=True)
    ask_purge(file, Request(None, START_MS, forget=False))
    maintain(file, START_MS)
    waiting = []
    while forwarder.step():
        waiting.append(file.pending().points)
    assert max(waiting) == 1, "each was delivered before the next step"


@pytest.mark.parametrize(("kept_ms", "grain_ms"), [(30 * DAY_MS, DAY_MS), (DAY_MS, HOUR_MS), (5 * DAY_MS, 4 * HOUR_MS)])
def test_the_end_moves_seldom(kept_ms: int, grain_ms: int) -> None:
    assert end_ms(START_MS + kept_ms, kept_ms) == START_MS // grain_ms * grain_ms
