"""Checks that come while their minute is being summarised, some sites at a time, are counted like all others."""

from contextlib import closing
from pathlib import Path

import pytest

from monitoring.models import Cause, CheckResult, Window
from monitoring.statistics import reference
from monitoring.statistics.summary import Span, Summary
from monitoring.storage.sqlite.store import LocalStore
from monitoring.storage.sqlite.tables import summariser
from tests.support.stored import states_of

END_MS = 1_767_225_600_000
"""An hour and a day end then."""

EVER = Window(0, END_MS + 10**11)
NOW_MS = END_MS + 20_000


def check(host: str, before_end_ms: int, cause: Cause | None = None) -> CheckResult:
    status, response_us = (200, 900) if cause is None else (0, None)
    phases = (100, 200, None, 600, 0) if cause is None else (None,) * 5
    return CheckResult(host, END_MS - before_end_ms, 1_000, 3, status, response_us, phases, cause, "why" if cause else "")


def first_checks() -> list[CheckResult]:
    hosts = ("a", "b", "c")
    return [check(host, at_ms) for at_ms in (150_000, 50_000, 30_000) for host in hosts]


LATE = [
    *(check("a", 5_000, Cause.DNS), check("a", 40_000, Cause.TLS), check("b", 20_000), check("c", 10_000, Cause.DNS)),
    *(check("new", 25_000), check("c", 100_000, Cause.DNS)),
]
"""Newer and older ones than there are, of a site that has none, and one of a minute without checks."""


@pytest.mark.parametrize("steps", range(14))
def test_a_check_that_comes_after_some_steps_is_in_every_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    monkeypatch.setattr(summariser, "CHECKS_AT_ONCE", 1)
    monkeypatch.setattr(summariser, "SITES_AT_ONCE", {Span.HOUR: 1, Span.DAY: 1})
    checks = sorted([*first_checks(), *LATE], key=lambda one: (one.time_ms, one.host))
    with closing(LocalStore(tmp_path / "file.db")) as store:
        store.append(first_checks(), [], NOW_MS)
        for _ in range(4 + steps):  # three sites and the end of the minute before
            store.maintain(NOW_MS)
        store.append(LATE[:3], [], NOW_MS)
        store.append(LATE[3:], [], NOW_MS)
        is_over = False
        while not is_over:
            assert_holds(store, checks)
            is_over = not store.maintain(NOW_MS)
        assert store.summarised_ms() == END_MS
        delivery = store.next_delivery(10**6)
        assert delivery is not None
        delivered = {(one.span, one.host, one.start_ms): one.summary for one in delivery.points.summaries}
        assert delivered == {key: summary_of(key, checks) for key in delivered}
        assert {(span, host) for span, host, _ in delivered} == {
            (span, host) for span in Span for host in ("a", "b", "c", "new")
        }


def summary_of(key: tuple[Span, str, int], checks: list[CheckResult]) -> Summary:
    span, host, start_ms = key
    found = Summary.of([one for one in checks if one.host == host and span.start_of(one.time_ms) == start_ms])
    return found if span is Span.MINUTE else found.with_sketch()


def assert_holds(store: LocalStore, checks: list[CheckResult]) -> None:
    assert store.last_states(EVER.until_ms) == states_of(checks, EVER.until_ms)
    for window in (Window(END_MS - 120_000, END_MS), Window(END_MS - 60_000, NOW_MS)):
        assert store.stats(window, exact=True) == reference.summarise(checks, window, exact=True)
    for before_ms in (END_MS - 35_000, END_MS - 7_000):
        assert store.last_states(before_ms) == states_of(checks, before_ms)
