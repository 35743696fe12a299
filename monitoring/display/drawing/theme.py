"""The colours of screens: named tokens, and their styles on dark and on light backgrounds. Pure.

Texts have the names of tokens as their styles, and the console looks them up. All colours are in the common palette of 256,
so that terminals without true colours show the same. Bright black is not used: Solarized makes it invisible.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from monitoring.models import State

LEAST_CONTRAST = 4.5
"""The contrast that text needs with its background (WCAG 2, level AA)."""

STATE_TOKENS: Mapping[State, str] = {state: f"state.{state}" for state in State}

MONO: Mapping[str, str] = {
    "state.up": "none",
    "state.failing": "bold",
    "state.down": "bold",
    "state.recovering": "bold",
    "state.unknown": "dim",
    "state.maintenance": "none",
    "state.paused": "dim",
    "good": "none",
    "bad": "bold",
    "warning": "bold",
    "weak": "dim",
    "title": "bold",
    "cursor": "reverse",
    "past": "bold reverse",
}
"""The styles of all tokens, without colours."""


def _coloured(good: str, bad: str, warning: str, change: str, work: str) -> Mapping[str, str]:
    return dict(MONO) | {
        "state.up": good,
        "state.failing": warning,
        "state.down": f"bold {bad}",
        "state.recovering": change,
        "state.maintenance": work,
        "good": good,
        "bad": bad,
        "warning": warning,
        "past": f"bold reverse {warning}",
    }


DARK = _coloured(good="#5fd787", bad="#ff8787", warning="#ffd75f", change="#5fd7ff", work="#d7afff")
LIGHT = _coloured(good="#005f00", bad="#af0000", warning="#875f00", change="#005f87", work="#5f00af")


class ThemeName(StrEnum):
    """The themes to choose from. `auto` follows the terminal's background."""

    AUTO = "auto"
    DARK = "dark"
    LIGHT = "light"
    MONO = "mono"

    @property
    def next(self) -> "ThemeName":
        names = list(ThemeName)
        return names[(names.index(self) + 1) % len(names)]


@dataclass(frozen=True, slots=True)
class Theme:
    """The style of each token. `text` and `background` are colours to paint with; "": the terminal's own."""

    tokens: Mapping[str, str]
    text: str = ""
    background: str = ""


PAINTED = {
    ThemeName.DARK: Theme(DARK, "#e4e4e4", "#000000"),
    ThemeName.LIGHT: Theme(LIGHT, "#121212", "#ffffff"),
    ThemeName.MONO: Theme(MONO),
}


def theme(name: ThemeName, background: str | None) -> Theme:
    """The theme of this name for a terminal with this background, "#rrggbb"; None: unknown.

    `auto` keeps the terminal's background if all colours are legible on it, and otherwise paints its own.
    """
    if name is not ThemeName.AUTO:
        return PAINTED[name]
    for tokens in (DARK, LIGHT):
        if background and all(contrast(it, background) >= LEAST_CONTRAST for it in colours(tokens)):
            return Theme(tokens)
    return PAINTED[ThemeName.DARK]


def colours(tokens: Mapping[str, str]) -> frozenset[str]:
    """The colours in these styles."""
    return frozenset(word for style in tokens.values() for word in style.split() if word.startswith("#"))


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, "#rrggbb", as WCAG 2 defines it: from 1 to 21."""
    darker, lighter = sorted(map(_luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (it / 12.92 if it <= 0.04045 else ((it + 0.055) / 1.055) ** 2.4 for it in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
