"""Whatever happens to the database: in the end it holds every point once."""

import threading
from itertools import chain
from pathlib import Path

import pytest

from monitoring.errors import StoreDenied
from monitoring.models import Cause, CheckResult
from monitoring.store import forwarder as module
from monitoring.store.blocks import MinuteBlock, PackedChecks
from monitoring.store.forwarder import Forwarder
from monitoring.store.influxblocks import Piece, Told
from monitoring.store.local import LocalStore
from monitoring.store.outbox import DeadLetter
from tests.support.clock import FakeClock
from tests.support.points import EVER, START_MS, alert, check, checks, recovery
from tests.support.remote import DOWN, Remote


@pytest.fixture
def forwarder(local: LocalStore, remote: Remote) -> Forwarder:
    return Forwarder(local, remote, FakeClock())


def drain(forwarder: Forwarder) -> None:
    while forwarder.step():
        pass


def assert_same(local: LocalStore, remote: Remote) -> None:
    assert list(remote.results(EVER)) == list(local.results(EVER))
    assert list(remote.alerts(EVER)) == list(local.alerts(EVER))
    assert local.pending() == (0, None)


def test_everything_is_delivered_in_the_order_of_its_commits(
    local: LocalStore, remote: Remote, forwarder: Forwarder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH_POINTS", 2)
    drain(forwarder)  # a database that is new gets everything stored so far by time
    commits = [[check(5)], [check(6)], [check(1, "slow", Cause.TIMEOUT), check(7)], [check(8)]]
    for commit in commits:
        local.append(commit, [], START_MS)
    local.append([], [alert(9)], START_MS)
    drain(forwarder)
    assert [point for points in remote.writes for point in points] == [*chain.from_iterable(commits), alert(9)]
    assert_same(local, remote)


def test_a_batch_is_written_in_parts_and_settled_when_all_have_arrived(
    local: LocalStore, remote: Remote, forwarder: Forwarder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PART_POINTS", 3)
    local.append(checks(range(10)), [alert(5)], START_MS)
    remote.lost_answers = 1
    assert not forwarder.step(), "one part failed"
    assert local.pending()[0] == 11
    drain(forwarder)
    assert max(map(len, remote.writes)) == 3
    assert_same(local, remote)


def test_what_is_delivered_as_it_is_measured_takes_one_request(
    local: LocalStore, remote: Remote, forwarder: Forwarder
) -> None:
    drain(forwarder)
    before = remote.requests
    local.append(checks(range(10)), [], START_MS)
    drain(forwarder)
    assert remote.requests == before + 1
    assert (len(remote.told), len(remote.pieces)) == (1, 1)
    assert_same(local, remote)


def test_an_empty_outbox_is_no_work_and_no_trouble(remote: Remote, forwarder: Forwarder) -> None:
    assert forwarder.trouble == "the database has not been asked yet"
    assert not forwarder.step()
    assert forwarder.trouble is None
    assert forwarder.proven
    assert forwarder.wait_drained(0)
    assert not remote.writes


def test_a_database_that_is_away_loses_nothing(local: LocalStore, remote: Remote, forwarder: Forwarder) -> None:
    remote.trouble = DOWN
    for second in range(5):
        local.append([check(second)], [], START_MS)
        assert not forwarder.step()
    assert forwarder.trouble == "database: connection refused"
    assert not forwarder.wait_drained(20), "at once, not in 20 s"
    assert local.pending()[0] == 5
    remote.trouble = None
    drain(forwarder)
    assert forwarder.trouble is None
    assert_same(local, remote)


def test_a_database_that_denies_is_shown_and_tried_again(local: LocalStore, remote: Remote, forwarder: Forwarder) -> None:
    remote.trouble = StoreDenied("database: authorization failed")
    local.append([check(1)], [], START_MS)
    assert not forwarder.step()
    assert forwarder.trouble == "database: authorization failed"
    assert not local.dead_letters()
    remote.trouble = None
    drain(forwarder)
    assert_same(local, remote)


class Waits(FakeClock):
    """Notes how long the forwarder backs off, and calls `after` with the number of waits so far."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[float] = []

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        self.noted.append(seconds)
        self.after(len(self.noted), stop)
        return super().wait(stop, seconds)

    def after(self, count: int, stop: threading.Event) -> None:
        if count == 8:
            stop.set()


def test_it_backs_off_from_one_second_to_thirty(local: LocalStore, remote: Remote) -> None:
    clock = Waits()
    remote.trouble = DOWN
    Forwarder(local, remote, clock).run()
    assert clock.noted == [1, 2, 4, 8, 16, 30, 30, 30]


def test_it_backs_off_also_from_a_database_that_answers_and_takes_nothing(local: LocalStore, remote: Remote) -> None:
    """A proof is a single point; the batch that times out every time is not."""
    clock = Waits()
    local.append([check(1)], [], START_MS)
    remote.lost_answers = 100
    Forwarder(local, remote, clock).run()
    assert clock.noted == [1, 2, 4, 8, 16, 30, 30, 30]
    assert remote.proofs == 8


def test_after_a_success_it_backs_off_from_one_second_again(local: LocalStore, remote: Remote) -> None:
    class Changing(Waits):
        def after(self, count: int, stop: threading.Event) -> None:
            if count == 4:
                local.append([check(count)], [], START_MS)
                remote.trouble, remote.lost_answers = None, 0
                changing.step()
                remote.trouble = DOWN
                local.append([check(count + 0.5)], [], START_MS)
            super().after(count, stop)

    clock = Changing()
    remote.trouble = DOWN
    changing = Forwarder(local, remote, clock)
    changing.run()
    assert clock.noted == [1, 2, 4, 8, 1, 2, 4, 8]


def test_an_error_nobody_thought_of_is_only_a_failed_round(local: LocalStore, remote: Remote) -> None:
    clock = Waits()
    local.append([check(1)], [], START_MS)
    remote.refuses = lambda _: bool(1 / 0)
    forwarder = Forwarder(local, remote, clock)
    forwarder.run()
    assert clock.noted[:3] == [1, 2, 4]
    assert forwarder.trouble == "ZeroDivisionError: division by zero"
    assert local.pending()[0] == 1


def test_points_that_will_never_be_taken_are_found_and_buried_alone(
    local: LocalStore, remote: Remote, forwarder: Forwarder
) -> None:
    points = checks(range(100), "good")
    bad = [check(second, "bad") for second in (0.5, 41.5, 99.5)]
    local.append(sorted([*points, *bad], key=lambda it: it.time_ms), [alert(1), recovery(2, "bad")], START_MS)
    remote.refuses = lambda point: getattr(point, "host", "") == "bad"
    drain(forwarder)
    assert list(remote.results(EVER)) == points
    assert list(remote.alerts(EVER)) == [alert(1)]
    assert local.pending() == (0, None)
    reason = "database: field type conflict"
    assert sorted(local.dead_letters(), key=lambda it: (it.kind, it.time_ms)) == [
        DeadLetter("alert", "bad", recovery(2).time_ms, reason),
        *(DeadLetter("check", "bad", point.time_ms, reason) for point in bad),
    ]
    assert forwarder.trouble is None, "one bad point is no reason to distrust the database"


def test_a_batch_of_bad_points_blocks_nothing(local: LocalStore, remote: Remote, forwarder: Forwarder) -> None:
    local.append(checks(range(20), "bad"), [], START_MS)
    local.append([check(30)], [], START_MS)
    remote.refuses = lambda point: getattr(point, "host", "") == "bad"
    drain(forwarder)
    assert list(remote.results(EVER)) == [check(30)]
    assert len(local.dead_letters()) == 20


def test_a_database_that_goes_away_while_bad_points_are_sought_buries_no_good_one(
    local: LocalStore, remote: Remote, forwarder: Forwarder
) -> None:
    local.append([*checks(range(8)), check(9, "bad")], [], START_MS)
    remote.refuses = lambda point: getattr(point, "host", "") == "bad"
    remote.lost_answers = 1
    assert not forwarder.step()
    assert not local.dead_letters()
    drain(forwarder)
    assert [letter.host for letter in local.dead_letters()] == ["bad"]
    assert list(remote.results(EVER)) == checks(range(8))


@pytest.mark.parametrize("lost", [1, 2, 5])
def test_points_are_there_once_though_acknowledgements_were_lost(
    local: LocalStore, remote: Remote, forwarder: Forwarder, lost: int
) -> None:
    remote.lost_answers = lost
    for second in range(3):
        local.append([check(second)], [alert(second)], START_MS)
    for _ in range(lost):
        assert not forwarder.step()
    drain(forwarder)
    assert len(remote.writes) > 2
    assert_same(local, remote)


def test_a_database_that_lost_its_disk_gets_everything_again(
    local: LocalStore, remote: Remote, forwarder: Forwarder
) -> None:
    local.append(checks(range(10)), [alert(3)], START_MS)
    drain(forwarder)
    remote.wipe()
    remote.trouble = DOWN
    local.append([check(20), check(1.5, "slow", Cause.TIMEOUT)], [recovery(20)], START_MS)
    assert not forwarder.step()
    remote.trouble = None
    drain(forwarder)
    assert len(remote.results(EVER)) == 12
    assert_same(local, remote)


def test_a_database_that_only_was_away_gets_nothing_twice(local: LocalStore, remote: Remote, forwarder: Forwarder) -> None:
    local.append(checks(range(10)), [], START_MS)
    drain(forwarder)
    local.append([check(20)], [], START_MS)
    remote.trouble = DOWN
    assert not forwarder.step()
    assert forwarder.trouble == str(DOWN)
    remote.trouble = None
    drain(forwarder)
    assert remote.proofs == 2
    assert sum(map(len, remote.writes)) == 11
    assert forwarder.trouble is None


def test_a_new_database_gets_what_was_stored_before_there_was_one(tmp_path: Path, remote: Remote) -> None:
    alone = LocalStore(tmp_path / "monitor.db")
    alone.append(checks(range(10)), [alert(3)], START_MS)
    alone.close()
    local = LocalStore(tmp_path / "monitor.db")
    drain(Forwarder(local, remote, FakeClock()))
    assert_same(local, remote)
    local.close()


def test_the_thread_delivers_what_it_is_told_of_and_ends(local: LocalStore, remote: Remote, forwarder: Forwarder) -> None:
    forwarder.start()
    for second in range(20):
        local.append([check(second)], [], START_MS)
        forwarder.notify()
    forwarder.close(20)
    assert_same(local, remote)
    assert not any(thread.name == "forwarder" for thread in threading.enumerate())


# Minutes that are over

OVER_MS = START_MS + 10**6


def pack(local: LocalStore) -> None:
    while local.pack(OVER_MS):
        pass


def count_of(block: MinuteBlock) -> int:
    return len(PackedChecks(block.data).rows(block.minute_ms, 0))


def test_blocks_follow_when_no_point_waits(local: LocalStore, remote: Remote, forwarder: Forwarder) -> None:
    local.append(checks(range(0, 120, 2)), [], START_MS)
    pack(local)
    assert forwarder.step()
    assert len(remote.results(EVER)) == 60
    assert not remote.blocks
    assert not forwarder.wait_drained(0)
    drain(forwarder)
    assert {key: count_of(block) for key, block in remote.blocks.items()} == {
        (START_MS, 0): 30,
        (START_MS + 60_000, 0): 30,
    }
    assert forwarder.wait_drained(0)
    assert local.pending() == (0, None)


def test_where_checks_can_be_read_is_announced_before_they_are_written(
    local: LocalStore, remote: Remote, forwarder: Forwarder
) -> None:
    drain(forwarder)
    local.append(checks([1, 61]), [], START_MS)
    remote.refuses = lambda it: isinstance(it, CheckResult)
    assert forwarder.step()
    assert remote.told == {START_MS: Told.PIECES, START_MS + 60_000: Told.PIECES}
    assert [piece.hosts for piece in remote.pieces.values()] == [("a",), ("a",)]


def test_a_minute_is_sealed_and_its_pieces_go_when_its_blocks_are_there(
    local: LocalStore, remote: Remote, forwarder: Forwarder
) -> None:
    drain(forwarder)
    local.append(checks(range(0, 62, 2)), [], START_MS)
    drain(forwarder)
    while local.pack(START_MS + 75_000):
        pass
    drain(forwarder)
    assert remote.told == {START_MS: Told.BLOCKS, START_MS + 60_000: Told.PIECES}
    assert {minute_ms for minute_ms, _ in remote.pieces} == {START_MS + 60_000}


def test_a_minute_left_open_by_an_earlier_run_is_sealed_by_this_one(local: LocalStore, remote: Remote) -> None:
    first = Forwarder(local, remote, FakeClock())
    drain(first)
    local.append(checks(range(30)), [], START_MS)
    drain(first)
    pack(local)
    drain(Forwarder(local, remote, FakeClock()))
    assert remote.told == {START_MS: Told.BLOCKS}
    assert not remote.pieces


def test_a_late_check_sends_its_block_again(local: LocalStore, remote: Remote, forwarder: Forwarder) -> None:
    local.append(checks(range(0, 60, 2)), [], START_MS)
    pack(local)
    drain(forwarder)
    local.append([check(3)], [], START_MS)
    drain(forwarder)
    assert count_of(remote.blocks[START_MS, 0]) == 31
    assert remote.told == {START_MS: Told.BLOCKS}


def test_a_block_that_is_refused_stops_nothing_and_leaves_its_minute_open_for_good(
    local: LocalStore, remote: Remote, forwarder: Forwarder
) -> None:
    local.append(checks(range(0, 180, 2)), [], START_MS)
    pack(local)
    bad_ms = START_MS + 60_000
    remote.refuses = lambda it: isinstance(it, MinuteBlock) and it.minute_ms == bad_ms
    drain(forwarder)
    assert remote.blocks.keys() == {(START_MS, 0), (START_MS + 120_000, 0)}
    assert remote.told == {START_MS: Told.BLOCKS, bad_ms: Told.POINTS_FOR_GOOD, START_MS + 120_000: Told.BLOCKS}
    assert forwarder.trouble is None
    assert forwarder.wait_drained(0)
    assert not local.dead_letters(), "every point is there"


def test_a_piece_that_is_refused_leaves_its_minute_to_the_points(
    local: LocalStore, remote: Remote, forwarder: Forwarder
) -> None:
    drain(forwarder)
    local.append(checks(range(5)), [], START_MS)
    remote.refuses = lambda it: isinstance(it, Piece)
    drain(forwarder)
    assert remote.told == {START_MS: Told.POINTS}
    assert_same(local, remote)


def test_a_database_that_lost_its_disk_gets_all_blocks_again(
    local: LocalStore, remote: Remote, forwarder: Forwarder
) -> None:
    local.append(checks(range(0, 120, 2)), [], START_MS)
    pack(local)
    drain(forwarder)
    before = {key: count_of(block) for key, block in remote.blocks.items()}
    remote.wipe()
    forwarder.proven = False  # as after any failure
    drain(forwarder)
    assert {key: count_of(block) for key, block in remote.blocks.items()} == before
    assert set(remote.told.values()) == {Told.BLOCKS}
    assert_same(local, remote)


# What is too old


class Retention:
    """Keeps `RemoteRetention`: counts its turns, and says as often that there is more to do."""

    trouble: str | None = None

    def __init__(self, more: int = 0) -> None:
        self.turns = 0
        self._more = more

    def keep(self, checks_ms: int, alerts_ms: int) -> None: ...

    def step(self, now_ms: int) -> bool:
        self.turns += 1
        return self.turns <= self._more

    def close(self) -> None: ...


def test_what_is_too_old_is_deleted_when_nothing_waits(local: LocalStore, remote: Remote) -> None:
    retention = Retention(more=2)
    forwarder = Forwarder(local, remote, FakeClock(), retention)
    local.append(checks(range(0, 120, 2)), [], START_MS)
    pack(local)
    while not remote.blocks:
        assert forwarder.step()
        assert retention.turns == 0
    drain(forwarder)
    assert retention.turns == 3


def test_between_two_steps_of_deleting_what_has_come_is_delivered(local: LocalStore, remote: Remote) -> None:
    retention = Retention(more=9)
    forwarder = Forwarder(local, remote, FakeClock(), retention)
    assert forwarder.step()
    assert forwarder.wait_drained(0), "what nobody waits for keeps nobody waiting"
    local.append([check(1)], [], START_MS)
    assert forwarder.step()
    assert (retention.turns, len(remote.writes)) == (1, 1)


def test_a_database_that_is_away_is_asked_to_delete_nothing(local: LocalStore, remote: Remote) -> None:
    retention = Retention()
    remote.trouble = DOWN
    assert not Forwarder(local, remote, FakeClock(), retention).step()
    assert retention.turns == 0
