"""Recomputes every transition of a run from the stored checks, and looks for those that never came. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

from monitoring.alerts.rule import alert_record, evaluate, recovery_record
from monitoring.models import Alert, AlertType, CheckResult, Downtime, LastState, Window
from monitoring.statistics import reference
from monitoring.statistics.status import advance, ended_ms, outage_is_open
from monitoring.thresholds import Rule

MOST_UNSEEN = 1
"""How many of a site's newest checks the evaluator may not have seen: the one that was under way, or ended just then."""

LATE_MS = 6_000
"""How long the rule may hold before the transition is recorded: three rounds, whatever happens to the database."""

ROUND_MS = 2_000
CLOSE = 1e-9


class Ledger:
    """The checks of one site in order, summed up so that any window is answered at once."""

    def __init__(self, host: str, checks: Sequence[CheckResult]) -> None:
        self.host = host
        self.checks = checks
        self._times = [check.time_ms for check in checks]
        failed = [not check.available for check in checks]
        self._failures = [0, *accumulate(failed)]
        self._covered = [0, *accumulate(check.covers_ms for check in checks)]
        self._down = [0, *accumulate(check.covers_ms * bad for check, bad in zip(checks, failed, strict=True))]

    def seen(self, until_ms: int, unseen: int = 0) -> int:
        """How many checks lie before this moment, without the newest `unseen`."""
        return max(0, bisect_left(self._times, until_ms) - unseen)

    def downtime(self, window: Window, unseen: int, ended_ms: int) -> Downtime:
        """What the rule needs of a window; what failed up to `ended_ms` belongs to an outage that has ended."""
        first, last = bisect_left(self._times, window.from_ms), self.seen(window.until_ms, unseen)
        if last <= first:
            return Downtime()
        sums = (self._failures, self._covered, self._down)
        ended = min(max(first, bisect_right(self._times, ended_ms)), last)
        of_all = [one[last] - one[first] for one in sums]
        of_ended = [one[ended] - one[first] for one in (self._failures, self._down)]
        return Downtime(last - first, *of_all, *of_ended)

    def window(self, window: Window, unseen: int) -> Sequence[CheckResult]:
        """The checks of a window, without the newest."""
        return self.checks[bisect_left(self._times, window.from_ms) : self.seen(window.until_ms, unseen)]

    def good_since(self) -> list[int | None]:
        """After each check, the first of the latest unbroken run of good ones."""
        history: LastState | None = None
        found = []
        for check in self.checks:
            history = advance(history, check)
            found.append(history.good_since_ms)
        return found


def audit(checks: Mapping[str, Sequence[CheckResult]], alerts: Sequence[Alert], rule: Rule, run: Window) -> list[str]:
    """What is wrong: transitions that are not what the rule says of the stored checks at their time, and missing ones."""
    breaches: list[str] = []
    rounds = [check.time_ms // ROUND_MS for own in checks.values() for check in own]
    awake = sorted(number * ROUND_MS for number in {*rounds} if run.from_ms <= number * ROUND_MS < run.until_ms)
    for host, own in checks.items():
        ledger, transitions = Ledger(host, own), [alert for alert in alerts if alert.host == host]
        breaches += [*_unexplained(ledger, transitions, rule), *_missing(ledger, transitions, rule, awake)]
    return breaches


def _unexplained(ledger: Ledger, transitions: Sequence[Alert], rule: Rule) -> Iterator[str]:
    last: Alert | None = None
    good_since = ledger.good_since()
    for alert in transitions:
        if not any(_fits(alert, last, ledger, good_since, rule, unseen) for unseen in range(MOST_UNSEEN + 1)):
            yield f"{alert.host}: the {alert.type} at {alert.time_ms} does not follow from the checks"
        last = alert


def _fits(
    alert: Alert, last: Alert | None, ledger: Ledger, good_since: Sequence[int | None], rule: Rule, unseen: int
) -> bool:
    """Would the rule have recorded exactly this, without the newest checks?"""
    window = Window.before(alert.time_ms, rule.window_ms)
    checks = ledger.window(window, unseen)
    ended = {ledger.host: ended_ms(last)}
    seen = reference.downtime(checks, window, ended=ended).get(ledger.host, Downtime())
    if evaluate(outage_is_open(last), seen, rule).change is not alert.type:
        return False
    if alert.type is AlertType.ALERT:
        failures = reference.failures(checks, window, [ledger.host]).get(ledger.host, [])
        return alert == alert_record(ledger.host, alert.time_ms, seen, failures, ended_ms(last))
    known = ledger.seen(alert.time_ms)
    ends = good_since[max(0, known - MOST_UNSEEN - 1) : known + 1]  # where the site stands is known sooner than stored
    return last is not None and any(alert == recovery_record(last, alert.time_ms, seen, end_ms) for end_ms in ends if end_ms)


def _missing(ledger: Ledger, transitions: Sequence[Alert], rule: Rule, awake: Sequence[int]) -> Iterator[str]:
    """Moments from which the rule held for long, whatever the evaluator had seen, and nothing was recorded.

    Only rounds count in which anything was checked at all: a machine that stands still records nothing.
    """
    times = [alert.time_ms for alert in transitions]
    due: list[int] = []
    for now_ms in awake:
        before = bisect_left(times, now_ms)
        due = [*due, now_ms] if _surely_due(ledger, transitions[before - 1] if before else None, rule, now_ms) else []
        if len(due) == LATE_MS // ROUND_MS + 1:
            yield f"{ledger.host}: the rule held from {due[0]} on, nothing was recorded"


def _surely_due(ledger: Ledger, last: Alert | None, rule: Rule, now_ms: int) -> bool:
    window = Window.before(now_ms, rule.window_ms)
    seen = (ledger.downtime(window, unseen, ended_ms(last)) for unseen in range(MOST_UNSEEN + 1))
    return all(evaluate(outage_is_open(last), one, rule).change for one in seen)
