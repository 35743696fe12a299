#!/usr/bin/env python3
"""The website monitor. `./monitoringApp.py -m` checks the sites of config.json; `--help` lists all modes."""

if __name__ == "__main__":  # before the imports below, which `--help` does not need
    import os
    import sys

    from monitoring.commands.program import main
    from utils import enter_environment

    sys.exit(main(sys.argv[1:], os.environ, enter_environment))

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from monitoring.alerts.evaluator import Evaluate, Evaluator, Observations
from monitoring.alerts.maintenance import MaintenanceCalendar
from monitoring.alerts.purges import PurgeFollower, takes
from monitoring.alerts.rule import Decision, evaluate
from monitoring.clock import Clock, Deadline, StopSignal
from monitoring.commands.live.rounds import RECENT_MS, ROUNDS_MS, Rounds, Timer
from monitoring.config import Config, ConfigWatcher
from monitoring.config.reload import change_text, config_notes, consequences, new_config
from monitoring.display.output.outputs import Display
from monitoring.display.view_model.values import Closing, Header, StatsReport, closing_rows, stats_report
from monitoring.display.words import plural
from monitoring.errors import MonitoringError
from monitoring.models import Alert, CheckResult, Downtime, Site, SiteStatus, Window
from monitoring.service import process
from monitoring.service.health import FailureReporter, Health
from monitoring.service.systemd import ServiceManager
from monitoring.statistics.tracker import RestoredState, StatusTracker
from monitoring.statistics.windows import from_whole_hour, may_be_exact
from monitoring.units import DAY_MS

if TYPE_CHECKING:
    from monitoring.checks.checkers import MakeCheckers
    from monitoring.display.view_model.values import SiteKey
    from monitoring.notifications.notifier import Notifier
    from monitoring.storage.base import Deletion
    from monitoring.storage.delivery.asking import Deadlines
    from monitoring.storage.delivery.local_first import LocalFirstStore
    from monitoring.storage.delivery.words import Condition

FIRST_ROUND_MS = 3_000
"""How long after the start the first statistics are shown. The following ones have their schedule."""

DATABASE_MS, ROUND_MS = 1_000, 1_500
"""How long a round of statistics may wait for the database, and how long it may take in all. It delays alerts no longer."""

LONG_WINDOWS_MS = (DAY_MS, 30 * DAY_MS)
LONG_EVERY_MS = 60_000
"""The long windows whose availability a screen shows, and how often they are read."""

REFRESH_MS = 1_000
"""How often the screen is redrawn, and everything is done that has no schedule of its own."""

WRITE_S, END_MS = 5.0, 1_200
"""How long the end of a run may take: to write the remaining checks, and then to deliver as many as possible."""


