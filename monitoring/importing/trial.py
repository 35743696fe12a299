"""Every website is tried as a configuration of its own: what would be refused is left out, in words."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from monitoring.config import parse_config
from monitoring.errors import ConfigError
from monitoring.importing.draft import Draft

_PROBLEM = re.compile(r"websites\[0\](?: \(.*?\))?\.(?P<key>[A-Za-z]+)(?P<where>[^:]*): (?P<rule>.*)", re.DOTALL)


def try_out(drafts: Sequence[Draft]) -> None:
    """Leave out the keys that cannot be used, mark the websites that cannot be checked, tell apart those alike."""
    seen: dict[str, Draft] = {}
    for number, draft in enumerate(drafts, start=1):
        if draft.refused is None:
            host = _try(draft)
            if host in seen:
                draft.keys = {"URL": draft.keys["URL"], "id": _id(draft, number, seen), **draft.keys}
                host = _try(draft)
            if host is not None:
                seen[host] = draft


def _id(draft: Draft, number: int, seen: Mapping[str, Draft]) -> str:
    """A name of its own for a website whose URL is there already."""
    wanted = re.sub(r"[^\w .:-]+", "", draft.label).strip()
    return wanted if wanted and draft.keys.get("name") and wanted not in seen else f"{wanted} {number}".strip()


def _try(draft: Draft) -> str | None:
    """What it is called in the stores; None: it cannot be checked."""
    while True:
        variable = re.match(r"\$\{(\w+)\}", str(draft.keys["URL"]))
        environ = {name: "https://example.org" if variable and variable[1] == name else "x" for name in draft.variables()}
        try:
            found = parse_config({"websites": [draft.keys]}, source="", environ=environ, path=Path("imported.json"))
        except ConfigError as error:
            if not _leave_out(draft, error.problems):
                return None
        else:
            return found.sites[0].host if found.sites else None


def _leave_out(draft: Draft, problems: Sequence[str]) -> bool:
    """Take out what a problem names. Returns whether that may help."""
    problem = _PROBLEM.match(problems[0])
    key = problem["key"] if problem else "URL"
    if problem is None or key == "URL" or key not in draft.keys:
        draft.refused = problem["rule"] if problem else problems[0]
        draft.refused = f"its URL {draft.refused}" if key == "URL" else draft.refused
        return False
    value = "" if key in ("headers", "body", "proxy") else f" {draft.keys[key]}"
    del draft.keys[key]
    draft.notes.append(f"left out {key}{value}: {problem['rule']}")
    return True
