"""The line in which a person types a filter or a time. Pure."""

import re
from argparse import ArgumentTypeError
from dataclasses import dataclass, replace
from enum import StrEnum

from monitoring.config.parsing.durations import moment
from monitoring.display.words import local_time
from monitoring.units import DAY_MS

LONGEST = 200
FORMS = "try 18:05, 2026-11-28 18:05 or -2h"

_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")


class PromptKind(StrEnum):
    """What a prompt asks for: the word before the typed text."""

    FILTER = "filter"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Prompt:
    """An open prompt. `before` is the text at its opening, which esc restores."""

    kind: PromptKind
    text: str = ""
    before: str = ""

    def typed(self, key: str, character: str | None) -> "Prompt":
        """The prompt after one more key."""
        if key == "backspace":
            return replace(self, text=self.text[:-1])
        if key == "ctrl+u":
            return replace(self, text="")
        if key == "ctrl+w":
            return replace(self, text=self.text.rstrip().rpartition(" ")[0])
        return self.pasted(character) if character and character.isprintable() else self

    def pasted(self, text: str) -> "Prompt":
        """The prompt after pasting a text, of which only the visible characters of the first line are used."""
        plain = "".join(mark for mark in text.partition("\n")[0] if mark.isprintable())
        return replace(self, text=(self.text + plain)[:LONGEST])


def time_of(text: str, now_ms: int) -> int:
    """The moment that a person means: "18:05" (the last time it was), "2026-11-28 18:05", "-2h". Raises `ValueError`."""
    wanted = text.strip()
    try:
        if _CLOCK.fullmatch(wanted):
            found_ms = moment(f"{local_time(now_ms):%Y-%m-%d} {wanted.zfill(5) if len(wanted) < 6 else wanted}").at(now_ms)
            return found_ms if found_ms <= now_ms else found_ms - DAY_MS
        found_ms = moment(wanted).at(now_ms)
    except ArgumentTypeError as error:
        known = str(error)
        raise ValueError(known if known.startswith(wanted) else FORMS) from None
    if found_ms > now_ms:
        raise ValueError(f"{wanted} is yet to come")
    return found_ms
