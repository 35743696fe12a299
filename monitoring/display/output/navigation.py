"""What the keys of the live screen do. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from monitoring.display.drawing.screen import Drawing, Look
from monitoring.display.view_model.viewing import next_window, place_of


class Asked(StrEnum):
    """What a key asks of the program."""

    NOTHING = ""
    QUIT = "quit"
    VIEWER = "viewer"


class Face(StrEnum):
    """What the screen shows."""

    SITES = "sites"
    HELP = "help"
    STOP = "stop"  # the sites, and the question whether to stop


@dataclass(frozen=True, slots=True)
class Navigation:
    """Where a person is. `help_top` is the first line of the help that is shown. `asks`: it is a monitor, which is
    not stopped without a question, and over which a viewer may be opened.
    """

    look: Look = field(default_factory=Look)
    face: Face = Face.SITES
    help_top: int = 0
    asks: bool = True

    def after(self, key: str, drawn: Drawing, windows_ms: Sequence[int]) -> tuple["Navigation", Asked]:
        """Where the person is after this key, and what it asks for. `drawn` is what was shown when they pressed it.

        `windows_ms` are the windows to choose from.
        """
        if self.face is Face.STOP:
            return replace(self, face=Face.SITES), Asked.QUIT if key in ("y", "Y") else Asked.NOTHING
        if self.face is Face.HELP:
            return self._in_help(key), Asked.NOTHING
        if key == "q" and not self.asks:
            return self, Asked.QUIT
        if key in ("q", "?"):
            return replace(self, face=Face.STOP if key == "q" else Face.HELP, help_top=0), Asked.NOTHING
        if key in ("v", "enter") and self.asks:
            return self, Asked.VIEWER
        return replace(self, look=_moved(self.look, key, drawn, windows_ms)), Asked.NOTHING

    def _in_help(self, key: str) -> "Navigation":
        if step := {"up": -1, "down": 1, "pageup": -10, "pagedown": 10}.get(key):
            return replace(self, help_top=max(0, self.help_top + step))
        return replace(self, face=Face.SITES)


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
