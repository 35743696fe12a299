"""Why a site is up, failing, down or recovering: the checks of its alert window, their sums, and the rule. Pure.

The command line, messages, screens and pages all show the same `Explanation`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import ceil

from monitoring.alerts.replay import Replay
from monitoring.alerts.rule import RECOVERY_COVERAGE, Decision, evaluate
from monitoring.models import Alert, AlertType, Cause, CheckResult, Downtime, LastState, Site, SiteStatus, Window
from monitoring.statistics.reference import downtime
from monitoring.statistics.status import counts_after_ms, outage_is_open, status
from monitoring.thresholds import Rule

QUICK_MS = 1_000
"""If a check has no result this long after its slot, people are told that it is under way."""


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive checks with the same outcome: the times of the first and the last one, their number, the covered time.

    `detail` is that of the last check.
    """

    first_ms: int
    last_ms: int
    checks: int
    covers_ms: int
    status: int
    cause: Cause | None
    detail: str
    maintenance: bool = False


@dataclass(frozen=True, slots=True)
class CauseSum:
    """The part of a window's downtime that has this cause; `detail` is its newest reason."""

    cause: Cause
    checks: int
    down_ms: int
    detail: str


@dataclass(frozen=True, slots=True)
class WindowSum:
    """An alert window: its checks as runs, their sums, and the causes in order of downtime, the largest first."""

    window: Window
    runs: Sequence[Run]
    sums: Downtime
    causes: Sequence[CauseSum]


@dataclass(frozen=True, slots=True)
class Crossing:
    """How an open alert came about: the window of its decision, and the check that crossed the threshold.

    `check_ms` is None if the checks of that time are not stored (any more).
    """

    alert: Alert
    decided: WindowSum
    check_ms: int | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """The next state change, and in how long: a recovery if every check passes, or an alert if every check fails.

    `is_hanging`: an alert if every check hangs until its timeout, like the one under way.
    """

    change: AlertType
    in_ms: int
    is_hanging: bool = False


@dataclass(frozen=True, slots=True)
class History:
    """The stored past of a site before a moment: its state, and its newest alert records, the newest last."""

    state: LastState | None = None
    alerts: Sequence[Alert] = ()

    @property
    def last_alert(self) -> Alert | None:
        return self.alerts[-1] if self.alerts else None

    @property
    def alert_before(self) -> Alert | None:
        """The record before the newest one, on which the decision for an open outage was based."""
        return self.alerts[-2] if len(self.alerts) > 1 else None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a site is (or was) in its state at `at_ms`.

    `last_alert` is its newest alert record: an open alert or the end of an outage. `crossing` is set for an open alert.
    `good` and `failed` are the newest known check of each kind. `forecast` is None if no change can be predicted.
    `silent_since_ms` is the first slot whose check should have ended but has no result (None: there is none). At first that
    check is under way; when the site `has_stopped`, nobody checks it any more.
    `maintenance` is the known maintenance at this moment. `is_maintained` is also true if the last check was made during
    maintenance.
    """

    site: Site
    at_ms: int
    status: SiteStatus
    decision: Decision
    now: WindowSum
    last_alert: Alert | None
    crossing: Crossing | None
    good: CheckResult | None
    failed: CheckResult | None
    forecast: Forecast | None
    silent_since_ms: int | None = None
    maintenance: Window | None = None
    is_maintained: bool = False

    @property
    def has_stopped(self) -> bool:
        return _has_stopped(self.site, self.silent_since_ms, self.at_ms)

    @property
    def is_open(self) -> bool:
        return outage_is_open(self.last_alert)


def explain(
    site: Site,
    at_ms: int,
    checks: Iterable[CheckResult],
    history: History,
    every_ms: int,
    maintenance: Window | None = None,
) -> Explanation:
    """Explain the state of a site at a moment from its earlier checks, in order, and from its maintenance, if known.

    The checks must cover the alert window before `at_ms` and, if an alert is open, the window of its decision. Older ones,
    such as the last good check, are optional. The rule is evaluated every `every_ms`.
    """
    own = [check for check in checks if check.host == site.host and check.time_ms < at_ms]
    last, before = history.last_alert, history.alert_before
    now = window_sum(own, Window.before(at_ms, site.rule.window_ms), counts_after_ms(last, _last_maintenance_ms(own)))
    is_open = outage_is_open(last)
    is_maintained = maintenance is not None or bool(own and own[-1].maintenance)
    return Explanation(
        site=site,
        at_ms=at_ms,
        status=status(history.state, site, last, at_ms),
        decision=Decision(None, "in maintenance") if is_maintained else evaluate(is_open, now.sums, site.rule),
        now=now,
        last_alert=last,
        crossing=_crossing(site, own, last, before) if last and is_open else None,
        good=next((check for check in reversed(own) if check.available), None),
        failed=next((check for check in reversed(own) if not check.available), None),
        forecast=None if is_maintained else _forecast(site, own, last, at_ms, every_ms),
        silent_since_ms=_silent_since_ms(site, own, at_ms),
        maintenance=maintenance,
        is_maintained=is_maintained,
    )


def earliest_recovery_ms(sums: Downtime, rule: Rule) -> int:
    """The shortest time to the recovery of a site with an open alert and these sums, if every check passes.

    In each second, at most one second of downtime leaves the window, and at most one more second is measured.
    """
    allowed_ms = (100 - rule.recovery_threshold) * rule.window_ms / 100
    unmeasured_ms = RECOVERY_COVERAGE * rule.window_ms / 100 - sums.covered_ms
    return max(0, ceil(sums.down_ms - allowed_ms), ceil(unmeasured_ms))


def _last_maintenance_ms(checks: Iterable[CheckResult]) -> int | None:
    return max((check.time_ms for check in checks if check.maintenance), default=None)


def window_sum(checks: Sequence[CheckResult], window: Window, ended: int) -> WindowSum:
    """The sums over the checks of one site in this window; failures up to `ended` belong to an earlier outage."""
    inside = [check for check in checks if window.from_ms <= check.time_ms < window.until_ms]
    host = inside[0].host if inside else ""
    sums = downtime(inside, window, ended={host: ended}).get(host, Downtime())
    return WindowSum(window, _folded(inside), sums, _causes(inside))


def _folded(checks: Iterable[CheckResult]) -> Sequence[Run]:
    runs: list[Run] = []
    for check in checks:
        if runs and _has_same_outcome(check, runs[-1]):
            last = runs.pop()
            first_ms, count, covers_ms = last.first_ms, last.checks + 1, last.covers_ms + check.covers_ms
        else:
            first_ms, count, covers_ms = check.time_ms, 1, check.covers_ms
        runs.append(
            Run(first_ms, check.time_ms, count, covers_ms, check.status, check.cause, check.detail, bool(check.maintenance))
        )
    return runs


def _has_same_outcome(check: CheckResult, run: Run) -> bool:
    """Details of timeouts are not compared: they differ only by libcurl's milliseconds ("timed out after 3003 ...")."""
    if (check.status, check.cause, bool(check.maintenance)) != (run.status, run.cause, run.maintenance):
        return False
    return check.cause is Cause.TIMEOUT or check.detail == run.detail


