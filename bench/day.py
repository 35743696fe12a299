"""`python -m bench.day`: a local file with a day of checks, and what the monitor's questions cost at its end.

The first and the last hour are written as a monitor writes them, commit by commit, and summarised. The hours between are
copies of the first one with shifted keys (as if delivered), so that the file is the same as after a day and is made in
minutes; `--full` writes all of it. Exit status 1 when a promise was broken.
"""

import argparse
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from bench.processes import Core, Monitor, Target, pinned, write_config
from bench.promises import Promise, at_most, conclude, facts_table
from bench.queries import HOUR_MS, Cost, fill, measure
from bench.sites import INTERVAL_S, START_LIMIT_S
from monitoring.config import site_host
from monitoring.models import Window
from monitoring.storage.sqlite.store import LocalStore
from monitoring.storage.sqlite.tables.schema import SITE_BITS

MINUTE_MS = 60_000
LONG_OVER_MS = 10 * MINUTE_MS
CUT_MS = 37_000
"""The day ends so long after a whole hour: windows cut through minutes, as those of a monitor do."""

GOALS_MS = {"statistics, 10 minutes": 300.0, "statistics, 1 hour": 1_000.0, "alerts, 2 minutes": 50.0}
BYTES_A_CHECK = 50.0
WAL_MB = 16.0
FIRST_CHECK_S = 5.0

COPIED = ("checks", "minutes", "hours")
SHIFTED = {"id": f"id + (:shift_ms << {SITE_BITS})", "last_failure": "last_failure + :shift_ms"}
"""The columns that hold a moment."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Day:
    """What was measured at the end of the day; sizes in bytes."""

    checks: int
    filled_s: float
    file_bytes: int
    wal_bytes: int
    open_s: float
    states_s: float
    first_check_s: float
    wal_after_run_bytes: int
    costs: Sequence[Cost]


def write_hour(file: Path, hosts: Sequence[str], until_ms: int) -> int:
    """The hour before `until_ms`, written and summarised as a monitor does it; the size of the write-ahead log then."""
    with closing(LocalStore(file)) as store:
        if not fill([store], hosts, until_ms).complete:
            raise RuntimeError("writing an hour took too long")
        return wal_of(file)


def summarise_all(file: Path, until_ms: int) -> None:
    """Summarise what was written before `until_ms`, as if long over."""
    with closing(LocalStore(file)) as store:
        while store.maintain(until_ms + LONG_OVER_MS):
            pass


def copy_hour(file: Path, hours: range) -> None:
    """What is in the file, which is one hour, again at each of these distances from it."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        statements = [_copy_statement(connection, table) for table in COPIED if _columns(connection, table)]
        last_key = connection.execute("SELECT MAX(id) FROM checks").fetchone()[0]
        for hour in hours:
            for statement in statements:
                connection.execute(statement, {"shift_ms": hour * HOUR_MS, "last_key": last_key})
        connection.execute("UPDATE meta SET value = value + ? WHERE key = 'summarised_ms'", (hours[-1] * HOUR_MS,))
        connection.execute("DELETE FROM outbox")


def _copy_statement(connection: sqlite3.Connection, table: str) -> str:
    columns = _columns(connection, table)
    values = ", ".join(SHIFTED.get(column, column) for column in columns)
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table} WHERE id <= :last_key"


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [str(row[1]) for row in connection.execute(f"PRAGMA table_info({table})")]


def fill_day(file: Path, hosts: Sequence[str], hours: int, until_ms: int, full: bool) -> int:
    """So many hours until `until_ms`, two at least; the size of the write-ahead log at the end.

    All but the last one are whole hours of the clock, so that a copy of one falls into one row of `hours`.
    """
    first_end_ms = (until_ms - (hours - 1) * HOUR_MS) // HOUR_MS * HOUR_MS
    write_hour(file, hosts, first_end_ms)
    if full:
        for hour in range(1, hours - 1):
            write_hour(file, hosts, first_end_ms + hour * HOUR_MS)
    else:
        summarise_all(file, first_end_ms)
        copy_hour(file, range(1, hours - 1))
    return write_hour(file, hosts, until_ms)


