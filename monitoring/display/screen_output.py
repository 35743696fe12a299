"""The screen of a terminal, redrawn about once a second."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TextIO, cast

from rich.console import Console
from rich.live import Live

from monitoring.display import Closing, Header, SiteKey, StatsReport, View
from monitoring.display.screen import render_closing, render_screen
from monitoring.display.streams import Descriptor
from monitoring.display.values import Statuses
from monitoring.models import Alert, SiteStatus

REMEMBERED_ALERTS = 50

NOTICE_MS = 600_000
"""How long an event stays in the header. What lasts stands there as long as it does."""


class ScreenOutput:
    """Uses the terminal's alternate screen; the closing summary stays on the normal one."""

    def __init__(self, stdout: Descriptor) -> None:
        self._console = Console(file=cast(TextIO, stdout), highlight=False)
        self._live: Live | None = None
        self._reports: dict[int, StatsReport] = {}
        self._alerts: list[Alert] = []
        self._notices: list[tuple[str, int]] = []
        self._now_ms = 0
        self._read_error: str | None = None
        self._view: View | None = None

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
        width, height = self._console.size
        if self._live:
            self._live.update(render_screen(view, width, height), refresh=True)

    def close(self, closing: Closing | None) -> None:
        if self._live:
            self._live.stop()
        if closing:
            self._console.print(render_closing(closing, self._console.width))
        elif self._view:  # what was on the screen stays in the terminal
            self._console.print(render_screen(self._view, *self._console.size))


def _with_statuses(report: StatsReport, statuses: Mapping[SiteKey, SiteStatus]) -> StatsReport:
    rows = tuple(replace(row, status=statuses.get(row.key, row.status)) for row in report.rows)
    return replace(report, rows=rows)
