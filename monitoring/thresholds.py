"""The thresholds of the alert rule. Frozen, without I/O."""

from dataclasses import dataclass, field, replace
from fractions import Fraction

from monitoring.units import SECOND_MS

DEFAULT_ALERT_INTERVAL_MS = 2 * SECOND_MS
"""How often the rule is evaluated."""


@dataclass(frozen=True, slots=True)
class Rule:
    """When an alert is raised and when the site has recovered; `alerts.rule.evaluate` applies it.

    `threshold` and `recovery_threshold` are exact percentages; `recovery_threshold >= threshold > 0`.
    The rule of a `Site` is `fitted_to` it. `asked_window_ms` is the configured window if that was too short, else None.
    """

    threshold: Fraction = Fraction(80)
    recovery_threshold: Fraction = Fraction(90)
    window_ms: int = 120_000
    minimum_failures: int = 2
    asked_window_ms: int | None = field(default=None, compare=False)

    def fitted_to(self, interval_ms: int, timeout_ms: int, every_ms: int) -> "Rule":
        """The rule for a site with this interval and timeout, if the monitor evaluates it every `every_ms`.

        The window must be long enough for a site that hangs. The result of a check is known when the check ends, and it
        stands for the time until the next one: up to timeout + interval. Before the first failed check leaves the window,
        the monitor must see enough failures and enough downtime, and evaluate the rule once more.
        """
        check_ms = timeout_ms + interval_ms
        failures_ms = self.minimum_failures * check_ms + every_ms
        percent, of = self.threshold.as_integer_ratio()
        downtime_ms = -(-100 * (check_ms + every_ms) * of // percent)  # rounded up, without fractions, which are slow
        needed_ms = max(failures_ms, downtime_ms)
        if self.window_ms >= needed_ms:
            return self
        return replace(self, window_ms=needed_ms, asked_window_ms=self.asked_window_ms or self.window_ms)


USUAL = Rule()