def _causes(checks: Iterable[CheckResult]) -> Sequence[CauseSum]:
    found: dict[Cause, CauseSum] = {}
    for check in checks:
        if check.cause and not check.maintenance:
            known = found.get(check.cause, CauseSum(check.cause, 0, 0, ""))
            down_ms, detail = known.down_ms + check.covers_ms, check.detail or known.detail
            found[check.cause] = CauseSum(check.cause, known.checks + 1, down_ms, detail)
    return sorted(found.values(), key=lambda one: -one.down_ms)


def _crossing(site: Site, checks: Sequence[CheckResult], alert: Alert, before: Alert | None) -> Crossing:
    """How this alert came about; `before` is the previous record."""
    ended = counts_after_ms(before, _last_maintenance_ms(it for it in checks if it.time_ms < alert.time_ms))
    decided = window_sum(checks, Window.before(alert.time_ms, site.rule.window_ms), ended)
    counted = [
        check
        for check in checks
        if decided.window.from_ms <= check.time_ms < alert.time_ms and check.time_ms > ended and not check.available
    ]
    seen = Downtime()
    for check in counted:
        seen = replace(seen, failures=seen.failures + 1, down_ms=seen.down_ms + check.covers_ms)
        if evaluate(False, seen, site.rule).change:
            return Crossing(alert, decided, check.time_ms)
    return Crossing(alert, decided, None)


def _forecast(site: Site, checks: Sequence[CheckResult], last: Alert | None, at_ms: int, every_ms: int) -> Forecast | None:
    """The next state change if every further check passes (an alert is open) or fails (none is)."""
    silent_ms = _silent_since_ms(site, checks, at_ms)
    if not checks or not site.enabled or _has_stopped(site, silent_ms, at_ms):
        return None
    replay = Replay(site, every_ms, last)
    for check in checks:
        if check.time_ms >= at_ms - site.rule.window_ms:
            replay.remember(check)
    next_ms = checks[-1].time_ms + checks[-1].covers_ms
    is_hanging = silent_ms is not None and not outage_is_open(last)
    if not is_hanging:
        next_ms = max(next_ms, at_ms - site.interval_ms)
    took_ms = site.timeout_ms if is_hanging else 0
    covers_ms = site.interval_ms * (1 + took_ms // site.interval_ms)
    cause = None if outage_is_open(last) else Cause.ERROR
    for _ in range(_most_checks(site.rule, site.interval_ms)):
        replay.add(CheckResult(site.host, next_ms, covers_ms, 0, response_us=took_ms * 1_000, cause=cause))
        next_ms += covers_ms
        if replay.changes:
            return Forecast(replay.changes[0].type, max(0, replay.changes[0].time_ms - at_ms), is_hanging)
    return None


def _silent_since_ms(site: Site, checks: Sequence[CheckResult], at_ms: int) -> int | None:
    """The first slot whose check should have ended by now but has no result; None: there is none."""
    if not checks or not site.enabled:
        return None
    due_ms = checks[-1].time_ms + checks[-1].covers_ms
    return due_ms if at_ms - due_ms > QUICK_MS else None


def _has_stopped(site: Site, silent_since_ms: int | None, at_ms: int) -> bool:
    """Has the site been without a result for longer than a check can take?"""
    return silent_since_ms is not None and at_ms - silent_since_ms > site.timeout_ms + QUICK_MS


def _most_checks(rule: Rule, interval_ms: int) -> int:
    """After this many checks with the same outcome the rule has decided."""
    return 2 * (rule.window_ms // interval_ms) + rule.minimum_failures + 2
