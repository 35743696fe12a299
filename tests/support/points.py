"""Checks and alerts for tests in which only their number and their time matter."""

from collections.abc import Iterable, Mapping

from monitoring.models import Alert, AlertType, Cause, CheckResult, Window

START_MS = 1_767_225_600_000
"""Where `FakeClock` begins."""

EVER = Window(0, 1 << 42)


def check(second: float = 0, host: str = "a", cause: Cause | None = None, detail: str = "") -> CheckResult:
    return CheckResult(host, START_MS + round(second * 1_000), 2_000, 5, 200, 1_000, (1, 2, None, 3, 4), cause, detail)


def checks(seconds: Iterable[float], host: str = "a", cause: Cause | None = None) -> list[CheckResult]:
    return [check(second, host, cause) for second in seconds]


REASON = 'certificate "of a" \\ caf\u00e9, has expired'


def alert(second: float = 0, host: str = "a") -> Alert:
    time_ms = START_MS + round(second * 1_000)
    return Alert(AlertType.ALERT, host, time_ms, time_ms - 26_000, None, 78.5, Cause.DNS, detail=REASON)


def recovery(second: float = 0, host: str = "a") -> Alert:
    time_ms = START_MS + round(second * 1_000)
    return Alert(AlertType.RECOVERY, host, time_ms, time_ms - 99_000, time_ms - 9_000, 80.5, Cause.DNS)


def by_host(counts: Mapping[tuple[int, str], int]) -> Mapping[str, int]:
    """What `counts` says of a window as one span."""
    return {host: number for (_, host), number in counts.items()}
