"""Where what is shown goes. Only the main thread prints: the checkers and the judge hand things over."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TextIO

from monitoring.models import Alert, SiteStatus
from monitoring.report import (
    Closing,
    Header,
    SiteKey,
    StatsReport,
    View,
    alert_detail,
    alert_json,
    alert_sentence,
    closing_lines,
    ongoing_text,
    placeholder_line,
    printable,
    stats_json,
    stats_lines,
)
from monitoring.report.words import source_text

if TYPE_CHECKING:
    from rich.live import Live

REMEMBERED_ALERTS = 50

Statuses = Callable[[], Mapping[SiteKey, SiteStatus]]
"""How each site stands now, seen from each location; asked only by an output that shows it."""


class Output(Protocol):
    """What a running monitor tells."""

    def start(self, header: Header, now_ms: int, recent: Sequence[Alert] = ()) -> None:
        """Monitoring begins; `recent` are transitions of the runs before."""

    def statistics(self, report: StatsReport) -> None:
        """A round of statistics."""

    def transition(self, alert: Alert, name: str | None) -> None:
        """A site went down or came back."""

    def notice(self, text: str) -> None:
        """Something is wrong with the monitor itself, or is right again."""

    def news(self, text: str) -> None:
        """The header says this from now on as well."""

    def trouble(self, text: str | None) -> None:
        """Why nothing can be read now; None: it can. Told again and again, shown while it lasts or when it changes."""

    def refresh(self, header: Header, now_ms: int, statuses: Statuses, ongoing: Sequence[Alert]) -> None:
        """About once a second: how things stand now."""

    def close(self, closing: Closing | None) -> None:
        """Monitoring has ended; None: it goes on elsewhere, and is no longer shown."""


class SilentOutput:
    """`--silent`: nothing but trouble, on stderr, once."""

    def __init__(self, errors: TextIO) -> None:
        self._errors = errors
        self._trouble: str | None = None

    def start(self, header: Header, now_ms: int, recent: Sequence[Alert] = ()) -> None: ...

    def statistics(self, report: StatsReport) -> None: ...

    def transition(self, alert: Alert, name: str | None) -> None: ...

    def notice(self, text: str) -> None:
        print(printable(text), file=self._errors, flush=True)

    def news(self, text: str) -> None:
        self.notice(text)

    def trouble(self, text: str | None) -> None:
        if text and text != self._trouble:
            self.notice(text)
        self._trouble = text

    def refresh(self, header: Header, now_ms: int, statuses: Statuses, ongoing: Sequence[Alert]) -> None: ...

    def close(self, closing: Closing | None) -> None: ...


class JsonOutput(SilentOutput):
    """One JSON object a line, as things happen."""

    def __init__(self, stdout: TextIO, errors: TextIO) -> None:
        super().__init__(errors)
        self._stdout = stdout

    def statistics(self, report: StatsReport) -> None:
        print(stats_json(report), file=self._stdout, flush=True)

    def transition(self, alert: Alert, name: str | None) -> None:
        print(alert_json(alert, name), file=self._stdout, flush=True)


class PlainOutput(SilentOutput):
    """Lines for pipes and logs."""

    def __init__(self, stdout: TextIO, errors: TextIO) -> None:
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

    def transition(self, alert: Alert, name: str | None) -> None:
        self._print(alert_sentence(alert), f"  {alert_detail(alert)}")

    def refresh(self, header: Header, now_ms: int, statuses: Statuses, ongoing: Sequence[Alert]) -> None:
        if self._header and header.source != self._header.source:
            self._print(f"== {source_text(header.source, header.why)}")
        self._header = header

    def close(self, closing: Closing | None) -> None:
        if closing:
            self._print(*closing_lines(closing))


class ScreenOutput:
    """A screen of its own that is drawn anew; the closing one stays in the terminal."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(highlight=False)
        self._live: Live | None = None
        self._reports: dict[int, StatsReport] = {}
        self._alerts: list[Alert] = []
        self._notices: list[str] = []
        self._trouble: str | None = None
        self._view: View | None = None

    def start(self, header: Header, now_ms: int, recent: Sequence[Alert] = ()) -> None:
        from rich.live import Live

        self._live = Live(console=self._console, screen=True, auto_refresh=False, redirect_stderr=False)
        self._live.start()
        self._alerts = list(recent)[-REMEMBERED_ALERTS:]
        self._draw(View(header, now_ms))

    def statistics(self, report: StatsReport) -> None:
        self._reports[report.length_ms] = report

    def transition(self, alert: Alert, name: str | None) -> None:
        self._alerts = [*self._alerts, alert][-REMEMBERED_ALERTS:]

    def notice(self, text: str) -> None:
        self._notices = [*self._notices, text][-3:]

    def news(self, text: str) -> None:
        """It is on the screen."""

    def trouble(self, text: str | None) -> None:
        self._trouble = text

    def refresh(self, header: Header, now_ms: int, statuses: Statuses, ongoing: Sequence[Alert]) -> None:
        current = statuses()
        reports = [_with_statuses(self._reports[length], current) for length in sorted(self._reports)]
        header = replace(header, notes=(*header.notes, *self._notices, *filter(None, [self._trouble])))
        self._draw(View(header, now_ms, reports, tuple(self._alerts), tuple(ongoing)))

    def _draw(self, view: View) -> None:
        from monitoring.report.screen import render_screen

        self._view = view
        width, height = self._console.size
        if self._live:
            self._live.update(render_screen(view, width, height), refresh=True)

    def close(self, closing: Closing | None) -> None:
        from monitoring.report.screen import render_closing, render_screen

        if self._live:
            self._live.stop()
        if closing:
            self._console.print(render_closing(closing, self._console.width))
        elif self._view:  # what was on the screen stays in the terminal
            self._console.print(render_screen(self._view, *self._console.size))