class MonitoringApp:
    """The main loop of one run: queries statistics, evaluates the alert rule, writes alert records.

    Other threads check the sites and draw the display.
    """

    def __init__(
        self,
        config: Config,
        store: "LocalFirstStore",
        clock: Clock,
        display: Display,
        make_checkers: "MakeCheckers",
        restored: RestoredState,
        evaluate: Evaluate = evaluate,
        watcher: ConfigWatcher | None = None,
    ) -> None:
        """`make_checkers` makes the checkers; its argument is the function that receives each result."""
        self._config, self._watcher = config, watcher
        self._notifier: Notifier | None = None
        self._store, self._clock, self._display = store, clock, display
        self._tracker = StatusTracker(config.sites, restored.last_states)
        self._evaluator = Evaluator(store, clock, restored.last_alerts, self._tracker.last_states, evaluate)
        self._purges = PurgeFollower(store, self._evaluator, self._tracker, clock)
        self._checkers = make_checkers(self._record)
        self._maintenance = MaintenanceCalendar(config.maintenance, store.maintenance_by_hand)
        self._recent = restored.recent_alerts
        self._open_at_start = self._evaluator.open_outages(config.sites)
        self._stopping = StopSignal()
        self._started_ms = clock.now_ms()
        self._end: Deadline | None = None
        self._evaluation = Timer(clock, config.alert_interval_ms)
        self._rounds = Rounds(clock, first_ms=FIRST_ROUND_MS)
        self._long_rounds = Rounds(clock, dict.fromkeys(LONG_WINDOWS_MS, LONG_EVERY_MS), FIRST_ROUND_MS)
        self._observed = Observations(0, {})
        self._refresh = Timer(clock, REFRESH_MS, first_ms=0)
        self._reread_after = Deadline.after(clock, 0)
        self._evaluation_failures = FailureReporter(display.news, "alerts cannot be decided", "alerts are decided again")
        self._statistics_failures = FailureReporter(display.news, "no statistics", "there are statistics again", tolerated=1)
        self._manager = ServiceManager({}, clock.monotonic_ns)
        self._health = Health(store, lambda: self._checkers.missed, clock, self._conditions_of_channels)

    def notify_by(self, notifier: "Notifier") -> None:
        """Also send notifications of state changes. Call it before `run`."""
        self._notifier = notifier

    def _conditions_of_channels(self) -> "Sequence[Condition]":
        return self._notifier.conditions() if self._notifier else ()

    def retrieve_stats(self, window_ms: int, until: "Deadlines | None" = None) -> StatsReport:
        """The statistics of all sites over the past `window_ms`, from the database or the local file.

        Raises `StoreError` if neither answers before the deadlines `until` (None: there are no deadlines).
        """
        window = Window.before(self._clock.now_ms(), window_ms)
        found, source = self._store.stats(window, exact=may_be_exact(window, len(self._config.sites)), until=until)
        return stats_report(window, source.kind, found, self._config.sites, self._status)

    def check_alert_status(self, site: Site, observed: Observations | None = None) -> Decision:
        """The decision of the alert rule for one site, from its stored checks. Records nothing. Raises `StoreError`.

        `observed` is what the main loop has read for all sites at once. Without it the checks of this site are read now.
        """
        return self._evaluator.decide(site, observed or self._evaluator.observe([site]))

    def evaluate_alerts(self) -> None:
        """Decide for every site that is not in maintenance; record and announce state changes. Raises `StoreError`."""
        self._announce(self._evaluator.end_unwatched(self._config.active_sites))
        sites, now_ms = self._config.active_sites, self._clock.now_ms()
        self._observed = observed = self._evaluator.observe(sites)
        judged = (site for site in sites if not self._maintenance.at(site.host, now_ms))
        changed = {site: change for site in judged if (change := self.check_alert_status(site, observed).change)}
        self._announce(self._evaluator.record(changed, observed))

    def _announce(self, alerts: Sequence[Alert]) -> None:
        names = self._config.names if alerts else {}
        for alert in alerts:
            self._display.state_change(alert, names.get(alert.host))
            self._refresh.make_due()
        if alerts and self._notifier:
            self._notifier.notify()

    def run(self, manager: ServiceManager | None = None) -> None:
        """Monitor until `stop`, then write and deliver the remaining checks and show the closing screen.

        Raises `MonitoringError` if not everything could be written, `BrokenPipeError` if nobody reads the output.
        """
        self._manager = manager or self._manager
        self._store.set_retention(self._config.check_retention_ms, self._config.alert_retention_ms)
        self._store.start()
        self._display.start(self._header(), self._clock.now_ms(), self._recent)
        self._look_at_maintenance()
        if self._notifier:  # after the look: nobody is reminded of a site in maintenance
            self._notifier.follow(self._config, self._maintenance.at)
        self._checkers.start(self._config.active_sites)  # last, because it may use up the allowed threads
        process.freeze()
        self._manager.ready(self._status_line())
        try:
            while not self._stopping.is_set():
                self._clock.wait(self._stopping, self.step())
        except BaseException:
            self._shut_down()
            self._display.close(None)
            raise
        written = self._shut_down()
        for sentence in self._store.notices():
            self._display.notice(sentence)
        self._display.close(self._closing())
        if failure := self._display.failure:
            raise failure
        if not written:
            raise MonitoringError(f"not everything could be written: {self._store.trouble}")

    def stop(self) -> None:
        """Make `run` end. Signal handlers and any thread may call it."""
        self._end = self._end or Deadline.after(self._clock, END_MS)
        self._stopping.set()
        self._store.give_up_questions()

    def reload(self) -> None:
        """Read the configuration again, even if it has not changed. Signal handlers may call it."""
        if self._watcher:
            self._watcher.ask()

    def step(self) -> float:
        """Do everything that is due. Returns the seconds until something is due again."""
        if purges := self._purges.step():
            self._forget_purged(purges)
        self._evaluate_if_due()
        self._show_due_rounds()
        if self._refresh.is_due:
            self._refresh.done()
            self._housekeeping()
        next_ns = min(self._evaluation.due_ns, self._rounds.next_ns, self._refresh.due_ns)
        if self._display.is_screen:
            next_ns = min(next_ns, self._long_rounds.next_ns)
        return max(0, next_ns - self._clock.monotonic_ns()) / 1e9

    def _forget_purged(self, purges: "Sequence[Deletion]") -> None:
        self._open_at_start = [alert for alert in self._open_at_start if not any(takes(it, alert) for it in purges)]
        with suppress(MonitoringError):
            self._display.history(self._store.own_reader().alerts(Window.before(self._clock.now_ms(), RECENT_MS)))

    def _evaluate_if_due(self) -> None:
        if self._evaluation.is_due:
            self._evaluation_failures.attempt(self.evaluate_alerts)
            self._evaluation.done()

    def _show_due_rounds(self) -> None:
        """Show each window that is due. Between windows evaluate alerts if due; windows without time left stay due."""
        from monitoring.storage.delivery.asking import Deadlines  # late: `--help` needs no store

        until = Deadlines(Deadline.after(self._clock, DATABASE_MS), Deadline.after(self._clock, ROUND_MS))
        for window_ms in self._rounds.due():
            if self._stopping.is_set() or not until.in_all.left_s():
                return
            was_well = self._statistics_failures.is_well
            self._statistics_failures.attempt(partial(self._show, window_ms, until))
            if self._statistics_failures.is_well or not was_well:  # a first failure is tried once more
                self._rounds.done(window_ms)
            if window_ms == max(ROUNDS_MS):
                process.trim_memory()
            self._evaluate_if_due()
        if self._display.is_screen:
            self._show_long_window(until.in_all)

    def _show(self, window_ms: int, until: "Deadlines") -> None:
        try:
            self._display.statistics(self.retrieve_stats(window_ms, until))
            self._refresh.make_due()
        except MonitoringError:
            if not self._stopping.is_set():  # `stop` aborts the query, which is no error
                raise

    def _show_long_window(self, until: Deadline) -> None:
        """Show the availability of a day or a month, if it is due and there is time. It comes from the local file."""
        for window_ms in self._long_rounds.due()[:1]:
            if self._stopping.is_set() or not until.left_s():
                return
            window = from_whole_hour(Window.before(self._clock.now_ms(), window_ms))
            self._long_rounds.done(window_ms)
            with suppress(MonitoringError):  # the other windows report failures of the store
                found = self._store.availability(window, until)
                report = stats_report(window, "local", found, self._config.sites, self._status, window_ms)
                self._display.long_window(report)

    def _housekeeping(self) -> None:
        """The work of each second, which is also done when there is something new to show."""
        for sentence in self._checkers.replace_dead():
            self._display.notice(sentence)
            self._manager.end("checkers")  # a dead checker would never answer
        if not self._reread_after.left_s():  # a changed file is read only if it is the same at two looks this far apart
            self._reread_after = Deadline.after(self._clock, REFRESH_MS * 9 // 10)
            if config := new_config(self._watcher, self._display.news, self._display.notice):
                self._apply(config)
        self._look_at_maintenance()
        for sentence in self._store.notices():
            self._display.notice(sentence)
        for sentence in self._health.news():
            self._display.news(sentence)
        now_ms, sites = self._clock.now_ms(), self._config.sites
        ongoing = self._evaluator.open_outages(self._config.active_sites)
        statuses = partial(self._statuses, sites, now_ms)  # called only by displays that show them
        self._display.refresh(self._header(), now_ms, statuses, ongoing)
        self._report_to_manager()
        if self._display.failure:
            self.stop()

    def _look_at_maintenance(self) -> None:
        changes = self._maintenance.look(self._clock.now_ms())
        names = self._config.names if changes else {}
        for change in changes:
            self._display.notice(change.text(names))

    def _apply(self, config: Config) -> None:
        """Continue with another configuration: first for those who receive results, then for the checkers that make them."""
        self._tracker.watch(config.sites)
        self._maintenance.plan(config.maintenance)
        self._store.set_retention(config.check_retention_ms, config.alert_retention_ms)
        before, self._config = self._config, config.in_place_of(self._config)
        if before.alert_interval_ms != config.alert_interval_ms:
            self._evaluation = Timer(self._clock, config.alert_interval_ms)
        if self._notifier:
            self._notifier.follow(self._config, self._maintenance.at)
        self._checkers.change(config.active_sites)
        for sentence in (change_text(before, config), *consequences(before, config)):
            self._display.notice(sentence)

    def _record(self, result: CheckResult) -> None:
        marked = self._maintenance.marked(result, self._clock.now_ms())
        self._tracker.observe(marked)
        self._store.record(marked)

    def _status(self, site: Site, now_ms: int) -> SiteStatus:
        return self._tracker.status(site, self._evaluator.last_alert(site.host), now_ms)

    def _statuses(self, sites: Sequence[Site], now_ms: int) -> Mapping["SiteKey", SiteStatus]:
        """The status of each site, with the downtime of the last evaluation."""
        found = {}
        for site in sites:
            seen = self._observed.downtimes.get(site.rule.window_ms)
            downtime = None if seen is None else seen.get(site.host) or Downtime()
            found[site.host, ""] = replace(self._status(site, now_ms), downtime=downtime)
        return found

    def _report_to_manager(self) -> None:
        """Report to the service manager that the monitor is alive, if the checkers and the display answer, too."""
        is_read = not self._display.stands_still()
        if not is_read:  # the user has stopped the terminal, which is no failure
            self._manager.end("display")
        for name, call_back in (("checkers", self._checkers.call_back), ("display", self._display.call_back)):
            if self._manager.begin(name):
                call_back(partial(self._manager.end, name))
        self._manager.step(self._status_line() + ("" if is_read else "; nobody reads what is printed"))

    def _status_line(self) -> str:
        sites, down = self._config.sites, len(self._evaluator.open_outages(self._config.active_sites))
        return "; ".join((f"{plural(len(sites), 'site')}, {down} down", self._store.source().why, *self._notes()))

    def _header(self) -> Header:
        source, config = self._store.source(), self._config
        return Header(len(config.sites), source.kind, source.why, (*config.warnings, *self._notes()), config.names)

    def _notes(self) -> list[str]:
        """The present problems, for the header and for the service manager."""
        failing = (*self._evaluation_failures.notes, *self._statistics_failures.notes)
        return [*config_notes(self._watcher), *failing, *self._health.header_notes()]

    def _shut_down(self) -> bool:
        """End all threads except that of the display. Returns whether everything was written."""
        end = self._end or Deadline.after(self._clock, END_MS)
        self._manager.stopping()
        self._checkers.stop()
        if self._notifier:
            self._notifier.close()
        return self._store.finish(WRITE_S, end.left_s())

    def _closing(self) -> Closing:
        ended_ms = self._clock.now_ms()
        alerts = (*self._open_at_start, *self._store.own_reader().alerts(Window(self._started_ms, ended_ms + 1)))
        rows = closing_rows(self._config.sites, self._tracker.totals, alerts)
        return Closing(self._started_ms, ended_ms, rows, alerts, self._store.left_behind(), stored=self._store.stored_in())
