"""What waits for delivery: in order, not twice over and over, nothing forgotten, and little of it for months alone."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitoring.models import Alert, AlertType, CheckResult, Window
from monitoring.statistics.summary import Span
from monitoring.storage.base import Delivery, Points, Refusal
from monitoring.storage.sqlite.store import LocalStore
from monitoring.storage.sqlite.tables import outbox, purge, rows
from tests.support.forwarded import ask_purge

START_MS = 1_767_225_600_000
MINUTE_MS, HOUR_MS = Span.MINUTE.length_ms, Span.HOUR.length_ms
EVER_MS = START_MS + 10**11


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    opened = LocalStore(tmp_path / "monitor.db")
    yield opened
    opened.close()


def check(at_ms: int, host: str = "a") -> CheckResult:
    return CheckResult(host, START_MS + at_ms, 2_000, 0, 200, 5, (1, 1, 1, 1, 1))


def alert(at_ms: int, host: str = "a") -> Alert:
    return Alert(AlertType.ALERT, host, START_MS + at_ms, START_MS, None, 50.0, None)


def minutes_of(store: LocalStore, first: int, last: int) -> None:
    """Checks every ten seconds, each minute summarised when it is over."""
    for number in range(first * 6, last * 6):
        now_ms = START_MS + number * 10_000
        store.append([check(number * 10_000)], [], now_ms)
        maintain(store, now_ms)


def maintain(store: LocalStore, now_ms: int) -> None:
    while store.maintain(now_ms):
        pass


def deliver_all(store: LocalStore, limit: int = 1_000) -> list[Delivery]:
    found = []
    while (delivery := store.next_delivery(limit)) is not None:
        found.append(delivery)
        store.acknowledge(delivery)
    return found


def test_points_come_in_order_and_summaries_after_the_points_of_their_span(store: LocalStore) -> None:
    minutes_of(store, 0, 62)
    maintain(store, START_MS + 63 * MINUTE_MS)
    seen: set[int] = set()
    last_ms = 0
    for delivery in deliver_all(store, 7):
        for one in delivery.points.checks:
            assert one.time_ms > last_ms
            last_ms = one.time_ms
            seen.add(one.time_ms)
        for summary in delivery.points.summaries:
            inside = [at_ms for at_ms in seen if summary.start_ms <= at_ms < summary.start_ms + summary.span.length_ms]
            assert summary.summary.checks == len(inside)
    assert len(seen) == 62 * 6
    assert store.pending().points == store.pending().summaries == 0


def test_what_was_not_acknowledged_comes_again_and_the_rest_of_an_entry_later(store: LocalStore) -> None:
    store.append([check(at_ms) for at_ms in range(0, 5_000, 1_000)], [], START_MS)
    first = store.next_delivery(2)
    assert first is not None
    assert [one.time_ms - START_MS for one in first.points.checks] == [0, 1_000]
    store.postpone()
    assert store.next_delivery(2) == first
    store.acknowledge(first)
    second = store.next_delivery(9)
    assert second is not None
    assert [one.time_ms - START_MS for one in second.points.checks] == [2_000, 3_000, 4_000]


def test_slow_checks_are_not_sent_over_and_over(store: LocalStore) -> None:
    """A check that took ten seconds is committed among newer ones: a range around it would take all of those again."""
    sent: list[CheckResult] = []
    for number in range(50):
        now_ms = START_MS + 1_000 * number
        store.append([check(1_000 * number), check(1_000 * number - 10_500, "slow")], [], now_ms)
        sent += [one for delivery in deliver_all(store) for one in delivery.points.checks]
    assert len(sent) == len(set(sent)) == 100


def test_months_without_a_database_cost_an_entry_or_two_a_minute(store: LocalStore) -> None:
    for number in range(20 * 60):
        now_ms = START_MS + 1_000 * number
        late = [check(1_000 * number - 3_500, f"slow {site}") for site in range(3)]
        store.append([check(1_000 * number), *late], [], now_ms)
        maintain(store, now_ms)
    maintain(store, START_MS + 22 * MINUTE_MS)
    assert store.pending().points == 20 * 60 * 4
    with closing(sqlite3.connect(store.path)) as connection:
        entries = connection.execute("SELECT COUNT(*) FROM outbox").fetchone()[0]
    assert entries <= 2 * (20 + 1) + 3  # of the minute before the first one, too: three checks of it came late
    assert sum(len(one.points.checks) for one in deliver_all(store, 10**6)) == 20 * 60 * 4


def test_a_check_that_comes_after_its_minute_was_sent_sends_the_minute_again(store: LocalStore) -> None:
    minutes_of(store, 0, 3)
    deliver_all(store)
    store.append([check(5_500)], [], START_MS + 3 * MINUTE_MS)
    (delivery,) = deliver_all(store)
    assert delivery.points.checks == (check(5_500),)
    (summary,) = delivery.points.summaries
    assert (summary.span, summary.start_ms, summary.summary.checks) == (Span.MINUTE, START_MS, 7)


def test_a_check_that_comes_while_its_minute_is_on_its_way_sends_it_again(store: LocalStore) -> None:
    minutes_of(store, 0, 3)
    delivery = store.next_delivery(10**6)
    assert delivery is not None
    store.append([check(5_500)], [], START_MS + 3 * MINUTE_MS)
    store.acknowledge(delivery)
    assert [summary.summary.checks for one in deliver_all(store) for summary in one.points.summaries] == [7]


def test_the_record_lies_before_what_waits(store: LocalStore) -> None:
    minutes_of(store, 0, 3)
    deliver_all(store)
    record = store.delivered()
    assert record.newest_ms == START_MS + 170_000
    assert record.summarised_ms == START_MS + 2 * MINUTE_MS
    store.append([check(5_500)], [], START_MS + 3 * MINUTE_MS)
    behind = store.delivered()
    assert behind.newest_ms == START_MS + 5_499
    assert behind.summarised_ms < START_MS + MINUTE_MS
    deliver_all(store)
    assert store.delivered().newest_ms == record.newest_ms
    assert store.delivered().delivery > record.delivery


def test_requeue_sends_a_span_again_and_replaces_what_waits_there(store: LocalStore) -> None:
    minutes_of(store, 0, 5)
    store.append([], [alert(100_000)], START_MS)
    deliver_all(store)
    assert store.requeue(START_MS + 90_000, EVER_MS) == 21 + 1
    assert store.requeue(START_MS + 90_000, EVER_MS) == 21 + 1
    assert store.pending().points == 22
    points = [one.points for one in deliver_all(store)]
    assert [one.time_ms for it in points for one in it.checks] == [START_MS + at for at in range(90_000, 300_000, 10_000)]
    assert [one for it in points for one in it.alerts] == [alert(100_000)]
    assert {one.start_ms for it in points for one in it.summaries} == {START_MS + n * MINUTE_MS for n in (1, 2, 3)}


def test_refusals_are_kept_as_ranges_and_sent_again_for_their_site_alone(store: LocalStore) -> None:
    for at_ms in (0, 1_000, 2_000):
        store.append([check(at_ms), check(at_ms, "b")], [], START_MS)
        delivery = store.next_delivery(9)
        assert delivery is not None
        store.acknowledge(
            delivery, [Refusal("checks", "a", START_MS + at_ms, START_MS + at_ms, 1, "available", f"dropped={at_ms}")]
        )
    (refusal,) = store.refusals()
    assert (refusal.first_ms, refusal.last_ms, refusal.count) == (START_MS, START_MS + 2_000, 3)
    assert refusal.reason == "dropped=2000", "the newest: they differ each time, which is no reason to keep them all"
    assert store.refused_sample("checks", 5) == Points(checks=(check(2_000),))
    assert store.refused_sample("minutes", 5) == Points()
    store.retry_refused("checks")
    assert not store.refusals()
    assert [one for it in deliver_all(store) for one in it.points.checks] == [check(0), check(1_000), check(2_000)]


def test_what_was_refused_by_age_is_never_tried_again(store: LocalStore) -> None:
    store.append([check(0)], [], START_MS)
    delivery = store.next_delivery(9)
    assert delivery is not None
    store.acknowledge(delivery, [Refusal("checks", "a", START_MS, START_MS, 1, "", "too old", by_age=True)])
    store.retry_refused("checks")
    assert store.refused_sample("checks", 5) == Points()
    assert len(store.refusals()) == 1
    assert store.next_delivery(9) is None


def test_a_step_of_a_purge_counts_few_points_of_what_waits(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute of a thousand sites is one entry of 30,000 checks: to count two hundred of these takes most of a second."""
    store.append([check(1_000, "b")], [], START_MS)
    minutes_of(store, 0, 60)
    counted: list[outbox.Entry] = []
    count = outbox.points_of
    monkeypatch.setattr(outbox, "points_of", lambda *asked: counted.append(asked[1]) or count(*asked))
    monkeypatch.setattr(rows, "LOOK_AT_ONCE", 20)
    ask_purge(store, purge.Request("b", START_MS + HOUR_MS, forget=True))
    steps = []
    while store.maintain(START_MS + HOUR_MS):
        steps.append(sum(entry.points for entry in counted))
        counted.clear()
    assert 20 <= max(steps) < 20 + 7
    assert store.pending().points == 60 * 6


