"""What a database will not take: found with few requests, kept as ranges, tried again by one request, never in the way."""

from collections.abc import Callable

import pytest

from monitoring.errors import StoreRefused
from monitoring.models import Alert, Cause, CheckResult
from monitoring.statistics.summary import SiteSummary
from monitoring.storage.base import Points, Refusal
from monitoring.storage.delivery import words
from monitoring.storage.delivery.forwarder import LOOK_MS, RETRY_MS, WEEK_MS, Forwarder
from monitoring.storage.delivery.sending import Point, send
from monitoring.storage.sqlite.store import LocalStore
from tests.support.clock import FakeClock
from tests.support.forwarded import assert_same, drain, maintain
from tests.support.fragile import DOWN, FragileBackend
from tests.support.points import EVER, START_MS, alert, check, checks

CONFLICT = StoreRefused("a database in memory refused: field type conflict: available is a boolean", field="available")
DETAIL = StoreRefused("a database in memory refused: field type conflict: detail is an integer", field="detail")
TOO_OLD = StoreRefused("points beyond retention policy", by_age=True)


def refusing(when: Callable[[Point], bool], error: StoreRefused = CONFLICT) -> Callable[[Point], StoreRefused | None]:
    return lambda point: error if when(point) else None


def is_check(point: Point) -> bool:
    return isinstance(point, CheckResult)


def has_detail(point: Point) -> bool:
    return isinstance(point, CheckResult) and bool(point.detail)


def older_than(second: float) -> Callable[[Point], bool]:
    return lambda point: (point.start_ms if isinstance(point, SiteSummary) else point.time_ms) < START_MS + second * 1_000


def test_one_answer_is_enough_when_it_says_that_all_was_dropped(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder
) -> None:
    database.refuses = refusing(is_check)
    file.append([*checks(range(500)), *checks(range(500), "b")], [alert(7)], START_MS)
    drain(forwarder)
    assert len(database.writes) == 2, "the checks and the alert: nothing is halved"
    assert list(database.alerts(EVER)) == [alert(7)]
    end_ms = START_MS + 499_000
    assert set(file.refusals()) == {
        Refusal("checks", host, START_MS, end_ms, 500, "available", str(CONFLICT)) for host in ("a", "b")
    }
    assert file.pending().points == 0


def test_what_lacks_the_field_is_taken_at_once(database: FragileBackend) -> None:
    """Half of the checks failed, every second one: halving would take a thousand requests."""
    database.refuses = refusing(has_detail, DETAIL)
    points = [check(second, cause=Cause.DNS, detail="x") if second % 2 else check(second) for second in range(500)]
    found = send(database.write, "checks", points)
    assert [(it.count, it.field) for it in found] == [(250, "detail")]
    assert len(list(database.results(EVER))) == 250
    assert len(database.writes) == 3, "all, those with the field, those without"


def test_where_every_second_site_is_refused_the_next_ones_cost_two_requests(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder
) -> None:
    database.refuses = refusing(lambda point: point.host.endswith("x"))
    every = [check(second, f"{number} {'x' if number % 2 else 'y'}") for second in range(5) for number in range(20)]
    file.append(every, [], START_MS)
    drain(forwarder)
    assert len(database.writes) == 2 * 20 - 1, "found site by site, not check by check"
    database.writes.clear()
    file.append([check(10, one.host) for one in every[:20]], [], START_MS)
    drain(forwarder)
    assert len(database.writes) == 2
    assert len(list(database.results(EVER))) == 60
    assert sum(it.count for it in file.refusals()) == 60


@pytest.mark.parametrize("tells", [True, False])
@pytest.mark.parametrize("bad", [set(), {0}, {99}, {3, 4, 50}, set(range(100)), set(range(0, 100, 2))])
def test_exactly_the_bad_points_are_refused(database: FragileBackend, tells: bool, bad: set[int]) -> None:
    database.tells = tells
    points = checks(range(100))
    bad_points = {points[place] for place in bad}
    database.refuses = refusing(lambda point: point in bad_points)
    found = send(database.write, "checks", points)
    assert sum(it.count for it in found) == len(bad)
    assert list(database.results(EVER)) == [it for it in points if it not in bad_points]


def test_too_old_and_of_another_type_are_told_apart(database: FragileBackend) -> None:
    """A database tells one reason an answer: what it does not speak of is not taken for stored."""

    def refuses(point: Point) -> StoreRefused | None:
        if older_than(10)(point):
            return TOO_OLD
        return DETAIL if isinstance(point, CheckResult) and point.detail else None

    database.refuses = refuses
    points = [check(second, cause=Cause.DNS, detail="x" if second in (5, 20, 30) else "") for second in range(100)]
    found = send(database.write, "checks", points)
    assert sorted((it.by_age, it.count) for it in found) == [(False, 2), (True, 10)]
    assert len(list(database.results(EVER))) == 88


