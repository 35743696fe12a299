"""What a monitor asks of a database beyond that: records, summaries, counts, locations, deletions."""

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.models import Alert, AlertType, Cause, CheckResult, Window
from monitoring.statistics import reference
from monitoring.statistics.summary import SiteSummary, Span, Summary
from monitoring.storage.base import Backend, Deletion, DeliveryRecord, Points
from tests.support.contract import (
    ALWAYS,
    HOUR_MS,
    MINUTE_MS,
    FreshDatabase,
    alert,
    any_history,
    check,
    every_recording,
    explained,
)
from tests.support.points import by_host
from tests.support.results import START_MS, Recording, alert_lists
from tests.support.stored import assert_same_stats
from tests.support.summaries import summaries_of


def test_a_new_database_knows_no_marker_and_then_what_it_was_told(fresh_database: FreshDatabase) -> None:
    record = DeliveryRecord(delivery=7, newest_ms=START_MS, summarised_ms=START_MS // MINUTE_MS * MINUTE_MS)
    with fresh_database() as open_backend, closing(open_backend("")) as backend:
        assert backend.verify("ours") is None
        assert backend.verify("ours") is None
        backend.record("ours", record)
        assert backend.verify("ours") == record
        assert backend.verify("another") is None
        backend.record("ours", replace(record, delivery=8, newest_ms=START_MS + 1))
        assert backend.verify("ours") == replace(record, delivery=8, newest_ms=START_MS + 1)
        assert backend.is_known()
        assert backend.last_time() is None
        assert not list(backend.results(ALWAYS))
        assert not backend.locations()


def test_a_rewritten_summary_replaces_the_former_one_whole(backend: Backend) -> None:
    checks = [check(at=0), check(at=10, cause=Cause.DNS, status=0), check(at=20, cause=Cause.STATUS, status=503)]
    backend.write(Points(checks=checks[:1], summaries=summaries_of(checks)))
    backend.write(Points(summaries=summaries_of(checks[:1])))
    assert_same_stats(backend, checks[:1], ALWAYS)


@pytest.mark.parametrize("spans", [(Span.MINUTE,), tuple(Span)], ids=["minutes", "all spans"])
def test_summaries_are_believed_where_points_are_missing(backend: Backend, spans: Sequence[Span]) -> None:
    checks = [check(host, at=at, cause=Cause.DNS if at % 3 else None) for at in range(0, 180_000, 20_000) for host in "ab"]
    kept = [check for check in checks if check.host == "b" or check.time_ms > START_MS + 70_000]
    backend.write(Points(checks=kept, summaries=summaries_of(checks, spans)))
    window = Window(START_MS // MINUTE_MS * MINUTE_MS, START_MS + 10 * MINUTE_MS)
    assert backend.stats(window, exact=True) == reference.summarise(checks, window, exact=True)
    assert backend.missing(window) == len(checks) - len(kept)
    assert list(backend.results(window)) == sorted(kept, key=lambda check: (check.time_ms, check.host))


def test_hours_and_days_stand_alone_where_nothing_finer_is_left(backend: Backend) -> None:
    """Past the retention of checks."""
    checks = [check(at=at * 600_000, cause=Cause.DNS if at % 5 == 0 else None) for at in range(300)]
    backend.write(Points(summaries=summaries_of(checks, (Span.HOUR, Span.DAY))))
    day_ms = Span.DAY.length_ms
    window = Window(START_MS // day_ms * day_ms, START_MS // day_ms * day_ms + 4 * day_ms)
    assert backend.stats(window, exact=False) == reference.summarise(checks, window, exact=False)


def test_points_count_where_summaries_tell_of_fewer(backend: Backend) -> None:
    """A late check, two monitors at one location, a lost minute."""
    checks = [check(at=at) for at in range(0, 300_000, 20_000)]
    backend.write(Points(checks=checks, summaries=summaries_of(checks[::2])))
    assert_same_stats(backend, checks, ALWAYS)


@any_history
@given(recording=explained(3_600_000), data=st.data())
def test_whatever_summaries_are_lacking_the_numbers_are_right(
    fresh_database: FreshDatabase, recording: Recording, data: st.DataObject
) -> None:
    every = summaries_of(recording.checks)
    known = data.draw(st.lists(st.sampled_from(every), unique_by=lambda one: (one.span, one.start_ms, one.host)))
    outdated = data.draw(st.sets(st.sampled_from(recording.checks)))
    old = summaries_of([check for check in recording.checks if check not in outdated])
    with fresh_database() as open_backend, closing(open_backend("")) as backend:
        backend.write(Points(summaries=old))
        backend.write(Points(checks=recording.checks, summaries=known))
        assert_same_stats(backend, recording.checks, recording.window)


def assert_counts_by_span(backend: Backend, checks: Sequence[CheckResult], window: Window, span: Span) -> None:
    def is_inside(time_ms: int) -> bool:
        return window.from_ms <= time_ms < window.until_ms

    for each in (Span.HOUR, Span.DAY):
        points = Counter((each.start_of(it.time_ms), it.host) for it in checks if is_inside(it.time_ms))
        assert backend.counts(window, each=each) == points
        if each.length_ms >= span.length_ms:
            summed = Counter[tuple[int, str]]()
            for one in summaries_of(checks, (span,)):
                summed[each.start_of(one.start_ms), one.host] += one.summary.checks if is_inside(one.start_ms) else 0
            assert backend.counts(window, span.kind, each) == +summed


@any_history
@given(recording=every_recording)
def test_points_are_counted_by_host(fresh_database: FreshDatabase, recording: Recording) -> None:
    with fresh_database() as open_backend, closing(open_backend("")) as backend:
        backend.write(Points(checks=recording.checks, summaries=summaries_of(recording.checks)))
        counts = {host: found.checks for host, found in reference.downtime(recording.checks, recording.window).items()}
        assert by_host(backend.counts(recording.window)) == counts
        for span in Span:
            window = Window(span.start_of(recording.window.from_ms), recording.window.until_ms)
            told = [
                one for one in summaries_of(recording.checks, (span,)) if window.from_ms <= one.start_ms < window.until_ms
            ]
            counts = {
                host: sum(one.summary.checks for one in told if one.host == host) for host in {one.host for one in told}
            }
            assert by_host(backend.counts(window, span.kind)) == counts
            assert_counts_by_span(backend, recording.checks, window, span)


def test_alerts_are_counted_by_host_and_hour(fresh_database: FreshDatabase) -> None:
    hour_ms = Span.HOUR.length_ms
    start_ms = 400_000 * hour_ms  # a gateway takes nothing from before 2000
    with fresh_database() as open_backend, closing(open_backend("")) as backend:
        alerts = [
            Alert(AlertType.ALERT, host, start_ms + place, start_ms, None, 50.0, None) for host in "ab" for place in (0, 9)
        ]
        later = Alert(AlertType.ALERT, "a", start_ms + hour_ms, start_ms, None, 50.0, None)
        backend.write(Points(alerts=[*alerts, later]))
        whole = Window(start_ms + 1, start_ms + 2 * hour_ms)
        assert backend.counts(whole, "alerts") == {(whole.from_ms, "a"): 2, (whole.from_ms, "b"): 1}
        by_hour = {(start_ms, "a"): 1, (start_ms, "b"): 1, (start_ms + hour_ms, "a"): 1}
        assert backend.counts(whole, "alerts", Span.HOUR) == by_hour


def test_each_location_is_a_store_of_its_own(fresh_database: FreshDatabase) -> None:
    with fresh_database() as open_backend:
        for number, location in enumerate(("paris, 1er 'étage'", "", "tokyo")):
            with closing(open_backend(location)) as backend:
                backend.write(Points([check(at=number)], [alert(at=number)], summaries_of([check(at=number)])))
        for number, location in enumerate(("paris, 1er 'étage'", "", "tokyo")):
            with closing(open_backend(location)) as backend:
                assert backend.locations() == ["", "paris, 1er 'étage'", "tokyo"]
                assert list(backend.results(ALWAYS)) == [check(at=number)]
                assert backend.last_alerts() == {"a": alert(at=number)}
                assert_same_stats(backend, [check(at=number)], ALWAYS)


def test_a_location_of_which_only_summaries_are_left_is_one(fresh_database: FreshDatabase) -> None:
    """Its checks have grown too old; whoever deletes the rest one day has to know of it."""
    with fresh_database() as open_backend, closing(open_backend("paris")) as backend:
        backend.write(Points(summaries=summaries_of([check()])))
        assert backend.locations() == ["paris"]


@dataclass(frozen=True)
class Kept:
    """What a deletion leaves."""

    checks: Sequence[CheckResult]
    alerts: Sequence[Alert]


def left_by(deletion: Deletion, checks: Sequence[CheckResult], alerts: Sequence[Alert]) -> Kept:
    def goes(host: str, time_ms: int) -> bool:
        return time_ms < deletion.before_ms and (deletion.hosts is None or host in deletion.hosts)

    last = {alert.host: alert for alert in alerts}
    kept = last.keys() if deletion.open_alerts_of is None else deletion.open_alerts_of
    still_open = [one for host, one in last.items() if one.type is AlertType.ALERT and host in kept]
    return Kept(
        [one for one in checks if not (deletion.checks and goes(one.host, one.time_ms))],
        [one for one in alerts if one in still_open or not (deletion.alerts and goes(one.host, one.time_ms))],
    )


@any_history
@given(recording=every_recording, alerts=alert_lists(), data=st.data())
def test_a_deletion_takes_what_it_names_and_nothing_else(
    deleting_database: FreshDatabase, recording: Recording, alerts: list[Alert], data: st.DataObject
) -> None:
    hosts = sorted({point.host for point in [*recording.checks, *alerts]})
    moments = [point.time_ms + more for point in [*recording.checks, *alerts] for more in (0, 1)]
    deletion = Deletion(
        hosts=data.draw(st.none() | st.lists(st.sampled_from(hosts), min_size=1, unique=True)),
        before_ms=data.draw(st.sampled_from(moments)),
        checks=data.draw(st.sampled_from([True, True, False])),
        alerts=data.draw(st.booleans()),
        open_alerts_of=data.draw(st.sampled_from([None, (), tuple(hosts[:1])])),
    )
    left = left_by(deletion, recording.checks, alerts)
    with (
        deleting_database() as open_backend,
        closing(open_backend("here")) as backend,
        closing(open_backend("there")) as other,
    ):
        for one in (backend, other):
            one.write(Points(recording.checks, alerts, summaries_of(recording.checks)))
        for _ in backend.delete(deletion):
            pass
        assert list(backend.results(ALWAYS)) == list(left.checks)
        assert list(backend.alerts(ALWAYS)) == list(left.alerts)
        assert_same_stats(backend, left.checks, recording.window)
        assert list(other.results(ALWAYS)) == list(recording.checks)
        assert list(other.alerts(ALWAYS)) == alerts
        assert_same_stats(other, recording.checks, recording.window)


def test_summaries_may_be_kept_when_checks_go(deleting_database: FreshDatabase) -> None:
    """Retention: checks go after 30 days, hours and days stay."""
    checks = [check(at=at * HOUR_MS) for at in range(3)]
    window = Window(START_MS // HOUR_MS * HOUR_MS, START_MS // HOUR_MS * HOUR_MS + 3 * HOUR_MS)
    with deleting_database() as open_backend, closing(open_backend("")) as backend:
        backend.write(Points(checks=checks, summaries=summaries_of(checks)))
        for _ in backend.delete(Deletion(None, window.until_ms, spans=(), alerts=False)):
            pass
        assert not list(backend.results(ALWAYS))
        assert backend.stats(window, exact=False) == reference.summarise(checks, window, exact=False)


def test_a_summary_of_nothing_is_nothing(backend: Backend) -> None:
    """What is left of a span whose checks were purged."""
    start_ms = START_MS // MINUTE_MS * MINUTE_MS
    backend.write(Points(summaries=summaries_of([check()])))
    backend.write(Points(summaries=[SiteSummary("a", span, span.start_of(start_ms), Summary()) for span in Span]))
    assert not backend.stats(ALWAYS, exact=True)
    assert not backend.stats(ALWAYS, exact=False)
    assert backend.missing(ALWAYS) == 0
