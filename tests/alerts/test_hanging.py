"""A site that hangs is alerted whatever its interval, timeout and rule, and by when at the latest."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.alerts.rule import evaluate
from monitoring.checks.schedule import Slot, passed_slots, skipped_slots
from monitoring.models import Cause, CheckResult, Window
from monitoring.statistics.reference import downtime
from monitoring.thresholds import Rule
from monitoring.units import NS_PER_MS

START_MS = 10**9
"""The slot of the first check that hangs. What follows is told from there."""


@dataclass(frozen=True)
class Hang:
    """All checks of a site fail from the start on, each after its timeout, or sooner if `may_be_quicker`."""

    interval_ms: int
    timeout_ms: int
    every_ms: int
    first_evaluation_ms: int
    asked: Rule
    seed: int
    may_be_quicker: bool

    @property
    def rule(self) -> Rule:
        return self.asked.fitted_to(self.interval_ms, self.timeout_ms, self.every_ms)

    def checks(self) -> Iterator[tuple[int, CheckResult]]:
        """Each check, after the moment at which the monitor knows of it."""
        dice, slot = random.Random(self.seed), Slot(0, self.interval_ms)
        while True:
            took_ms = dice.randint(1, self.timeout_ms) if self.may_be_quicker else self.timeout_ms
            finished_ns = slot.due_ns + took_ms * NS_PER_MS
            covers_ms = self.interval_ms * (1 + skipped_slots(slot, finished_ns, self.timeout_ms))
            time_ms = slot.due_ns // NS_PER_MS
            yield time_ms + took_ms, CheckResult("site", START_MS + time_ms, covers_ms, 0, cause=Cause.TIMEOUT)
            slot = slot.plus(1 + passed_slots(slot, finished_ns))

    def alerted_ms(self, until_ms: int) -> int | None:
        """When the alert comes, if it comes until then."""
        known: list[CheckResult] = []
        checks = self.checks()
        next_ms, check = next(checks)
        for now_ms in range(self.first_evaluation_ms, until_ms + 1, self.every_ms):
            while next_ms <= now_ms:
                known.append(check)
                next_ms, check = next(checks)
            window = Window.before(START_MS + now_ms, self.rule.window_ms)
            seen = downtime(known, window).get("site")
            if seen and evaluate(False, seen, self.rule).change:
                return now_ms
        return None


@st.composite
def hangs(draw: st.DrawFn) -> Hang:
    window_ms = draw(st.integers(1_000, 300_000))
    interval_ms = draw(st.integers(max(100, window_ms // 100), 400_000))
    every_ms = draw(st.integers(max(100, interval_ms // 20), 60_000))
    threshold = Fraction(draw(st.integers(50, 999)), 10)
    asked = Rule(threshold, max(threshold, Fraction(90)), window_ms, draw(st.integers(1, 6)))
    timeout_ms = draw(st.integers(1, 60_000))
    first_ms = draw(st.integers(0, every_ms - 1))
    return Hang(interval_ms, timeout_ms, every_ms, first_ms, asked, draw(st.integers(0, 999)), draw(st.booleans()))


@given(hang=hangs())
def test_a_site_that_hangs_is_alerted_in_time(hang: Hang) -> None:
    """At the latest: the downtime or the failures that an alert needs, one timeout more, and the next evaluation."""
    rule = hang.rule
    allowed_ms = rule.window_ms * (100 - rule.threshold) / 100
    failures_ms = (rule.minimum_failures - 1) * (hang.timeout_ms + hang.interval_ms)
    latest_ms = max(allowed_ms, failures_ms) + hang.timeout_ms + hang.every_ms
    assert latest_ms <= rule.window_ms
    alerted_ms = hang.alerted_ms(rule.window_ms)
    assert alerted_ms is not None
    assert alerted_ms <= latest_ms


@pytest.mark.parametrize("window_s", [1, 12, 20, 30, 120])
@pytest.mark.parametrize("interval_s", [1, 2, 5])
@pytest.mark.parametrize("first_ms", [0, 700, 1_999])
def test_a_short_window_does_not_miss_a_site_that_hangs(window_s: int, interval_s: int, first_ms: int) -> None:
    """With the default timeout of 10 s and two failures."""
    hang = Hang(interval_s * 1_000, 10_000, 2_000, first_ms, Rule(window_ms=window_s * 1_000), 0, may_be_quicker=False)
    assert hang.alerted_ms(60_000) is not None


def test_only_a_window_that_is_too_short_is_extended() -> None:
    """By default two checks of 12 s each, and 2 s between evaluations."""
    assert Rule(window_ms=26_000).fitted_to(2_000, 10_000, 2_000) == Rule(window_ms=26_000)
    extended = Rule(window_ms=25_999).fitted_to(2_000, 10_000, 2_000)
    assert (extended.window_ms, extended.asked_window_ms) == (26_000, 25_999)
    assert extended.fitted_to(2_000, 20_000, 2_000).asked_window_ms == 25_999
    assert Rule(Fraction(5)).fitted_to(2_000, 10_000, 2_000).window_ms == 280_000  # 14 s are 5 % of it
