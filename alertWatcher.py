"""`-a`: shows the history of alerts and recoveries, then each new one as it is recorded."""

import threading
from argparse import Namespace
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from functools import partial

from monitoring.alerts.log import AlertLog
from monitoring.clock import Clock, Deadline, StopSignal, SystemClock
from monitoring.commands.invocation import Invocation
from monitoring.commands.live.terminal import viewer_is_possible
from monitoring.config import Config, ConfigWatcher
from monitoring.config.lookup import chosen_hosts, sites_of
from monitoring.config.reload import new_config
from monitoring.display.output.history import HistoryOptions, HistoryOutput, open_history_output
from monitoring.display.output.outputs import warn
from monitoring.errors import ConfigError, StoreError
from monitoring.models import Alert, LastState, Site, Window
from monitoring.service.signals import heed_signals, heed_suspension
from monitoring.statistics.status import status, unlisted_site
from monitoring.storage.base import Reader
from monitoring.storage.notifications import Entry, Event
from monitoring.storage.routing import ReaderChoice, Readers

POLL_S = 1.0

STATES_EVERY_MS = 10_000
"""How often it is looked whether the sites that are down are still measured."""


class AlertWatcher:
    """Reads the alert records of monitors, and shows each record once."""

    def __init__(
        self,
        choose: Callable[[], Readers],
        output: HistoryOutput,
        clock: Clock,
        is_wanted: Callable[[str], bool] = lambda _: True,
        deliveries: Callable[[Window], Sequence[Entry]] = lambda _: (),
        since_ms: int = 0,
        site_of: Callable[[str], Site | None] = lambda _: None,
    ) -> None:
        """`choose` returns the readers by location. It is called at every step, because the best store may change.

        Only hosts that `is_wanted` accepts are shown. `deliveries` returns the notifications of a window, as far as they are
        known. Records before `since_ms` are only shown for outages that are still open. `site_of` returns the configured
        site of a host.
        """
        self._choose = choose
        self._output = output
        self._clock = clock
        self._is_wanted = is_wanted
        self._deliveries = deliveries
        self._entries: dict[tuple[int, str], list[Entry]] = {}
        self._since_ms = since_ms
        self._logs: dict[str, AlertLog] = {}
        self._site_of = site_of
        self._last_states: Mapping[tuple[str, str], LastState] | None = None
        self._read_states_again = Deadline.after(clock, 0)

    def step(self) -> list[Alert]:
        """Read once. Shows and returns the new records, oldest first. Raises `StoreError` if no store can be read."""
        new: list[Alert] = []
        open_ones: set[Alert] = set()
        readers = self._choose()
        for location, reader in readers.items():
            log = self._logs.setdefault(location, AlertLog(location))
            new += log.read(partial(self._wanted, reader), self._clock.now_ms())
            open_ones.update(log.ongoing())
        new = [alert for alert in new if alert.time_ms >= self._since_ms or alert in open_ones]
        new.sort(key=lambda alert: (alert.time_ms, alert.host, alert.location))
        self._read_deliveries(new)
        if open_ones and (new or not self._read_states_again.left_s()):
            self._read_states(readers)
        for alert in new:
            self._output.state_change(alert, self.delivery_of(alert))
        return new

    def _read_states(self, readers: Readers) -> None:
        self._read_states_again = Deadline.after(self._clock, STATES_EVERY_MS)
        until_ms = self._clock.now_ms() + 1
        self._last_states = {
            (host, location): state
            for location, reader in readers.items()
            for host, state in reader.last_states(until_ms).items()
        }

    def refresh(self, read_error: str | None = None) -> None:
        """Show the open outages as they are now, and why the store cannot be read (None: it can)."""
        now_ms = self._clock.now_ms()
        ongoing = {alert: self._measured_until_ms(alert, now_ms) for alert in self.ongoing()}
        self._output.refresh(ongoing, now_ms, read_error)

    def _measured_until_ms(self, alert: Alert, now_ms: int) -> int | None:
        """Until when its site was measured, if nobody measures it any more."""
        if self._last_states is None:
            return None
        state = self._last_states.get((alert.host, alert.location))
        site = self._site_of(alert.host) or unlisted_site(alert.host, state)
        return status(state, site, alert, now_ms).measured_until_ms

    def _wanted(self, reader: Reader, window: Window) -> Sequence[Alert]:
        return [alert for alert in reader.alerts(window) if self._is_wanted(alert.host)]

    def _read_deliveries(self, alerts: Sequence[Alert]) -> None:
        self._entries = {}
        if alerts:
            for entry in self._deliveries(Window(alerts[0].time_ms, alerts[-1].time_ms + 1)):
                self._entries.setdefault((entry.time_ms, entry.alert.host), []).append(entry)

    def delivery_of(self, record: Alert) -> Sequence[Entry]:
        """The notifications of a record of the latest step; empty if there were none to send."""
        found = self._entries.get((record.time_ms, record.host), ())
        return [entry for entry in found if entry.alert.type is record.type and entry.event is not Event.REMINDER]

    def ongoing(self) -> Sequence[Alert]:
        """The open outages, oldest first."""
        found = [alert for log in self._logs.values() for alert in log.ongoing()]
        return sorted(found, key=lambda alert: alert.start_ms)

    def run(self, stop: threading.Event, before_each: Callable[[], None] = lambda: None) -> None:
        """Follow the history until `stop`. `before_each` is called before each step."""
        while not stop.is_set():
            before_each()
            try:
                self.step()
                self.refresh()
            except StoreError as error:
                self.refresh(str(error))
            self._clock.wait(stop, POLL_S)


