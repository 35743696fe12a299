"""The live screen on a terminal, redrawn about once a second and at every key."""

import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace

from rich.console import Group
from rich.live import Live
from rich.screen import Screen
from rich.style import Style
from rich.text import Text

from monitoring.display.drawing.closing import render_closing
from monitoring.display.drawing.grid import keys_line
from monitoring.display.drawing.guide import guide_lines, last_top
from monitoring.display.drawing.screen import Drawing, Look, draw_all, draw_screen
from monitoring.display.output.consoles import adapt_to_background, is_mono, open_console
from monitoring.display.output.keys import BACKGROUND, KEYS_COME
from monitoring.display.output.navigation import Mode, Navigation, Request
from monitoring.display.output.streams import Descriptor
from monitoring.display.view_model.latest import Notices
from monitoring.display.view_model.values import Closing, Header, StatsReport, Statuses, View, with_statuses
from monitoring.display.view_model.viewing import Choice
from monitoring.models import Alert
from monitoring.units import DAY_MS, HOUR_MS, MINUTE_MS

REMEMBERED_ALERTS = 50

MONITORED_MS = (10 * MINUTE_MS, HOUR_MS)
"""The windows to choose from, which a monitor reads completely."""

LONG_MS = (DAY_MS, 30 * DAY_MS)
"""The windows of which a monitor reads only the availability."""

ASK_BACKGROUND = "\x1b]11;?\x07"
"""Asks a terminal for its background colour, with a control sequence of xterm that nearly all terminals know."""

KEYS_TEXT = "? help  ! faults  w window  v viewer  ↑↓ PgUp PgDn move  q quit"
NO_KEYS_TEXT = "Ctrl-C ends"

DEAF = ("linux", "vt", "dumb", "ansi")
"""Terminals that may show the question instead of answering it, by the beginning of their TERM."""


class ScreenOutput:
    """Uses the terminal's alternate screen; the closing summary stays on the normal one."""

    is_screen = True

    def __init__(self, stdout: Descriptor, environ: Mapping[str, str], reads_ms: Sequence[int] | None = None) -> None:
        """`reads_ms` are the windows of a reader; None: a monitor shows its own."""
        self._console = open_console(environ, stdout)
        self._environ = environ
        self._style = Style()
        self._to_choose_ms = MONITORED_MS if reads_ms is None else sorted(reads_ms)
        self._columns_ms = (*self._to_choose_ms, *(LONG_MS if reads_ms is None else ()))
        self._live: Live | None = None
        self._reports: dict[int, StatsReport] = {}
        self._alerts: list[Alert] = []
        self._notices = Notices()
        self._now_ms = 0
        self._read_error: str | None = None
        self._view: View | None = None
        self._navigation = Navigation(Look(Choice(window_ms=self._to_choose_ms[0])), is_monitor=reads_ms is None)
        self._takes_keys = False
        self._drawing = Drawing(())

    def start(self, header: Header, now_ms: int, recent: Sequence[Alert] = ()) -> None:
        self._open()
        self._now_ms = now_ms
        self._alerts = list(recent)[-REMEMBERED_ALERTS:]
        self._draw(View(header, now_ms))

    def _open(self) -> None:
        # Redirect nothing: if the screen is stopped, nothing would restore stdout at the end.
        self._live = Live(
            console=self._console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )
        self._live.start()

    def suspend(self) -> None:
        if self._live:
            self._live.stop()
            self._live = None  # draw nothing until it is resumed: another program may have the terminal

    def resume(self) -> None:
        if self._view:
            self._open()
            self._draw(self._view)

    def statistics(self, report: StatsReport) -> None:
        self._reports[report.length_ms] = report

    def long_window(self, report: StatsReport) -> None:
        self._reports[report.length_ms] = report

    def key(self, key: str) -> bool:
        request = Request.NOTHING
        self._takes_keys = True
        if key == KEYS_COME:
            self._ask_background()
        elif key.startswith(BACKGROUND):
            self._style = adapt_to_background(self._console, key.removeprefix(BACKGROUND))
        else:
            self._navigation, request = self._navigation.after(key, self._drawing, self._to_choose_ms)
            if request is Request.QUIT:
                os.kill(os.getpid(), signal.SIGINT)  # like Ctrl-C
        return request is Request.VIEWER

    def redraw(self) -> None:
        if self._view:
            self._draw(self._view)

    def _ask_background(self) -> None:
        """Ask for the background, unless no colours are wanted. The answer arrives as a key."""
        if not is_mono(self._environ) and not self._environ.get("TERM", "").startswith(DEAF):
            self._console.file.write(ASK_BACKGROUND)
            self._console.file.flush()

    def state_change(self, alert: Alert, name: str | None) -> None:
        self._alerts = [*self._alerts, alert][-REMEMBERED_ALERTS:]

    def history(self, alerts: Sequence[Alert]) -> None:
        self._alerts = list(alerts)[-REMEMBERED_ALERTS:]

    def notice(self, text: str) -> None:
        self._notices.add(text, self._now_ms)

    def news(self, text: str) -> None:
        """Nothing: the header shows it."""

    def read_error(self, text: str | None) -> None:
        self._read_error = text

    def refresh(self, header: Header, now_ms: int, statuses: Statuses, ongoing: Sequence[Alert]) -> None:
        reports, current = [self._reports[length] for length in sorted(self._reports)], statuses()
        if reports:  # screens take a site's state from the shortest window
            reports[0] = with_statuses(reports[0], current)
        self._now_ms = now_ms
        notices = self._notices.recent(now_ms)
        header = replace(header, notes=(*header.notes, *notices))
        self._draw(View(header, now_ms, reports, tuple(self._alerts), tuple(ongoing), current, self._read_error))

    def _draw(self, view: View) -> None:
        self._view = view
        if self._live:
            width, height = self._console.size
            self._live.update(Screen(Group(*self._lines(view, width, height)), style=self._style), refresh=True)

    def _lines(self, view: View, width: int, height: int) -> Sequence[Text]:
        if self._navigation.mode is Mode.HELP:
            top = min(self._navigation.help_top, last_top(width, height))  # so that the next key up moves it at once
            self._navigation = replace(self._navigation, help_top=top)
            return guide_lines(width, height, top)
        self._drawing = draw_screen(view, self._navigation.look, self._columns_ms, width, height, self._footer(width))
        return self._drawing.lines

    def _footer(self, width: int) -> Text:
        if self._navigation.mode is Mode.STOP:
            return Text(" Stop monitoring? y/N", "title")
        return keys_line(KEYS_TEXT if self._takes_keys else NO_KEYS_TEXT, width)

    def close(self, closing: Closing | None) -> None:
        if self._live:
            self._live.stop()
            self._live = None  # draw nothing over the closing summary
        if closing:
            self._console.print(render_closing(closing, self._console.width))
        elif self._view:  # keep the last screen in the terminal
            self._console.print(Group(*draw_all(self._view, self._console.width)))
