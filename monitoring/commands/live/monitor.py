"""`-m`: opens everything that a monitor needs, runs `MonitoringApp` with it, and closes it again."""

from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import replace
from functools import partial

from monitoring.checks.checkers import Checkers
from monitoring.checks.probe import Probe
from monitoring.clock import SystemClock
from monitoring.commands.invocation import Invocation
from monitoring.commands.live.rounds import RECENT_MS
from monitoring.commands.live.terminal import terminal_keys, viewer_command
from monitoring.config import Config, ConfigWatcher
from monitoring.display.output.outputs import open_output
from monitoring.display.output.progress import progress, size_text
from monitoring.display.output.streams import Streams
from monitoring.display.output.thread import DisplayThread
from monitoring.errors import InUse
from monitoring.models import Window
from monitoring.notifications.notifier import Notifier
from monitoring.notifications.outbox import Outbox
from monitoring.service import process
from monitoring.service.signals import end_at_signals, heed_signals
from monitoring.service.systemd import ServiceManager
from monitoring.statistics.tracker import RestoredState
from monitoring.storage.opening import open_store, take_over_past
from monitoring.storage.sqlite.opening import Opening
from monitoring.trust import Certificates


def run(invocation: Invocation) -> int:
    """Monitor until Ctrl-C or SIGTERM; returns the exit status. Raises `MonitoringError`."""
    if invocation.arguments.web:
        _monitor_with_page(invocation)
    else:
        config, watcher = invocation.load()
        end_at_signals()  # until `heed_signals` below
        _monitor(invocation, config, watcher)
    return 0


def _monitor_with_page(invocation: Invocation) -> None:
    from monitoring.commands.live.page_process import PageProcess  # late: its packages load slowly
    from monitoring.commands.live.web import page_address

    serving = replace(invocation, page=page_address(invocation.arguments))
    config, watcher = serving.load()
    end_at_signals()
    page = PageProcess(serving, config, watcher)  # it forks: before there are threads, open files and locks
    try:
        _monitor(serving, config, watcher, page.report_to)
    finally:
        page.end()


ReportTo = Callable[[Callable[[str], None]], None]
"""Is given the function that shows a line to people."""


def _monitor(
    invocation: Invocation, config: Config, watcher: ConfigWatcher, page_reports_to: ReportTo = lambda _: None
) -> None:
    form, silent = invocation.arguments.format, invocation.arguments.silent
    streams, clock = Streams.standard(), SystemClock()
    output = open_output(form, silent=silent, environ=invocation.environ, location=config.location, streams=streams)
    process.prepare(len(config.sites))
    with nullcontext() if silent else progress(f"opening {size_text(config.local_database)}"):
        try:
            local = Opening(config.local_database, output.notice, clock.now_ms()).open()
        except InUse as error:
            raise InUse(f"{error}{invocation.local_file_hint}") from None
        take_over_past(local, config, clock, output.notice)
    store = open_store(local, config, clock)
    with closing(store), Certificates(config.trust) as trusted:
        now_ms = clock.now_ms()
        restored = RestoredState(
            local.last_alerts(), local.last_states(now_ms + 1), local.alerts(Window.before(now_ms, RECENT_MS))
        )
        display = DisplayThread(output, streams)
        make_checkers = partial(  # no nested partial: it would deepen the stack of every checker
            Checkers, lambda site, network: Probe(site, network, certificates=trusted), clock=clock, news=trusted.news
        )
        notifier = Notifier(Outbox(local, store.unwritten_alerts), store.own_reader, clock)
        app = invocation.make_app(config, store, clock, display, make_checkers, restored, watcher=watcher)
        app.notify_by(notifier)
        heed_signals(app.stop, app.reload)
        page_reports_to(display.notice)
        with terminal_keys(display, partial(viewer_command, invocation)):
            app.run(ServiceManager(invocation.environ, clock.monotonic_ns))
