"""The thresholds of the alert rule. Frozen, without I/O."""

from dataclasses import dataclass, replace
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Rule:
    """When a site is alerted and when it has recovered; `alerts.rule.evaluate` applies it.

    `threshold` and `recovery_threshold` are percent, exact; `recovery_threshold >= threshold`.
    The rule of a `Site` is `fitted_to` its check interval.
    """

    threshold: Fraction = Fraction(80)
    recovery_threshold: Fraction = Fraction(90)
    window_ms: int = 120_000
    minimum_failures: int = 2

    def fitted_to(self, interval_ms: int) -> "Rule":
        """The rule for a site that is checked every `interval_ms`: its window holds the failures that the rule asks for."""
        least_ms = self.minimum_failures * interval_ms
        return self if least_ms <= self.window_ms else replace(self, window_ms=least_ms)


USUAL = Rule()
