"""The alert rule: decides when a site is down and when it has recovered. Pure; other modules act on its decisions.

Each second of downtime belongs to one outage: failures before the end of an outage do not count towards the next one.

All arithmetic is in integers and fractions. In floating point `24/120 > 1 - 0.8` and `96/120 >= 0.8` are both true,
so a rule in floating point would flap for ever at exactly 80 %.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from monitoring.models import Alert, AlertType, Cause, Downtime, Failure
from monitoring.statistics.windows import availability
from monitoring.thresholds import Rule

NO_LONGER_WATCHED = "no longer watched"

RECOVERY_COVERAGE = 80
"""The percentage of the window that must have been measured before a site counts as recovered."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision of the rule for one site, and the reason in words."""

    change: AlertType | None
    reason: str


def evaluate(open_alert: bool, seen: Downtime, rule: Rule) -> Decision:
    """Decide for one site from the sums over its window `[now - rule.window_ms, now)`."""
    return _recovered(seen, rule) if open_alert else _is_down(seen, rule)


def _too_much_downtime(down_ms: int, rule: Rule) -> bool:
    part, whole = rule.threshold.as_integer_ratio()  # arithmetic with fractions takes ten times as long
    return 100 * whole * down_ms > rule.window_ms * (100 * whole - part)


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
    # The last check may cover time after the window, so both conditions can hold at once. The alert stays open then.
    if _too_much_downtime(seen.down_ms, rule):
        return Decision(None, "still down for more than the rule allows")
    return Decision(AlertType.RECOVERY, f"available for {seen.covered_ms - seen.down_ms} of {seen.covered_ms} ms")


def main_cause(failures: Sequence[Failure]) -> Cause | None:
    """The cause with the most downtime; of several with equal downtime, the earliest."""
    seconds: Counter[Cause] = Counter()
    for failure in failures:
        seconds[failure.cause] += failure.covers_ms
    return seconds.most_common(1)[0][0] if seconds else None


def newest_detail(failures: Sequence[Failure], cause: Cause | None) -> str:
    """The detail of the last failure with this cause that has one; "" if none has."""
    return next((failure.detail for failure in reversed(failures) if failure.cause is cause and failure.detail), "")


def _percent_available(seen: Downtime) -> float:
    return float(availability(seen.covered_ms - seen.down_ms, seen.covered_ms) or 0)


def alert_record(host: str, now_ms: int, seen: Downtime, failures: Sequence[Failure], ended_ms: int) -> Alert:
    """The record of the beginning of an outage. `failures` are those in the window, in order.

    Failures up to `ended_ms`, the end of the previous outage, belong to that outage.
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
    """The record that ends the outage of `opened`, because its site is no longer watched."""
    return replace(opened, type=AlertType.RECOVERY, time_ms=now_ms, detail=NO_LONGER_WATCHED)


def recovery_record(opened: Alert, now_ms: int, seen: Downtime, good_since_ms: int) -> Alert:
    """The record that ends the outage of `opened`; the site has been available since `good_since_ms`."""
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
