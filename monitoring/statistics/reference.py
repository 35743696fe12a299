"""The statistics of a window in plain Python: the reference that the numbers of every store must equal."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

from monitoring.models import PHASES, Bucket, CheckResult, Downtime, Failure, ResponseTimes, SiteStats, Window
from monitoring.statistics.percentiles import PERCENTS, SLOW, percentile
from monitoring.statistics.windows import bucket_range, bucket_width_ms

Ended = Mapping[str, int]
"""When the last outage of each host ended (see `status.ended_ms`). A host without an ended outage is missing."""

NONE_ENDED: Ended = MappingProxyType({})


def _by_host(results: Iterable[CheckResult], window: Window) -> Mapping[str, Sequence[CheckResult]]:
    by_host: defaultdict[str, list[CheckResult]] = defaultdict(list)
    for result in results:
        if window.from_ms <= result.time_ms < window.until_ms:
            by_host[result.host].append(result)
    return by_host


def summarise(results: Iterable[CheckResult], window: Window, *, exact: bool) -> dict[str, SiteStats]:
    """The statistics of each host with a check in the window; percentiles are `exact` or within 1 %."""
    return {host: _summarise_site(host, checks, window, exact) for host, checks in _by_host(results, window).items()}


def _summarise_site(host: str, checks: Sequence[CheckResult], window: Window, exact: bool) -> SiteStats:
    judged = _judged(checks)
    good = [check for check in judged if check.available]
    failed = [check for check in judged if not check.available]
    return SiteStats(
        host=host,
        checks=len(checks),
        available=len(good),
        covered_ms=sum(check.covers_ms for check in checks),
        available_ms=sum(check.covers_ms for check in good),
        response=_response_times([check.response_us for check in good if check.response_us is not None], exact),
        phases_us=_mean_phases(good),
        statuses=Counter(check.status for check in judged if check.status),
        causes=Counter(check.cause for check in failed if check.cause),
        last_failure_ms=max((check.time_ms for check in failed), default=None),
        trend=_trend(judged, window, exact),
        maintenance=len(checks) - len(judged),
        maintenance_ms=sum(check.covers_ms for check in checks if check.maintenance),
    )


def _judged(checks: Iterable[CheckResult]) -> list[CheckResult]:
    """The checks outside of maintenance: those that count as up or down."""
    return [check for check in checks if not check.maintenance]


def _response_times(times_us: Iterable[int], exact: bool) -> ResponseTimes | None:
    ordered = sorted(times_us)
    if not ordered:
        return None
    if exact:
        p50, p95, p99 = (percentile(ordered, percent) for percent in PERCENTS)
    else:
        from monitoring.statistics import sketch  # late: computing its buckets takes a while

        p50, p95, p99 = sketch.percentiles(sketch.of(ordered), ordered[0], ordered[-1])
    return ResponseTimes(sum(ordered) / len(ordered), ordered[0], ordered[-1], p50, p95, p99)


def _mean_phases(good: Sequence[CheckResult]) -> dict[str, float]:
    means = {}
    for index, phase in enumerate(PHASES):
        times = [time for check in good if (time := check.phases_us[index]) is not None]
        if times:
            means[phase] = sum(times) / len(times)
    return means


def _trend(checks: Sequence[CheckResult], window: Window, exact: bool) -> tuple[Bucket, ...]:
    width = bucket_width_ms(window, exact=exact)
    by_mark: dict[int, list[CheckResult]] = {number: [] for number in bucket_range(window, exact=exact)}
    for check in checks:
        by_mark[check.time_ms // width].append(check)
    return tuple(_mark(own, exact) for own in by_mark.values())


def _mark(checks: Sequence[CheckResult], exact: bool) -> Bucket:
    times = sorted(check.response_us for check in checks if check.available and check.response_us is not None)
    causes = Counter(check.cause for check in checks if check.cause)
    return Bucket(
        mean_us=sum(times) / len(times) if times else None,
        failures=sum(causes.values()),
        checks=len(checks),
        p95_us=percentile(times, SLOW) if times and exact else None,
        cause=max(causes, key=lambda cause: (causes[cause], cause), default=None),
    )


def downtime(
    results: Iterable[CheckResult], window: Window, hosts: Collection[str] | None = None, ended: Ended = NONE_ENDED
) -> dict[str, Downtime]:
    """The sums for the alert rule, for each of these hosts (None: for all) with a check in the window."""
    return {
        host: _downtime(checks, ended.get(host, 0))
        for host, checks in _by_host(results, window).items()
        if hosts is None or host in hosts
    }


def _downtime(checks: Sequence[CheckResult], ended_ms: int) -> Downtime:
    judged = _judged(checks)
    failed = [check for check in judged if not check.available]
    ended = [check for check in failed if check.time_ms <= ended_ms]
    return Downtime(
        checks=len(checks),
        failures=len(failed),
        covered_ms=sum(check.covers_ms for check in judged),
        down_ms=sum(check.covers_ms for check in failed),
        ended_failures=len(ended),
        ended_down_ms=sum(check.covers_ms for check in ended),
    )


def failures(results: Iterable[CheckResult], window: Window, hosts: Collection[str]) -> dict[str, list[Failure]]:
    """The failed checks of these hosts in the window, in order of time and without those during maintenance.

    A host without any is missing.
    """
    found = {
        host: [Failure(it.time_ms, it.covers_ms, it.cause, it.detail) for it in _judged(checks) if it.cause]
        for host, checks in _by_host(results, window).items()
        if host in hosts
    }
    return {host: sorted(failed, key=lambda failure: failure.time_ms) for host, failed in found.items() if failed}
