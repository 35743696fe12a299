"""The thresholds of the alert rule. Frozen, without I/O."""

from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil


@dataclass(frozen=True, slots=True)
class Rule:
    """When a site is alerted and when it has recovered; `alerts.rule.evaluate` applies it.

    `threshold` and `recovery_threshold` are percent, exact; `recovery_threshold >= threshold > 0`.
    The rule of a `Site` is `fitted_to` it: then `asked_window_ms` is the window that was too short (None: it was not).
    """

    threshold: Fraction = Fraction(80)
    recovery_threshold: Fraction = Fraction(90)
    window_ms: int = 120_000
    minimum_failures: int = 2
    asked_window_ms: int | None = field(default=None, compare=False)

    def fitted_to(self, interval_ms: int, timeout_ms: int, every_ms: int) -> "Rule":
        """The rule for a site with this interval and timeout, when it is evaluated every `every_ms`.

        Its window is long enough for a site that hangs. A check is known at its end, and stands for the time until the next
        one: up to timeout + interval. While the first failed check is still in the window, the monitor must have learnt of
        enough failures, and of enough downtime, and must have evaluated the rule once more.
        """
        check_ms = timeout_ms + interval_ms
        failures_ms = self.minimum_failures * check_ms + every_ms
        downtime_ms = ceil(100 * (check_ms + every_ms) / self.threshold)
        needed_ms = max(failures_ms, downtime_ms)
        if self.window_ms >= needed_ms:
            return self
        return replace(self, window_ms=needed_ms, asked_window_ms=self.asked_window_ms or self.window_ms)


USUAL = Rule()
