"""A plain list: a URL of whatever scheme or a host a line, with `#` before comments."""

import re

from monitoring.importing.draft import Draft, Imported, Secrets

SOURCE = "a list of URLs"

_HOST = re.compile(r"(?:[\w-]+\.)+[\w-]+(?::\d+)?(?:/\S*)?|localhost(?::\d+)?(?:/\S*)?")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)


MOSTLY = 2
"""A text of which one line in so many is a URL or a host is meant to be a list."""


def read(text: str) -> Imported | None:
    """None: it is something else."""
    entries = _entries(text)
    if not entries or not all(map(_is_address, entries.values())):
        return None
    secrets = Secrets()
    return Imported(SOURCE, [_site(secrets, entry) for entry in dict.fromkeys(entries.values())], secrets)


def odd_line(text: str) -> int | None:
    """The first line that is no address, of a text that is meant to be a list; None: it is not."""
    entries = _entries(text)
    odd = [number for number, entry in entries.items() if not _is_address(entry)]
    return odd[0] if odd and MOSTLY * (len(entries) - len(odd)) >= len(entries) else None


def _entries(text: str) -> dict[int, str]:
    """What stands in each line, without comments."""
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
