"""Imports a plain list: one URL (with any scheme) or host a line, and comments after `#`."""

import re

from monitoring.importing.draft import Draft, Imported, Secrets

SOURCE = "a list of URLs"

_HOST = re.compile(r"(?:[\w-]+\.)+[\w-]+(?::\d+)?(?:/\S*)?|localhost(?::\d+)?(?:/\S*)?")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)

MOSTLY = 2
"""If at least one line in this many is a URL or a host, the text is probably meant as a list."""


def read(text: str) -> Imported | None:
    """The websites; None: the text has another format."""
    entries = _entries(text)
    if not entries or not all(map(_is_address, entries.values())):
        return None
    secrets = Secrets()
    return Imported(SOURCE, [_site(secrets, entry) for entry in dict.fromkeys(entries.values())], secrets)


def odd_line(text: str) -> int | None:
    """The number of the first line that is not an address, if the text is probably meant as a list; otherwise None."""
    entries = _entries(text)
    odd = [number for number, entry in entries.items() if not _is_address(entry)]
    return odd[0] if odd and MOSTLY * (len(entries) - len(odd)) >= len(entries) else None


def _entries(text: str) -> dict[int, str]:
    """The content of each line without comments, by the number of the line."""
    lines = enumerate((line.partition(" #")[0].strip() for line in text.splitlines()), start=1)
    return {number: line for number, line in lines if line and not line.startswith("#")}


def _is_address(entry: str) -> bool:
    return bool(_URL.fullmatch(entry) or _HOST.fullmatch(entry))


def _site(secrets: Secrets, entry: str) -> Draft:
    draft = Draft({"URL": entry})
    if not _URL.fullmatch(entry):
        draft.keys["URL"] = entry = f"https://{entry}"
        draft.notes.append(f"{draft.label} has no scheme: https is assumed")
    draft.keys["URL"] = secrets.url(draft, entry)
    return draft
