"""Alert rules that are wrong, each in the way a mistake would make them; as a program, the self-test of one of them."""

import os
import sys
from argparse import Namespace
from dataclasses import replace

from monitoring.alerts.rule import Decision, evaluate
from monitoring.commands.invocation import Invocation
from monitoring.models import AlertType, Downtime
from monitoring.thresholds import Rule
from monitoringApp import MonitoringApp
from test import run

NOTHING = Decision(None, "broken")
ALERT = Decision(AlertType.ALERT, "broken")
RECOVERY = Decision(AlertType.RECOVERY, "broken")


def right(open_alert: bool, seen: Downtime, rule: Rule) -> Decision:
    return evaluate(open_alert, seen, rule)


def alerts_on_the_first_failure(open_alert: bool, seen: Downtime, rule: Rule) -> Decision:
    return ALERT if seen.failures and not open_alert else right(open_alert, seen, rule)


def never_alerts(open_alert: bool, seen: Downtime, rule: Rule) -> Decision:
    return NOTHING


def alerts_at_the_threshold(open_alert: bool, seen: Downtime, rule: Rule) -> Decision:
    """`>=` where it must be `>`."""
    down = 100 * seen.down_ms >= rule.window_ms * (100 - rule.threshold) and seen.failures >= rule.minimum_failures
    return ALERT if down and not open_alert else right(open_alert, seen, rule)


def alerts_a_bit_late(open_alert: bool, seen: Downtime, rule: Rule) -> Decision:
    """79 % instead of 80 %: less than one check, and no other decision in most windows."""
    down = 100 * seen.down_ms > rule.window_ms * 21 and seen.failures >= rule.minimum_failures
    return right(open_alert, seen, rule) if down or open_alert else NOTHING


def recovers_at_once(open_alert: bool, seen: Downtime, rule: Rule) -> Decision:
    return RECOVERY if open_alert and seen.failures < seen.checks else right(open_alert, seen, rule)


def counts_checks_not_time(open_alert: bool, seen: Downtime, rule: Rule) -> Decision:
    """A hung check yields few samples: counted by checks, an outage with time-outs is over too early."""
    good = 100 * (seen.checks - seen.failures) >= seen.checks * rule.recovery_threshold
    return RECOVERY if open_alert and good else right(open_alert, seen, rule)


def ignores_coverage(open_alert: bool, seen: Downtime, rule: Rule) -> Decision:
    """Recovers on a window of which too little was measured."""
    return RECOVERY if open_alert and 5 * seen.down_ms <= seen.covered_ms else right(open_alert, seen, rule)


def never_recovers(open_alert: bool, seen: Downtime, rule: Rule) -> Decision:
    return NOTHING if open_alert else right(open_alert, seen, rule)


def counts_an_outage_twice(open_alert: bool, seen: Downtime, rule: Rule) -> Decision:
    return right(open_alert, replace(seen, ended_failures=0, ended_down_ms=0), rule)


BROKEN = (
    alerts_on_the_first_failure,
    never_alerts,
    alerts_at_the_threshold,
    alerts_a_bit_late,
    recovers_at_once,
    counts_checks_not_time,
    ignores_coverage,
    never_recovers,
    counts_an_outage_twice,
)

if __name__ == "__main__":
    rule = next(rule for rule in (right, *BROKEN) if rule.__name__ == sys.argv[1])
    sys.exit(run(Invocation(Namespace(notify=False, database=sys.argv[2]), os.environ, MonitoringApp), rule))
