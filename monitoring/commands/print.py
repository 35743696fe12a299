"""`-p`: shows what monitors elsewhere measure, without checking anything."""

import signal
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from monitoring.clock import Clock, StopSignal, SystemClock
from monitoring.commands.invocation import Invocation
from monitoring.commands.multi_location import Survey
from monitoring.commands.rounds import ROUNDS_MS, Rounds, round_every_ms
from monitoring.config import Config, ConfigWatcher
from monitoring.config.reload import new_config
from monitoring.display import Header, View, time_text
from monitoring.display.outputs import Output, open_output, print_view
from monitoring.errors import ConfigError, StoreError
from monitoring.models import Alert
from monitoring.storage.delivery import words
from monitoring.storage.delivery.words import Source
from monitoring.storage.routing import ReaderChoice, Readers

REFRESH_S = 1.0

SETTLED_MS = 2_000
"""How old a check must be to be shown. A monitor commits twice a second and delivers at once: no window lacks its end."""

RECENT_MS = 86_400_000
"""How far back the alerts go that the screen shows."""

LIVE_PATIENCE_S = 10.0
SCRIPT_PATIENCE_S = 60.0
"""How long one question may take, on a screen that waits for it and in a script that asks once."""

NOWHERE = Source("nothing", "")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for: a window of one's own, a moment that is past, one look only, one location only."""

    window_ms: int | None = None
    at_ms: int | None = None
    once: bool = False
    location: str | None = None

    @property
    def rounds_ms(self) -> Mapping[int, int]:
        """Each window that is shown, and how often."""
        return ROUNDS_MS if self.window_ms is None else {self.window_ms: round_every_ms(self.window_ms)}


class Printer:
    """Follows the store that knows best, for as long as it runs; one thread does it all."""

    def __init__(
        self,
        config: Config,
        choice: ReaderChoice,
        clock: Clock,
        output: Output,
        rounds_ms: Mapping[int, int] = ROUNDS_MS,
        watcher: ConfigWatcher | None = None,
    ) -> None:
        """`rounds_ms`: each window that is shown and how often; `watcher` brings new configurations."""
        self._config = config
        self._choice = choice
        self._clock = clock
        self._output = output
        self._watcher = watcher
        self._rounds = Rounds(clock, rounds_ms)
        self._survey = Survey(config.sites)
        self._readers: Readers = {}
        self._source = NOWHERE
        self._ahead_ms = 0
        self._told_after_ms = clock.now_ms()

    def run(self, stop: threading.Event) -> None:
        """Show what there is until `stop`."""
        self._start()
        try:
            while not stop.is_set():
                self.step()
                self._clock.wait(stop, REFRESH_S)
        finally:
            self._output.close(None)
            self._choice.close()

    def step(self) -> None:
        """Ask for what is due and show what has come; trouble with the store is told and over when it answers again."""
        if config := new_config(self._watcher, self._output.notice):
            self._follow(config)
        self._output.trouble(self._look())
        now_ms = self._clock.now_ms() + self._ahead_ms
        self._output.refresh(self._header(), now_ms, self._survey.statuses, self._survey.ongoing())

    def _start(self) -> None:
        """The screen with the alerts of the past day, as far as there is anybody to ask."""
        recent: Sequence[Alert] = ()
        try:
            alerts = self._survey.new_alerts(self._choose())
            self._told_after_ms = self._clock.now_ms() + self._ahead_ms
            recent = [alert for alert in alerts if alert.time_ms > self._told_after_ms - RECENT_MS]
        except StoreError as error:
            self._forget_readers(error)
        self._output.start(self._header(), self._clock.now_ms() + self._ahead_ms, recent)

    def _look(self) -> str | None:
        """Ask for new alerts and for the windows that are due; returns why that cannot be done."""
        due = self._rounds.due()
        try:
            readers = self._choose() if due or not self._readers else self._readers
            self._tell_alerts(self._survey.new_alerts(readers))
            if due:
                self._show(readers, due)
        except StoreError as error:
            self._forget_readers(error)
            return str(error)
        return None

    def _choose(self) -> Readers:
        readers, self._source = self._choice.choose()
        if readers != self._readers:  # where a monitor's times run ahead of this machine's, its newest time is now
            self._ahead_ms = max(0, last_time(readers) + 1 - self._clock.now_ms())
            self._readers = readers
        return readers

    def _forget_readers(self, error: StoreError) -> None:
        """Choose again at the next step, others if the database did not answer."""
        if self._readers:
            self._choice.distrust(error)
        self._readers, self._source = {}, NOWHERE

    def _tell_alerts(self, alerts: Sequence[Alert]) -> None:
        """Those that are news: what was decided before this began is history, however late it can be read."""
        names = {site.host: site.name for site in self._config.sites}
        for alert in alerts:
            if alert.time_ms >= self._told_after_ms:
                self._output.state_change(alert, names[alert.host])

    def _show(self, readers: Readers, windows_ms: Sequence[int]) -> None:
        until_ms = self._clock.now_ms() + self._ahead_ms - SETTLED_MS
        reports = self._survey.reports(readers, windows_ms, until_ms)
        if not any(row.stats.checks for report in reports for row in report.rows) and last_time(readers) >= until_ms:
            return  # a monitor has begun just now: there will be something to show in a moment
        for report in reports:
            self._output.statistics(report)
            self._rounds.done(report.length_ms)

    def _follow(self, config: Config) -> None:
        self._config = config
        self._survey.watch(config.sites)
        self._choice.follow(config)
        self._readers = {}
        self._rounds.hurry()

    def _header(self) -> Header:
        notes = (*self._config.warnings, *store_notes(self._choice, self._survey.missing()))
        return Header(len(self._config.sites), self._source.kind, self._source.why, notes)


