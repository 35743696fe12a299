"""The screen of a terminal, redrawn about once a second and at every key."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rich.console import Group
from rich.live import Live
from rich.text import Text

from monitoring.display import Closing, Header, SiteKey, StatsReport, View
from monitoring.display.closing import render_closing
from monitoring.display.consoles import open_console
from monitoring.display.navigation import Navigation
from monitoring.display.screen import Drawing, draw_all, draw_screen
from monitoring.display.streams import Descriptor
from monitoring.display.values import Statuses
from monitoring.models import Alert, SiteStatus
from monitoring.units import HOUR_MS, MINUTE_MS

REMEMBERED_ALERTS = 50

NOTICE_MS = 600_000
"""How long an event stays in the header. What lasts stands there as long as it does."""

LOOKED_AT_MS = (10 * MINUTE_MS, HOUR_MS)
"""The windows that a monitor reads whole: those to choose from."""


class ScreenOutput:
    """Uses the terminal's alternate screen; the closing summary stays on the normal one."""

    def __init__(self, stdout: Descriptor, environ: Mapping[str, str], windows_ms: Sequence[int] = LOOKED_AT_MS) -> None:
        """`windows_ms` are those that the table has a column for."""
        self._console = open_console(environ, stdout)
        self._windows_ms = windows_ms
        self._live: Live | None = None
        self._reports: dict[int, StatsReport] = {}
        self._alerts: list[Alert] = []
        self._notices: list[tuple[str, int]] = []
        self._now_ms = 0
        self._read_error: str | None = None
        self._view: View | None = None
        self._navigation = Navigation()
        self._drawing = Drawing(())

    def start(self, header: Header, now_ms: int, recent: Sequence[Alert] = ()) -> None:
        self._open()
        self._now_ms = now_ms
        self._alerts = list(recent)[-REMEMBERED_ALERTS:]
        self._draw(View(header, now_ms))

    def _open(self) -> None:
        # Redirect nothing: nobody would wait for a stopped screen to give stdout back at the end.
        self._live = Live(
            console=self._console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )
        self._live.start()

    def suspend(self) -> None:
        if self._live:
            self._live.stop()

    def resume(self) -> None:
        if self._view:
            self._open()
            self._draw(self._view)

    def statistics(self, report: StatsReport) -> None:
        self._reports[report.length_ms] = report

    def state_change(self, alert: Alert, name: str | None) -> None:
        self._alerts = [*self._alerts, alert][-REMEMBERED_ALERTS:]

    def notice(self, text: str) -> None:
        self._notices = [*self._notices, (text, self._now_ms)][-3:]

    def news(self, text: str) -> None:
        """The header shows it."""

    def read_error(self, text: str | None) -> None:
        self._read_error = text

    def refresh(self, header: Header, now_ms: int, statuses: Statuses, ongoing: Sequence[Alert]) -> None:
        current = statuses()
        reports = [_with_statuses(self._reports[length], current) for length in sorted(self._reports)]
        self._now_ms = now_ms
        notices = [text for text, since_ms in self._notices if now_ms - since_ms < NOTICE_MS]
        header = replace(header, notes=(*header.notes, *notices, *filter(None, [self._read_error])))
        self._draw(View(header, now_ms, reports, tuple(self._alerts), tuple(ongoing)))

    def _draw(self, view: View) -> None:
        self._view = view
        if self._live:
            width, height = self._console.size
            self._drawing = draw_screen(view, self._navigation.look, self._windows_ms, width, height, self._footer())
            self._live.update(Group(*self._drawing.lines), refresh=True)

    def _footer(self) -> Text:
        return Text(" Ctrl-C ends", "weak")

    def close(self, closing: Closing | None) -> None:
        if self._live:
            self._live.stop()
        if closing:
            self._console.print(render_closing(closing, self._console.width))
        elif self._view:  # what was on the screen stays in the terminal
            self._console.print(Group(*draw_all(self._view, self._console.width)))


def _with_statuses(report: StatsReport, statuses: Mapping[SiteKey, SiteStatus]) -> StatsReport:
    rows = tuple(replace(row, status=statuses.get(row.key, row.status)) for row in report.rows)
    return replace(report, rows=rows)