class LocatedOutput:
    """An output of a monitor, which need not know where it is: everything it tells bears the name of its location."""

    def __init__(self, output: Output, location: str) -> None:
        self._output = output
        self._location = location

    def start(self, header: Header, now_ms: int, recent: Sequence[Alert] = ()) -> None:
        self._output.start(header, now_ms, self._named(recent))

    def statistics(self, report: StatsReport) -> None:
        rows = tuple(replace(row, location=self._location) for row in report.rows)
        self._output.statistics(replace(report, rows=rows))

    def transition(self, alert: Alert, name: str | None) -> None:
        self._output.transition(replace(alert, location=self._location), name)

    def notice(self, text: str) -> None:
        self._output.notice(text)

    def news(self, text: str) -> None:
        self._output.news(text)

    def trouble(self, text: str | None) -> None:
        self._output.trouble(text)

    def refresh(self, header: Header, now_ms: int, statuses: Statuses, ongoing: Sequence[Alert]) -> None:
        def here() -> Mapping[SiteKey, SiteStatus]:
            return {(host, self._location): status for (host, _), status in statuses().items()}

        self._output.refresh(header, now_ms, here, self._named(ongoing))

    def close(self, closing: Closing | None) -> None:
        if closing:
            closing = replace(closing, location=self._location, alerts=self._named(closing.alerts))
        self._output.close(closing)

    def _named(self, alerts: Sequence[Alert]) -> tuple[Alert, ...]:
        return tuple(replace(alert, location=self._location) for alert in alerts)


def _with_statuses(report: StatsReport, statuses: Mapping[SiteKey, SiteStatus]) -> StatsReport:
    rows = tuple(replace(row, status=statuses.get(row.key, row.status)) for row in report.rows)
    return replace(report, rows=rows)


def say(text: str) -> None:
    """A sentence of a mode that is no display."""
    print(printable(text), flush=True)


def print_view(view: View, form: str, environ: Mapping[str, str]) -> None:
    """All of a view once: as JSON its statistics, as text the outages that go on as well."""
    if form == "json":
        print(*map(stats_json, view.reports), sep="\n", flush=True)
    elif is_fancy(environ):
        _print_tables(view)
    else:
        lines = [line for report in view.reports for line in stats_lines(report)]
        ongoing = [ongoing_text(alert, view.now_ms) for alert in view.ongoing]
        print(f"== {source_text(view.header.source, view.header.why)}", *lines, *ongoing, sep="\n", flush=True)


def _print_tables(view: View) -> None:
    """In colours, as long as it takes."""
    from rich.console import Console

    from monitoring.report.screen import render_screen

    console = Console(highlight=False)
    rows = sum(len(report.rows) + 4 for report in view.reports)
    console.print(render_screen(view, console.width, 3 * (rows + len(view.alerts) + len(view.ongoing)) + 30))


def open_output(form: str, *, silent: bool, environ: Mapping[str, str], location: str = "") -> Output:
    """The output that fits: `form` is "text" or "json"; `location` is the name of where the monitor is, if there is one."""
    output = _output(form, silent=silent, environ=environ)
    return LocatedOutput(output, location) if location else output


def _output(form: str, *, silent: bool, environ: Mapping[str, str]) -> Output:
    """A screen only on a terminal that wants one."""
    if silent:
        return SilentOutput(sys.stderr)
    if form == "json":
        return JsonOutput(sys.stdout, sys.stderr)
    if is_fancy(environ):
        return ScreenOutput()
    return PlainOutput(sys.stdout, sys.stderr)


def is_fancy(environ: Mapping[str, str]) -> bool:
    """Is stdout a terminal that takes colours? (https://no-color.org)"""
    return sys.stdout.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