def test_retention_counts_what_no_database_had_and_forgets_it(store: LocalStore) -> None:
    minutes_of(store, 0, 30)
    deliver_all(store)
    minutes_of(store, 30, 150)
    store.set_retention(HOUR_MS, 10**11)
    maintain(store, START_MS + 150 * MINUTE_MS)
    assert store.expired() == 30 * 6
    assert next(iter(store.results(Window(0, EVER_MS)))).time_ms == START_MS + HOUR_MS
    assert next(one.time_ms for it in deliver_all(store) for one in it.points.checks) == START_MS + HOUR_MS


@pytest.mark.parametrize("kind", ["checks", "minutes"])
def test_what_was_refused_is_told_as_long_as_the_file_has_it(store: LocalStore, kind: str) -> None:
    """Also where the outbox is empty: everything else was delivered."""
    minutes_of(store, 0, 150)
    delivery = store.next_delivery(10**6)
    assert delivery is not None
    ends = (START_MS, START_MS + HOUR_MS)
    store.acknowledge(delivery, [Refusal(kind, "a", at_ms, at_ms, 1, str(at_ms), "too old", by_age=True) for at_ms in ends])
    deliver_all(store)
    store.set_retention(HOUR_MS, 10**11)
    maintain(store, START_MS + 150 * MINUTE_MS)
    assert [one.first_ms for one in store.refusals()] == [START_MS + HOUR_MS]


