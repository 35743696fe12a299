"""A database, or a local file, that is put back from a copy or loses a part: found by its record and by counting."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from monitoring.models import Window
from monitoring.statistics.summary import Span
from monitoring.storage.delivery.forwarder import LOOK_MS, RETRY_MS, Forwarder
from monitoring.storage.sqlite.store import LocalStore
from tests.support.clock import FakeClock
from tests.support.forwarded import assert_same, assert_same_summaries, drain, maintain
from tests.support.fragile import DOWN, FragileBackend
from tests.support.points import EVER, START_MS, alert, check, checks, recovery

HOUR_S = 3_600
DAY_S = 24 * HOUR_S


def measure(file: LocalStore, clock: FakeClock, seconds: int, every: int = 600) -> None:
    """Checks of two sites from now on for so long, with all summaries that are over by then."""
    first = (clock.now_ms() - START_MS) // 1_000
    for second in range(first, first + seconds, every):
        file.append([check(second), check(second, "b")], [], START_MS + second * 1_000)
    clock.advance(seconds)
    maintain(file, clock.now_ms())


def copy_of(file: LocalStore, path: Path) -> LocalStore:
    with closing(sqlite3.connect(file.path)) as here, closing(sqlite3.connect(path)) as there:
        here.backup(there)
    return LocalStore(path)


def lose_contact(database: FragileBackend, forwarder: Forwarder, file: LocalStore, clock: FakeClock) -> None:
    """As a restart of the database does."""
    file.append([check((clock.now_ms() - START_MS) / 1_000)], [], clock.now_ms())
    clock.advance(1)
    database.trouble = DOWN
    assert not forwarder.step()
    database.trouble = None


def test_a_database_without_its_disk_gets_everything_again(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder, clock: FakeClock
) -> None:
    file.append([], [alert(1)], START_MS)
    measure(file, clock, DAY_S)
    drain(forwarder)
    database.lose_disk()
    lose_contact(database, forwarder, file, clock)
    drain(forwarder)
    assert_same(file, database)
    assert_same_summaries(file, database)


def test_a_database_put_back_from_an_old_copy_gets_what_came_since(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder, clock: FakeClock
) -> None:
    measure(file, clock, DAY_S)
    drain(forwarder)
    copied = database.copied()
    measure(file, clock, 6 * HOUR_S)
    drain(forwarder)
    database.put_back(copied)
    database.writes.clear()
    lose_contact(database, forwarder, file, clock)
    drain(forwarder)
    assert_same(file, database)
    assert_same_summaries(file, database)
    assert min(it.time_ms for points in database.writes for it in points.checks) >= START_MS + (DAY_S - 2 * HOUR_S) * 1_000


def test_a_copy_made_while_everything_was_sent_again_is_no_end_of_it(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record's marks are water marks: the newest point alone would say that nothing older is missing."""
    measure(file, clock, 5 * DAY_S, every=HOUR_S)
    drain(forwarder)
    database.lose_disk()
    lose_contact(database, forwarder, file, clock)
    monkeypatch.setattr("monitoring.storage.delivery.forwarder.DELIVERY_POINTS", 50)
    forwarder.step()
    copied = database.copied()
    drain(forwarder)
    assert_same(file, database)
    database.put_back(copied)
    lose_contact(database, forwarder, file, clock)
    drain(forwarder)
    assert_same(file, database)


def test_a_measurement_that_was_dropped_is_sent_again_all_of_it(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder, clock: FakeClock
) -> None:
    measure(file, clock, 3 * DAY_S, every=HOUR_S)
    drain(forwarder)
    database.lose_points()
    lose_contact(database, forwarder, file, clock)
    drain(forwarder)
    assert_same(file, database)


def test_a_measurement_dropped_under_a_running_monitor_is_found_within_a_minute(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder, clock: FakeClock
) -> None:
    measure(file, clock, HOUR_S)
    drain(forwarder)
    database.lose_points()
    clock.advance(LOOK_MS / 1_000)
    forwarder.step()
    assert forwarder.complete_ms == 0, "nothing is believed until it is there again"
    drain(forwarder)
    assert_same(file, database)
    assert forwarder.complete_ms == clock.now_ms()


@pytest.mark.parametrize("span", Span)
def test_summaries_or_a_shard_that_are_lost_while_contact_lasts_are_found_within_an_hour(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder, clock: FakeClock, span: Span
) -> None:
    measure(file, clock, 2 * DAY_S)
    drain(forwarder)
    if span is Span.DAY:
        database.lose_shard(Window(START_MS, START_MS + Span.DAY.length_ms))
    second_day_ms, summaries = START_MS + Span.DAY.length_ms, database.held.summaries
    database.held.summaries = {key: it for key, it in summaries.items() if key[0] is not span or key[1] < second_day_ms}
    clock.advance(RETRY_MS / 1_000)
    drain(forwarder)  # notices it
    drain(forwarder)
    assert_same(file, database)
    assert_same_summaries(file, database)


def test_alerts_that_were_lost_alone_are_sent_again_all_of_them_and_nothing_else(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder, clock: FakeClock
) -> None:
    measure(file, clock, 3 * DAY_S, every=HOUR_S)
    file.append([], [alert(100), alert(3 * DAY_S - 50)], clock.now_ms())
    drain(forwarder)
    database.lose_alerts()
    database.writes.clear()
    clock.advance(LOOK_MS / 1_000)
    drain(forwarder)  # notices it
    drain(forwarder)
    assert_same(file, database)
    assert [len(points) for points in database.writes] == [2]


