"""Local files of version 1.1.0, as tests/fixtures has them, and what they must still hold."""

import random
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from monitoring.models import CheckResult, Window
from monitoring.statistics import reference
from monitoring.statistics.summary import Span
from monitoring.storage.sqlite.store import LocalStore
from tests.fixtures.files_1_1_0 import MINUTE_MS, START_MS, Written
from tests.support.stored import states_of

EVER = Window(0, START_MS + 10**11)
LATER_MS = START_MS + 4 * Span.HOUR.length_ms

FIXTURES = Path(__file__).parents[1] / "fixtures"


def windows(written: Written) -> Iterator[Window]:
    return windows_until(written.checks[-1].time_ms + 1)


def windows_until(end_ms: int) -> Iterator[Window]:
    yield Window(START_MS, end_ms)
    dice = random.Random(4)
    for _ in range(12):
        one, other = sorted(dice.randrange(START_MS - MINUTE_MS, end_ms + MINUTE_MS) for _ in range(2))
        yield Window(one, other + 1)


@lru_cache(maxsize=4)
def answers(checks: tuple[CheckResult, ...], end_ms: int) -> list[tuple[Window, list[object]]]:
    """What must be answered of each window. Remembered, since a file is looked at again and again while it is converted."""
    hosts = {check.host for check in checks}
    return [
        (
            window,
            [
                *(reference.summarise(checks, window, exact=exact) for exact in (True, False)),
                reference.downtime(checks, window),
                reference.failures(checks, window, hosts),
            ],
        )
        for window in windows_until(end_ms)
    ]


def assert_holds(store: LocalStore, written: Written, checks: list[CheckResult]) -> None:
    assert list(store.results(EVER)) == checks
    assert list(store.alerts(EVER)) == written.alerts
    assert store.last_states(EVER.until_ms) == states_of(checks, EVER.until_ms)
    assert store.last_time() == max(point.time_ms for point in [*checks, *written.alerts])
    hosts = {check.host for check in checks}
    for window, (exact, rounded, downtime, failures) in answers(tuple(checks), written.checks[-1].time_ms + 1):
        assert store.stats(window, exact=True) == exact
        assert store.stats(window, exact=False) == rounded
        assert store.downtime(window) == downtime
        assert {host: list(found) for host, found in store.failures(window, hosts).items()} == failures
