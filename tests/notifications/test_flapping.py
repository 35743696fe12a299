"""A site that fails at random does not flood anybody: seeded, on a clock that is told to go."""

import random
from bisect import bisect_left
from fractions import Fraction

import pytest

from monitoring.models import AlertType
from monitoring.notifications.grouping import LOOK_MS, PlanningContext, plan
from monitoring.storage.notifications import Entry, Event
from monitoring.thresholds import Rule
from tests.support.simulation import GOOD, REFUSED, START_MS, Story, simulate, site

HOURS = 20
RULE = Rule(recovery_threshold=Fraction(90))


def messages(story: Story) -> list[tuple[int, Event, int]]:
    """What one channel sends: when, of which kind, and how many state changes are in it."""
    times = [result.time_ms for result in story.results]

    def is_unstable(from_ms: int, until_ms: int) -> bool:
        window = story.results[bisect_left(times, from_ms) : bisect_left(times, until_ms)]
        good, measured = (sum(r.covers_ms for r in window if r.available or every) for every in (False, True))
        return 100 * good < RULE.recovery_threshold * measured

    sent, pending, reported_down, coming = [], [], set(), list(story.alerts)
    outages = {"site": [alert.time_ms for alert in story.alerts if alert.type is AlertType.ALERT]}
    for now_ms in range(START_MS, START_MS + HOURS * 3_600_000, LOOK_MS):
        while coming and coming[0].time_ms <= now_ms:
            alert = coming.pop(0)
            pending.append(Entry("mail", Event(alert.type), alert.time_ms, alert))
        unstable = {"site"} if pending and is_unstable(pending[-1].time_ms, now_ms) else ()
        for group in plan(pending, PlanningContext(reported_down, outages, 1, unstable), now_ms).groups:
            sent.append((now_ms, group.event, len(group.entries)))
            reported_down = set() if group.event is Event.RECOVERY else {"site"}
            pending = []
    return sent


@pytest.mark.parametrize("seed", [1])
def test_a_site_that_fails_one_check_in_seven_sends_at_most_four_messages_an_hour(seed: int) -> None:
    chance = random.Random(seed)
    story = simulate(site(rule=RULE), lambda second: REFUSED if chance.random() < 0.15 else GOOD, HOURS * 3_600)
    sent = messages(story)
    assert len(story.alerts) <= 16 * HOURS
    assert 0 < len(sent) <= 4 * HOURS
