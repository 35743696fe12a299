"""Statistics of a window, in plain Python: the reference that every store's numbers must equal."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from fractions import Fraction

from monitoring.models import PHASES, Bucket, CheckResult, Downtime, Failure, ResponseTimes, SiteStats, Window

TREND_BUCKETS = 20
"""About how many marks the sparkline of a window has; one more when the window's ends cut through marks."""

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

EXACT_SITES = 100
"""Of so many sites a whole day's percentiles are exact."""

DAYS_FROM_MS = 10 * DAY_MS
"""Longer windows have marks of whole days."""

PERCENTS = (50, 95, 99)


def is_long(window: Window) -> bool:
    """Is it answered from sums of whole hours? Its percentiles are within 1 % then, and its marks longer."""
    return window.length_ms > DAY_MS


def from_whole_hour(window: Window) -> Window:
    """A long window from the start of the hour on that it begins in: of times long past only whole hours are known."""
    return Window(window.from_ms // HOUR_MS * HOUR_MS, window.until_ms) if is_long(window) else window


def rank(count: int, percent: int) -> int:
    """The place of the nearest rank as InfluxQL's `percentile()` picks it: `floor(n*p/100 + 0.5) - 1`, clamped, from 0.

    In integers: floor((2*n*p + 100) / 200) - 1.
    """
    return min(max((2 * count * percent + 100) // 200 - 1, 0), count - 1)


def percentile(ordered: Sequence[int], percent: int) -> int:
    """By nearest rank; `ordered` is ascending and not empty."""
    return ordered[rank(len(ordered), percent)]


def availability(available_ms: int, covered_ms: int) -> Fraction | None:
    """Percent of the covered time that was available, exact; None when nothing was covered."""
    return Fraction(100 * available_ms, covered_ms) if covered_ms else None


def coverage(covered_ms: int, window_ms: int) -> Fraction:
    """Percent of the window that checks stand for, exact.

    At most 100: the last check of a window may cover some of what comes after it.
    """
    return min(Fraction(100 * covered_ms, window_ms), Fraction(100))


def may_be_exact(window: Window, sites: int) -> bool:
    """Whether percentiles of so many sites are worth computing exactly: up to a day, and up to a day of 100 sites.

    An hour of 2400 sites is as much as a day of 100. Beyond that they come from buckets, within 1 %.
    """
    return window.length_ms <= DAY_MS and window.length_ms * sites <= EXACT_SITES * DAY_MS


def bucket_width_ms(window: Window, *, exact: bool) -> int:
    """How many milliseconds one mark of the window's sparkline covers; marks begin at whole multiples of it.

    Whole minutes where percentiles are exact, else whole hours, or days from ten days on: a summary lies in one mark.
    """
    width = max(1, -(-window.length_ms // TREND_BUCKETS))
    unit = MINUTE_MS if exact else DAY_MS if window.length_ms > DAYS_FROM_MS else HOUR_MS
    return -(-width // unit) * unit


def bucket_range(window: Window, *, exact: bool) -> range:
    """The numbers (time // width) of the window's marks, the first and the last of which it may cut through."""
    width = bucket_width_ms(window, exact=exact)
    return range(window.from_ms // width, (window.until_ms - 1) // width + 1)


def _by_host(results: Iterable[CheckResult], window: Window) -> Mapping[str, Sequence[CheckResult]]:
    by_host: defaultdict[str, list[CheckResult]] = defaultdict(list)
    for result in results:
        if window.from_ms <= result.time_ms < window.until_ms:
            by_host[result.host].append(result)
    return by_host


def summarise(results: Iterable[CheckResult], window: Window, *, exact: bool) -> dict[str, SiteStats]:
    """The statistics of each host that has a check in the window; percentiles are exact or within 1 %."""
    return {host: _summarise_site(host, checks, window, exact) for host, checks in _by_host(results, window).items()}


def _summarise_site(host: str, checks: Sequence[CheckResult], window: Window, exact: bool) -> SiteStats:
    good = [check for check in checks if check.available]
    failed = [check for check in checks if not check.available]
    return SiteStats(
        host=host,
        checks=len(checks),
        available=len(good),
        covered_ms=sum(check.covers_ms for check in checks),
        available_ms=sum(check.covers_ms for check in good),
        response=_response_times([check.response_us for check in good if check.response_us is not None], exact),
        phases_us=_mean_phases(good),
        statuses=Counter(check.status for check in checks if check.status),
        causes=Counter(check.cause for check in failed if check.cause),
        last_failure_ms=max((check.time_ms for check in failed), default=None),
        trend=_trend(checks, window, exact),
    )


def _response_times(times_us: Iterable[int], exact: bool) -> ResponseTimes | None:
    ordered = sorted(times_us)
    if not ordered:
        return None
    return ResponseTimes(sum(ordered) / len(ordered), ordered[0], ordered[-1], *_percentiles(ordered, approximate=not exact))


def _percentiles(ordered: Sequence[int], *, approximate: bool) -> tuple[int, int, int]:
    """Of `PERCENTS`, exact or within 1 %."""
    if not approximate:
        p50, p95, p99 = (percentile(ordered, percent) for percent in PERCENTS)
        return p50, p95, p99
    from monitoring.statistics import sketch

    return sketch.percentiles(sketch.of(ordered), ordered[0], ordered[-1])


def _mean_phases(good: Sequence[CheckResult]) -> dict[str, float]:
    means = {}
    for index, phase in enumerate(PHASES):
        times = [time for check in good if (time := check.phases_us[index]) is not None]
        if times:
            means[phase] = sum(times) / len(times)
    return means


def _trend(checks: Sequence[CheckResult], window: Window, exact: bool) -> tuple[Bucket, ...]:
    width = bucket_width_ms(window, exact=exact)
    parts: dict[int, list[CheckResult]] = {number: [] for number in bucket_range(window, exact=exact)}
    for check in checks:
        parts[check.time_ms // width].append(check)
    return tuple(_bucket(part) for part in parts.values())


def _bucket(checks: Sequence[CheckResult]) -> Bucket:
    times = [check.response_us for check in checks if check.available and check.response_us is not None]
    return Bucket(
        mean_us=sum(times) / len(times) if times else None,
        failures=sum(not check.available for check in checks),
    )


def downtime(results: Iterable[CheckResult], window: Window, hosts: Collection[str] | None = None) -> dict[str, Downtime]:
    """What the alert rule needs of each host (None: of any) that has a check in the window."""
    by_host = _by_host(results, window)
    return {host: _downtime(checks) for host, checks in by_host.items() if hosts is None or host in hosts}


def _downtime(checks: Sequence[CheckResult]) -> Downtime:
    failed = [check for check in checks if not check.available]
    return Downtime(
        checks=len(checks),
        failures=len(failed),
        covered_ms=sum(check.covers_ms for check in checks),
        down_ms=sum(check.covers_ms for check in failed),
    )


def failures(results: Iterable[CheckResult], window: Window, hosts: Collection[str]) -> dict[str, list[Failure]]:
    """The failed checks of these hosts in the window, in order of time; a host without any is missing."""
    found = {
        host: [Failure(check.time_ms, check.covers_ms, check.cause) for check in checks if check.cause]
        for host, checks in _by_host(results, window).items()
        if host in hosts
    }
    return {host: sorted(failed, key=lambda failure: failure.time_ms) for host, failed in found.items() if failed}
