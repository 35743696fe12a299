"""`-w`: serves the status page. It reads the stores as `-p` does."""

import os
import signal
import threading
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from socket import gethostname

from monitoring.clock import Clock, StopSignal, SystemClock
from monitoring.commands.invocation import Invocation
from monitoring.commands.live.printer import LIVE_PATIENCE_S, Printer
from monitoring.commands.live.rounds import rounds_of
from monitoring.commands.live.series import Charts, last_checks_window
from monitoring.commands.oneshot.explain import explain_from
from monitoring.commands.oneshot.report import read_month
from monitoring.config import Config, ConfigWatcher
from monitoring.config.keys.databases import ListenAddress, parse_listen
from monitoring.config.parsing.durations import Month
from monitoring.config.tokens import page_tokens
from monitoring.display.output.outputs import warn
from monitoring.display.text.explanation import explanation_lines
from monitoring.display.view_model.incidents import Incident
from monitoring.display.view_model.months import MonthReport
from monitoring.display.view_model.series import Mark
from monitoring.display.view_model.values import SiteKey
from monitoring.errors import StoreError, StoreUnavailable
from monitoring.gateway.certificate import tls_files
from monitoring.gateway.server import end
from monitoring.models import CheckResult, Site, Window
from monitoring.service.process import trim_memory
from monitoring.service.signals import heed_signals
from monitoring.storage.notifications import Entry
from monitoring.storage.routing import Choice, ReaderChoice, Readers
from monitoring.units import MINUTE_MS, NS_PER_MS
from monitoring.web.board import WINDOWS_MS, Board, Questions
from monitoring.web.serve import Listener, open_listener, serve

DEFAULT_LISTEN = "127.0.0.1:8088"

POLL_S = 2.0
"""How often to read alerts and the windows that are due; browsers ask every ten seconds."""

SOON_S = 0.05
"""How soon to go on while another window is due."""

LAST_CHECKS = 20
MOST_CHECKS = 20_000
"""How many checks of all sites to read in search of the last ones of a site."""


MOST_MONTHS = 24
"""How many months to cache."""

TRIM_AFTER_MS = 50
"""A step that took this long has read windows and freed much memory."""

MOST_QUERIES, PATIENCE_S = 3, 2.0
"""How many pages may query the store at a time, and how long others wait for their turn. All other threads of the server
answer from what has been read already, however slow the store is."""


