"""`python -m bench.backlog`: InfluxDB appears when an hour of checks waits for it, and the monitor goes on checking.

How long until all is delivered, what that costs, and whether the checks notice. Exit status 1 when a promise was broken.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console

from bench.accounts import by_host
from bench.delivery import deliver_the_rest, undelivered, wait_until_pending
from bench.processes import Core, Monitor, Target, pinned, write_config
from bench.promises import Promise, at_most, conclude, excused, facts_table, none_of
from bench.queries import fill
from bench.rawinflux import RawInfluxdb
from bench.sites import INTERVAL_S, LAST_ANSWER_S, SETTLE_S, START_LIMIT_S, Spread
from bench.standstill import Standstill
from monitoring.config import site_host
from monitoring.models import CheckResult, Window
from monitoring.storage.sqlite.reader import FileReader
from monitoring.storage.sqlite.store import LocalStore
from tests.support.influxd import Influxd

DATABASE = "monitoring"
GOAL_S = 90.0
PATIENCE_S = 1_200.0
LAG_P99_MS, ERROR_P99_MS = 50.0, 5.0
FOREVER = Window(0, 7_258_118_400_000)


@dataclass(frozen=True, slots=True)
class Delivery:
    """How the backlog went: `noticed_s` until the first points were gone, `seconds` until all were.

    `window`: whole intervals of that time. `cpu_s`: of the monitor.
    `still`: how the machine itself stood still.
    """

    points: int
    noticed_s: float
    seconds: float
    cpu_s: float
    window: Window
    still: Standstill

    @property
    def points_a_second(self) -> float:
        return self.points / max(0.001, self.seconds - self.noticed_s)


@dataclass(frozen=True, slots=True)
class Quality:
    """How well the monitor checked meanwhile.

    `error`: measured response time minus the delay asked for. `own_error`: minus the time that the target really took,
    which shares its core with a busy InfluxDB.
    """

    due: int
    done: int
    lag: Spread
    error: Spread
    own_error: Spread


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def fill_an_hour(file: Path, urls: Sequence[str]) -> int:
    """The past hour of these sites, as a monitor without a database leaves it; the number of its checks."""
    with closing(LocalStore(file)) as store:
        filled = fill([store], [site_host(url) for url in urls], now_ms())
        if not filled.complete:
            raise RuntimeError(f"filling an hour took too long: {filled}")
        return filled.points


def deliver(monitor: Monitor, file: Path, server: Influxd, points: int) -> Delivery:
    """Let InfluxDB appear, and wait until it has received everything that waited (or far too long)."""
    waiting = undelivered(file)
    with pinned(Core.SERVERS):
        server.start()
    began_s, began_ms, cpu_s = time.monotonic(), now_ms(), monitor.cpu_s()
    with Standstill() as still:
        wait_until_pending(file, lambda left, _oldest_ms: left < waiting * 99 // 100, PATIENCE_S)
        noticed_s = time.monotonic() - began_s
        wait_until_pending(file, lambda _left, oldest_ms: oldest_ms is None or oldest_ms >= began_ms, PATIENCE_S)
        seconds = time.monotonic() - began_s
    intervals = max(1, int(seconds / INTERVAL_S))
    window = Window(began_ms, began_ms + intervals * INTERVAL_S * 1_000)
    return Delivery(points, noticed_s, seconds, monitor.cpu_s() - cpu_s, window, still)


def quality(
    checks: Sequence[CheckResult], served_us: Mapping[str, Sequence[int]], urls: Sequence[str], window: Window
) -> Quality:
    """How late the checks in the window were and how far off; `checks` and `served_us` begin with the monitor."""
    by_site = by_host([site_host(url) for url in urls], checks)
    own = [check for found in by_site.values() for check in found if check.time_ms >= window.from_ms]
    pairs = [
        pair for host, found in by_site.items() for pair in _pairs(found, served_us.get(urlsplit(host).path, ()), window)
    ]
    return Quality(
        due=len(urls) * window.length_ms // (INTERVAL_S * 1_000),
        done=len(own),
        lag=Spread.of([check.lag_us for check in own]),
        error=Spread.of([(check.response_us or 0) - delay_us(check.host) for check, _ in pairs]),
        own_error=Spread.of([(check.response_us or 0) - took_us for check, took_us in pairs]),
    )


def delay_us(url: str) -> int:
    """How long the target waits before it answers."""
    return int(urlsplit(url).path.split("/")[2]) * 1_000


def _pairs(checks: Sequence[CheckResult], served_us: Sequence[int], window: Window) -> list[tuple[CheckResult, int]]:
    """Each check in the window with what the target took for it: the n-th request is the n-th check.

    None of a site of which some check failed, and so may never have reached the target.
    """
    if not all(check.available for check in checks):
        return []
    pairs = zip(checks, served_us, strict=False)  # the last request may have come after the last check
    return [(check, took_us) for check, took_us in pairs if check.time_ms >= window.from_ms]


def differences(local: Mapping[str, int], remote: Mapping[str, int]) -> list[str]:
    """The hosts of which the stores do not hold the same number of checks."""
    return [
        f"{host}: {local.get(host, 0)} checks in the file, {remote.get(host, 0)} in InfluxDB"
        for host in sorted(local.keys() | remote.keys())
        if local.get(host) != remote.get(host)
    ]


def run(sites: int, progress: Console) -> tuple[Delivery, Quality, Mapping[str, int], list[str]]:
    """The delivery, the checks meanwhile, the number of checks in the file by host, and where InfluxDB differs."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        target = stack.enter_context(Target())
        server = Influxd()
        stack.callback(server.__exit__, None, None, None)
        urls, file = target.urls(sites), directory / "config.db"
        progress.print(f"{sites} sites: filling the local file with an hour")
        points, began_ms = fill_an_hour(file, urls), now_ms()
        with Monitor(write_config(directory, urls, INTERVAL_S, server.url(DATABASE))) as monitor:
            target.wait_for(sites, START_LIMIT_S)
            time.sleep(SETTLE_S)
            progress.print(f"{sites} sites: InfluxDB appears")
            done = deliver(monitor, file, server, points)
            time.sleep(LAST_ANSWER_S)
        deliver_the_rest(directory, server.url(DATABASE), PATIENCE_S)
        with closing(FileReader(file)) as reader:
            checks = list(reader.results(Window(began_ms, done.window.until_ms)))
            seen = quality(checks, target.report().served_us, urls, done.window)
            stored = {host: one.checks for host, one in reader.downtime(FOREVER).items()}
        return done, seen, stored, differences(stored, RawInfluxdb(server.port, DATABASE).counts())


