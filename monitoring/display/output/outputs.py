"""The outputs of a monitor and of print mode: screen, lines, JSON or nothing. A monitor uses them in a `thread`."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from monitoring.display.output.streams import Stream, Streams, begin_line
from monitoring.display.text.jsonlines import alert_json, stats_json
from monitoring.display.text.plain import closing_lines, ongoing_lines, placeholder_line, stats_lines
from monitoring.display.view_model.values import Closing, Header, SiteKey, StatsReport, Statuses, View
from monitoring.display.words import alert_detail, alert_sentence, host_and_name, source_text
from monitoring.models import Alert, SiteStatus
from monitoring.names import printable

if TYPE_CHECKING:
    from rich.text import Text


class Output(Protocol):
    """What a monitor or print mode shows."""

    def start(self, header: Header, now_ms: int, recent: Sequence[Alert] = ()) -> None:
        """The beginning. `recent` are alert records of the past."""

    def statistics(self, report: StatsReport) -> None:
        """New statistics of one window."""

    def state_change(self, alert: Alert, name: str | None) -> None:
        """A site has gone down or recovered. `name` is its configured name."""

    def history(self, alerts: Sequence[Alert]) -> None:
        """All alert records of the past day, because some have been deleted."""

    def notice(self, text: str) -> None:
        """An event of the program itself: something fails or works again."""

    def news(self, text: str) -> None:
        """An event that the header shows from now on, so that only outputs without a header show it here."""

    def read_error(self, text: str | None) -> None:
        """Why the store cannot be read now; None: it can. It is repeated while it lasts, but shown once."""

    def refresh(self, header: Header, now_ms: int, statuses: Statuses, ongoing: Sequence[Alert]) -> None:
        """The current state, about once a second. Only an output that shows `statuses` calls it."""

    def suspend(self) -> None:
        """Restore the terminal before Ctrl-Z stops the program."""

    def resume(self) -> None:
        """Use the terminal again after the program was continued."""

    def close(self, closing: Closing | None) -> None:
        """The end. `closing` is the summary of a monitor's run; None: there is none."""


class MonitorOutput(Output, Protocol):
    """An output of a monitor, which has long windows and takes keys."""

    is_screen: bool
    """Does it show long windows and take keys?"""

    def long_window(self, report: StatsReport) -> None:
        """The statistics of a long window, which have nothing but the availability."""

    def key(self, key: str) -> bool:
        """Handle a key (see `keys`). Returns whether it requests a viewer. The effect is visible after `redraw`."""

    def redraw(self) -> None:
        """Draw again, with the effects of the last keys."""


class Display(MonitorOutput, Protocol):
    """An output whose calls return at once. It shows their effects later."""

    failure: BrokenPipeError | None
    """Set if the reader of the pipe or terminal is gone."""

    def call_back(self, done: Callable[[], None]) -> None:
        """Call `done` after everything so far has been shown; never, if the display is stuck."""

    def stands_still(self) -> bool:
        """Has the terminal accepted nothing since the last call?"""


class SilentOutput:
    """`--silent`: only errors and notices, on stderr. A repeated error is printed once."""

    is_screen = False

    def __init__(self, errors: Stream) -> None:
        self._errors = errors
        self._read_error: str | None = None

    def start(self, header: Header, now_ms: int, recent: Sequence[Alert] = ()) -> None: ...

    def statistics(self, report: StatsReport) -> None: ...

    def state_change(self, alert: Alert, name: str | None) -> None: ...

    def history(self, alerts: Sequence[Alert]) -> None: ...

    def notice(self, text: str) -> None:
        print(printable(text), file=self._errors, flush=True)

    def news(self, text: str) -> None:
        self.notice(text)

    def read_error(self, text: str | None) -> None:
        if text and text != self._read_error:
            self.notice(text)
        self._read_error = text

    def refresh(self, header: Header, now_ms: int, statuses: Statuses, ongoing: Sequence[Alert]) -> None: ...

    def long_window(self, report: StatsReport) -> None: ...

    def key(self, key: str) -> bool:
        return False

    def redraw(self) -> None: ...

    def suspend(self) -> None: ...

    def resume(self) -> None: ...

    def close(self, closing: Closing | None) -> None: ...


class JsonOutput(SilentOutput):
    """One JSON object on each line: statistics and state changes as they happen."""

    def __init__(self, stdout: Stream, errors: Stream) -> None:
        super().__init__(errors)
        self._stdout = stdout

    def statistics(self, report: StatsReport) -> None:
        print(stats_json(report), file=self._stdout, flush=True)

    def state_change(self, alert: Alert, name: str | None) -> None:
        print(alert_json(alert, name), file=self._stdout, flush=True)


class PlainOutput(SilentOutput):
    """Lines for pipes and logs."""

    def __init__(self, stdout: Stream, errors: Stream) -> None:
        super().__init__(errors)
        self._stdout = stdout
        self._header: Header | None = None

    def _print(self, *lines: str) -> None:
        print(*lines, sep="\n", file=self._stdout, flush=True)

    def start(self, header: Header, now_ms: int, recent: Sequence[Alert] = ()) -> None:
        self._header = header
        self._print(placeholder_line(header), *(f"== {printable(note)}" for note in header.notes))

    def statistics(self, report: StatsReport) -> None:
        self._print(*stats_lines(report))

    def state_change(self, alert: Alert, name: str | None) -> None:
        self._print(alert_sentence(alert, host_and_name(alert.host, name)), f"  {alert_detail(alert)}")

    def refresh(self, header: Header, now_ms: int, statuses: Statuses, ongoing: Sequence[Alert]) -> None:
        if self._header and header.source != self._header.source:
            self._print(f"== {source_text(header.source, header.why)}")
        self._header = header

    def close(self, closing: Closing | None) -> None:
        begin_line(self._stdout)
        if closing:
            self._print(*closing_lines(closing))


