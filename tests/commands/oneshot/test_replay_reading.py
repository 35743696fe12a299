"""`--replay` reads little of what is stored, and finds what all of it says: alerts and messages of random histories."""

import random
from collections.abc import Sequence
from fractions import Fraction

from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitoring.alerts.backtest import Coverage
from monitoring.alerts.replay import Replay
from monitoring.commands.oneshot.replay import Trial, backtest
from monitoring.models import Alert, Cause, CheckResult, Site, Window
from monitoring.notifications.simulation import messages
from monitoring.statistics.windows import availability
from monitoring.thresholds import Rule
from monitoring.units import HOUR_MS, SECOND_MS
from tests.support.memory_store import MemoryStore
from tests.support.points import START_MS

HOURS, INTERVAL_MS, EVERY_MS = 8, 20_000, 2_000
WINDOW = Window(START_MS + HOUR_MS, START_MS + HOURS * HOUR_MS)
HOSTS = ("http://a.example", "http://b.example")

Spell = tuple[str, int, int, float]
"""A host fails so much of its checks, at random, or is not checked (`GAP`): from this second on, for so many seconds."""

GAP, RECOVERY = 2.0, 95

MAINTENANCE = st.lists(st.tuples(st.sampled_from(HOSTS), st.integers(0, HOURS * 3_600), st.integers(60, 5_400)), max_size=3)
"""A host is in maintenance from this second on, for so many seconds."""

SPELLS = st.lists(
    st.tuples(
        *(st.sampled_from(HOSTS), st.integers(0, HOURS * 3_600 - 1)),
        *(st.integers(20, 5_400), st.sampled_from([0.15, 0.4, 1.0, GAP])),
    ),
    max_size=8,
)


def site(host: str, threshold: int) -> Site:
    rule = Rule(threshold=Fraction(threshold), recovery_threshold=Fraction(max(threshold, RECOVERY)))
    return Site(host, host, interval_ms=INTERVAL_MS, rule=rule)


def checks(spells: Sequence[Spell], seed: int, maintenance: Sequence[tuple[str, int, int]] = ()) -> list[CheckResult]:
    dice, found = random.Random(seed), []
    for slot_ms in range(0, HOURS * HOUR_MS, INTERVAL_MS):
        for place, host in enumerate(HOSTS):
            of_host = [(start, length, share) for of, start, length, share in spells if of == host]
            share = max((share for start, length, share in of_host if 0 <= slot_ms / SECOND_MS - start < length), default=0)
            cause = Cause.STATUS if dice.random() < share else None
            if share < GAP:
                status = 503 if cause else 200
                second = slot_ms // SECOND_MS
                is_maintained = any(of == host and 0 <= second - start < length for of, start, length in maintenance)
                time_ms, marked = START_MS + slot_ms + place, 1 if is_maintained else None
                found.append(CheckResult(host, time_ms, INTERVAL_MS, 0, status, cause=cause, maintenance=marked))
    return found


def decided(found: Sequence[CheckResult], threshold: int, window: Window, last: dict[str, Alert]) -> list[Alert]:
    """What the rule decides when it is given every check."""
    replays = {host: Replay(site(host, threshold), EVERY_MS, last.get(host)) for host in HOSTS}
    for check in found:
        one = replays[check.host]
        (one.add if check.time_ms >= window.from_ms else one.remember)(check)
    changes = [change for one in replays.values() for change in one.finish(window.until_ms)]
    return sorted(changes, key=lambda alert: (alert.time_ms, alert.host))


def told(found: Sequence[CheckResult], threshold: int, before: Sequence[Alert], changes: Sequence[Alert]) -> int:
    """How many messages tell of these changes, by every check."""
    coverage = {host: Coverage() for host in HOSTS}
    for check in found:
        coverage[check.host].add(check)

    def is_unstable(host: str, window: Window) -> bool:
        good = availability(*coverage[host].sums(window))
        return good is not None and good < max(threshold, RECOVERY)

    return len(list(messages(before, changes, len(HOSTS), is_unstable)))


def failing(*spans: tuple[int, int], share: float = 1.0) -> list[Spell]:
    return [(HOSTS[0], start, length, share) for start, length in spans]


FLAPS = failing((9_200, 60), (9_800, 60), (10_400, 60), (10_680, 20), (16_000, 60))
"""Some of what says whether the third recovery has held lies in an hour in which nothing failed."""

UNSEEN = [*failing((10_500, 200)), *failing((10_700, 5_000), share=GAP)]
"""Nobody measures it while it is down, until an hour in which nothing fails."""


@settings(max_examples=60, deadline=None)
@example(FLAPS, 0, 80, [])
@example(UNSEEN, 0, 80, [])
@given(SPELLS, st.integers(0, 9), st.sampled_from([80, 90, 99]), MAINTENANCE)
def test_what_is_not_read_changes_neither_alerts_nor_messages(
    spells: list[Spell], seed: int, threshold: int, maintenance: list[tuple[str, int, int]]
) -> None:
    store, found = MemoryStore(), checks(spells, seed, maintenance)
    raised = decided(found, 80, Window(START_MS, WINDOW.until_ms), {})
    for point in (*found, *raised):
        store.record(point)
    trials = [Trial(site(host, 80), site(host, threshold)) for host in HOSTS]
    answer = backtest(store, "", trials, WINDOW, EVERY_MS)
    before = [alert for alert in raised if alert.time_ms < WINDOW.from_ms]
    known = [check for check in found if check.time_ms >= WINDOW.from_ms - 120 * SECOND_MS]
    replayed = decided(known, threshold, WINDOW, {alert.host: alert for alert in before})
    for one in answer.sites:
        assert one.replayed == [change for change in replayed if change.host == one.site.host]
    assert answer.messages.raised == told(found, 80, before, raised[len(before) :])
    assert answer.messages.replayed == told(found, threshold, before, replayed)
