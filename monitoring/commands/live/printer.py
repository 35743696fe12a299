"""Reads the statistics of monitors elsewhere: in rounds for a display, or once."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from monitoring.clock import Clock
from monitoring.commands.live.rounds import RECENT_MS, ROUNDS_MS, Rounds, growing_every_ms, round_every_ms
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
from monitoring.units import DAY_MS, MINUTE_MS

REFRESH_S = 1.0

LIVE_PATIENCE_S = 10.0
"""How long one query of a live display may take."""

STORED_MS = MINUTE_MS
"""How long after its decision an alert may come to where it is read; usually it takes a second."""

NOWHERE = Source("nothing", "")


@dataclass(frozen=True, slots=True)
class PrintOptions:
    """What to print: one window instead of the usual ones, a past moment, only once, only one location."""

    window_ms: int | None = None
    at_ms: int | None = None
    once: bool = False
    location: str | None = None

    @property
    def rounds_ms(self) -> Mapping[int, int]:
        """How often each window is shown, by its length."""
        return ROUNDS_MS if self.window_ms is None else {self.window_ms: round_every_ms(self.window_ms)}


class Printer:
    """Reads statistics and alerts from the best store, and passes them to an output."""

    def __init__(
        self,
        config: Config,
        choice: Choice,
        clock: Clock,
        output: Output,
        rounds_ms: Mapping[int, int] = ROUNDS_MS,
        watcher: ConfigWatcher | None = None,
        pick: Callable[[Sequence[int]], Sequence[int]] = lambda due: due,
        *,
        follows_growth: bool = False,
    ) -> None:
        """`rounds_ms` are the periods of the windows, by their length. `watcher` notices a changed configuration.

        `pick` chooses which of the windows that are due to read in this step; the others wait. With `follows_growth` a
        window that holds little yet is read sooner.
        """
        self._config = config
        self._choice = choice
        self._clock = clock
        self._output = output
        self._watcher = watcher
        self._pick = pick
        self._follows_growth = follows_growth
        self._rounds = Rounds(clock, rounds_ms)
        self._locations = MultiLocationReport(config.sites)
        self._readers: Readers = {}
        self._source = NOWHERE
        self._ahead_ms = 0
        self._new_from_ms = clock.now_ms()
        self._purged = 0

    def run(self, stop: threading.Event, goes_on: Callable[[], bool] = lambda: True) -> None:
        """Read and show until `stop`, or while `goes_on` is true."""
        self.start()
        try:
            while not stop.is_set() and goes_on():
                self.step()
                self._clock.wait(stop, REFRESH_S)
        finally:
            self.close()

    def close(self) -> None:
        """Close the output and the readers."""
        self._output.close(None)
        self._choice.close()

    @property
    def readers(self) -> Readers:
        """The present readers, by location; empty while no store can be read."""
        return self._readers

    @property
    def config(self) -> Config:
        """The present configuration."""
        return self._config

    def history(self) -> Sequence[Alert]:
        """All alert records of the configured sites read so far, oldest first."""
        return self._locations.history()

    def records(self) -> Sequence[Alert]:
        """All alert records read so far, also those of other sites, oldest first."""
        return self._locations.records()

    @property
    def purged(self) -> int:
        """How many times the newest record of a site was purged while it was shown."""
        return self._locations.purged

    def now_ms(self) -> int:
        """The time of this machine or, if their clock is ahead, of the monitors that are read."""
        return self._clock.now_ms() + self._ahead_ms

    def until_ms(self) -> int:
        """The end of a window that ends now. All checks before it have been stored."""
        return self.now_ms() - DELAY_MS

    def step(self) -> None:
        """Read and show what is due. While no store can be read, the output says why."""
        if config := new_config(self._watcher, self._output.news, self._output.notice):
            self._apply(config)
        self._output.read_error(self._read())
        now_ms = self.now_ms()
        statuses = self._locations.statuses()  # not in the lambda: the display calls it while this thread reads on
        self._output.refresh(self._header(), now_ms, lambda: statuses, self._locations.ongoing())

    def start(self) -> None:
        """Show the alerts of the past day, if a store can be read."""
        recent: Sequence[Alert] = ()
        try:
            alerts = self._locations.new_alerts(self._choose())
            now_ms = self.now_ms()
            recent = [alert for alert in alerts if alert.time_ms > now_ms - RECENT_MS]
            self._new_from_ms = now_ms - STORED_MS
        except StoreError as error:
            self.forget_readers(error)
        self._output.start(self._header(), self.now_ms(), recent)

    def show_states(self) -> bool:
        """Show the states of the sites, which takes less time than any window. Returns whether any site was checked yet."""
        try:
            states = self._locations.states(self._choose(), self.until_ms())
        except StoreError:  # the next step says why
            return False
        was_checked = any(row.last_check_ms is not None for row in states.rows)
        if was_checked:
            self._output.statistics(states)
        return was_checked

    def _read(self) -> str | None:
        """Read new alerts and the windows that are due. Returns the error, if there is one."""
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
        if readers != self._readers:  # if a monitor's clock is ahead of this machine's, now is its newest time
            self._ahead_ms = max(0, last_time(readers) + 1 - self._clock.now_ms())
            self._readers = readers
        return readers

    def forget_readers(self, error: StoreError) -> None:
        """Choose other readers at the next step, because these have failed."""
        if self._readers:
            self._choice.distrust(error)
        self._readers, self._source = {}, NOWHERE

    def _show_alerts(self, alerts: Sequence[Alert]) -> None:
        """Show the alerts decided or stored since the start. Older ones are history, even if they are read late."""
        names = self._config.names
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
            self._rounds.done(report.length_ms, growing_every_ms(report) if self._follows_growth else None)

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
        return Header(len(self._config.sites), self._source.kind, self._source.why, notes, self._config.names)


def channel_notes(choice: Choice, config: Config, now_ms: int) -> Sequence[str]:
    """Notes on channels of this machine's monitor that do not work."""
    labels = [channel.label for channel in config.notifications]
    entries = choice.deliveries(Window(now_ms - DAY_MS, now_ms + 1)) if labels else ()
    return [condition.text for condition in conditions(entries, labels, now_ms)]


