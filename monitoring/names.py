"""Names of sites and locations: which ones every store can keep, and how to show them.

Line ends and backslashes break InfluxDB's line protocol, no query can contain other control characters, and a lone
surrogate is not text. Everything else is allowed: quotes, commas, blanks, any script.
"""

import re
from collections.abc import Sequence

LONGEST_HOST = 8_000
"""Characters in the name of a site in the stores: a URL can be that long."""

LONGEST_ID = 200
"""Characters in a name that people give to a site."""

LONGEST_LOCATION = 64
"""Characters."""

LISTED = 5
"""How many names a sentence lists."""

_UNFIT = r"\x00-\x1f\x7f-\x9f\\\ud800-\udfff"
_UNFIT_CHARACTER = re.compile(f"[{_UNFIT}]")

PATTERN = f"^[^{_UNFIT}]+$"
"""The rule as a regular expression for other programs, without the length."""

CHARACTERS = "no control characters or backslashes"
"""The rule in words."""


def is_name(text: str, longest: int = LONGEST_HOST) -> bool:
    """Can every store keep this name and find it again? The empty text is not a name."""
    return 1 <= len(text) <= longest and _UNFIT_CHARACTER.search(text) is None


def listed(names: Sequence[str]) -> str:
    """Some names in a sentence: "a, b, c, d, e and 3 more"."""
    rest = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + rest


def printable(text: str) -> str:
    """The text with every invisible character escaped: `\\x1b`, `\\u202e`.

    So no control sequence, line break or override of the writing direction reaches a terminal.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