def test_points_older_than_the_database_keeps_are_dropped_in_words_and_the_rest_is_delivered(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder
) -> None:
    database.refuses = refusing(older_than(7_200), TOO_OLD)
    file.append(checks(range(10_800)), [], START_MS)
    drain(forwarder)
    assert file.pending().points == 0
    assert len(list(database.results(EVER))) == 3_600
    assert sum(it.count for it in file.refusals()) == 7_200
    (text,) = [it.text for it in words.refused(database.name, file.refusals())]
    assert text == "a database in memory keeps nothing that old: it dropped 7200 points; they stay in the local file"


def test_what_is_too_old_is_never_sent_again(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder, clock: FakeClock
) -> None:
    database.refuses = refusing(older_than(5), TOO_OLD)
    file.append(checks(range(10)), [], START_MS)
    drain(forwarder)
    sent = len(database.writes)
    clock.advance(2 * WEEK_MS / 1_000)
    drain(forwarder)
    database.trouble = DOWN
    clock.advance(60)
    forwarder.step()
    database.trouble = None
    drain(forwarder)
    assert len(database.writes) == sent


def test_a_refused_point_is_tried_again_every_hour_by_one_request(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder, clock: FakeClock
) -> None:
    database.refuses = refusing(is_check)
    file.append(checks(range(100)), [], START_MS)
    drain(forwarder)
    sent = len(database.writes)
    drain(forwarder)
    assert len(database.writes) == sent
    clock.advance(RETRY_MS / 1_000)
    drain(forwarder)
    assert list(map(len, database.writes[sent:])) == [1]
    database.refuses = lambda _: None
    clock.advance(RETRY_MS / 1_000)
    drain(forwarder)
    assert not file.refusals()
    assert_same(file, database)


def test_a_refused_point_is_tried_again_at_each_new_contact(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder
) -> None:
    database.refuses = refusing(is_check)
    file.append(checks(range(100)), [alert(3)], START_MS)
    drain(forwarder)
    database.trouble = DOWN
    file.append([check(200)], [], START_MS)
    forwarder.step()
    database.trouble = None
    database.refuses = lambda _: None
    drain(forwarder)
    assert_same(file, database)
    assert not file.refusals()


def test_what_is_sent_again_and_refused_again_is_counted_once(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder
) -> None:
    """Else as many points could be lost later without that showing."""
    database.refuses = refusing(has_detail, DETAIL)
    file.append(
        [check(second, cause=Cause.DNS, detail="x" if second in (3, 4) else "") for second in range(9)], [], START_MS
    )
    drain(forwarder)
    for second in (20, 21):
        file.requeue(0, EVER.until_ms)
        file.append([check(second, cause=Cause.DNS, detail="x")], [], START_MS)
        drain(forwarder)
    assert [it.count for it in file.refusals()] == [4]


def test_once_the_like_of_it_is_taken_what_was_refused_is_tried_again_within_a_minute(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder, clock: FakeClock
) -> None:
    """Somebody mends the database, and contact is never lost."""
    database.refuses = refusing(is_check)
    file.append(checks(range(100)), [], START_MS)
    drain(forwarder)
    database.refuses = lambda _: None
    file.append([check(100)], [], START_MS)
    drain(forwarder)
    clock.advance(LOOK_MS / 1_000)
    drain(forwarder)
    assert not file.refusals()
    assert_same(file, database)


def test_that_others_are_taken_says_nothing_of_what_was_refused(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder, clock: FakeClock
) -> None:
    database.refuses = refusing(has_detail, DETAIL)
    file.append([check(1, cause=Cause.DNS, detail="x")], [], START_MS)
    drain(forwarder)
    file.append([check(2), check(2, "b", cause=Cause.DNS)], [], START_MS)
    drain(forwarder)
    sent = len(database.writes)
    clock.advance(2 * LOOK_MS / 1_000)
    drain(forwarder)
    assert len(database.writes) == sent


def test_what_was_lost_beside_what_was_refused_is_found_once_that_is_taken(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder, clock: FakeClock
) -> None:
    """Refusals say at most how much may be absent: until then they may stand for what was lost."""
    database.refuses = refusing(has_detail, DETAIL)
    failed = [check(second, cause=Cause.DNS, detail="x") for second in range(100, 200)]
    file.append([*checks(range(50)), *failed], [], START_MS)
    drain(forwarder)
    database.lose_disk()
    clock.advance(LOOK_MS / 1_000)
    drain(forwarder)  # notices it
    drain(forwarder)  # sends all again: refused a second time
    assert sum(it.count for it in file.refusals()) == len(failed)
    database.lose_points()
    database.trouble = DOWN
    file.append([check(200)], [], START_MS)
    forwarder.step()
    database.trouble = None
    database.refuses = lambda _: None
    drain(forwarder)
    assert_same(file, database)