def test_the_newest_alert_of_a_site_outlives_retention(store: LocalStore) -> None:
    store.append([], [alert(0), alert(1_000), alert(0, "b")], START_MS)
    store.set_retention(HOUR_MS, HOUR_MS)
    minutes_of(store, 240, 241)
    maintain(store, START_MS + 5 * HOUR_MS)
    assert list(store.alerts(Window(0, EVER_MS))) == [alert(0, "b"), alert(1_000)]


def test_a_new_marker_is_another_one_and_stays(store: LocalStore) -> None:
    before = store.marker
    store.renew_marker()
    assert store.marker != before
    path, marker = store.path, store.marker
    store.close()
    reopened = LocalStore(path)
    assert reopened.marker == marker
    reopened.close()


def test_a_delivery_of_summaries_takes_no_more_memory_than_one_of_checks(store: LocalStore) -> None:
    """A minute is five times as big, an hour twenty times; all of them come when a database has lost everything."""
    minutes_of(store, 0, 125)
    maintain(store, START_MS + 126 * MINUTE_MS)
    deliver_all(store)
    store.requeue(0, EVER_MS)
    found = [delivery.points for delivery in deliver_all(store, 50)]
    assert max(len(points.checks) for points in found) == 50
    of_summaries = [[one.span for one in points.summaries] for points in found]
    assert max(spans.count(Span.MINUTE) for spans in of_summaries) == 10
    assert max(spans.count(Span.HOUR) for spans in of_summaries) == 2
    assert sum(map(len, of_summaries)) == 127
