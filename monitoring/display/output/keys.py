"""Which keys a terminal's bytes stand for. Pure."""

import re
from collections.abc import Sequence

NAMES = {
    "[A": "up",
    "[B": "down",
    "[5~": "pageup",
    "[6~": "pagedown",
    "[H": "home",
    "[F": "end",
    "[1~": "home",
    "[4~": "end",
    "OA": "up",
    "OB": "down",
    "OH": "home",
    "OF": "end",
}
"""What follows the escape character."""

_KEY = re.compile(
    r"\x1b\](?P<told>[^\x07\x1b]*)(?:\x07|\x1b\\)"  # what the terminal tells when asked
    r"|\x1b(?P<sequence>\[[0-9;?]*[@-~]|O[@-~])"
    r"|(?P<character>[^\x1b])"
)
_GROUND = re.compile(r"\x1b\]11;rgba?:([0-9a-fA-F]{2})[0-9a-fA-F]{0,2}/([0-9a-fA-F]{2})[0-9a-fA-F]{0,2}/([0-9a-fA-F]{2})")

GROUND = "ground:"
"""Begins what stands for a terminal's answer: its ground follows, "#rrggbb"."""

KEYS_COME = "keyboard"
"""Not typed by anybody: from now on keys are read."""

LONGEST = 64
"""So many bytes that make no key are not kept for the next ones."""


def keys(text: str) -> tuple[Sequence[str], str]:
    """The keys, and what may be the beginning of one more. A key is a character, or a name: "up", "enter", "esc"."""
    found: list[str] = []
    place = 0
    while match := _KEY.match(text, place):
        place = match.end()
        if key := _key(match):
            found.append(key)
    rest = text[place:]
    return found, rest if len(rest) <= LONGEST else ""


def ground_in(told: str) -> str | None:
    """The ground that a terminal has told when it was asked, "#rrggbb"; None where it has not."""
    found = _GROUND.search(told)
    return f"#{''.join(found.groups()).lower()}" if found else None


def _key(match: re.Match[str]) -> str:
    if match["told"]:
        ground = ground_in(match[0])
        return f"{GROUND}{ground}" if ground else ""
    if sequence := match["sequence"]:
        return NAMES.get(sequence, "")
    return {"\r": "enter", "\n": "enter"}.get(match["character"], match["character"])