def test_a_refused_point_is_tried_again_when_a_week_begins(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder, clock: FakeClock
) -> None:
    """Types of fields are those of a shard, and InfluxDB begins one on Mondays at midnight."""
    sunday = START_MS + 3 * 86_400_000 + 86_399_000
    clock.advance((sunday - START_MS) / 1_000)  # START_MS is a Thursday
    database.refuses = refusing(is_check)
    file.append([check(1)], [], clock.now_ms())
    drain(forwarder)
    sent = len(database.writes)
    drain(forwarder)
    assert len(database.writes) == sent
    clock.advance(1)
    drain(forwarder)
    assert len(database.writes) == sent + 1


def test_until_what_was_refused_is_there_the_database_is_not_complete(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusals are forgotten when the points are about to be sent again: that is no moment to believe it."""
    database.refuses = refusing(is_check)
    file.append(checks(range(100)), [], START_MS)
    drain(forwarder)
    database.refuses = lambda _: None
    clock.advance(RETRY_MS / 1_000)
    forwarder.step()
    assert file.pending().points
    assert forwarder.complete_ms == 0
    drain(forwarder)
    assert forwarder.complete_ms == clock.now_ms()


def test_refused_summaries_do_not_hold_up_the_points_that_follow(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder, clock: FakeClock
) -> None:
    database.refuses = refusing(lambda point: isinstance(point, SiteSummary))
    file.append(checks(range(60)), [], START_MS)
    clock.advance(100)
    maintain(file, clock.now_ms())
    file.append([check(80)], [alert(81)], clock.now_ms())
    drain(forwarder)
    assert_same(file, database)
    assert {it.kind for it in file.refusals()} == {"minutes"}


def test_it_is_told_which_field_and_why(file: LocalStore, database: FragileBackend, forwarder: Forwarder) -> None:
    database.refuses = refusing(is_check)
    file.append(checks(range(3)), [], START_MS)
    drain(forwarder)
    (condition,) = words.refused(database.name, file.refusals())
    assert condition.text == (
        "a database in memory refused: field type conflict: available is a boolean; "
        "3 points stay in the local file, to be tried again every hour"
    )


def test_more_refused_points_are_no_news_but_another_field_is(
    file: LocalStore, database: FragileBackend, forwarder: Forwarder
) -> None:
    from monitoring.storage.delivery.words import ConditionLog

    log = ConditionLog()
    database.refuses = refusing(is_check)
    file.append(checks(range(3)), [], START_MS)
    drain(forwarder)
    assert len(log.news(words.refused(database.name, file.refusals()))) == 1
    file.append(checks(range(3, 9)), [], START_MS)
    drain(forwarder)
    assert log.news(words.refused(database.name, file.refusals())) == []
    database.refuses = refusing(lambda point: isinstance(point, Alert), StoreRefused("conflict", field="cause"))
    file.append([], [alert(9)], START_MS)
    drain(forwarder)
    assert len(log.news(words.refused(database.name, file.refusals()))) == 1
    file.retry_refused("alerts")
    file.retry_refused("checks")
    assert (
        log.news(words.refused(database.name, file.refusals())) == ["a database in memory takes again what it refused"] * 2
    )


def test_a_sample_that_is_taken_in_part_is_taken(file: LocalStore, database: FragileBackend, forwarder: Forwarder) -> None:
    """Two sites were refused, one is taken now: it is sent, the other one is refused again."""
    database.refuses = refusing(is_check)
    file.append([*checks(range(5)), *checks(range(5), "b")], [], START_MS)
    drain(forwarder)
    database.refuses = refusing(lambda point: isinstance(point, CheckResult) and point.host == "b")
    database.trouble = DOWN
    file.append([check(100)], [], START_MS)
    forwarder.step()
    database.trouble = None
    drain(forwarder)
    assert [it.host for it in file.refusals()] == ["b"]
    assert {it.host for it in database.results(EVER)} == {"a"}


def test_a_request_holds_one_kind_only(file: LocalStore, database: FragileBackend, forwarder: Forwarder) -> None:
    """So that what was refused is known by its kind, however little a database says."""
    file.append(checks(range(5)), [alert(3)], START_MS)
    drain(forwarder)
    kinds: list[Points] = database.writes
    assert all(sum(map(bool, (it.checks, it.alerts, it.summaries))) == 1 for it in kinds)