class LocatedOutput:
    """Adds the monitor's location to everything that another output shows."""

    def __init__(self, output: MonitorOutput, location: str) -> None:
        self._output = output
        self._location = location
        self.is_screen = output.is_screen

    def start(self, header: Header, now_ms: int, recent: Sequence[Alert] = ()) -> None:
        self._output.start(header, now_ms, self._named(recent))

    def statistics(self, report: StatsReport) -> None:
        self._output.statistics(self._located(report))

    def long_window(self, report: StatsReport) -> None:
        self._output.long_window(self._located(report))

    def key(self, key: str) -> bool:
        return self._output.key(key)

    def redraw(self) -> None:
        self._output.redraw()

    def state_change(self, alert: Alert, name: str | None) -> None:
        self._output.state_change(replace(alert, location=self._location), name)

    def history(self, alerts: Sequence[Alert]) -> None:
        self._output.history(self._named(alerts))

    def notice(self, text: str) -> None:
        self._output.notice(text)

    def news(self, text: str) -> None:
        self._output.news(text)

    def read_error(self, text: str | None) -> None:
        self._output.read_error(text)

    def refresh(self, header: Header, now_ms: int, statuses: Statuses, ongoing: Sequence[Alert]) -> None:
        def here() -> Mapping[SiteKey, SiteStatus]:
            return {(host, self._location): status for (host, _), status in statuses().items()}

        self._output.refresh(header, now_ms, here, self._named(ongoing))

    def suspend(self) -> None:
        self._output.suspend()

    def resume(self) -> None:
        self._output.resume()

    def close(self, closing: Closing | None) -> None:
        if closing:
            closing = replace(closing, location=self._location, alerts=self._named(closing.alerts))
        self._output.close(closing)

    def _located(self, report: StatsReport) -> StatsReport:
        return replace(report, rows=tuple(replace(row, location=self._location) for row in report.rows))

    def _named(self, alerts: Sequence[Alert]) -> tuple[Alert, ...]:
        return tuple(replace(alert, location=self._location) for alert in alerts)


def say(text: str) -> None:
    """Print a line to stdout."""
    print(printable(text), flush=True)


def warn(text: str) -> None:
    """Print a line to stderr, if it can be written there."""
    with suppress(OSError):
        print(printable(text), file=sys.stderr)


def print_view(view: View, form: str, environ: Mapping[str, str]) -> None:
    """Print a view once: as JSON only the statistics, as text also the open outages."""
    if form == "json":
        print(*map(stats_json, view.reports), sep="\n", flush=True)
    elif is_terminal(environ):
        _print_table(view, environ)
    else:
        lines = [line for report in view.reports for line in stats_lines(report)]
        print(f"== {source_text(view.header.source, view.header.why)}", *lines, *ongoing_lines(view), sep="\n", flush=True)


def print_lines(lines: Sequence[str]) -> None:
    """Print these lines."""
    print(*lines, sep="\n", flush=True)


def print_screen(lines: Sequence["Text"], environ: Mapping[str, str]) -> None:
    """Print what was on a screen, to stay in the terminal."""
    from monitoring.display.output.consoles import open_console

    open_console(environ).print(*lines, sep="\n", soft_wrap=True)


def _print_table(view: View, environ: Mapping[str, str]) -> None:
    """The table, with as many lines as it needs."""
    from monitoring.display.drawing.screen import draw_all
    from monitoring.display.output.consoles import open_console

    console = open_console(environ)
    console.print(*draw_all(view, console.width), sep="\n", soft_wrap=True)


def open_output(
    form: str,
    *,
    silent: bool,
    environ: Mapping[str, str],
    streams: Streams,
    location: str = "",
    reads_ms: Sequence[int] | None = None,
) -> MonitorOutput:
    """The output for this terminal or pipe. `form` is "text" or "json"; `location` is the monitor's, "" without one.

    `reads_ms` are the lengths of the windows that a reader shows; None: it is for a monitor.
    """
    output: MonitorOutput
    if silent:
        output = SilentOutput(streams.errors)
    elif form == "json":
        output = JsonOutput(*streams)
    elif is_terminal(environ):
        from monitoring.display.output.screen_output import ScreenOutput  # late: rich loads slowly

        output = ScreenOutput(streams.stdout, environ, reads_ms)
    else:
        output = PlainOutput(*streams)
    return LocatedOutput(output, location) if location else output


def is_terminal(environ: Mapping[str, str]) -> bool:
    """Is stdout a terminal that can be drawn on? NO_COLOR does not matter here."""
    return bool(sys.stdout) and sys.stdout.isatty() and environ.get("TERM") != "dumb"


def is_operable(environ: Mapping[str, str]) -> bool:
    """Are stdin and stdout a terminal, on which keys can be typed and lines drawn?"""
    return is_terminal(environ) and bool(sys.stdin) and sys.stdin.isatty()
