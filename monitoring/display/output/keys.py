"""Decodes the keys in the bytes of a terminal. Pure."""

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
"""The names of keys, by what follows the escape character."""

_KEY = re.compile(
    r"\x1b\](?P<answer>[^\x07\x1b]*)(?:\x07|\x1b\\)"  # an answer of the terminal
    r"|\x1b(?P<sequence>\[[0-9;?]*[@-~]|O[@-~])"
    r"|(?P<character>[^\x1b])"
)
_BACKGROUND = re.compile(
    r"\x1b\]11;rgba?:([0-9a-fA-F]{2})[0-9a-fA-F]{0,2}/([0-9a-fA-F]{2})[0-9a-fA-F]{0,2}/([0-9a-fA-F]{2})"
)

BACKGROUND = "background:"
"""The prefix of a pseudo-key for the terminal's answer: its background follows, "#rrggbb"."""

KEYS_COME = "keyboard"
"""A pseudo-key: from now on keys are read."""

LONGEST = 64
"""An incomplete key that is longer than this is dropped."""


def keys(text: str) -> tuple[Sequence[str], str]:
    """The keys in a text, and the rest, which may begin another one. A key is a character or a name: "up", "enter"."""
    found: list[str] = []
    place = 0
    while match := _KEY.match(text, place):
        place = match.end()
        if key := _key(match):
            found.append(key)
    rest = text[place:]
    return found, rest if len(rest) <= LONGEST else ""


def background_in(answer: str) -> str | None:
    """The background in a terminal's answer, "#rrggbb"; None: it is not in there."""
    found = _BACKGROUND.search(answer)
    return f"#{''.join(found.groups()).lower()}" if found else None


def _key(match: re.Match[str]) -> str:
    if match["answer"]:
        background = background_in(match[0])
        return f"{BACKGROUND}{background}" if background else ""
    if sequence := match["sequence"]:
        return NAMES.get(sequence, "")
    return {"\r": "enter", "\n": "enter"}.get(match["character"], match["character"])
