"""Applies the rule to stored checks of a site, in order, as a monitor would have done at their time. Pure.

A monitor evaluates the rule at whole multiples of an interval. The replay skips those at which nothing can change: an alert
needs another failed check, and a recovery needs another check or a failed one that leaves the window.
"""

from collections import deque
from collections.abc import Iterable, Sequence

from monitoring.alerts.rule import alert_record, evaluate, recovery_record, unwatched_record
from monitoring.models import Alert, AlertType, CheckResult, Downtime, Failure, Site
from monitoring.statistics.status import counts_after_ms, outage_is_open


class Replay:
    """The decisions of the rule for one site. `add` each check in order, then `finish`."""

    def __init__(self, site: Site, every_ms: int, last: Alert | None = None, left_ms: Iterable[int] = ()) -> None:
        """`site` has the rule to try, which is evaluated every `every_ms`. `last` is the newest alert record before.

        `left_ms` are the moments, in order, at which the site was no longer watched: they end an outage under any rule.
        """
        self.changes: list[Alert] = []
        self._site = site
        self._every_ms = every_ms
        self._last = last
        self._left_ms = deque(left_ms)
        self._checks: deque[tuple[int, int]] = deque()  # the window's checks: time and covered time
        self._failed: deque[Failure] = deque()
        self._covered_ms = self._down_ms = 0
        self._at_ms = 0
        self._is_undecided = self._was_good = self._is_maintained = False
        self._good_since_ms: int | None = None
        self._maintenance_ms: int | None = None  # the time of the last check during maintenance

    @property
    def outage_is_open(self) -> bool:
        return outage_is_open(self._last)

    def add(self, check: CheckResult) -> None:
        """Take in the next check, after all evaluations that were due before its result was known."""
        self._leave(check.time_ms)
        if check.cause is None and not self._failed and not self.outage_is_open:  # the usual case: nothing can change
            self._take(check)
            self._forget(check.time_ms - self._site.rule.window_ms)
            return
        at_ms = self._evaluated_ms(self._known_ms(check))
        if at_ms > self._at_ms:
            self._decide_until(at_ms)
        self.remember(check)

    def remember(self, check: CheckResult) -> None:
        """Take in the next check without evaluating the rule."""
        self._at_ms = max(self._at_ms, self._evaluated_ms(self._known_ms(check)))
        self._take(check)

    def finish(self, until_ms: int) -> Sequence[Alert]:
        """All state changes that the rule decides before `until_ms`, if no further check follows."""
        self._leave(until_ms)
        self._decide_until(until_ms)
        return self.changes

    def _leave(self, until_ms: int) -> None:
        """End the outages that were open when the site was no longer watched, as far as that was before `until_ms`."""
        while self._left_ms and self._left_ms[0] < until_ms:
            at_ms = self._left_ms.popleft()
            self._decide_until(at_ms)
            if self._last and self.outage_is_open:
                self._record(unwatched_record(self._last, at_ms))

    def _take(self, check: CheckResult) -> None:
        self._is_maintained = bool(check.maintenance)
        counts_ms = 0 if check.maintenance else check.covers_ms
        self._checks.append((check.time_ms, counts_ms))
        self._covered_ms += counts_ms
        if check.cause is None:
            self._good_since_ms = self._good_since_ms if self._was_good else check.time_ms
            self._was_good = True
        elif check.maintenance:
            self._was_good = False
        else:
            self._failed.append(Failure(check.time_ms, check.covers_ms, check.cause, check.detail))
            self._down_ms += check.covers_ms
            self._was_good, self._is_undecided = False, True
        if check.maintenance:
            self._maintenance_ms = check.time_ms

    def _known_ms(self, check: CheckResult) -> int:
        """When the monitor knew the result of a check. A check that skipped slots took all of their time."""
        took_ms = max((check.response_us or 0) // 1_000, check.covers_ms - self._site.interval_ms)
        return check.time_ms + max(1, check.lag_us // 1_000 + took_ms)

    def _evaluated_ms(self, moment_ms: int) -> int:
        """The time of the first evaluation at or after this moment."""
        return -(-moment_ms // self._every_ms) * self._every_ms

    def _decide_until(self, until_ms: int) -> None:
        """Evaluate the rule after the newest check, and then whenever a failed one leaves the window, until `until_ms`."""
        if self._at_ms < until_ms and (self._is_undecided or self.outage_is_open):
            self._decide(self._at_ms)
        elif not self.outage_is_open:
            self._forget(self._at_ms - self._site.rule.window_ms)
        while self._failed and self.outage_is_open:
            leaves_ms = self._evaluated_ms(self._failed[0].time_ms + self._site.rule.window_ms + 1)
            if leaves_ms >= until_ms:
                break
            self._decide(leaves_ms)

    def _decide(self, at_ms: int) -> None:
        self._is_undecided = False
        seen = self._seen(at_ms)
        if self._is_maintained:
            return
        match evaluate(self.outage_is_open, seen, self._site.rule).change:
            case AlertType.ALERT:
                self._record(alert_record(self._site.host, at_ms, seen, tuple(self._failed), self._counts_after_ms()))
            case AlertType.RECOVERY if self._last:
                self._record(recovery_record(self._last, at_ms, seen, self._good_since_ms or at_ms))

    def _record(self, alert: Alert) -> None:
        self._last = alert
        self.changes.append(alert)

    def _seen(self, at_ms: int) -> Downtime:
        """The sums over the window that ends at this moment."""
        from_ms, end_ms = at_ms - self._site.rule.window_ms, self._counts_after_ms()
        self._forget(from_ms)
        ended = [it.covers_ms for it in self._failed if it.time_ms <= end_ms] if end_ms >= from_ms else []
        sums = (len(self._failed), self._covered_ms, self._down_ms, len(ended), sum(ended))
        return Downtime(len(self._checks), *sums)

    def _counts_after_ms(self) -> int:
        return counts_after_ms(self._last, self._maintenance_ms)

    def _forget(self, before_ms: int) -> None:
        while self._checks and self._checks[0][0] < before_ms:
            self._covered_ms -= self._checks.popleft()[1]
        while self._failed and self._failed[0].time_ms < before_ms:
            self._down_ms -= self._failed.popleft().covers_ms