class PageReader:
    """Reads the best store as print mode does, and publishes what it reads on a board."""

    def __init__(
        self,
        config: Config,
        choice: Choice,
        clock: Clock,
        watcher: ConfigWatcher | None = None,
        say: Callable[[str], None] = warn,
        *,
        knows_deliveries: bool = True,
    ) -> None:
        """`knows_deliveries`: the choice knows which notifications were sent."""
        questions = Questions(self._last_checks, self._month, self._explain, self._deliveries, self._series)
        self.board = Board(clock, say, questions)
        rounds_ms = rounds_of(WINDOWS_MS)
        self._printer = Printer(config, choice, clock, self.board, rounds_ms, watcher, self._pick, follows_growth=True)
        self._reading = 0
        self._read_in: dict[int, int] = {}  # the number of the step that read each window last
        self._more_due = False
        self._choice = choice
        self._knows_deliveries = knows_deliveries
        self._charts = Charts(clock)
        self._clock = clock
        self._months: dict[str, tuple[int, MonthReport]] = {}
        self._one_month = threading.Lock()
        self._turns = threading.BoundedSemaphore(MOST_QUERIES)
        self._read_from = (self._printer.readers, 0)

    def run(self, stop: threading.Event, is_wanted: Callable[[], bool] = lambda: True) -> None:
        """Read until `stop`. If it is no longer wanted, end the process."""
        self._printer.start()
        try:
            while not stop.is_set():
                self._step_or_report()
                self._clock.wait(stop, SOON_S if self._more_due and self._printer.readers else POLL_S)
                if not is_wanted():
                    os.kill(os.getpid(), signal.SIGTERM)
                    return
        finally:
            self._printer.close()

    def _step_or_report(self) -> None:
        began_ns = self._clock.monotonic_ns()
        try:
            self.step()
        except Exception as error:  # noqa: BLE001 - one failure must not freeze the page
            self.board.fail(f"the page could not be read: {type(error).__name__}: {error}")
        if self._clock.monotonic_ns() - began_ns > TRIM_AFTER_MS * NS_PER_MS:
            trim_memory()

    def _pick(self, due: Sequence[int]) -> Sequence[int]:
        """Choose one window at each step, in turns, so that the first page does not wait for the past 90 days."""
        self._reading += 1
        self._more_due = len(due) > 1
        chosen = sorted(due, key=lambda length_ms: self._read_in.get(length_ms, 0))[:1]
        self._read_in.update(dict.fromkeys(chosen, self._reading))
        return chosen

    def step(self) -> None:
        """Read one window that is due, and publish it."""
        printer = self._printer
        printer.step()
        until_ms = printer.until_ms()
        read_from = (printer.readers, printer.purged)  # a purge changes the charts, too
        if read_from != self._read_from:
            self._charts.forget()
            self._read_from = read_from
        try:
            self._charts.read(printer.readers, until_ms, len(printer.config.sites))
        except StoreError as error:
            printer.forget_readers(error)
        days = self._charts.days.of_all(self.board.keys(), until_ms)
        self.board.publish(printer.config.sites, printer.history(), days)

    def _last_checks(self, site: Site) -> Sequence[CheckResult]:
        """Called from any thread. Raises `StoreError`."""
        printer = self._printer
        window = last_checks_window(site, printer.config.sites, printer.until_ms(), LAST_CHECKS, MOST_CHECKS)
        with self._turn():
            found = [it for reader in self._readers().values() for it in reader.results(window, [site.host])]
        return sorted(found, key=lambda it: it.time_ms)[-LAST_CHECKS:]

    def _month(self, month: Month) -> MonthReport:
        """Called from any thread, one at a time. A month is read again after a minute. Raises `StoreError`."""
        with self._turn(), self._one_month:
            until_ms = self._printer.until_ms()
            read_ms, report = self._months.get(month.name, (0, None))
            if report is None or until_ms - read_ms > MINUTE_MS:
                report = read_month(self._printer.config.sites, self._readers(), month, until_ms)
                self._months = {**dict(list(self._months.items())[-MOST_MONTHS:]), month.name: (until_ms, report)}
            return report

    def _explain(self, incident: Incident) -> Sequence[str]:
        """Called from any thread. Empty if the site is not configured any more. Raises `StoreError`."""
        config, reader = self._printer.config, self._readers().get(incident.location)
        site = config.site_of(incident.host)
        if site is None or reader is None or incident.alert is None:
            return ()
        at_ms = self._printer.until_ms() if incident.is_open else incident.alert.time_ms + 1
        with self._turn():
            explanation = explain_from(reader, config, site, at_ms)
        return explanation_lines(explanation, incident.location, reader.kind)

    def _deliveries(self, incident: Incident) -> Sequence[Entry] | None:
        """Called from any thread. None: unknown, because another monitor has sent them."""
        if not self._knows_deliveries or incident.location != self._printer.config.location:
            return None
        last = incident.recovery
        window = Window(incident.start_ms, self._printer.now_ms() if last is None else last.time_ms + 1)
        with self._turn():
            found = self._choice.deliveries(window)
        return [it for it in found if (it.alert.host, it.alert.start_ms) == (incident.host, incident.start_ms)]

    def _series(self, key: SiteKey, window: str) -> Sequence[Mark]:
        return self._charts.of(key, window, self._printer.until_ms())

    def _readers(self) -> Readers:
        """The present readers. Raises `StoreUnavailable` while there are none."""
        if not self._printer.readers:
            raise StoreUnavailable(self.board.view.read_error or "nothing was read yet: try again in a moment")
        return self._printer.readers

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait for permission to query the store. Raises `StoreUnavailable` if that takes too long."""
        if not self._turns.acquire(timeout=PATIENCE_S):
            raise StoreUnavailable("the page is waiting for its store: try again in a moment")
        try:
            yield
        finally:
            self._turns.release()


class PageServer:
    """Serves the page of a configuration."""

    def __init__(
        self,
        invocation: Invocation,
        config: Config,
        watcher: ConfigWatcher,
        listener: Listener,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        """It ends at a signal, or when `is_wanted` is false."""
        self._invocation = invocation
        self._config = config
        self._watcher = watcher
        self._listener = listener
        self._is_wanted = is_wanted

    def run(self, say: Callable[[str], None] = warn) -> int:
        """Serve; returns the exit status. Messages on stores and the configuration go to `say`. Raises `MonitoringError`."""
        clock, stop = SystemClock(), StopSignal()
        choice = ReaderChoice(self._config, clock, LIVE_PATIENCE_S, self._invocation.arguments.location)
        reader = PageReader(self._config, choice, clock, self._watcher, say)
        heed_signals(end, self._watcher.ask)
        thread = threading.Thread(target=partial(reader.run, stop, self._is_wanted), name="reader", daemon=True)
        return serve(reader.board, self._listener, clock, thread.start, stop.set)


def listen_address(arguments: Namespace) -> ListenAddress:
    """Raises `ConfigError`."""
    return parse_listen(DEFAULT_LISTEN if arguments.listen is None else arguments.listen)


def page_address(arguments: Namespace) -> str:
    """The address of the page, for messages to people on any machine. Raises `ConfigError`."""
    address = listen_address(arguments)
    if address.is_every:
        address = replace(address, host=gethostname())
    return f"{'https' if arguments.tls_cert else 'http'}://{address}/"


def listener_of(invocation: Invocation) -> Listener:
    """Listen at the address of the command line. Raises `ConfigError` and `StoreUnavailable`."""
    arguments = invocation.arguments
    address = listen_address(arguments)
    return open_listener(address, page_tokens(invocation.environ), tls_files(arguments.tls_cert, arguments.tls_key))


def run(invocation: Invocation) -> int:
    """Serve until SIGTERM or Ctrl-C; returns the exit status. Raises `MonitoringError`."""
    config, watcher = invocation.load()
    return PageServer(invocation, config, watcher, listener_of(invocation)).run()
