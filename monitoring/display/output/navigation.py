"""The effects of keys on the live screen. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from monitoring.display.drawing.screen import Drawing, Look
from monitoring.display.view_model.viewing import next_window, place_of


class Request(StrEnum):
    """What a key requests from the program."""

    NOTHING = ""
    QUIT = "quit"
    VIEWER = "viewer"


class Mode(StrEnum):
    """What the screen shows."""

    SITES = "sites"
    HELP = "help"
    STOP = "stop"  # the sites, and the question whether to stop


@dataclass(frozen=True, slots=True)
class Navigation:
    """The state of the live screen. `help_top` is the first line of the help that is shown.

    `is_monitor`: the program asks before it stops, and may open a viewer.
    """

    look: Look = field(default_factory=Look)
    mode: Mode = Mode.SITES
    help_top: int = 0
    is_monitor: bool = True

    def after(self, key: str, drawn: Drawing, windows_ms: Sequence[int]) -> tuple["Navigation", Request]:
        """The state after this key, and what it requests. `drawn` is what the screen shows.

        `windows_ms` are the windows to choose from.
        """
        if self.mode is Mode.STOP:
            return replace(self, mode=Mode.SITES), Request.QUIT if key in ("y", "Y") else Request.NOTHING
        if self.mode is Mode.HELP:
            return self._in_help(key), Request.NOTHING
        if key == "q" and not self.is_monitor:
            return self, Request.QUIT
        if key in ("q", "?"):
            return replace(self, mode=Mode.STOP if key == "q" else Mode.HELP, help_top=0), Request.NOTHING
        if key in ("v", "enter") and self.is_monitor:
            return self, Request.VIEWER
        return replace(self, look=_moved(self.look, key, drawn, windows_ms)), Request.NOTHING

    def _in_help(self, key: str) -> "Navigation":
        if step := {"up": -1, "down": 1, "pageup": -10, "pagedown": 10}.get(key):
            return replace(self, help_top=max(0, self.help_top + step))
        return replace(self, mode=Mode.SITES)


def _moved(look: Look, key: str, drawn: Drawing, windows_ms: Sequence[int]) -> Look:
    choice = look.choice
    if key == "!":
        return replace(look, choice=replace(choice, only_faults=not choice.only_faults), cursor=None, top=0)
    if key == "w" and windows_ms:
        return replace(look, choice=replace(choice, window_ms=next_window(windows_ms, choice.window_ms)))
    steps = {"up": -1, "down": 1, "pageup": -drawn.page, "pagedown": drawn.page}
    ends = {"home": 0, "end": len(drawn.keys) - 1}
    if not drawn.keys or key not in steps | ends:
        return replace(look, top=drawn.top)
    place = ends[key] if key in ends else place_of(look.cursor, drawn.keys) + steps[key]
    return replace(look, cursor=drawn.keys[min(max(0, place), len(drawn.keys) - 1)], top=drawn.top)
