"""The example and the figures of docs/alerting.md are what the rule does."""

import random
import re
from collections import deque
from fractions import Fraction

from monitoring.alerts.rule import evaluate
from monitoring.models import AlertType, Cause, Downtime, Rule
from tests.support.documents import DOCUMENTS
from tests.support.scene import START_MS, Scene, site

ALERTING, README = DOCUMENTS["docs/alerting.md"], DOCUMENTS["README.md"]
FAILS_FROM_S, FAILS_UNTIL_S = 200, 300
"""Long after the start, so that the whole window was measured."""


def clock(seconds: float) -> str:
    """As the example writes it."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes:02d}:{rest:02d}"


def test_the_drawn_example_is_what_happens() -> None:
    scene = Scene([site("shop")])
    scene.causes["shop"] = lambda second: Cause.TIMEOUT if FAILS_FROM_S <= second < FAILS_UNTIL_S else None
    scene.run(until_s=600)
    alert, recovery = scene.display.alerts
    assert (alert.type, recovery.type) == (AlertType.ALERT, AlertType.RECOVERY)
    assert recovery.end_ms is not None
    drawn = [clock((moment - START_MS) / 1_000 - FAILS_FROM_S) for moment in (alert.start_ms, alert.time_ms)]
    drawn += [clock((moment - START_MS) / 1_000 - FAILS_FROM_S) for moment in (recovery.end_ms, recovery.time_ms)]
    for text in (ALERTING, README):
        (line,) = (line for line in text.splitlines() if re.fullmatch(r"[\s\d:]+", line) and drawn[1] in line)
        assert re.findall(r"\d\d:\d\d(?!:)", line) == drawn
    assert "26 s down of 120 s" in ALERTING
    assert alert.availability == float(Fraction(100 * (120 - 26), 120))
    assert recovery.availability == 80.0


def state_changes_an_hour(recovery_threshold: int, hours: int, failing: float) -> float:
    """Of a site that is checked every 2 s and fails at random."""
    dice, rule = random.Random(1), Rule(recovery_threshold=Fraction(recovery_threshold))
    window: deque[bool] = deque(maxlen=rule.window_ms // 2_000)
    is_open, changes = False, 0
    for _ in range(hours * 1_800):
        window.append(dice.random() < failing)
        seen = Downtime(failures=sum(window), covered_ms=2_000 * len(window), down_ms=2_000 * sum(window))
        if evaluate(is_open, seen, rule).change:
            is_open, changes = not is_open, changes + 1
    return changes / hours


def test_the_figures_of_a_site_that_fails_at_random_are_computed() -> None:
    """Over 200 hours it was 32.1, 9.9 and 3.2."""
    told = re.search(r"(\d+), (\d+) and (\d+) times an hour with a `recoveryThreshold` of (\d+), (\d+) and (\d+)", ALERTING)
    assert told
    figures = [int(number) for number in told.groups()]
    for figure, threshold in zip(figures[:3], figures[3:], strict=True):
        assert abs(state_changes_an_hour(threshold, 50, 0.15) - figure) <= 0.15 * figure + 0.5
