"""Runs the real monitor on many sites with known delays, and reads from its own file how well it did."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.processes import Monitor, Target, TargetReport, write_config
from monitoring.models import CheckResult, Window
from monitoring.stats import percentile
from monitoring.store.local_reader import LocalReader

INTERVAL_S = 2
SETTLE_S = 3.0
"""Between the first check of the last site and the beginning of the measurement."""

LAST_ANSWER_S = 1.5
"""Between the end of the measurement and the stop of the monitor: checks under way end and are committed."""

START_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and 99th percentile, microseconds; None: nothing was measured."""

    median_us: int | None
    p99_us: int | None

    @classmethod
    def of(cls, values: Sequence[int]) -> "Spread":
        ordered = sorted(values)
        return cls(percentile(ordered, 50), percentile(ordered, 99)) if ordered else cls(None, None)


@dataclass(frozen=True, slots=True)
class Usage:
    """What the monitor used: CPU seconds while it was measured, memory in kB at its end and at its peak."""

    cpu_s: float
    memory_kb: int
    peak_kb: int


@dataclass(frozen=True, slots=True)
class SitesRun:
    """One run of the monitor.

    A window of n intervals holds exactly n slots of every site: `due`; `done` were checked, `failed` of them wrongly
    (the target never fails). `error` is measured response time minus the delay asked for, `own_error` minus the time
    that the target really took for this very check, `target` the target's time minus the delay.
    """

    sites: int
    store: str
    seconds: int
    start_s: float
    due: int
    done: int
    failed: int
    usage: Usage
    lag: Spread
    error: Spread
    own_error: Spread
    target: Spread


def run_sites(target: Target, directory: Path, urls: Sequence[str], database: str, store: str, seconds: int) -> SitesRun:
    """Let the monitor check these sites for `seconds` (a multiple of the interval), on what `directory` holds already."""
    target.report()
    began_ms = time.time_ns() // 1_000_000
    with Monitor(write_config(directory, urls, INTERVAL_S, database)) as monitor:
        target.wait_for(len(urls), START_LIMIT_S)
        time.sleep(SETTLE_S)
        window, usage = _watch(monitor, seconds)
        time.sleep(LAST_ANSWER_S)
    report = target.report()
    reader = LocalReader(directory / "config.db")
    results = reader.results(Window(began_ms, window.until_ms))
    reader.close()
    return _evaluate(urls, store, window, usage, results, report, monitor.started_ns)


def _watch(monitor: Monitor, seconds: int) -> tuple[Window, Usage]:
    """Let `seconds` pass: the window that was watched, and what the monitor used in it."""
    from_ms, cpu_s = time.time_ns() // 1_000_000, monitor.cpu_s()
    time.sleep(seconds)
    used_s = monitor.cpu_s() - cpu_s
    return Window(from_ms, from_ms + seconds * 1_000), Usage(used_s, *monitor.memory_kb())


def _evaluate(
    urls: Sequence[str],
    store: str,
    window: Window,
    usage: Usage,
    results: Sequence[CheckResult],
    report: TargetReport,
    started_ns: int,
) -> SitesRun:
    seen = [result for result in results if result.time_ms >= window.from_ms]
    good = [(result, result.response_us) for result in seen if result.available and result.response_us is not None]
    served = _served(results, report.served_us)
    delays = {url: int(urlsplit(url).path.split("/")[2]) * 1_000 for url in urls}
    pairs = [(us, served[key], delays[key[0]]) for result, us in good if (key := (result.host, result.time_ms)) in served]
    return SitesRun(
        sites=len(urls),
        store=store,
        seconds=window.length_ms // 1_000,
        start_s=(min(report.first_ns.values()) - started_ns) / 1e9,
        due=len(urls) * window.length_ms // (INTERVAL_S * 1_000),
        done=len(seen),
        failed=len(seen) - len(good),
        usage=usage,
        lag=Spread.of([result.lag_us for result in seen]),
        error=Spread.of([us - delays[result.host] for result, us in good]),
        own_error=Spread.of([us - took_us for us, took_us, _ in pairs]),
        target=Spread.of([took_us - delay_us for _, took_us, delay_us in pairs]),
    )


def _served(results: Sequence[CheckResult], served_us: Mapping[str, Sequence[int]]) -> dict[tuple[str, int], int]:
    """The target's time of each check, by host and time: the n-th request of a site belongs to its n-th check.

    A site of which some check never reached the target cannot be matched and is left out.
    """
    by_host: defaultdict[str, list[CheckResult]] = defaultdict(list)
    for result in results:
        by_host[result.host].append(result)
    return {
        (host, check.time_ms): took_us
        for host, checks in by_host.items()
        if all(check.available for check in checks)
        for check, took_us in zip(checks, served_us.get(urlsplit(host).path, ()), strict=False)
    }
