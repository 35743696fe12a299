"""What every store promises, whatever it is made of: its answers equal those of the pure functions."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.models import Alert, Cause, Window
from monitoring.statistics import reference
from tests.support.contract import (
    ALWAYS,
    HOUR_MS,
    FreshStore,
    LocalFile,
    Opened,
    alert,
    any_history,
    check,
    every_recording,
    recovery,
)
from tests.support.results import ODD_HOSTS, START_MS, Recording, alert_lists
from tests.support.stored import assert_same_stats, states_of


@any_history
@given(recording=every_recording)
def test_statistics_of_any_window_equal_the_reference(fresh_store: FreshStore, recording: Recording) -> None:
    with fresh_store() as store:
        store.write(recording.checks)
        assert_same_stats(store.reader, recording.checks, recording.window)


@any_history
@given(recording=every_recording, data=st.data())
def test_checks_that_come_late_are_counted_like_any_other(
    fresh_store: FreshStore, recording: Recording, data: st.DataObject
) -> None:
    late = data.draw(st.sets(st.sampled_from(recording.checks)))
    with fresh_store() as store:
        store.write([check for check in recording.checks if check not in late])
        store.write([check for check in recording.checks if check in late])
        assert_same_stats(store.reader, recording.checks, recording.window)
        assert list(store.reader.results(ALWAYS)) == list(recording.checks)
        assert store.reader.last_states(ALWAYS.until_ms) == states_of(recording.checks, ALWAYS.until_ms)


@any_history
@given(recording=every_recording)
def test_every_check_comes_back_as_it_was_written(fresh_store: FreshStore, recording: Recording) -> None:
    window = recording.window
    with fresh_store() as store:
        store.write(recording.checks)
        assert list(store.reader.results(ALWAYS)) == list(recording.checks)
        assert list(store.reader.results(window)) == [
            check for check in recording.checks if window.from_ms <= check.time_ms < window.until_ms
        ]
        chosen = {recording.checks[0].host, recording.checks[-1].host, "nobody"}
        assert list(store.reader.results(window, chosen)) == [
            check for check in store.reader.results(window) if check.host in chosen
        ]
        assert not list(store.reader.results(ALWAYS, ()))
        assert store.reader.last_time() == recording.checks[-1].time_ms


@any_history
@given(recording=every_recording)
def test_every_site_stands_where_its_checks_lead(fresh_store: FreshStore, recording: Recording) -> None:
    moments = {recording.checks[0].time_ms, recording.window.from_ms, recording.window.until_ms, ALWAYS.until_ms}
    with fresh_store() as store:
        store.write(recording.checks)
        for moment in moments:
            assert store.reader.last_states(moment) == states_of(recording.checks, moment)


@any_history
@given(alerts=alert_lists())
def test_every_alert_comes_back_as_it_was_written(fresh_store: FreshStore, alerts: list[Alert]) -> None:
    window = Window(alerts[0].time_ms, alerts[-1].time_ms)
    with fresh_store() as store:
        store.write([], alerts)
        assert list(store.reader.alerts(ALWAYS)) == alerts
        assert list(store.reader.alerts(window)) == [alert for alert in alerts if alert.time_ms < window.until_ms]
        assert store.reader.last_alerts() == {alert.host: alert for alert in alerts}


def test_an_empty_store_answers_with_nothing(fresh_store: FreshStore, request: pytest.FixtureRequest) -> None:
    with fresh_store() as store:
        reader = store.reader
        for exact in (True, False):
            assert not reader.stats(ALWAYS, exact=exact)
        assert not list(reader.results(ALWAYS))
        assert not reader.alerts(ALWAYS)
        assert not reader.last_alerts()
        assert not reader.last_states(ALWAYS.until_ms)
        assert reader.last_time() is None
        assert reader.missing(ALWAYS) == 0


def test_writing_nothing_is_fine(store: Opened) -> None:
    store.write([])
    assert store.reader.last_time() is None


def test_a_window_holds_its_first_millisecond_and_not_its_last(store: Opened) -> None:
    store.write([check(at=0), check(at=1_000)], [alert(at=0), alert(at=1_000)])
    window = Window(START_MS, START_MS + 1_000)
    assert list(store.reader.results(window)) == [check(at=0)]
    assert list(store.reader.alerts(window)) == [alert(at=0)]
    assert store.reader.stats(window, exact=True)["a"].checks == 1
    assert store.reader.last_states(START_MS + 1_000)["a"].last_ms == START_MS


@pytest.mark.parametrize(
    ("course", "counted"),
    [
        ("good failed failed* good* failed*", 1),
        ("failed failed failed* failed* failed*", 1),
        ("failed* failed* good failed*", None),
        ("failed* failed* good failed failed* good", 3),
        ("failed good* failed* good", 0),
    ],
)
def test_a_failure_during_maintenance_is_none_of_the_site(store: Opened, course: str, counted: int | None) -> None:
    """Statistics and states mean the same by a site's last failure. (`*`: a check during maintenance.)"""
    checks = [
        replace(
            check(at=2_000 * number, cause=Cause.DNS if "failed" in word else None), maintenance=1 if "*" in word else None
        )
        for number, word in enumerate(course.split())
    ]
    store.write(checks)
    wanted_ms = None if counted is None else checks[counted].time_ms
    state = store.reader.last_states(ALWAYS.until_ms)["a"]
    window = Window(START_MS - HOUR_MS, START_MS + HOUR_MS)
    assert store.reader.stats(window, exact=True)["a"].last_failure_ms == wanted_ms
    assert (state.last_failure_ms, state.detail) == (wanted_ms, "" if counted is None else checks[counted].detail)
    assert state == states_of(checks, ALWAYS.until_ms)["a"]


