#!/usr/bin/env python3
"""The self-test of alerting: a site fails and recovers in three ways, and a real monitor watches it through a real store.

The site is a flask application on a free port. Each step prints what is expected and what was seen. At the end the
decisions are recomputed from the stored checks, independently of the code that made them.
"""

import os
import queue
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from monitoring.alerts.evaluator import Evaluate
from monitoring.alerts.rule import Decision, evaluate
from monitoring.checks.checkers import Checkers
from monitoring.checks.probe import Probe
from monitoring.clock import SystemClock
from monitoring.commands.invocation import Invocation, MakeApp
from monitoring.commands.oneshot.drill import SelfTestFailed, channels_of, run_drill
from monitoring.config import DEFAULT_DATABASE, Config, DatabaseAddress, parse_database
from monitoring.display.output.outputs import SilentOutput
from monitoring.display.output.progress import progress
from monitoring.display.output.streams import Streams
from monitoring.display.output.thread import DisplayThread
from monitoring.display.words import SOURCES, alert_sentence
from monitoring.errors import StoreError
from monitoring.models import Alert, AlertType, CheckResult, Downtime, Site, Window
from monitoring.service.signals import end_at_signals
from monitoring.statistics.tracker import RestoredState
from monitoring.storage.backends import open_backend
from monitoring.storage.base import Reader
from monitoring.storage.delivery.local_first import LocalFirstStore
from monitoring.storage.opening import READER_TIMEOUT_S
from monitoring.storage.sqlite.store import LocalStore
from monitoring.thresholds import Rule

if TYPE_CHECKING:
    from werkzeug.serving import BaseWSGIServer

    from monitoring.storage.influxdb.store import InfluxStore

WINDOW_MS = 4_000
RULE = Rule(threshold=Fraction(80), recovery_threshold=Fraction(80), window_ms=WINDOW_MS, minimum_failures=2)
INTERVAL_MS = 200
TIMEOUT_MS = 500
PATIENCE_S = 15.0
"""How long a step waits for the expected announcement, which takes two to five seconds."""

QUIET_S = 4.0
"""How long the self-test watches a healthy site, about which nothing must be announced."""

TEST_DATABASE = "test"


class ScriptedSite:
    """A website that answers, fails, hangs, or refuses connections on command."""

    def __init__(self) -> None:
        from flask import Flask, Response

        self._behaviour = "answers"
        self._released = threading.Event()
        application = Flask("self-test")

        @application.get("/")
        def page() -> Response:
            behaviour = self._behaviour
            if behaviour == "hangs":
                self._released.wait(PATIENCE_S)
            return Response("down\n", 503) if behaviour == "fails" else Response("fine\n")

        self._application = application
        self._server: BaseWSGIServer | None = None
        self.port = 0
        self._listen()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def become(self, behaviour: str) -> None:
        """`behaviour`: "answers" 200, "fails" with 503, "hangs" without an answer, or "refuses" connections."""
        self._behaviour = behaviour
        if behaviour != "hangs":
            self._released.set()
        else:
            self._released.clear()
        if behaviour == "refuses":
            self.close()
        elif self._server is None:
            self._listen()

    def _listen(self) -> None:
        from werkzeug.serving import WSGIRequestHandler, make_server

        class Quiet(WSGIRequestHandler):
            def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - the name is werkzeug's
                """Print nothing, because the self-test has its own output."""

        server = make_server("127.0.0.1", self.port, self._application, threaded=True, request_handler=Quiet)
        self.port = server.server_port
        threading.Thread(target=server.serve_forever, args=(0.05,), name="scripted site", daemon=True).start()
        self._server = server

    def close(self) -> None:
        self._released.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@dataclass(frozen=True, slots=True)
class Step:
    """A behaviour of the site, and the announcement that must follow (None: none may follow)."""

    behaviour: str
    what: str
    expected: AlertType | None
    cause: str | None = None


STEPS = (
    Step("answers", "answers", None),
    Step("fails", "answers with an error (503)", AlertType.ALERT, "status"),
    Step("answers", "answers again", AlertType.RECOVERY, "status"),
    Step("refuses", "refuses connections", AlertType.ALERT, "connect"),
    Step("answers", "answers again", AlertType.RECOVERY, "connect"),
    Step("hangs", "takes connections and never answers", AlertType.ALERT, "timeout"),
    Step("answers", "answers again", AlertType.RECOVERY, "timeout"),
)


class Announcements(SilentOutput):
    """Collects what the monitor announces."""

    def __init__(self, streams: Streams) -> None:
        super().__init__(streams.errors)
        self.seen: queue.SimpleQueue[Alert] = queue.SimpleQueue()

    def state_change(self, alert: Alert, name: str | None) -> None:
        self.seen.put(alert)