def store_notes(choice: Choice, missing: int) -> Sequence[str]:
    """Notes on the database: what it has refused, and how many points it lacks."""
    lacking = [words.missing(choice.name, missing)] if missing else []
    return [condition.text for condition in (*choice.conditions(), *lacking)]


def _view_of(
    config: Config, choice: ReaderChoice, clock: Clock, options: PrintOptions, readers: Readers, source: Source
) -> View:
    """The view of now or of `at_ms`. Raises `StoreError`, and `ConfigError` for a time in the future."""
    until_ms = moment_to_show(readers, clock, options.at_ms)
    locations = MultiLocationReport(config.sites)
    alerts = locations.new_alerts(readers, until_ms if options.at_ms is not None else None)
    reports = locations.reports(readers, sorted(options.rounds_ms), until_ms)
    recent = tuple(alert for alert in alerts if alert.time_ms > until_ms - RECENT_MS)
    notes = (*store_notes(choice, locations.missing()), *channel_notes(choice, config, until_ms))
    header = Header(len(config.sites), source.kind, source.why, notes)
    return View(header, until_ms, tuple(reports), recent, tuple(locations.ongoing()), locations.statuses())


def read_view(config: Config, choice: ReaderChoice, clock: Clock, options: PrintOptions) -> View:
    """The view of now or of a past moment, from the local file if the database fails. Raises as `_view_of` does."""
    lengths = " and the ".join(map(window_text, sorted(options.rounds_ms)))
    return ask_with_fallback(choice, partial(_view_of, config, choice, clock, options), f"the {lengths}")
