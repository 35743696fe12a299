"""The textual application: keys and mouse in, lines out. Pure functions decide what keys do and what is drawn."""

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message

from monitoring.clock import Clock
from monitoring.display.drawing.theme import Theme, ThemeName, theme
from monitoring.display.view_model.overview import Overview
from monitoring.display.view_model.values import Header, View
from monitoring.display.words import local_time, plural
from monitoring.units import NS_PER_MS
from monitoring.viewer.canvas import Canvas
from monitoring.viewer.frames import Frame, Renderer, shown_windows
from monitoring.viewer.snapshot import Feed, Snapshot, Wanted
from monitoring.viewer.state import OF_ONE_SITE, Scene, State, clicked, moved_by, pasted, pressed

TICK_S = 1.0
LATE_MS = 5_000
"""After this long without a snapshot the shown data age, because the store does not answer."""
WHEEL_LINES = 3


@dataclass(frozen=True, slots=True)
class Settings:
    """How the viewer starts: its first state, the windows to choose from, and the terminal's background ("#rrggbb")."""

    state: State
    windows_ms: Sequence[int]
    sites: int = 0
    background: str | None = None


class NewSnapshot(Message):
    """A snapshot has been read."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self.snapshot = snapshot


class Viewer(App[Sequence[Text]]):
    """The application. Its result is the lines that stay in the terminal."""

    CSS = "Screen { background: transparent; overflow: hidden; }"
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "leave", priority=True, show=False),
        Binding("ctrl+z", "suspend_process", priority=True, show=False),
    ]

    def __init__(self, feed: Feed, clock: Clock, settings: Settings) -> None:
        super().__init__(ansi_color=True)
        self._feed = feed
        self._clock = clock
        self._settings = settings
        self._state = settings.state
        self._newest: Snapshot | None = None
        self._read_ns = 0
        nothing = View(Header(settings.sites, "…"), clock.now_ms())
        self._renderer = Renderer(Snapshot(Overview(nothing)), settings.windows_ms)
        self._frame = Frame((), Scene())
        self._is_leaving = False
        self._canvas = Canvas(self._look(settings.state.theme))
        self._effects: Mapping[str, Callable[[], None]] = {
            "q": self.action_leave,
            "Q": lambda: self.exit(self._frame.kept),
            "y": self._copy,
            "S": self._save,
        }

    def compose(self) -> ComposeResult:
        yield self._canvas

    def on_mount(self) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.action_leave)
        self.app_resume_signal.subscribe(self, lambda _: self._canvas.refresh())  # the shell has overwritten it
        self.set_interval(TICK_S, self._tick)
        self._draw()
        self._feed.start(self._post, self._wanted())

    def _post(self, snapshot: Snapshot) -> None:
        """Called in the reading thread."""
        self.post_message(NewSnapshot(snapshot))

    def on_new_snapshot(self, message: NewSnapshot) -> None:
        self._newest, self._read_ns = message.snapshot, self._clock.monotonic_ns()
        if not self._state.is_paused:
            self._take(message.snapshot)

    def on_resize(self, _: events.Resize) -> None:
        self._draw()

    def on_key(self, event: events.Key) -> None:
        event.stop()
        if self._is_leaving:  # waiting keys do not delay the end
            return
        if self._state.prompt is None and (effect := self._effects.get(event.key)):
            effect()
        else:
            self._go(pressed(self._state, event.key, self._frame.scene, event.character))

    def on_paste(self, event: events.Paste) -> None:
        self._go(pasted(self._state, event.text))

    def on_click(self, event: events.Click) -> None:
        if (line := self._frame.rows.get(event.screen_y)) is not None:
            self._go(clicked(self._state, self._frame.scene, line, is_again=line == self._frame.cursor))

    def on_mouse_scroll_down(self, _: events.MouseScrollDown) -> None:
        self._roll(WHEEL_LINES)

    def on_mouse_scroll_up(self, _: events.MouseScrollUp) -> None:
        self._roll(-WHEEL_LINES)

    def action_leave(self) -> None:
        """End, and leave nothing in the terminal."""
        self._is_leaving = True
        self.exit(())

    def _roll(self, lines: int) -> None:
        self._go(moved_by(self._state, self._frame.scene, lines))

    def _go(self, state: State) -> None:
        """Continue with this state."""
        before, self._state = self._state, state
        if state.theme is not before.theme:
            self._canvas.paint(self._look(state.theme))
        if before.is_paused and not state.is_paused and self._newest:
            self._take(self._newest)
        else:
            self._draw()
        self._feed.want(self._wanted())

    def _wanted(self) -> Wanted:
        state, width = self._state, self.size.width
        is_one = state.place in OF_ONE_SITE
        return Wanted(
            state.choice.window_ms,
            frozenset(shown_windows(self._settings.windows_ms, width, of_one_site=is_one)),
            state.at_ms,
            state.site if is_one else None,
            state.explain_ms,
        )

    def _take(self, snapshot: Snapshot) -> None:
        self._renderer = Renderer(snapshot, self._settings.windows_ms)
        self._draw()

    def _tick(self) -> None:
        """Let the shown data age while nothing is read."""
        newest = self._newest
        waited_ms = (self._clock.monotonic_ns() - self._read_ns) // NS_PER_MS
        if newest and newest.at_ms is None and waited_ms >= LATE_MS and not self._state.is_paused:
            self._take(replace(newest, overview=newest.overview.later(waited_ms)))

    def _draw(self) -> None:
        self._frame = self._renderer.frame(self._state, *self.size)
        self._canvas.draw(self._frame.lines)

    def _look(self, name: ThemeName) -> Theme:
        return theme(ThemeName.MONO if self.no_color else name, self._settings.background)

    def _copy(self) -> None:
        self.copy_to_clipboard("\n".join(line.plain.rstrip() for line in self._frame.copied))
        self._go(replace(self._state, message=f"copied {plural(len(self._frame.copied), 'line')}"))

    def _save(self) -> None:
        """Save the screen in the current folder."""
        now = local_time(self._clock.now_ms())
        path = Path(f"website-monitor-{now:%Y-%m-%dT%H-%M-%S}.svg")
        try:
            path.write_text(self.export_screenshot(title="website monitor"), encoding="utf-8")
            said = f"saved {path}"
        except OSError as error:
            said = f"{path}: {error.strerror}"
        self._go(replace(self._state, message=said))