class SelfTest:
    """Plays the steps against a running monitor, and prints what it expects and sees."""

    def __init__(self, site: ScriptedSite, announcements: Announcements) -> None:
        self._site = site
        self._announcements = announcements
        self.alerts: list[Alert] = []

    def play(self, steps: Sequence[Step]) -> None:
        """Raises `SelfTestFailed` at the first step with another result than expected."""
        for number, step in enumerate(steps, start=1):
            print(f"[{number}/{len(steps)}] The test's own website {step.what}: expecting {_expectation(step)}", flush=True)
            self._site.become(step.behaviour)
            alert: Alert | None = None
            left_s = 3 * (len(steps) + 1 - number)  # an estimate
            with suppress(queue.Empty), progress(f"waiting, about {left_s} s left", plain_s=2 * PATIENCE_S):
                alert = self._announcements.seen.get(timeout=QUIET_S if step.expected is None else PATIENCE_S)
            self._check(step, alert)

    def _check(self, step: Step, alert: Alert | None) -> None:
        print(f"      saw: {alert_sentence(alert) + f', cause {alert.cause}' if alert else 'no announcement'}", flush=True)
        if alert:
            self.alerts.append(alert)
        if (alert and alert.type) != step.expected:
            raise SelfTestFailed(f"expected {_expectation(step)}")
        if alert and alert.cause != step.cause:
            raise SelfTestFailed(f"expected the cause {step.cause}, not {alert.cause}")


def _expectation(step: Step) -> str:
    if step.expected is None:
        return f"that nothing is announced for {QUIET_S:g} s"
    return f"{'an alert' if step.expected is AlertType.ALERT else 'its recovery'}, cause {step.cause}"


@dataclass(frozen=True, slots=True)
class Sums:
    """The sums over a window. `due` is a second implementation of the rule, independent of `monitoring.alerts.rule`."""

    failed: int
    covered_ms: int
    down_ms: int
    ended_failed: int = 0
    ended_down_ms: int = 0

    def due(self, open_alert: bool) -> AlertType | None:
        """The announcement that this window requires. Failures of an announced outage do not count for another one."""
        down = 5 * self.down_ms > WINDOW_MS
        if not open_alert:
            enough = 5 * (self.down_ms - self.ended_down_ms) > WINDOW_MS and self.failed - self.ended_failed >= 2
            return AlertType.ALERT if enough else None
        good = 5 * (self.covered_ms - self.down_ms) >= 4 * self.covered_ms and 5 * self.covered_ms >= 4 * WINDOW_MS
        return AlertType.RECOVERY if good and not down else None

    def __str__(self) -> str:
        ended = f" ({self.ended_down_ms} of an earlier outage)" if self.ended_failed else ""
        return f"failed checks {self.failed}, down {self.down_ms} ms{ended}, measured {self.covered_ms} of {WINDOW_MS} ms"


EDGES = (
    *((False, 4, 4_000, 800), (False, 4, 4_000, 801), (False, 1, 4_000, 4_000), (False, 2, 801, 801)),
    *((True, 4, 4_000, 800), (True, 4, 4_000, 801), (True, 3, 3_200, 640), (True, 0, 3_199, 0), (True, 4, 4_200, 801)),
    *((False, 6, 4_000, 1_200, 2, 400), (False, 6, 4_000, 1_201, 2, 400), (False, 2, 4_000, 2_000, 1, 200)),
)
"""Windows at each limit of the rule and just beyond it: whether an alert is open; failed checks, measured and down
milliseconds; then the failed checks and down milliseconds that belong to an earlier outage."""


class WatchedRule:
    """The rule under test. Each of its decisions is compared with the arithmetic.

    This finds a rule that decides a little too early or too late, whatever the timing of this machine.
    """

    def __init__(self, evaluate: Evaluate) -> None:
        self._evaluate = evaluate
        self.asked = 0
        self.mistakes: list[str] = []

    def __call__(self, open_alert: bool, seen: Downtime, rule: Rule) -> Decision:
        decision = self._evaluate(open_alert, seen, rule)
        sums = Sums(seen.failures, seen.covered_ms, seen.down_ms, seen.ended_failures, seen.ended_down_ms)
        due = sums.due(open_alert)
        self.asked += 1
        if decision.change is not due:
            self.mistakes.append(f"{sums}: {_word(due)} was due, the rule decided on {_word(decision.change)}")
        return decision

    def check(self) -> None:
        """Test the edges as well. Raises `SelfTestFailed` if any decision was wrong."""
        for open_alert, failed, *sums in EDGES:
            self(open_alert, Downtime(failed, failed, *sums), RULE)
        if self.mistakes:
            raise SelfTestFailed(f"{self.mistakes[0]} (and {len(self.mistakes) - 1} more such decisions)")
        print(f"The rule decided {self.asked} times. Each decision was recomputed and is right.", flush=True)


def _word(change: AlertType | None) -> str:
    return {None: "nothing", AlertType.ALERT: "an alert", AlertType.RECOVERY: "a recovery"}[change]


