"""Runs the real monitor on many sites with known delays, and reads from its own file how well it did."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.processes import ROOT, Core, Monitor, Target, TargetReport, delay_us, write_config
from monitoring.models import CheckResult, Window
from monitoring.statistics.percentiles import percentile
from monitoring.storage.sqlite.reader import FileReader

INTERVAL_S = 2
SETTLE_S = 3.0
"""Between the first check of the last site and the beginning of the measurement."""

LAST_ANSWER_S = 1.5
"""Between the end of the measurement and the stop of the monitor: checks under way end and are committed."""

START_LIMIT_S = 60.0

REACH_S = 20.0
"""How long all sites may take to be checked once; then what there is is measured: done and due will tell."""


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
class Task:
    """What one monitor has to do, and with what. `store` is its name in the tables, `checkout` where its code is."""

    directory: Path
    urls: Sequence[str]
    database: str
    store: str
    core: Core = Core.MONITOR
    bundle: Path | None = None
    checkout: Path = ROOT

    def monitor(self) -> Monitor:
        config = write_config(self.directory, self.urls, INTERVAL_S, self.database)
        return Monitor(config, core=self.core, bundle=self.bundle, checkout=self.checkout)

    def results(self, window: Window) -> Sequence[CheckResult]:
        """The checks in the monitor's file."""
        reader = FileReader(self.directory / "config.db")
        try:
            return list(reader.results(window))
        finally:
            reader.close()


@dataclass(frozen=True, slots=True)
class Usage:
    """What the monitor used: CPU seconds while it was measured; at the end memory in kB, its peak, and threads."""

    cpu_s: float
    memory_kb: int
    peak_kb: int
    threads: int


@dataclass(frozen=True, slots=True)
class Servers:
    """What the other side used meanwhile: CPU seconds of the target, and the share of its core that was busy."""

    target_cpu_s: float
    busy: float


@dataclass(frozen=True, slots=True)
class SitesRun:
    """One run of the monitor whose code is in `checkout`.

    A window of n intervals holds exactly n slots of every site: `due`; `done` were checked, `failed` of them wrongly
    (the target never fails). `error` is measured response time minus the delay asked for, `own_error` minus the time
    that the target really took for this very check, `target` the target's time minus the delay. `servers` has worked
    for all monitors that ran at the same time.
    """

    sites: int
    store: str
    checkout: Path
    seconds: int
    start_s: float | None
    stop_s: float
    due: int
    done: int
    failed: int
    usage: Usage
    servers: Servers
    lag: Spread
    error: Spread
    own_error: Spread
    target: Spread


@dataclass(frozen=True, slots=True)
class Watched:
    """What was seen while some monitors ran."""

    began_ms: int
    window: Window
    usages: Sequence[Usage]
    servers: Servers


def run_tasks(target: Target, tasks: Sequence[Task], seconds: int) -> list[SitesRun]:
    """Run a monitor for each task, all at the same time, and measure for `seconds` (a multiple of the interval)."""
    target.report()
    began_ms = time.time_ns() // 1_000_000
    with ExitStack() as stack:
        monitors = [stack.enter_context(task.monitor()) for task in tasks]
        with suppress(TimeoutError):
            target.wait_for(sum(len(task.urls) for task in tasks), REACH_S)
        time.sleep(SETTLE_S)
        watched = _watch(target, monitors, seconds, began_ms)
        time.sleep(LAST_ANSWER_S)
    report = target.report()
    return [
        _evaluate(task, monitor, usage, watched, report)
        for task, monitor, usage in zip(tasks, monitors, watched.usages, strict=True)
    ]


def _watch(target: Target, monitors: Sequence[Monitor], seconds: int, began_ms: int) -> Watched:
    """Let `seconds` pass, and see what everybody used in them."""
    from_ms = time.time_ns() // 1_000_000
    before_s, target_s, busy_s = [monitor.cpu_s() for monitor in monitors], target.cpu_s(), Core.SERVERS.busy_s()
    time.sleep(seconds)
    used_s = [monitor.cpu_s() - cpu_s for monitor, cpu_s in zip(monitors, before_s, strict=True)]
    servers = Servers(target.cpu_s() - target_s, (Core.SERVERS.busy_s() - busy_s) / seconds)
    usages = [Usage(cpu_s, *monitor.memory_kb(), monitor.threads()) for cpu_s, monitor in zip(used_s, monitors, strict=True)]
    return Watched(began_ms, Window(from_ms, from_ms + seconds * 1_000), usages, servers)


def _evaluate(task: Task, monitor: Monitor, usage: Usage, watched: Watched, report: TargetReport) -> SitesRun:
    window = watched.window
    results = task.results(Window(watched.began_ms, window.until_ms))
    seen = [result for result in results if result.time_ms >= window.from_ms]
    good = [(result, result.response_us) for result in seen if result.available and result.response_us is not None]
    served = _served(results, report.served_us)
    delays = {url: delay_us(url) for url in task.urls}
    pairs = [(us, served[key], delays[key[0]]) for result, us in good if (key := (result.host, result.time_ms)) in served]
    return SitesRun(
        sites=len(task.urls),
        store=task.store,
        checkout=task.checkout,
        seconds=window.length_ms // 1_000,
        start_s=_first_check_s(task, monitor, report),
        stop_s=monitor.stop(),
        due=len(task.urls) * window.length_ms // (INTERVAL_S * 1_000),
        done=len(seen),
        failed=len(seen) - len(good),
        usage=usage,
        servers=watched.servers,
        lag=Spread.of([result.lag_us for result in seen]),
        error=Spread.of([us - delays[result.host] for result, us in good]),
        own_error=Spread.of([us - took_us for us, took_us, _ in pairs]),
        target=Spread.of([took_us - asked_us for _, took_us, asked_us in pairs]),
    )


def _first_check_s(task: Task, monitor: Monitor, report: TargetReport) -> float | None:
    """Seconds from the start of the monitor until its first request reached the target."""
    paths = [urlsplit(url).path for url in task.urls]
    moments = [report.first_ns[path] for path in paths if path in report.first_ns]
    return (min(moments) - monitor.started_ns) / 1e9 if moments else None


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
