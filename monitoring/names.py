"""What the name of a site or of a location may hold: what every store can hold, and find again. And the program's own name.

Line ends and backslashes break InfluxDB's line protocol, other control characters cannot be asked for again, and a lone
surrogate is no text. Everything else is data: quotes, commas, blanks, any script.
"""

import re
from collections.abc import Sequence
from pathlib import Path

LONGEST_HOST = 8_000
"""Characters of the name of a site in the stores: a URL can be that long."""

LONGEST_ID = 200
"""Characters of a name that people give to a site."""

LONGEST_LOCATION = 64
"""Characters."""

LISTED = 5
"""How many names a sentence has."""

_UNFIT = r"\x00-\x1f\x7f-\x9f\\\ud800-\udfff"
_UNFIT_CHARACTER = re.compile(f"[{_UNFIT}]")

PATTERN = f"^[^{_UNFIT}]+$"
"""The same for other programs, without the length."""

CHARACTERS = "no control characters or backslashes"
"""The rule in words."""


def is_name(text: str, longest: int = LONGEST_HOST) -> bool:
    """Whether a store can hold this name, and a question find it again; the empty text is none."""
    return 1 <= len(text) <= longest and _UNFIT_CHARACTER.search(text) is None


def listed(names: Sequence[str]) -> str:
    """Some names in a sentence: "a, b, c, d, e and 3 more"."""
    rest = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + rest


BESIDE = Path(__file__).resolve().parents[1] / "monitoringApp.py"
"""The program, where it is not installed."""


def command() -> str:
    """The name of the program: an installation puts it on the PATH under another one."""
    return BESIDE.name if BESIDE.exists() else "website-monitor"


def called(arguments: str = "") -> str:
    """What a person types to start it with these arguments."""
    return f"{'./' if BESIDE.exists() else ''}{command()} {arguments}".rstrip()
