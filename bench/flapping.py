"""How often a site that fails at random changes state, and how many messages it sends: `python -m bench.flapping`.

Simulated, with the shipped rule: a site is checked every 2 s for 20 hours, and each check fails with the same chance.
"""

import random
from collections.abc import Sequence

from monitoring.alerts.backtest import Coverage
from monitoring.alerts.replay import Replay
from monitoring.models import Cause, CheckResult, Site, Window
from monitoring.notifications.simulation import messages
from monitoring.statistics.windows import availability
from monitoring.units import HOUR_MS

HOURS, INTERVAL_MS, EVALUATED_MS = 20, 2_000, 2_000
START_MS = 1_767_225_600_000
SHARES = (5, 10, 12, 15, 18, 20, 25, 30, 50)
"""Percent of the checks that fail."""
SEEDS = (1, 2, 3)


def simulate(share: int, seed: int) -> tuple[float, float]:
    """State changes and messages an hour."""
    site, dice = Site("site", "http://site/", interval_ms=INTERVAL_MS), random.Random(seed)
    replay, coverage = Replay(site, EVALUATED_MS), Coverage()
    for time_ms in range(START_MS, START_MS + HOURS * HOUR_MS, INTERVAL_MS):
        failed = dice.random() < share / 100
        check = CheckResult(site.host, time_ms, INTERVAL_MS, 0, 200, 50_000, cause=Cause.CONNECT if failed else None)
        replay.add(check)
        coverage.add(check)
    changes = replay.finish(START_MS + HOURS * HOUR_MS)

    def is_unstable(_: str, window: Window) -> bool:
        good = availability(*coverage.sums(window))
        return good is not None and good < site.rule.recovery_threshold

    sent = sum(1 for _ in messages([], changes, 1, is_unstable))
    return len(changes) / HOURS, sent / HOURS


def spread(values: Sequence[float]) -> str:
    return f"{min(values):.1f} to {max(values):.1f}"


def main() -> None:
    for share in SHARES:
        changes, sent = zip(*(simulate(share, seed) for seed in SEEDS), strict=True)
        print(f"{share} % of the checks fail: {spread(changes)} state changes an hour, {spread(sent)} messages an hour")


if __name__ == "__main__":
    main()
