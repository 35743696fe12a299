"""What monitors elsewhere measure, read in rounds for a display, or once."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from monitoring.clock import Clock
from monitoring.commands.live.rounds import RECENT_MS, ROUNDS_MS, Rounds, round_every_ms
from monitoring.commands.reading import ask_with_fallback
from monitoring.config import Config, ConfigWatcher
from monitoring.config.reload import config_notes, new_config
from monitoring.display.output.outputs import Output
from monitoring.display.view_model.values import Header, View
from monitoring.display.words import window_text
from monitoring.errors import StoreError
from monitoring.models import Alert, Window
from monitoring.notifications.words import conditions
from monitoring.storage.delivery import words
from monitoring.storage.delivery.words import Source
from monitoring.storage.multi_location import DELAY_MS, MultiLocationReport, last_time, moment_to_show
from monitoring.storage.routing import Choice, ReaderChoice, Readers
from monitoring.units import DAY_MS

REFRESH_S = 1.0

LIVE_PATIENCE_S = 10.0
"""How long one question of the live screen may take."""

NOWHERE = Source("nothing", "")


@dataclass(frozen=True, slots=True)
class PrintOptions:
    """What to print: `window_ms` instead of the usual windows, the state `at_ms`, only `once`, only one `location`."""

    window_ms: int | None = None
    at_ms: int | None = None
    once: bool = False
    location: str | None = None

    @property
    def rounds_ms(self) -> Mapping[int, int]:
        """How often each window is shown, by its length."""
        return ROUNDS_MS if self.window_ms is None else {self.window_ms: round_every_ms(self.window_ms)}


class Printer:
    """Reads the store that knows most, and hands what it says to a display, which shows it in its own time."""

    def __init__(
        self,
        config: Config,
        choice: Choice,
        clock: Clock,
        output: Output,
        rounds_ms: Mapping[int, int] = ROUNDS_MS,
        watcher: ConfigWatcher | None = None,
        pick: Callable[[Sequence[int]], Sequence[int]] = lambda due: due,
    ) -> None:
        """`rounds_ms`: how often each window is shown, by its length. `watcher` notices a changed configuration.

        `pick` says which of the windows that are due are read next; the others wait.
        """
        self._config = config
        self._choice = choice
        self._clock = clock
        self._output = output
        self._watcher = watcher
        self._pick = pick
        self._rounds = Rounds(clock, rounds_ms)
        self._locations = MultiLocationReport(config.sites)
        self._readers: Readers = {}
        self._source = NOWHERE
        self._ahead_ms = 0
        self._new_from_ms = clock.now_ms()
        self._purged = 0

    def run(self, stop: threading.Event, goes_on: Callable[[], bool] = lambda: True) -> None:
        """Show everything until `stop`, or until it does not go on."""
        self.start()
        try:
            while not stop.is_set() and goes_on():
                self.step()
                self._clock.wait(stop, REFRESH_S)
        finally:
            self.close()

    def close(self) -> None:
        """The end of what is shown; frees what is read."""
        self._output.close(None)
        self._choice.close()

    @property
    def readers(self) -> Readers:
        """What is read at present; none while there is nothing to read."""
        return self._readers

    @property
    def config(self) -> Config:
        """The one that is followed at present."""
        return self._config

    def history(self) -> Sequence[Alert]:
        """All alert records of the configured sites that were read so far, oldest first."""
        return self._locations.history()

    def records(self) -> Sequence[Alert]:
        """All alert records that were read so far, also of other sites, oldest first."""
        return self._locations.records()

    @property
    def purged(self) -> int:
        """How often a site's newest record was deleted while it was shown."""
        return self._locations.purged

    def now_ms(self) -> int:
        """The time by the clock of the monitors that are read, where that runs ahead of this machine's."""
        return self._clock.now_ms() + self._ahead_ms

    def until_ms(self) -> int:
        """Where a window that ends now ends: all that was measured before has been stored."""
        return self.now_ms() - DELAY_MS

    def step(self) -> None:
        """Ask for what is due and show it. While the store cannot be read, the output says why."""
        if config := new_config(self._watcher, self._output.news, self._output.notice):
            self._apply(config)
        self._output.read_error(self._read())
        now_ms = self.now_ms()
        statuses = self._locations.statuses()  # now: the display draws while this thread reads on
        self._output.refresh(self._header(), now_ms, lambda: statuses, self._locations.ongoing())

    def start(self) -> None:
        """Show the alerts of the past day first, if a store can be read."""
        recent: Sequence[Alert] = ()
        try:
            alerts = self._locations.new_alerts(self._choose())
            self._new_from_ms = self.now_ms()
            recent = [alert for alert in alerts if alert.time_ms > self._new_from_ms - RECENT_MS]
        except StoreError as error:
            self.forget_readers(error)
        self._output.start(self._header(), self.now_ms(), recent)

    def _read(self) -> str | None:
        """Ask for new alerts and for the windows that are due; returns the error, if there is one."""
        due = self._pick(self._rounds.due())
        try:
            readers = self._choose() if due or not self._readers else self._readers
            self._show_alerts(self._locations.new_alerts(readers, now_ms=self.now_ms()))
            if due:
                self._show_windows(readers, due)
        except StoreError as error:
            self.forget_readers(error)
            return str(error)
        return None

    def _choose(self) -> Readers:
        readers, self._source = self._choice.choose()
        if readers != self._readers:  # where a monitor's times run ahead of this machine's, its newest time is now
            self._ahead_ms = max(0, last_time(readers) + 1 - self._clock.now_ms())
            self._readers = readers
        return readers

    def forget_readers(self, error: StoreError) -> None:
        """They failed: choose again at the next step, and not the same ones if they failed."""
        if self._readers:
            self._choice.distrust(error)
        self._readers, self._source = {}, NOWHERE

    def _show_alerts(self, alerts: Sequence[Alert]) -> None:
        """Show those decided since the start. Older ones are history, however late they can be read."""
        names = {site.host: site.name for site in self._config.sites}
        if self._purged != self.purged:
            self._purged, recent_ms = self.purged, self.now_ms() - RECENT_MS
            self._output.history([alert for alert in self.history() if alert.time_ms > recent_ms])
            self._rounds.make_due()
        for alert in alerts:
            if alert.time_ms >= self._new_from_ms:
                self._output.state_change(alert, names[alert.host])

    def _show_windows(self, readers: Readers, windows_ms: Sequence[int]) -> None:
        until_ms = self.until_ms()
        reports = self._locations.reports(readers, windows_ms, until_ms)
        if not any(row.stats.checks for report in reports for row in report.rows) and last_time(readers) >= until_ms:
            return  # a monitor has just started: its first checks arrive in a moment
        for report in reports:
            self._output.statistics(report)
            self._rounds.done(report.length_ms)

    def _apply(self, config: Config) -> None:
        self._config = config
        self._locations.watch(config.sites)
        self._choice.follow(config)
        self._readers = {}
        self._rounds.make_due()

    def _header(self) -> Header:
        of_stores = store_notes(self._choice, self._locations.missing())
        of_channels = channel_notes(self._choice, self._config, self.now_ms())
        notes = (*self._config.warnings, *config_notes(self._watcher), *of_stores, *of_channels)
        return Header(len(self._config.sites), self._source.kind, self._source.why, notes)


