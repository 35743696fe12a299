"""Makes rich's console, with colours for the terminal's background."""

from collections.abc import Mapping
from typing import TextIO, cast

from rich.console import Console
from rich.style import Style
from rich.theme import Theme

from monitoring.display.drawing.theme import DARK, LIGHT, MONO, ThemeName, theme
from monitoring.display.output.streams import Descriptor

LIGHT_BACKGROUNDS = frozenset(("7", *map(str, range(9, 16))))
"""The last field of COLORFGBG on a light background."""


def open_console(environ: Mapping[str, str], stdout: Descriptor | None = None) -> Console:
    """A console with colours that suit the terminal, by its environment variables. `stdout` None: standard output."""
    tokens = MONO if is_mono(environ) else LIGHT if _is_light(environ) else DARK
    return Console(file=cast(TextIO, stdout), highlight=False, theme=Theme(tokens), no_color=is_mono(environ))


def adapt_to_background(console: Console, background: str) -> Style:
    """Use the colours for this background, "#rrggbb", from now on. Returns the style to paint the screen with."""
    found = theme(ThemeName.AUTO, background)
    console.push_theme(Theme(found.tokens))
    return Style(color=found.text or None, bgcolor=found.background or None)


def is_mono(environ: Mapping[str, str]) -> bool:
    """Does the user want no colours? (https://no-color.org)"""
    return bool(environ.get("NO_COLOR"))


def _is_light(environ: Mapping[str, str]) -> bool:
    return environ.get("COLORFGBG", "").rpartition(";")[2] in LIGHT_BACKGROUNDS
