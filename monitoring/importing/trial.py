"""Tries each imported website as a configuration of its own, and leaves out what would be refused, with a note."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from monitoring.config import parse_config
from monitoring.errors import ConfigError
from monitoring.importing.draft import Draft

_PROBLEM = re.compile(r"websites\[0\](?: \(.*?\))?\.(?P<key>[A-Za-z]+)(?P<where>[^:]*): (?P<rule>.*)", re.DOTALL)


def try_out(drafts: Sequence[Draft]) -> None:
    """Leave out unusable keys, mark websites that cannot be checked, and give duplicate URLs an id."""
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
    """A unique id for a website whose URL has occurred before."""
    wanted = re.sub(r"[^\w .:-]+", "", draft.label).strip()
    return wanted if wanted and draft.keys.get("name") and wanted not in seen else f"{wanted} {number}".strip()


def _try(draft: Draft) -> str | None:
    """Its host in the stores; None: it cannot be checked."""
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
    """Remove the key that the first problem names. Returns False if the website cannot be checked at all."""
    problem = _PROBLEM.match(problems[0])
    key = problem["key"] if problem else "URL"
    if problem is None or key == "URL" or key not in draft.keys:
        draft.refused = problem["rule"] if problem else problems[0]
        draft.refused = f"URL: {draft.refused}" if key == "URL" else draft.refused
        return False
    value = "" if key in ("headers", "body", "proxy") else f" {draft.keys[key]}"
    del draft.keys[key]
    draft.notes.append(f"left out {key}{value}: {problem['rule']}")
    return True
