"""`python -m bench.soak`: the monitor for 90 minutes while websites and InfluxDB fail at random, and its books afterwards.

The monitor runs on a terminal. At the end every slot, every request, every point in InfluxDB and every transition is
accounted for, and its memory, descriptors and threads must not have grown. Exit status 1 when a promise was broken.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import track

from bench.accounts import TargetLog, account_for_slots, by_host, compare_with_target
from bench.delivery import deliver_the_rest, undelivered, wait_until_settled
from bench.faults import plan, spells_of
from bench.processes import ROOT, STOP_SECONDS, Core, pinned
from bench.promises import Promise, at_most, conclude, facts_table, none_of
from bench.rawinflux import RawInfluxdb, alert_point, check_point
from bench.sayings import sort_out
from bench.sites import INTERVAL_S
from bench.standstill import Standstill
from bench.steadiness import facts_of_growth, growth_promises
from bench.troubles import TroubledInfluxdb
from bench.verdicts import audit
from bench.watched import Sample, WatchedMonitor
from monitoring.config import site_host
from monitoring.models import Alert, CheckResult, Window
from monitoring.storage.influxdb.points import SUMMARIES
from monitoring.storage.sqlite.reader import FileReader
from monitoring.thresholds import Rule

DATABASE = "monitoring"
SAMPLE_S = 5.0
TIMEOUT_S = 10
MINIMUM_FAILURES = 2
THRESHOLD = 80
DRAIN_S = 300.0
"""How long delivering the rest may take: all of the run may be sent again, and pauses between attempts grow up to 30 s."""

SAVED_S = 5.0
"""How long a local file that was deleted may be away: it is looked for twice a second, and copied in short steps."""

QUIET_S = 30.0
"""At most so long nothing fails any more before the end: hung checks have ended then."""

SHORT_S = 1_800.0
"""Runs shorter than this see more faults a minute."""

COMPARED_MS = 600_000
"""The stores are compared piece by piece: so much of the run at a time."""

SHOWN_BREACHES = 10
FOREVER = Window(0, 7_258_118_400_000)


@dataclass(frozen=True, slots=True)
class Soak:
    """What a run leaves behind: where, when, and what was seen of it from outside.

    `is_settled`: was everything delivered in time, and nothing refused any more? `stderr`: its lines. `not_made`: slots
    slept through, as the monitor says. `left`: points that were not delivered at its end. `still`: how the machine itself
    stood still.
    """

    hosts: Sequence[str]
    run: Window
    is_settled: bool
    status: int
    stderr: Sequence[str]
    not_made: int
    left: int
    still: str
    samples: Sequence[Sample]
    log: TargetLog


class FaultyTarget:
    """`bench.faulty` in a process of its own."""

    def __init__(self, sites: int, seconds: float, seed: int, pace: float) -> None:
        arguments = (sites, seconds, seed, pace)
        self._command = [sys.executable, "-m", "bench.faulty", *map(str, arguments)]

    def __enter__(self) -> Self:
        with pinned(Core.SERVERS):
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        assert self._process.stdout
        self.urls = [f"http://127.0.0.1:{port}/" for port in json.loads(self._process.stdout.readline())]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    def begin(self) -> None:
        """Fail as planned from now on."""
        assert self._process.stdin
        self._process.stdin.write("begin\n")
        self._process.stdin.flush()

    def end(self) -> TargetLog:
        """What it did. Raises RuntimeError when it failed itself."""
        told, _ = self._process.communicate(timeout=STOP_SECONDS)
        if self._process.returncode:
            raise RuntimeError("the target failed by a fault of its own")
        done = json.loads(told)
        hosts = [site_host(url) for url in self.urls]
        return TargetLog(*(dict(zip(hosts, done[what], strict=True)) for what in ("served", "refused")))


def write_config(directory: Path, urls: Sequence[str], window_s: int, database: str) -> Path:
    path = directory / "config.json"
    config = {
        "websites": [{"URL": url} for url in urls],
        "defaultCheckInterval": INTERVAL_S,
        "defaultTimeout": TIMEOUT_S,
        "alerting": {"threshold": THRESHOLD, "window": window_s, "minimumFailures": MINIMUM_FAILURES},
        "database": database,
    }
    path.write_text(json.dumps(config))
    return path


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def soak(arguments: argparse.Namespace, directory: Path, influxdb: TroubledInfluxdb, progress: Console) -> Soak:
    """The run itself, until everything is delivered."""
    seconds = arguments.seconds
    with FaultyTarget(arguments.sites, troubled_s(seconds), arguments.seed, pace(seconds)) as target:
        config = write_config(directory, target.urls, arguments.window, influxdb.url)
        began_ms = now_ms()
        with Standstill() as still, WatchedMonitor(config) as monitor:
            target.begin()
            samples = watch(monitor, seconds, progress)
            if not monitor.alive:
                raise RuntimeError("\n".join(["the monitor ended by itself:", *monitor.errors()]))
            influxdb.wait_until_well(STOP_SECONDS)
            is_settled = wait_until_settled(config.with_suffix(".db"), DRAIN_S)
            ended_ms = now_ms()
            status, stderr = monitor.terminate(), monitor.errors()
        log = target.end()
    left = undelivered(config.with_suffix(".db"))
    deliver_the_rest(directory, influxdb.url, DRAIN_S)
    hosts = [site_host(url) for url in target.urls]
    run = Window(began_ms, ended_ms)
    return Soak(hosts, run, is_settled, status, stderr, monitor.not_made, left, str(still), samples, log)


def watch(monitor: WatchedMonitor, seconds: float, progress: Console) -> list[Sample]:
    """Let the time pass, and look at the monitor every few seconds; ends early when it does."""
    samples: list[Sample] = []
    began_s = time.monotonic()
    rounds = range(1, int(seconds / SAMPLE_S) + 1)
    for number in track(rounds, "the monitor runs", console=progress, transient=True):
        time.sleep(max(0.0, began_s + number * SAMPLE_S - time.monotonic()))
        if not monitor.alive:
            break
        samples.append(monitor.sample())
    return samples


def troubled_s(seconds: float) -> float:
    """How long things fail: not to the very end."""
    return seconds - min(QUIET_S, seconds / 4)


def pace(seconds: float) -> float:
    return max(1.0, min(8.0, SHORT_S / seconds))


def compare_stores(reader: FileReader, influxdb: RawInfluxdb, checks: Sequence[CheckResult]) -> list[str]:
    """Does InfluxDB hold every check of the file and nothing else?"""
    counts = influxdb.counts()
    stored = sum(counts.values())
    breaches = [] if stored == len(checks) else [f"InfluxDB holds {stored} checks, the file {len(checks)}"]
    for from_ms in range(checks[0].time_ms, checks[-1].time_ms + 1, COMPARED_MS):
        window = Window(from_ms, from_ms + COMPARED_MS)
        local, remote = {check_point(check) for check in reader.results(window)}, influxdb.checks(window)
        breaches += [f"only in the file: {point}" for point in local - remote]
        breaches += [f"only in InfluxDB: {point}" for point in remote - local]
    for span, measurement in SUMMARIES.items():
        counts = {host: checks for (_, host), checks in reader.counts(FOREVER, span.kind).items()}
        if counts != influxdb.summarised(measurement):
            breaches.append(f"{measurement} does not tell of the same checks as the file")
    local, remote = {alert_point(alert) for alert in reader.alerts(FOREVER)}, influxdb.alerts()
    return breaches + [f"not the same in both stores: {point}" for point in local ^ remote]


def judge(done: Soak, file: Path, influxdb: TroubledInfluxdb, rule: Rule) -> tuple[list[Promise], list[str]]:
    """Go through the books: the promises, and all that is wrong."""
    with closing(FileReader(file)) as reader:
        stored, alerts = list(reader.results(FOREVER)), list(reader.alerts(FOREVER))
        differences = compare_stores(reader, RawInfluxdb(influxdb.port, DATABASE), stored)
    checks = by_host(done.hosts, stored)
    slots = account_for_slots(checks, done.run, INTERVAL_S * 1_000, TIMEOUT_S * 1_000)
    surprises = compare_with_target(checks, done.log)
    unexplained = audit(checks, alerts, rule, done.run)
    strange = sort_out(done.stderr).strange
    requests = sum(map(len, done.log.served.values()))
    promises = [
        none_of("slots that overlap, or are cut", slots.breaches, f"{len(stored):,} checks"),
        Promise(
            "slots without a check", str(slots.not_made), f"{done.not_made}, as it says", slots.not_made == done.not_made
        ),
        none_of("checks that the target tells otherwise", surprises, f"{requests:,} requests"),
        Promise("all is delivered, nothing refused", "yes" if done.is_settled else "no", "yes", done.is_settled),
        none_of("points that only one store holds", differences, f"{len(stored) + len(alerts):,} points"),
        none_of("transitions that the rule does not explain, or missed", unexplained, _transitions(alerts)),
        at_most("a deleted file was back after", max(influxdb.seconds_saved, default=0.0), SAVED_S, "s"),
        Promise("exit status", str(done.status), "0", done.status == 0),
        none_of("lines on stderr that no trouble explains", strange, f"{len(done.stderr)} lines"),
        *growth_promises(done.samples),
    ]
    return promises, [*slots.breaches, *surprises, *differences, *unexplained, *strange]


def _transitions(alerts: Sequence[Alert]) -> str:
    return f"{len(alerts):,} transitions"


def facts(done: Soak, arguments: argparse.Namespace, influxdb: TroubledInfluxdb) -> list[tuple[str, str]]:
    planned = spells_of(plan(arguments.sites, troubled_s(arguments.seconds), arguments.seed, pace(arguments.seconds)))
    return [
        ("sites fail", listed(planned)),
        ("InfluxDB", listed(influxdb.counts)),
        ("points refused each time", ", ".join(map(str, influxdb.refused))),
        ("the monitor says", listed(sort_out(done.stderr).counts)),
        ("undelivered after SIGTERM", str(done.left)),
        ("the machine stood still", done.still),
        *facts_of_growth(done.samples),
    ]


def listed(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{what} {count}" for what, count in counts.items())


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description="Everything fails at times.")
    parser.add_argument("--sites", type=int, default=200, help="default: 200")
    parser.add_argument("--seconds", type=int, default=5_400, help="default: 5400; memory is judged after the first 3600")
    parser.add_argument("--seed", type=int, default=1, help="the same seed fails in the same way; default: 1")
    parser.add_argument("--window", type=int, default=120, help="seconds of the alert window; default: 120")
    parser.add_argument("--keep", type=Path, help="an empty directory for the files of the run, which then stay")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    arguments = parse_arguments(argv)
    console, progress = Console(highlight=False, width=None if sys.stdout.isatty() else 120), Console(stderr=True)
    rule = Rule(Fraction(THRESHOLD), window_ms=arguments.window * 1_000, minimum_failures=MINIMUM_FAILURES)
    with tempfile.TemporaryDirectory(prefix="soak-") as temporary:
        directory = arguments.keep or Path(temporary)
        directory.mkdir(parents=True, exist_ok=True)
        file, seconds = directory / "config.db", arguments.seconds
        troubles = (arguments.sites, troubled_s(seconds), arguments.seed, pace(seconds))
        with TroubledInfluxdb(DATABASE, file, *troubles) as influxdb:
            done = soak(arguments, directory, influxdb, progress)
            promises, wrong = judge(done, file, influxdb, rule)
    title = f"{arguments.sites} sites at {INTERVAL_S} s for {arguments.seconds} s, seed {arguments.seed}"
    console.print(facts_table(title, facts(done, arguments, influxdb)))
    status = conclude(console, promises)
    console.print(*wrong[:SHOWN_BREACHES], sep="\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
