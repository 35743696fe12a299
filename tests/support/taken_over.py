"""What a database holds that a new local file takes over: two outages of one site."""

from monitoring.models import Cause, CheckResult
from tests.support.points import checks

A, B, OTHER = "http://a", "http://b", "http://elsewhere"
NOW_S = 600
WINDOW_S = 120


def down_twice() -> list[CheckResult]:
    """Up to `NOW_S`: A fails from 510 to 524 and from 590 on, B never."""
    failing = [*range(510, 526, 2), *range(590, NOW_S, 2)]
    good = [second for second in range(0, NOW_S, 2) if second not in failing]
    found = [*checks(good, A), *checks(failing, A, Cause.DNS), *checks(range(1, NOW_S, 2), B)]
    return sorted(found, key=lambda one: (one.time_ms, one.host))