def promises(done: Delivery, seen: Quality, stored: Mapping[str, int], wrong: Sequence[str]) -> list[Promise]:
    timed = [
        Promise("all delivered after", f"{done.seconds:.1f} s", f"at most {GOAL_S:.0f} s", done.seconds <= GOAL_S),
        Promise("checks done / due meanwhile", f"{seen.done} / {seen.due}", "all", seen.done >= seen.due),
        at_most("lag, p99", (seen.lag.p99_us or 0) / 1_000, LAG_P99_MS, "ms"),
        at_most("response time's error, p99", (seen.own_error.p99_us or 0) / 1_000, ERROR_P99_MS, "ms"),
    ]
    complete = none_of("sites whose checks are not all there, once each", wrong, f"{sum(stored.values()):,} checks")
    return [*excused(timed, done.still.count > 0), complete]


def facts(done: Delivery, seen: Quality) -> list[tuple[str, str]]:
    return [
        ("points that waited", f"{done.points:,}"),
        ("noticed after", f"{done.noticed_s:.1f} s"),
        ("from then on", f"{done.points_a_second:,.0f} points a second"),
        ("CPU of one core", f"{100 * done.cpu_s / done.seconds:.0f} %"),
        ("the machine stood still", str(done.still)),
        ("lag, ms (median / p99)", spread_text(seen.lag)),
        ("response time's error, ms", spread_text(seen.error)),
        ("  against the target", spread_text(seen.own_error)),
    ]


def spread_text(spread: Spread) -> str:
    return f"{(spread.median_us or 0) / 1_000:.2f} / {(spread.p99_us or 0) / 1_000:.2f}"


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.backlog", description="An hour of checks waits for InfluxDB.")
    parser.add_argument("--sites", type=int, default=1_000, help="default: 1000")
    sites = parser.parse_args(argv).sites
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    done, seen, stored, wrong = run(sites, Console(stderr=True, style="dim", highlight=False))
    console.print(facts_table(f"An hour of {sites} sites at {INTERVAL_S} s", facts(done, seen)))
    status = conclude(console, promises(done, seen, stored, wrong))
    console.print(*wrong[:10], sep="\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