def channel_notes(choice: Choice, config: Config, now_ms: int) -> Sequence[str]:
    """What a person should know of the channels of the monitor on this machine."""
    labels = [channel.label for channel in config.notifications]
    entries = choice.deliveries(Window(now_ms - DAY_MS, now_ms + 1)) if labels else ()
    return [condition.text for condition in conditions(entries, labels, now_ms)]


def store_notes(choice: Choice, missing: int) -> Sequence[str]:
    """What a person should know of the database: what it refused, and what it lacks."""
    lacking = [words.missing(choice.name, missing)] if missing else []
    return [condition.text for condition in (*choice.conditions(), *lacking)]


def look(
    config: Config, choice: ReaderChoice, clock: Clock, options: PrintOptions, readers: Readers, source: Source
) -> View:
    """Everything as it is now, or was `at_ms`. Raises `StoreError`, and `ConfigError` for a time in the future."""
    until_ms = moment_to_show(readers, clock, options.at_ms)
    locations = MultiLocationReport(config.sites)
    alerts = locations.new_alerts(readers, until_ms if options.at_ms is not None else None)
    reports = locations.reports(readers, sorted(options.rounds_ms), until_ms)
    recent = tuple(alert for alert in alerts if alert.time_ms > until_ms - RECENT_MS)
    notes = (*store_notes(choice, locations.missing()), *channel_notes(choice, config, until_ms))
    header = Header(len(config.sites), source.kind, source.why, notes)
    return View(header, until_ms, tuple(reports), recent, tuple(locations.ongoing()))


def look_anywhere(config: Config, choice: ReaderChoice, clock: Clock, options: PrintOptions) -> View:
    """The same, from the local file if the database does not answer."""
    lengths = " and the ".join(map(window_text, sorted(options.rounds_ms)))
    return ask_with_fallback(choice, partial(look, config, choice, clock, options), f"the {lengths}")
