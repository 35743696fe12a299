"""`-p`: shows the statistics of monitors elsewhere, without checking anything."""

from contextlib import closing

from monitoring.clock import StopSignal, SystemClock
from monitoring.commands.invocation import Invocation
from monitoring.commands.live.printer import LIVE_PATIENCE_S, Printer, PrintOptions, read_view
from monitoring.commands.live.terminal import terminal_keys, viewer_is_possible
from monitoring.commands.reading import SCRIPT_PATIENCE_S
from monitoring.display.output.outputs import open_output, print_view
from monitoring.display.output.streams import Streams
from monitoring.display.output.thread import DisplayThread
from monitoring.service.signals import end_at_second_signal, heed_signals
from monitoring.storage.routing import ReaderChoice


def run(invocation: Invocation) -> int:
    """Show them once, or until Ctrl-C or SIGTERM; returns the exit status. Raises `MonitoringError`."""
    config, watcher = invocation.load(invocation.arguments.site)
    arguments, form, environ, clock = invocation.arguments, invocation.arguments.format, invocation.environ, SystemClock()
    at_ms = None if arguments.at is None else arguments.at.at(clock.now_ms())
    options = PrintOptions(arguments.window, at_ms, arguments.once, arguments.location)
    if options.once or options.at_ms is not None:
        with closing(ReaderChoice(config, clock, SCRIPT_PATIENCE_S, options.location)) as choice:
            view = read_view(config, choice, clock, options)
        print_view(view, form, environ)
        return 0
    if viewer_is_possible(invocation):
        from monitoring.commands.live import viewer  # late: pipes do not need it

        return viewer.view(invocation, config, watcher)
    stop = StopSignal()

    def end() -> None:
        stop.set()
        end_at_second_signal()  # do not wait for a database that hangs

    streams = Streams.standard()
    output = open_output(form, silent=False, environ=environ, streams=streams, reads_ms=tuple(options.rounds_ms))
    display = DisplayThread(output, streams)
    choice = ReaderChoice(config, clock, LIVE_PATIENCE_S, options.location)
    heed_signals(end, watcher.ask)
    with terminal_keys(display):
        Printer(config, choice, clock, display, options.rounds_ms, watcher).run(stop, lambda: display.failure is None)
    if display.failure:  # the reader of the output is gone
        raise display.failure
    return 0
