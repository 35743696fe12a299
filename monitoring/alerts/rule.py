"""When a site is down and when it has recovered: decided here, purely; acted upon elsewhere.

A second of downtime belongs to one outage: what failed up to the end of the last one does not count towards the next.

All arithmetic is in integers and fractions. In floating point `24/120 > 1 - 0.8` and `96/120 >= 0.8` are both true,
and a rule written that way flaps for ever at exactly 80 %.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from monitoring.models import Alert, AlertType, Cause, Downtime, Failure
from monitoring.statistics.windows import availability
from monitoring.thresholds import Rule

NO_LONGER_WATCHED = "no longer watched"

RECOVERY_COVERAGE = 80
"""Percent of its window that must have been measured before a recovery is believed."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the rule decided for one site, and the sentence that says why."""

    change: AlertType | None
    reason: str


def evaluate(open_alert: bool, seen: Downtime, rule: Rule) -> Decision:
    """Decide for one site from what its window `[now - rule.window_ms, now)` held."""
    return _recovered(seen, rule) if open_alert else _is_down(seen, rule)


def _too_much_downtime(down_ms: int, rule: Rule) -> bool:
    return 100 * down_ms > rule.window_ms * (100 - rule.threshold)


def _is_down(seen: Downtime, rule: Rule) -> Decision:
    failures, down_ms = seen.failures - seen.ended_failures, seen.down_ms - seen.ended_down_ms
    if not _too_much_downtime(down_ms, rule):
        return Decision(None, "down for no more than the rule allows")
    if failures < rule.minimum_failures:
        return Decision(None, f"only {failures} failed of the {rule.minimum_failures} checks an alert needs")
    return Decision(AlertType.ALERT, f"down for {down_ms} of {rule.window_ms} ms")


def _recovered(seen: Downtime, rule: Rule) -> Decision:
    if 100 * seen.covered_ms < RECOVERY_COVERAGE * rule.window_ms:
        return Decision(None, "too little of the window was measured to tell")
    good = availability(seen.covered_ms - seen.down_ms, seen.covered_ms)
    if good is None or good < rule.recovery_threshold:
        return Decision(None, "available for less than a recovery needs")
    # The last check may cover time after the window, so that both rules could hold at once: then the alert stays.
    if _too_much_downtime(seen.down_ms, rule):
        return Decision(None, "still down for more than the rule allows")
    return Decision(AlertType.RECOVERY, f"available for {seen.covered_ms - seen.down_ms} of {seen.covered_ms} ms")


def main_cause(failures: Sequence[Failure]) -> Cause | None:
    """The cause with the most seconds; among equals the one that came first."""
    seconds: Counter[Cause] = Counter()
    for failure in failures:
        seconds[failure.cause] += failure.covers_ms
    return seconds.most_common(1)[0][0] if seconds else None


def newest_detail(failures: Sequence[Failure], cause: Cause | None) -> str:
    """What the last failure with this cause said; "" when none of them said anything."""
    return next((failure.detail for failure in reversed(failures) if failure.cause is cause and failure.detail), "")


def _percent_available(seen: Downtime) -> float:
    return float(availability(seen.covered_ms - seen.down_ms, seen.covered_ms) or 0)


def alert_record(host: str, now_ms: int, seen: Downtime, failures: Sequence[Failure], ended_ms: int) -> Alert:
    """The record of an outage that begins: `failures` are those of the window, in order.

    Failures up to `ended_ms` (the end of the outage before) belong to that one.
    """
    own = [failure for failure in failures if failure.time_ms > ended_ms]
    cause = main_cause(own)
    return Alert(
        type=AlertType.ALERT,
        host=host,
        time_ms=now_ms,
        start_ms=own[0].time_ms if own else now_ms,
        end_ms=None,
        availability=_percent_available(seen),
        cause=cause,
        detail=newest_detail(own, cause),
    )


def unwatched_record(opened: Alert, now_ms: int) -> Alert:
    """The record that ends the outage which `opened` began because its site is no longer watched."""
    return replace(opened, type=AlertType.RECOVERY, time_ms=now_ms, detail=NO_LONGER_WATCHED)


def recovery_record(opened: Alert, now_ms: int, seen: Downtime, good_since_ms: int) -> Alert:
    """The record that ends the outage which `opened` began; the site answers since `good_since_ms`."""
    return Alert(
        type=AlertType.RECOVERY,
        host=opened.host,
        time_ms=now_ms,
        start_ms=opened.start_ms,
        end_ms=max(good_since_ms, opened.start_ms),
        availability=_percent_available(seen),
        cause=opened.cause,
        detail=opened.detail,
    )