def store_notes(choice: ReaderChoice, missing: int) -> Sequence[str]:
    """What a person should know of the database that is read, or not: what it refused, and what it lacks."""
    lacking = [words.missing(choice.name, missing)] if missing else []
    return [condition.text for condition in (*choice.conditions(), *lacking)]


def last_time(readers: Readers) -> int:
    """The newest time that any of them knows; 0: none knows any."""
    return max((reader.last_time() or 0 for reader in readers.values()), default=0)


def look_once(config: Config, choice: ReaderChoice, readers: Readers, source: Source, clock: Clock, wanted: Wanted) -> View:
    """Everything as it is now, or was at a moment. Raises `StoreError`, and `ConfigError` for a moment to come."""
    now_ms = max(clock.now_ms(), last_time(readers) + 1)
    if wanted.at_ms is not None and wanted.at_ms > now_ms:
        raise ConfigError([f"--at: {time_text(wanted.at_ms)} is yet to come"])
    until_ms = now_ms - SETTLED_MS if wanted.at_ms is None else wanted.at_ms
    survey = Survey(config.sites)
    alerts = survey.new_alerts(readers, until_ms if wanted.at_ms is not None else None)
    reports = survey.reports(readers, sorted(wanted.rounds_ms), until_ms)
    recent = tuple(alert for alert in alerts if alert.time_ms > until_ms - RECENT_MS)
    notes = tuple(store_notes(choice, survey.missing()))
    header = Header(len(config.sites), source.kind, source.why, notes)
    return View(header, until_ms, tuple(reports), recent, tuple(survey.ongoing()))


def look_anywhere(config: Config, choice: ReaderChoice, clock: Clock, wanted: Wanted) -> View:
    """The same, from the local file when the database leaves a question open."""
    readers, source = choice.choose()
    try:
        return look_once(config, choice, readers, source, clock, wanted)
    except StoreError as error:
        choice.distrust(error)
        others, source = choice.choose()
        if others == readers:
            raise
        return look_once(config, choice, others, source, clock, wanted)


def run(invocation: Invocation) -> int:
    """Show it until Ctrl-C or SIGTERM, or once; returns the exit status. Raises `MonitoringError`."""
    config, watcher = invocation.load()
    arguments, form, environ, clock = invocation.arguments, invocation.arguments.format, invocation.environ, SystemClock()
    wanted = Wanted(arguments.window, arguments.at, arguments.once, arguments.location)
    if wanted.once or wanted.at_ms is not None:
        with closing(ReaderChoice(config, clock, SCRIPT_PATIENCE_S, wanted.location)) as choice:
            view = look_anywhere(config, choice, clock, wanted)
        print_view(view, form, environ)
        return 0
    stop = StopSignal()

    def end(number: int, _: object) -> None:
        stop.set()
        signal.signal(number, signal.default_int_handler)  # who asks twice need not wait for a database that hangs

    output = open_output(form, silent=False, environ=environ)
    choice = ReaderChoice(config, clock, LIVE_PATIENCE_S, wanted.location)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    signal.signal(signal.SIGHUP, lambda *_: watcher.ask())
    Printer(config, choice, clock, output, wanted.rounds_ms, watcher).run(stop)
    return 0