def recompute(alert: Alert, checks: Sequence[CheckResult], ended_ms: int) -> str:
    """Recompute a decision from the checks and the end of the last outage. Raises `SelfTestFailed` if it was wrong."""
    window = [check for check in checks if alert.time_ms - WINDOW_MS <= check.time_ms < alert.time_ms]
    failed = [check for check in window if not check.available]
    down_ms = [check.covers_ms for check in failed]
    ended = [check.covers_ms for check in failed if check.time_ms <= ended_ms]
    sums = Sums(len(failed), sum(check.covers_ms for check in window), sum(down_ms), len(ended), sum(ended))
    if sums.due(open_alert=alert.type is AlertType.RECOVERY) is not alert.type:
        raise SelfTestFailed(f"{alert.type} at {alert.time_ms} was not due: {sums}")
    return f"{alert.type:8}  {sums}"


def check_records(reader: Reader, host: str, announced: Sequence[Alert]) -> None:
    """Check that the store has exactly the announced records, and that each decision follows from the stored checks."""
    everything = Window(0, announced[-1].time_ms + 3_600_000)
    stored = [alert for alert in reader.alerts(everything) if alert.host == host]
    if stored != list(announced):
        raise SelfTestFailed(f"{len(announced)} state changes were announced, but {len(stored)} (or others) are stored")
    checks = [check for check in reader.results(everything) if check.host == host]
    print(f"Each alert and recovery, recomputed from the {len(checks)} checks in {SOURCES[reader.kind]}:")
    ends_ms = [0, *(alert.end_ms or 0 for alert in announced)]
    for alert, ended_ms in zip(announced, ends_ms, strict=False):
        print(f"      {recompute(alert, checks, ended_ms)}")


@contextmanager
def temporary_database(address: DatabaseAddress) -> Iterator["InfluxStore | None"]:
    """The database `test` on this server, dropped afterwards if it is new; None if no server for databases answers."""
    if not (address.backend and address.backend.has_name):
        yield None
        return
    with closing(open_backend(replace(address, database=TEST_DATABASE), READER_TIMEOUT_S)) as opened:
        database = cast("InfluxStore", opened)
        try:
            existed = database.database_exists()
            database.verify("self-test")
        except StoreError:
            yield None
            return
        try:
            yield database
        finally:
            if not existed:
                database.drop_database()


def play_against(make_app: MakeApp, database: "InfluxStore | None", directory: Path, evaluate: Evaluate) -> Sequence[Alert]:
    """Run the self-test through this database (None: through SQLite). Returns its alerts. Raises `SelfTestFailed`."""
    scripted, clock, streams = ScriptedSite(), SystemClock(), Streams.standard()
    site = Site(scripted.url, scripted.url, interval_ms=INTERVAL_MS, timeout_ms=TIMEOUT_MS, rule=RULE)
    config = Config((site,), None, directory / "self-test.db", alert_interval_ms=INTERVAL_MS)
    local = LocalStore(config.local_database)
    store = LocalFirstStore(local, clock, database, database)
    rule, announcements = WatchedRule(evaluate), Announcements(streams)
    display, make_checkers = DisplayThread(announcements, streams), partial(Checkers, Probe, clock=clock)
    app = make_app(config, store, clock, display, make_checkers, RestoredState(), rule)
    monitoring = threading.Thread(target=app.run, name="monitor")
    monitoring.start()
    test = SelfTest(scripted, announcements)
    try:
        test.play(STEPS)
        app.stop()
        monitoring.join()
        rule.check()
        check_records(database or local, site.host, test.alerts)
    finally:
        app.stop()
        monitoring.join()
        scripted.close()
        if database:
            database.drop_host(site.host)
            database.drop_record(local.marker)
        local.close()
    return test.alerts


def run(invocation: Invocation, evaluate: Evaluate = evaluate) -> int:
    """`-t`: run the self-test. Returns the exit status, 0 if alerting works. `evaluate` is the rule under test."""
    end_at_signals()
    channels = channels_of(invocation) if invocation.arguments.notify else ()
    address = parse_database(invocation.arguments.database or DEFAULT_DATABASE, invocation.environ)
    try:
        with temporary_database(address) as database, tempfile.TemporaryDirectory(prefix="self-test-") as directory:
            where = f"{database.name}, database {TEST_DATABASE}" if database else "SQLite, because no InfluxDB answers"
            print("Self-test: a real monitor must raise an alert each time a test website goes down (about 20 s).")
            print(f"It checks every {INTERVAL_MS} ms and stores in {where}.", flush=True)
            alerts = play_against(invocation.make_app, database, Path(directory), evaluate)
            run_drill(alerts[:2], RULE, channels, Path(directory))
    except SelfTestFailed as failure:
        print(f"FAILED: {failure}")
        return 1
    print("PASSED: alerting works here. Each outage and each recovery was announced, and nothing else.")
    return 0


if __name__ == "__main__":
    os.execv(sys.executable, [sys.executable, str(Path(__file__).with_name("monitoringApp.py")), "-t"])  # noqa: S606
