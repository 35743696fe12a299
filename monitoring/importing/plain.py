"""A plain list: a URL of whatever scheme or a host a line, with `#` before comments."""

import re

from monitoring.importing.draft import Draft, Imported, Secrets

SOURCE = "a list of URLs"

_HOST = re.compile(r"(?:[\w-]+\.)+[\w-]+(?::\d+)?(?:/\S*)?|localhost(?::\d+)?(?:/\S*)?")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)


def read(text: str) -> Imported | None:
    """None: it is something else."""
    lines = [line.partition(" #")[0].strip() for line in text.splitlines()]
    entries = list(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
    if not entries or not all(_URL.fullmatch(entry) or _HOST.fullmatch(entry) for entry in entries):
        return None
    secrets = Secrets()
    return Imported(SOURCE, [_site(secrets, entry) for entry in entries], secrets)


def _site(secrets: Secrets, entry: str) -> Draft:
    draft = Draft({"URL": entry})
    if not _URL.fullmatch(entry):
        draft.keys["URL"] = entry = f"https://{entry}"
        draft.notes.append(f"{draft.label} has no scheme: https is assumed")
    draft.keys["URL"] = secrets.url(draft, entry)
    return draft
