"""`python -m bench.longwindows`: how long statistics of 90 days take whose checks are gone, from both stores.

Ten minutes are written as a monitor writes them, and summarised. What they add up to is copied to every hour of the 90 days,
each day is added up from its hours, and InfluxDB gets the same points as from a monitor. Each point of a site is put into
words once, and written for every hour: to make 2.2 million points anew takes minutes. Then the question is asked of each
store, and `monitoringApp.py -p --once --window 90d` is run. Exit status 1 when a goal was missed.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from bench.places import DATABASE
from bench.processes import APP, write_config
from bench.promises import Promise, at_most, conclude
from bench.queries import fill
from bench.sites import INTERVAL_S
from monitoring.clock import SystemClock
from monitoring.config import parse_database, site_host
from monitoring.models import Window
from monitoring.statistics.summary import SiteSummary, Span, Summary, merge
from monitoring.statistics.windows import from_whole_hour
from monitoring.storage.base import Backend, Reader
from monitoring.storage.influxdb.points import PointWriter
from monitoring.storage.influxdb.store import InfluxStore
from monitoring.storage.sqlite.store import LocalStore
from monitoring.storage.sqlite.tables import meta, summaries
from monitoring.storage.sqlite.tables.meta import Value
from monitoring.storage.sqlite.tables.schema import SITE_MASK
from monitoring.units import DAY_MS, HOUR_MS
from tests.support.influxd import Influxd

WRITTEN_MS = 600_000
REPEATS = 3
GOAL_S = 1.0
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Answer:
    """Seconds of one question, or of the whole command, in one store."""

    sites: int
    what: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Past:
    """What each site's hours and days are, and when they begin."""

    of_hour: Mapping[str, Summary]
    of_day: Mapping[str, Summary]
    hours: range
    days: range

    def of(self, span: Span) -> tuple[Mapping[str, Summary], range]:
        return (self.of_hour, self.hours) if span is Span.HOUR else (self.of_day, self.days)


def fill_days(store: LocalStore, hosts: Sequence[str], days: int, now_ms: int) -> Past:
    """Hours and days until now, and nothing else."""
    begin_ms = now_ms // DAY_MS * DAY_MS - days * DAY_MS
    fill([store], hosts, begin_ms + WRITTEN_MS, WRITTEN_MS)
    while store.maintain(begin_ms + 2 * HOUR_MS):
        pass
    with store.writing() as connection:
        names = dict(connection.execute("SELECT id, host FROM sites"))
        of_hour = {
            row[0] & SITE_MASK: summaries.summary_of(row[1:], Span.HOUR)
            for row in connection.execute(summaries.select(Span.HOUR, "1"))
        }
        of_day = {site: merge([summary] * 24, exact=False) for site, summary in of_hour.items()}
        past = Past(
            of_hour={names[site]: summary for site, summary in of_hour.items()},
            of_day={names[site]: summary for site, summary in of_day.items()},
            hours=range(begin_ms, now_ms - HOUR_MS, HOUR_MS),
            days=range(begin_ms, now_ms - DAY_MS, DAY_MS),
        )
        for hour_ms in past.hours:
            summaries.store(connection, Span.HOUR, hour_ms, of_hour)
        for day_ms in past.days:
            summaries.store(connection, Span.DAY, day_ms, of_day)
        meta.put(connection, Value.SUMMARISED_MS, now_ms // HOUR_MS * HOUR_MS)
        for table in ("checks", "minutes", "outbox"):
            connection.execute(f"DELETE FROM {table}")
    return past


def write_days(past: Past, remote: Backend, server: Influxd) -> None:
    """The same into InfluxDB, an hour or day of all sites at a time."""
    remote.verify("the bench")
    writer = PointWriter()
    for span in (Span.HOUR, Span.DAY):
        found, starts = past.of(span)
        lines = [writer.summary(SiteSummary(host, span, 0, summary)).removesuffix("0") for host, summary in found.items()]
        for start_ms in starts:
            server.write(DATABASE, "\n".join(f"{line}{start_ms * 1_000_000}" for line in lines))


def ask(reader: Reader, window: Window, sites: int) -> None:
    if len(reader.stats(window, exact=False)) != sites:
        raise RuntimeError("a site is missing")


def run_command(config: Path) -> None:
    command = [sys.executable, str(APP), "-p", "--once", "--window", "90d", "--format", "json", "-c", str(config)]
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_S)


def quickest(work: Callable[[], None]) -> float:
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def measure(sites: int, days: int, server: Influxd, progress: Console) -> list[Answer]:
    urls = [f"http://127.0.0.1:9/{number}" for number in range(sites)]
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        config = write_config(directory, urls, INTERVAL_S, "sqlite:")
        store = stack.enter_context(closing(LocalStore(config.with_suffix(".db"))))
        remote = InfluxStore(parse_database(server.url(DATABASE), {}), read_timeout=PATIENCE_S)
        stack.enter_context(closing(remote))
        now_ms = SystemClock().now_ms()
        progress.print(f"{sites} sites: filling {days} days")
        past = fill_days(store, [site_host(url) for url in urls], days, now_ms)
        progress.print("writing the same into InfluxDB")
        write_days(past, remote, server)
        progress.print("asking")
        window = from_whole_hour(Window.before(now_ms, 90 * DAY_MS))
        readers: tuple[Reader, ...] = (store, remote)
        found = [Answer(sites, f"{one.kind}, the question", quickest(partial(ask, one, window, sites))) for one in readers]
        for kind, database in (("local", "sqlite:"), ("influxdb", server.url(DATABASE))):
            config = write_config(directory, urls, INTERVAL_S, database)
            found.append(Answer(sites, f"{kind}, the command", quickest(partial(run_command, config))))
        remote.drop_database()
        return found


def promises(found: Sequence[Answer]) -> list[Promise]:
    return [at_most(f"{one.sites} sites, {one.what}", one.seconds, GOAL_S, "s", 2) for one in found]


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.longwindows", description="What statistics of 90 days cost.")
    parser.add_argument("--sites", type=int, nargs="+", default=[4, 100, 1_000], help="default: 4 100 1000")
    parser.add_argument("--days", type=int, default=91, help="default: 91")
    arguments = parser.parse_args(argv)
    progress = Console(stderr=True, style="dim", highlight=False)
    with Influxd() as server:
        found = [answer for sites in arguments.sites for answer in measure(sites, arguments.days, server, progress)]
    return conclude(Console(highlight=False, width=None if sys.stdout.isatty() else 120), promises(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
