"""What draws on a terminal, with colours for its ground. Imports rich."""

from collections.abc import Mapping
from typing import TextIO, cast

from rich.console import Console
from rich.style import Style
from rich.theme import Theme

from monitoring.display.drawing.theme import DARK, LIGHT, MONO, ThemeName, theme
from monitoring.display.output.streams import Descriptor

LIGHT_GROUNDS = frozenset(("7", *map(str, range(9, 16))))
"""What COLORFGBG ends with where the ground is light."""


def open_console(environ: Mapping[str, str], stdout: Descriptor | None = None) -> Console:
    """A console with the colours that this terminal needs, as far as its variables tell. `stdout` None: standard output."""
    tokens = MONO if is_mono(environ) else LIGHT if _is_light(environ) else DARK
    return Console(file=cast(TextIO, stdout), highlight=False, theme=Theme(tokens), no_color=is_mono(environ))


def take_ground(console: Console, ground: str) -> Style:
    """Draw in the colours for this ground of the terminal, "#rrggbb", from now on; returns the style to paint it with."""
    found = theme(ThemeName.AUTO, ground)
    console.push_theme(Theme(found.tokens))
    return Style(color=found.text or None, bgcolor=found.ground or None)


def is_mono(environ: Mapping[str, str]) -> bool:
    """Does the user want no colours? (https://no-color.org)"""
    return bool(environ.get("NO_COLOR"))


def _is_light(environ: Mapping[str, str]) -> bool:
    return environ.get("COLORFGBG", "").rpartition(";")[2] in LIGHT_GROUNDS
