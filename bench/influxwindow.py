"""Statistics from InfluxDB alone: how long a window takes and how much memory. `python -m bench.influxwindow`

A private influxd is filled with plain points and summaries: an hour of 1000 sites checked every 2 s, a day and 90 days of
100 sites. The window ends 20 s after a whole minute, and the newest minute is not summarised yet. "-m" takes the ends from a
local file, which here is a dictionary: add the 0.1 s that SQLite needs.
"""

import gc
import random
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from statistics import median

import psutil

from monitoring.models import Cause, CheckResult, SiteStats, Window
from monitoring.statistics.summary import SiteSummary, Span, Summary, merge
from monitoring.storage.base import Points
from monitoring.storage.influxdb.store import InfluxStore
from tests.support.influx_databases import new_database, store_at
from tests.support.influxd import Influxd

START_MS = 1_789_948_800_000
MINUTE_MS, HOUR_MS, DAY_MS = (span.length_ms for span in (Span.MINUTE, Span.HOUR, Span.DAY))
INTERVAL_MS = 2_000
ROUNDS = 7


def main() -> None:
    with Influxd() as server:
        with new_database(server) as address:
            short(store_at(address))
        with new_database(server) as address:
            long(store_at(address))


def short(store: InfluxStore) -> None:
    until_ms = START_MS + 62 * MINUTE_MS
    fill(store, sites=1_000, minutes=62)
    end_ms = until_ms - 40_000
    own_file = ends_of(store)
    for name, length_ms in (("10 min", 10 * MINUTE_MS), ("1 h", HOUR_MS)):
        window = Window.before(end_ms, length_ms)
        measure(f"1000 sites, {name}, elsewhere", partial(store.stats, window, exact=True))
        measure(f"1000 sites, {name}, -m", partial(store.stats, window, exact=True, ends=own_file))


def long(store: InfluxStore) -> None:
    until_ms = START_MS + DAY_MS
    fill(store, sites=100, minutes=DAY_MS // MINUTE_MS)
    end_ms = until_ms - 40_000
    measure("100 sites, 24 h", lambda: store.stats(Window.before(end_ms, DAY_MS), exact=True))
    hosts = [host_of(number) for number in range(100)]
    hour = Summary.of(
        one for one in store.results(Window(START_MS, START_MS + HOUR_MS)) if one.host == hosts[0]
    ).with_sketch()
    day = merge([hour] * 24, exact=False)
    for start_ms in range(START_MS - 92 * DAY_MS, START_MS, DAY_MS):
        store.write(Points(summaries=[SiteSummary(host, Span.DAY, start_ms, day) for host in hosts]))
    for start_ms in range(START_MS - 92 * DAY_MS, until_ms - HOUR_MS, HOUR_MS):
        store.write(Points(summaries=[SiteSummary(host, Span.HOUR, start_ms, hour) for host in hosts]))
    measure("100 sites, 90 days", lambda: store.stats(Window.before(end_ms, 90 * DAY_MS), exact=False))


def host_of(number: int) -> str:
    return f"https://site{number:04}.example.org/"


def fill(store: InfluxStore, sites: int, minutes: int) -> None:
    """All checks, and the summaries of all minutes but the last."""
    models = [[check(random.Random(number * 30 + place), number, place) for place in range(30)] for number in range(sites)]
    began = time.perf_counter()
    for minute in range(minutes):
        start_ms = START_MS + minute * MINUTE_MS
        by_site = [[replace(one, time_ms=one.time_ms + start_ms) for one in own] for own in models]
        store.write(Points(checks=[one for own in by_site for one in own]))
        if minute < minutes - 1:
            store.write(
                Points(summaries=[SiteSummary(own[0].host, Span.MINUTE, start_ms, Summary.of(own)) for own in by_site])
            )
    print(f"filled with {sites * minutes * 30:,} checks in {time.perf_counter() - began:.0f} s", flush=True)


def check(draw: random.Random, number: int, place: int) -> CheckResult:
    """The check in this place of any minute; its time is that since the minute began."""
    took_us = [draw.randrange(most) for most in (3_000, 20_000, 40_000, 300_000, 9_000)]
    phases = (took_us[0], took_us[1], took_us[2], took_us[3], took_us[4])
    failed = draw.random() < 0.01
    cause, status, detail = (Cause.STATUS, 503, "status 503") if failed else (None, 200, "")
    place_ms = place * INTERVAL_MS + number
    return CheckResult(
        host_of(number), place_ms, INTERVAL_MS, draw.randrange(900), status, sum(took_us), phases, cause, detail
    )


def ends_of(store: InfluxStore) -> Callable[[Window], Mapping[str, Summary]]:
    """What the local file of the monitor says."""

    @cache
    def ends(window: Window) -> Mapping[str, Summary]:
        found: defaultdict[str, list[CheckResult]] = defaultdict(list)
        for one in store.results(window):
            found[one.host].append(one)
        return {host: Summary.of(own) for host, own in found.items()}

    return ends


def measure(name: str, ask: Callable[[], Mapping[str, SiteStats]]) -> None:
    ask()
    took, peak = [], 0
    for _ in range(ROUNDS):
        gc.collect()
        began = time.perf_counter()
        found = ask()
        took.append(time.perf_counter() - began)
        peak = max(peak, psutil.Process().memory_info().rss)
    checks = sum(site.checks for site in found.values())
    print(
        f"{name}: median {median(took) * 1_000:.0f} ms, max {max(took) * 1_000:.0f} ms;"
        f" {checks:,} checks; {peak / 1e6:.0f} MB of this process afterwards",
        flush=True,
    )


if __name__ == "__main__":
    main()
