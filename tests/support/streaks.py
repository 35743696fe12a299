"""What `StreakReader.streaks` must answer, reckoned check by check."""

from collections.abc import Iterable

from monitoring.models import CheckResult, Streak


def streaks_of(checks: Iterable[CheckResult], before_ms: int) -> dict[str, Streak]:
    """By host; `checks` in order of time."""
    found: dict[str, Streak] = {}
    for check in checks:
        if check.time_ms >= before_ms:
            break
        known = found.get(check.host, Streak(None, None))
        if check.cause is not None:
            found[check.host] = Streak(check.time_ms, None, check.time_ms)
        else:
            good_since_ms = check.time_ms if known.good_since_ms is None else known.good_since_ms
            found[check.host] = Streak(known.last_failure_ms, good_since_ms, check.time_ms)
    return found