def end_of_day() -> int:
    """A moment shortly after an hour began, at most an hour ago."""
    return (time.time_ns() // 1_000_000 - CUT_MS) // HOUR_MS * HOUR_MS + CUT_MS


def wal_of(file: Path) -> int:
    log = file.with_name(file.name + "-wal")
    return log.stat().st_size if log.exists() else 0


def timed(work: Callable[[], Answer]) -> tuple[Answer, float]:
    began = time.perf_counter()
    answer = work()
    return answer, time.perf_counter() - began


def first_check(target: Target, config: Path, sites: int) -> tuple[float, int]:
    """Seconds from the start of the monitor to its first check, and its write-ahead log when all sites were checked."""
    target.report()
    with Monitor(config) as monitor:
        target.wait_for(sites, START_LIMIT_S)
        wal_bytes = wal_of(config.with_suffix(".db"))
    return (min(target.report().first_ns.values()) - monitor.started_ns) / 1e9, wal_bytes


def run(sites: int, hours: int, full: bool, progress: Console) -> Day:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        target = stack.enter_context(Target())
        urls, file = target.urls(sites), directory / "config.db"
        until_ms = end_of_day()
        progress.print(f"{sites} sites: filling the local file with {hours} hours")
        hosts = [site_host(url) for url in urls]
        wal_bytes, filled_s = timed(lambda: fill_day(file, hosts, hours, until_ms, full))
        progress.print("asking")
        with pinned(Core.MONITOR):
            store, open_s = timed(lambda: LocalStore(file))
            stack.callback(store.close)
            _, states_s = timed(lambda: store.last_states(until_ms))
            costs = measure([store], sites, until_ms)
            day = Window.before(until_ms, (hours + 1) * HOUR_MS)
            checks = sum(one.checks for one in store.downtime(day).values())
            store.close()
        if checks != sites * hours * HOUR_MS // (INTERVAL_S * 1_000):
            raise RuntimeError(f"the file holds {checks} checks")
        size = file.stat().st_size
        first_s, wal_after = first_check(target, write_config(directory, urls, INTERVAL_S, "sqlite:"), sites)
        return Day(checks, filled_s, size, wal_bytes, open_s, states_s, first_s, wal_after, costs)


def promises(day: Day) -> list[Promise]:
    return [
        *(at_most(cost.question, 1_000 * cost.seconds["local"], GOALS_MS[cost.question], "ms", 0) for cost in day.costs),
        at_most("the file", day.file_bytes / day.checks, BYTES_A_CHECK, "bytes a check"),
        at_most("write-ahead log, after writing", day.wal_bytes / 2**20, WAL_MB, "MB"),
        at_most("write-ahead log, of a monitor", day.wal_after_run_bytes / 2**20, WAL_MB, "MB"),
        at_most("start to first check", day.first_check_s, FIRST_CHECK_S, "s"),
    ]


def facts(day: Day) -> list[tuple[str, str]]:
    return [
        ("checks", f"{day.checks:,}"),
        ("file", f"{day.file_bytes / 2**20:,.0f} MB, made in {day.filled_s:.0f} s"),
        ("opening it", f"{1_000 * day.open_s:.0f} ms"),
        ("last_states of all sites", f"{1_000 * day.states_s:.0f} ms"),
    ]


def at_least_two(text: str) -> int:
    return max(2, int(text))


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.day", description="What questions cost at the end of a day.")
    parser.add_argument("--sites", type=int, default=1_000, help="default: 1000")
    parser.add_argument("--hours", type=at_least_two, default=24, help="default: 24")
    parser.add_argument("--full", action="store_true", help="write every hour, copy none")
    arguments = parser.parse_args(argv)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    day = run(arguments.sites, arguments.hours, arguments.full, Console(stderr=True, style="dim", highlight=False))
    how = "every hour written" if arguments.full else "hours 2 to the last but one are copies of the first"
    console.print(facts_table(f"{arguments.hours} hours of {arguments.sites} sites at {INTERVAL_S} s; {how}", facts(day)))
    return conclude(console, promises(day))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