class CurrentConfig:
    """The names of the sites and the stores to read, from the present configuration."""

    def __init__(self, config: Config, watcher: ConfigWatcher, choice: ReaderChoice, arguments: Namespace) -> None:
        self._config = config
        self._watcher = watcher
        self._choice = choice
        self._arguments = arguments
        self.names = dict(config.names)
        self._wanted = self._hosts_wanted()
        self._warn_of_unknown()

    def _warn_of_unknown(self) -> None:
        """Warn of a site that is not configured. It may have a history, but more often its name is mistyped."""
        try:
            if self._arguments.site is not None:
                sites_of(self._arguments.site, self._config.sites, "--site")
        except ConfigError as error:
            warn(str(error))

    def reload(self) -> None:
        """Apply the configuration, if its files have changed."""
        if config := new_config(self._watcher, warn):
            self._config = config
            self._choice.follow(config)
            self._wanted = self._hosts_wanted()
            self.names.update(config.names)

    def is_wanted(self, host: str) -> bool:
        """Is this host one of `--site` or of the given URLs? If there are none, every host is."""
        return self._wanted is None or host in self._wanted

    def _hosts_wanted(self) -> Collection[str] | None:
        """The hosts to show; None: all. Raises `ConfigError`."""
        if self._arguments.site is not None:
            return chosen_hosts(self._arguments.site, self._config.sites, "--site")
        return {site.host for site in self._config.sites} if self._arguments.urls else None

    def site_of(self, host: str) -> Site | None:
        return self._config.site_of(host)

    def readers(self) -> Readers:
        return self._choice.choose()[0]


def run(invocation: Invocation) -> int:
    """Show the history of all locations or of one, then follow it until Ctrl-C or SIGTERM; returns the exit status.

    SIGHUP reads the configuration again. On a terminal the viewer shows the incidents instead. Raises `MonitoringError`.
    """
    config, watcher = invocation.load()
    arguments, clock, stop = invocation.arguments, SystemClock(), StopSignal()
    with closing(ReaderChoice(config, clock, wanted=arguments.location)) as choice:
        current = CurrentConfig(config, watcher, choice, arguments)
        since_ms = 0 if arguments.since is None else arguments.since.at(clock.now_ms())
        # With `--all` every record has a line; the viewer has one for each outage.
        if viewer_is_possible(invocation) and not arguments.all:
            from monitoring.commands.live.viewer import view  # late: pipes do not need it
            from monitoring.commands.live.viewer_feed import Listing

            return view(invocation, config, watcher, Listing(current.is_wanted, since_ms, arguments.limit))
        options = HistoryOptions(arguments.limit, arguments.all)
        output = open_history_output(arguments.format, current.names, invocation.environ, options, live=not arguments.once)
        alerts = AlertWatcher(
            current.readers, output, clock, current.is_wanted, choice.deliveries, since_ms, current.site_of
        )
        if arguments.once:
            alerts.step()
            alerts.refresh()
            return 0
        heed_signals(stop.set, watcher.ask)
        heed_suspension(output.suspend, output.resume)
        try:
            alerts.run(stop, current.reload)
        finally:
            output.close()
    return 0
