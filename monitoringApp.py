#!/usr/bin/env python3
"""The website monitor. `./monitoringApp.py -m` checks the sites of config.json; `--help` lists all modes."""

import argparse
import io
import os
import queue
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from monitoring import alerting, process
from monitoring.board import Board, Past
from monitoring.clock import Clock, SystemClock
from monitoring.commandline import parse_arguments
from monitoring.config import Config, ConfigWatcher, describe, load_config
from monitoring.errors import ConfigError, MonitoringError, StoreError
from monitoring.following import consequences, new_config
from monitoring.judge import Evaluate, Judge
from monitoring.models import Alert, CheckResult, Downtime, Site, SiteStatus, Window
from monitoring.modes import run_beside_monitors
from monitoring.notes import Notes
from monitoring.notify import Manager
from monitoring.output import Output, open_output
from monitoring.pool import CheckerPool, Prober
from monitoring.report import Closing, Header, SiteKey, StatsReport, printable
from monitoring.rounds import ROUNDS_MS, Rounds
from monitoring.states import outage_is_open
from utils import enter_environment, query_window

if TYPE_CHECKING:
    from monitoring.store.replicated import ReplicatedStore

FIRST_ROUND_MS = 3_000
"""How soon the first statistics are shown; after that they follow their schedule."""

REFRESH_S = 1.0
LOOK_MS = 1_000
FLUSH_S = 5.0

RECENT_MS = 86_400_000
"""How far back the alerts go that a new run still shows."""


class Trouble(NamedTuple):
    """What does not work, and why."""

    what: str
    why: str