def test_a_store_knows_when_a_certificate_expires_by_the_newest_check_that_looked(store: Opened) -> None:
    looks = {0: 4_000_000_000, 1_000: None, 2_000: 1_800_000_000, 3_000: None, 4_000: None}
    checks = [replace(check(at=at), certificate_s=seen) for at, seen in looks.items()]
    store.write(checks)
    assert list(store.reader.results(ALWAYS)) == checks
    assert store.reader.last_states(ALWAYS.until_ms)["a"].certificate_s == 1_800_000_000


def test_a_window_without_a_whole_minute_may_lie_in_two_marks(store: Opened) -> None:
    """Of minutes, when percentiles are exact, and of hours when they are not."""
    turn_ms = START_MS // HOUR_MS * HOUR_MS + HOUR_MS - START_MS
    checks = [check(host, turn_ms + at) for at in (-30_000, -1, 0, 20_000) for host in "ab"]
    window = Window(START_MS + turn_ms - 40_000, START_MS + turn_ms + 40_000)
    store.write(checks)
    assert {len(site.trend) for site in reference.summarise(checks, window, exact=False).values()} == {2}
    assert_same_stats(store.reader, checks, window)


def test_an_empty_window_holds_nothing(store: Opened) -> None:
    store.write([check()], [alert()])
    window = Window(START_MS, START_MS)
    assert not store.reader.stats(window, exact=True)
    assert not list(store.reader.results(window))
    assert not store.reader.alerts(window)


def test_what_is_written_twice_is_there_once(store: Opened) -> None:
    """A forwarder that did not hear the answer sends the same points again."""
    checks = [check(at=at, cause=Cause.TIMEOUT if at else None) for at in (0, 2_000)]
    store.write(checks, [alert()])
    store.write([*checks, check(at=4_000)], [alert()])
    checks.append(check(at=4_000))
    assert list(store.reader.results(ALWAYS)) == checks
    assert list(store.reader.alerts(ALWAYS)) == [alert()]
    assert_same_stats(store.reader, checks, ALWAYS)


def test_any_text_that_names_a_site_is_only_a_name(store: Opened) -> None:
    """Quotes, statements and markup in a name neither break a question nor reach another site's data."""
    checks = sorted((check(host, cause=Cause.DNS) for host in ODD_HOSTS), key=lambda check: check.host)
    alerts = [alert(check.host) for check in checks]
    store.write(checks, alerts)
    assert list(store.reader.results(ALWAYS)) == checks
    assert list(store.reader.alerts(ALWAYS)) == alerts
    assert store.reader.stats(ALWAYS, exact=True).keys() == set(ODD_HOSTS)


def test_every_status_is_counted_however_many_there_are(store: Opened) -> None:
    checks = [check(at=index, status=200 + index % 7) for index in range(40)]
    checks += [check("steady", at=index) for index in range(5)]
    checks += [check("broken", at=index, cause=Cause.STATUS, status=500 + index % 2) for index in range(5)]
    store.write(checks)
    assert_same_stats(store.reader, checks, ALWAYS)


def test_the_newest_state_change_tells_nothing_of_those_before(store: Opened) -> None:
    """An alert has no end even when the recovery before it had one."""
    store.write([], [alert(at=0), recovery(at=10), alert(at=20)])
    assert store.reader.last_alerts() == {"a": alert(at=20)}
    store.write([], [recovery(at=30), alert("b", at=30)])
    assert store.reader.last_alerts() == {"a": recovery(at=30), "b": alert("b", at=30)}


def test_the_newest_time_is_that_of_a_check_or_an_alert(store: Opened) -> None:
    store.write([check("a", at=50), check("b", at=20)], [alert("a", at=10)])
    assert store.reader.last_time() == START_MS + 50
    store.write([], [alert("c", at=60), alert("b", at=55)])
    assert store.reader.last_time() == START_MS + 60


def test_threads_may_ask_while_another_writes(store: Opened) -> None:
    problems: list[BaseException] = []
    written = threading.Event()

    def ask() -> None:
        try:
            while not written.is_set():
                seen = len(list(store.reader.results(ALWAYS)))
                found = store.reader.stats(ALWAYS, exact=True)
                assert sum(site.checks for site in found.values()) >= seen
        except BaseException as problem:  # noqa: BLE001 - handed over to the test's own thread
            problems.append(problem)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for at in range(10):
        store.write([check(f"host {number}", at) for number in range(3)])
    written.set()
    for thread in threads:
        thread.join()
    assert not problems
    assert len(list(store.reader.results(ALWAYS))) == 30


def test_closing_twice_does_nothing(store: Opened) -> None:
    store.reader.close()
    store.reader.close()


# Local files: what alerts are decided from


@any_history
@given(recording=every_recording)
def test_what_the_alert_rule_asks_for_equals_the_reference(
    fresh_file: Callable[[], AbstractContextManager[LocalFile]], recording: Recording
) -> None:
    hosts = {check.host for check in recording.checks}
    times = sorted(check.time_ms for check in recording.checks)
    middle_ms = times[len(times) // 2] if times else recording.window.from_ms
    with fresh_file() as file:
        file.write(recording.checks)
        for asked in (None, hosts, sorted(hosts)[:1], ["nobody", "no'body\\"], []):
            for ended in ({}, dict.fromkeys(hosts, middle_ms), {sorted(hosts)[-1]: middle_ms} if hosts else {}):
                assert file.reader.downtime(recording.window, asked, ended) == reference.downtime(
                    recording.checks, recording.window, asked, ended
                )
        for chosen in (hosts, sorted(hosts)[:1], ["nobody"], []):
            found = file.reader.failures(recording.window, chosen)
            assert {host: list(failed) for host, failed in found.items()} == reference.failures(
                recording.checks, recording.window, chosen
            )