def test_alerts_are_counted_not_read_to_see_whether_some_were_lost(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flapping day has ten thousand, and the look comes every minute."""
    file.append([], [alert(100), recovery(200), alert(300, "b")], START_MS)
    drain(forwarder)
    monkeypatch.delattr(FragileBackend.__mro__[1], "alerts")
    looks = database.requests
    clock.advance(LOOK_MS / 1_000)
    drain(forwarder)
    assert database.requests > looks
    assert forwarder.trouble is None


def test_an_open_alert_that_was_lost_alone_is_missed_however_old_it_is(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder, clock: FakeClock
) -> None:
    """A monitor on another machine takes over from the database that it was announced."""
    file.append([], [alert(100), alert(200, "b"), recovery(300, "b")], START_MS)
    measure(file, clock, 3 * DAY_S, every=HOUR_S)
    drain(forwarder)
    database.lose_alerts()
    clock.advance(LOOK_MS / 1_000)
    drain(forwarder)  # notices it
    drain(forwarder)
    assert_same(file, database)


def test_an_hour_that_was_lost_is_missed_beside_one_of_which_the_database_knows_more(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder, clock: FakeClock
) -> None:
    """Another monitor at the same place may have written that one: over a day their sum would be as large as it should."""
    measure(file, clock, 6 * HOUR_S)
    drain(forwarder)
    hours = [(Span.HOUR, START_MS + hour * HOUR_S * 1_000, "a") for hour in (1, 3)]
    gone, other = (database.held.summaries.pop(hour) for hour in hours)
    database.held.summaries[hours[1]] = replace(other, checks=gone.checks + other.checks)
    lose_contact(database, forwarder, file, clock)
    drain(forwarder)
    assert database.held.summaries[hours[0]] == gone


@pytest.mark.parametrize("day", [0, 2, 40])
def test_a_shard_that_was_lost_is_sent_again(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder, clock: FakeClock, day: int
) -> None:
    measure(file, clock, 43 * DAY_S, every=6 * HOUR_S)
    drain(forwarder)
    start_ms = START_MS + day * DAY_S * 1_000
    database.lose_shard(Window(start_ms, start_ms + Span.DAY.length_ms))
    database.writes.clear()
    lose_contact(database, forwarder, file, clock)
    drain(forwarder)
    assert_same(file, database)
    assert_same_summaries(file, database)
    assert len([it for points in database.writes for it in points.checks]) < 20, "that day, and not everything"


def test_an_hour_of_the_past_day_that_was_lost_is_sent_again(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder, clock: FakeClock
) -> None:
    measure(file, clock, 2 * DAY_S)
    drain(forwarder)
    lost = Window(START_MS + 40 * HOUR_S * 1_000, START_MS + 41 * HOUR_S * 1_000)
    database.lose_shard(lost)
    lose_contact(database, forwarder, file, clock)
    drain(forwarder)
    assert_same(file, database)


def test_nothing_is_sent_again_when_nothing_was_lost(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder, clock: FakeClock
) -> None:
    measure(file, clock, 3 * DAY_S)
    drain(forwarder)
    database.writes.clear()
    lose_contact(database, forwarder, file, clock)
    drain(forwarder)
    clock.advance(LOOK_MS / 1_000)
    drain(forwarder)
    assert sum(map(len, database.writes)) == 1


def test_more_than_the_file_has_is_no_loss(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder, clock: FakeClock, tmp_path: Path
) -> None:
    """Another monitor at the same place, or what retention has not yet deleted there."""
    measure(file, clock, HOUR_S)
    drain(forwarder)
    with closing(LocalStore(tmp_path / "other.db")) as other:
        other.append(checks(range(1, 3_600, 60)), [], START_MS)
        drain(Forwarder(other, database, clock))
    database.writes.clear()
    lose_contact(database, forwarder, file, clock)
    drain(forwarder)
    assert sum(map(len, database.writes)) == 1


def test_a_local_file_put_back_from_a_copy_takes_another_name_and_later_times(
    file: LocalStore, database: FragileBackend, clock: FakeClock, tmp_path: Path
) -> None:
    """The database has seen more of the file than the file knows: what lies between was made, and stays."""
    measure(file, clock, HOUR_S)
    drain(Forwarder(file, database, clock))
    copied, copied_at = copy_of(file, tmp_path / "copy.db"), clock.now_ms()
    measure(file, clock, HOUR_S)
    drain(Forwarder(file, database, clock))
    was = list(database.results(EVER))
    clock.step_wall((copied_at - clock.now_ms()) / 1_000)  # the clock of the machine that it was put back on is behind
    drain(Forwarder(copied, database, clock))
    assert copied.marker != file.marker
    assert clock.now_ms() > was[-1].time_ms
    assert list(database.results(EVER)) == was
    assert copied.pending().points == 0
    copied.close()


def test_a_new_file_that_takes_the_place_of_another_is_made_known(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder, clock: FakeClock
) -> None:
    """A damaged file is set aside while the monitor runs: the new one has a name of its own, and nothing delivered."""
    measure(file, clock, HOUR_S)
    drain(forwarder)
    file.renew_marker()
    file.append([check(HOUR_S)], [], clock.now_ms())
    drain(forwarder)
    assert_same(file, database)
    assert database.verify(file.marker) == file.delivered()
