"""The local file at its limits: 1000 sites every 2 s. Questions, commits, steps, bytes a check.

    python -m bench.storage [--sites 1000] [--hours 1] [--dir DIRECTORY]

What takes too long for a whole day is measured over the hours given, and said so.
"""

import argparse
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from monitoring.models import Cause, CheckResult, Window
from monitoring.statistics.summary import Span
from monitoring.storage.sqlite.store import LocalStore
from monitoring.storage.sqlite.tables import purge as requests
from monitoring.storage.sqlite.tables.purge import Request

START_MS = 1_767_225_600_000 - 25 * 60_000
"""After 25 minutes an hour and a day end."""
COMMIT_MS = 500
GATES = {
    "statistics 10 min, ms": 300,
    "statistics 1 h, ms": 1_000,
    "downtime of all, 2 min, ms": 50,
    "commit p99, ms": 10,
    "longest step that adds up, ms": 50,
    "longest last step of a minute, ms": 50,
    "longest step of a purge, ms": 50,
    "longest step of retention, ms": 50,
    "write-ahead log, MB": 16,
    "bytes a check": 50,
}

Answer = TypeVar("Answer")


def one_check(dice: random.Random, host: str, time_ms: int, interval_ms: int) -> CheckResult:
    if dice.random() < 0.01:
        return CheckResult(
            host, time_ms, interval_ms, dice.randrange(900), 0, None, (300, None, None, None, None), Cause.TIMEOUT
        )
    resolve, transfer = dice.randrange(200, 900), dice.randrange(100, 900)
    connect, tls, processing = (dice.randrange(9_000, 40_000) for _ in range(3))
    phases = (resolve, connect, tls, processing, transfer)
    return CheckResult(host, time_ms, interval_ms, dice.randrange(900), 200, sum(phases), phases)


class Timed:
    """How long each of many calls took, milliseconds; and how long it had the CPU, which a busy machine leaves as it is."""

    def __init__(self) -> None:
        self.took: list[float] = []
        self.cpu: list[float] = []

    def call(self, work: Callable[[], Answer]) -> Answer:
        began, cpu_began = time.perf_counter(), time.thread_time()
        result = work()
        self.took.append((time.perf_counter() - began) * 1_000)
        self.cpu.append((time.thread_time() - cpu_began) * 1_000)
        return result

    def add(self, others: "Timed") -> None:
        self.took += others.took
        self.cpu += others.cpu

    def longest(self, name: str) -> dict[str, float]:
        return {f"{name}, ms": max(self.took), f"{name}, ms of CPU": max(self.cpu)}


def quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0.0


def fill(store: LocalStore, path: Path, sites: int, interval_ms: int, length_ms: int) -> dict[str, float]:
    """Write as a monitor does: a commit each half second, and between two commits the steps that are due."""
    dice = random.Random(1)
    hosts = [f"https://site-{number}.example.org/" for number in range(sites)]
    commits, adding, last, wal = Timed(), Timed(), Timed(), 0
    offsets = [site * interval_ms // sites for site in range(sites)]
    for now_ms in range(START_MS, START_MS + length_ms, COMMIT_MS):
        due = (
            (at_ms, host)
            for host, offset in zip(hosts, offsets, strict=True)
            for at_ms in range(now_ms + (offset - now_ms) % interval_ms, now_ms + COMMIT_MS, interval_ms)
        )
        checks = [one_check(dice, host, at_ms, interval_ms) for at_ms, host in due]
        commits.call(lambda checks=checks, now_ms=now_ms: store.append(checks, [], now_ms + COMMIT_MS))  # type: ignore[misc]
        while _step(store, now_ms + COMMIT_MS, adding, last):
            pass
        wal = max(wal, path.with_name(path.name + "-wal").stat().st_size)
    return {
        "commit p50, ms": quantile(commits.took, 0.5),
        "commit p99, ms": quantile(commits.took, 0.99),
        "commit p99, ms of CPU": quantile(commits.cpu, 0.99),
        **commits.longest("longest commit"),
        "step that adds up p50, ms": quantile(adding.took, 0.5),
        "step that adds up p99, ms": quantile(adding.took, 0.99),
        **adding.longest("longest step that adds up"),
        "last step of a minute p50, ms": quantile(last.took, 0.5),
        **last.longest("longest last step of a minute"),
        "write-ahead log, MB": wal / 1e6,
    }


def _step(store: LocalStore, now_ms: int, adding: Timed, last: Timed) -> bool:
    """A step of maintenance. The last one of a minute moves the newest summarised minute on."""
    before, step = store.summarised_ms(), Timed()
    went_on = step.call(lambda: store.maintain(now_ms))
    if went_on:
        (last if store.summarised_ms() != before else adding).add(step)
    return went_on


def ask(store: LocalStore, until_ms: int) -> dict[str, float]:
    questions: dict[str, Callable[[], object]] = {
        "statistics 10 min, ms": lambda: store.stats(Window.before(until_ms, 600_000), exact=True),
        "statistics 1 h, ms": lambda: store.stats(Window.before(until_ms, 3_600_000), exact=True),
        "downtime of all, 2 min, ms": lambda: store.downtime(Window.before(until_ms, 120_000)),
        "states of all, ms": lambda: store.last_states(until_ms),
        "delivery of 5000, ms": lambda: store.next_delivery(5_000),
    }
    found = {}
    for name, question in questions.items():
        timed = Timed()
        for _ in range(5):
            timed.call(question)
        found[name] = statistics.median(timed.took)
    store.postpone()
    return found


def retain(store: LocalStore, now_ms: int) -> dict[str, float]:
    """Delete all but the newest hour, in steps."""
    steps = Timed()
    store.set_retention(5 * Span.MINUTE.length_ms, 10**12)
    while steps.call(lambda: store.maintain(now_ms)):
        pass
    return steps.longest("longest step of retention") | {"retention steps": len(steps.took)}


def purge(store: LocalStore, now_ms: int) -> dict[str, float]:
    """Delete all of one site, in steps."""
    steps = Timed()
    with store.writing() as connection:
        requests.ask(connection, Request("https://site-7.example.org/", now_ms, forget=True))
    while steps.call(lambda: store.maintain(now_ms)):
        pass
    return steps.longest("longest step of a purge") | {"purge of a site, ms": sum(steps.took)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=1_000)
    parser.add_argument("--interval", type=float, default=2.0)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--dir", type=Path)
    asked = parser.parse_args()
    interval_ms, length_ms = round(asked.interval * 1_000), round(asked.hours * Span.HOUR.length_ms)
    with tempfile.TemporaryDirectory(dir=asked.dir) as directory:
        path = Path(directory) / "monitor.db"
        with closing(LocalStore(path)) as store:
            found = fill(store, path, asked.sites, interval_ms, length_ms)
            # A window's usual end: 20 s after a whole minute, and the newest minute is not summarised.
            found |= ask(store, START_MS + length_ms)
            counts = store.counts(Window(0, START_MS + 2 * length_ms))
        checks = sum(counts.values())
        found["bytes a check"] = path.stat().st_size / checks
        found["file, MB"] = path.stat().st_size / 1e6
        with closing(LocalStore(path)) as store:
            found |= purge(store, START_MS + length_ms)
            found |= retain(store, START_MS + length_ms)
    found["memory, MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000
    print(f"{asked.sites} sites every {asked.interval} s for {asked.hours} h: {checks:,} checks")
    for name, value in found.items():
        gate = f"  (at most {GATES[name]})" if name in GATES else ""
        print(f"  {name:32} {value:10.2f}{gate}")


if __name__ == "__main__":
    main()