class MonitoringApp:
    """Checks the sites, shows statistics, decides on alerts: one object a run.

    Checkers and the judge work in threads of their own and hand everything to the main thread, which alone prints.
    """

    def __init__(
        self,
        config: Config,
        store: "ReplicatedStore",
        clock: Clock,
        output: Output,
        make_probe: Callable[[Site], Prober],
        past: Past,
        evaluate: Evaluate = alerting.evaluate,
        watcher: ConfigWatcher | None = None,
    ) -> None:
        """`watcher` brings new configurations while this one runs."""
        self._config = config
        self._watcher = watcher
        self._store = store
        self._clock = clock
        self._output = output
        self._board = Board(config.sites, past.histories)
        self._judge = Judge(config.sites, store, clock, past.last_alerts, self._board.histories, evaluate)
        self._pool = CheckerPool(make_probe, self._record, clock)
        self._recent = past.recent_alerts
        self._open_at_start = self._judge.open_outages()
        self._events: queue.SimpleQueue[Alert | Trouble | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._judging = threading.Thread(target=self._keep_judging, name="judge", daemon=True)
        self._started_ms = clock.now_ms()
        self._rounds = Rounds(clock, first_ms=FIRST_ROUND_MS)
        self._next_look_ns = clock.monotonic_ns()
        self._told: dict[str, Trouble] = {}
        self._storage_trouble: str | None = None
        self._manager = Manager({}, clock.monotonic_ns)
        self._notes = Notes(store, self._pool, clock, self._awaits_database)

    def statistics(self, window_ms: int) -> StatsReport:
        """The aggregated statistics of all sites over the past `window_ms`, from the store. Raises `StoreError`."""
        return query_window(self._store, self._clock, window_ms, self._config.sites, self._status)

    def alert_status(self, site: Site) -> alerting.Verdict:
        """What the rule says of one site now, from the stored checks. Raises `StoreError`."""
        window = Window.before(self._clock.now_ms(), site.rule.window_ms)
        seen = self._store.own_reader().downtime(window)
        return self._judge.verdict(site, seen.get(site.host, Downtime()))

    def run(self, manager: Manager | None = None) -> None:
        """Monitor until `stop`; then write and deliver what is left, and show the closing screen. `manager` is told."""
        self._manager = manager or self._manager
        self._store.keep(self._config.check_retention_ms, self._config.alert_retention_ms)
        self._store.start()
        self._pool.start(self._config.sites)
        process.settle()
        self._judging.start()
        try:
            self._output.start(self._header(), self._clock.now_ms(), self._recent)
            self._manager.ready(self._standing())
            while not self._stopping.is_set():
                self.step()
        finally:  # also when the terminal or the pipe that we print to has gone
            written = self._wind_down()
        self._show_end()
        if not written:
            raise MonitoringError(f"not everything could be written: {self._store.trouble}")

    def stop(self) -> None:
        """End `run` soon; may be called from a signal handler and from any thread."""
        self._stopping.set()
        self._events.put(None)

    def step(self) -> None:
        """Wait for something to show, up to a second, and show what has come."""
        try:
            self._tell(self._events.get(timeout=REFRESH_S))
            while not self._events.empty():
                self._tell(self._events.get())
        except queue.Empty:
            pass
        self._look_after()
        self._show_due_rounds()
        self._tell_of_storage()
        for sentence in self._notes.news():
            self._output.news(sentence)
        now_ms = self._clock.now_ms()
        self._output.refresh(self._header(), now_ms, lambda: self._statuses(now_ms), self._judge.open_outages())
        self._tell_manager()

    def reload(self) -> None:
        """Read the configuration again soon, changed or not; may be called from a signal handler."""
        if self._watcher:
            self._watcher.ask()
            self._events.put(None)

    def _look_after(self) -> None:
        """Once a second: dead checkers and a new configuration."""
        if self._clock.monotonic_ns() < self._next_look_ns:
            return
        self._next_look_ns = self._clock.monotonic_ns() + LOOK_MS * 1_000_000
        for sentence in self._pool.replace_dead():
            self._output.notice(sentence)
            self._manager.end("checkers")  # those that died will never answer
        if config := new_config(self._watcher, self._output.notice):
            self._follow(config)

    def _follow(self, config: Config) -> None:
        """Go on with another configuration: first those who take in results, then those who make them."""
        self._board.watch(config.sites)
        self._judge.watch(config.sites)
        self._store.keep(config.check_retention_ms, config.alert_retention_ms)
        before, self._config = self._config, config
        change = self._pool.change(config.sites)
        self._output.notice(
            f"new configuration: {len(config.sites)} sites, {len(change.added)} added, "
            f"{len(change.removed)} removed, {len(change.changed)} checked in another way"
        )
        for sentence in consequences(before, config):
            self._output.notice(sentence)

    def _record(self, result: CheckResult) -> None:
        self._board.observe(result)
        self._store.record(result)

    def _status(self, site: Site, now_ms: int) -> SiteStatus:
        return self._board.status(site, self._judge.last_alert(site.host), now_ms)

    def _statuses(self, now_ms: int) -> Mapping[SiteKey, SiteStatus]:
        return {(site.host, ""): self._status(site, now_ms) for site in self._config.sites}

    def _show_due_rounds(self) -> None:
        for window_ms in self._rounds.due():
            self._show(window_ms)
            self._rounds.done(window_ms)
            if window_ms == max(ROUNDS_MS):
                process.give_back()

    def _show(self, window_ms: int) -> None:
        try:
            self._output.statistics(self.statistics(window_ms))
        except StoreError as error:
            self._say(Trouble("no statistics", str(error)))

    def _tell(self, event: Alert | Trouble | None) -> None:
        if isinstance(event, Alert):
            self._output.transition(event, self._name(event.host))
        elif event is not None:
            self._say(event)

    def _say(self, trouble: Trouble) -> None:
        """Trouble is told when it begins and when it changes, not every second."""
        if trouble != self._told.get(trouble.what):
            self._output.notice(f"{trouble.what}: {trouble.why}")
        self._told[trouble.what] = trouble

    def _tell_of_storage(self) -> None:
        """Trouble with the local file is told when it begins and when it is over; the header says how it stands."""
        trouble = self._store.trouble
        if trouble and not self._storage_trouble:
            self._output.notice(f"checks cannot be written: {trouble}")
        elif self._storage_trouble and not trouble:
            self._output.notice("checks are written again")
        self._storage_trouble = trouble

    def _tell_manager(self) -> None:
        """That we are alive: this loop turns, the checkers' loop too, and the judge is not stuck."""
        if self._manager.begin("checkers"):
            self._pool.call_back(lambda: self._manager.end("checkers"))
        self._manager.step(self._standing())

    def _standing(self) -> str:
        return f"{len(self._config.sites)} sites, {len(self._judge.open_outages())} down; {self._store.source().why}"

    def _name(self, host: str) -> str | None:
        return next((site.name for site in self._config.sites if site.host == host), None)

    def _header(self) -> Header:
        source = self._store.source()
        return Header(len(self._config.sites), source.kind, source.why, (*self._config.warnings, *self._notes.standing()))

    def _keep_judging(self) -> None:
        """The judge's thread: alerts go out in time, however long statistics or the terminal take."""
        while not self._clock.wait(self._stopping, self._config.alert_interval_ms / 1_000):
            try:
                with self._manager.work("judge"):
                    found = self._judge.step()
                for alert in found:
                    self._events.put(alert)
            except StoreError as error:
                self._events.put(Trouble("alerts cannot be decided", str(error)))
            except Exception as error:  # noqa: BLE001 - judging must go on, whatever happens to one round
                self._events.put(Trouble("alerts cannot be decided", f"{type(error).__name__}: {error}"))

    def _wind_down(self) -> bool:
        """End all threads; False when something could not be written."""
        self._stopping.set()
        self._manager.stopping()
        self._pool.stop()
        self._judging.join(FLUSH_S)
        return self._store.flush(FLUSH_S)

    def _show_end(self) -> None:
        while not self._events.empty():
            self._tell(self._events.get())
        self._output.close(self._closing())

    def _awaits_database(self) -> bool:
        """Is there one that is to have everything? The default one counts when it has been there."""
        return bool(self._config.database) or self._store.has_met_database

    def _closing(self) -> Closing:
        ended_ms = self._clock.now_ms()
        alerts = (*self._open_at_start, *self._store.own_alerts(Window(self._started_ms, ended_ms + 1)))
        incidents = Counter(alert.host for alert in alerts if outage_is_open(alert))
        rows = self._board.closing_rows(self._config.sites, incidents)
        undelivered = self._store.undelivered() if self._awaits_database() else 0
        return Closing(self._started_ms, ended_ms, rows, undelivered, alerts)


def monitor(config: Config, output: Output, watcher: ConfigWatcher, ca_file: str | None = None) -> int:
    """`-m`: monitor until Ctrl-C or SIGTERM. `ca_file`: whom sites may be certified by; None: Mozilla's list."""
    from monitoring.probe import Probe
    from monitoring.store.choosing import database_address
    from monitoring.store.opening import known_outages, open_local, open_replicated

    process.prepare(len(config.sites))
    clock, address = SystemClock(), database_address(config)
    local = open_local(config.local_database, output.notice)
    last_alerts, last_time = known_outages(local, address, config.location)
    clock.start_after(last_time)
    store = open_replicated(local, address, clock, config.location)
    try:
        recent = local.alerts(Window.before(clock.now_ms(), RECENT_MS))
        make_probe = partial(Probe, ca_file=ca_file)
        past = Past(last_alerts, local.histories(), recent)
        app = MonitoringApp(config, store, clock, output, make_probe, past, watcher=watcher)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: app.stop())
        signal.signal(signal.SIGHUP, lambda *_: app.reload())
        app.run(Manager(os.environ, clock.monotonic_ns))
    finally:
        store.close()
    return 0


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Do what the command line asks; returns the exit status. Raises `MonitoringError`."""
    if arguments.mode == "test":
        from test import self_test

        return self_test(arguments.database, environ)
    load = partial(load_config, arguments.config, environ, arguments.database)
    config = load()
    for warning in config.warnings:
        print(printable(warning), file=sys.stderr)
    if arguments.mode == "check-config":
        print(*describe(config), sep="\n")
        return 0
    watcher = ConfigWatcher(arguments.config, load, config)
    if arguments.mode == "alerts":
        from alertWatcher import watch

        return watch(config, watcher, arguments.format, arguments.location, once=arguments.once, environ=environ)
    if arguments.mode == "monitor":
        output = open_output(arguments.format, silent=arguments.silent, environ=environ, location=config.location)
        return monitor(config, output, watcher, environ.get("SSL_CERT_FILE") or None)
    return run_beside_monitors(arguments, config, watcher, environ)


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """The whole program; every error becomes words on stderr and an exit status."""
    for stream in (sys.stdout, sys.stderr):  # names of any script must not fail in a plain locale
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    arguments = parse_arguments(argv)
    try:
        enter_environment()
        return run(arguments, environ)
    except ConfigError as error:
        print(*error.problems, sep="\n", file=sys.stderr)
        return 2
    except MonitoringError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
