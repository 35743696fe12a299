"""Writes an imported configuration: JSON with comments."""

import json
from collections.abc import Iterator

from monitoring.importing.draft import Draft, Imported
from monitoring.names import printable


def lines(imported: Imported, name: str, trial: str) -> Iterator[str]:
    """The lines of the configuration; `name` is the imported file, `trial` the command that tries out the configuration."""
    yield _comment(f"From {name}, {imported.source}. Try it out: {trial}", "")
    used = set().union(*(draft.variables() for draft in imported.sites if draft.refused is None)) & {*imported.secrets.names}
    if secret := [variable for variable in imported.secrets.names if variable in used]:
        yield _comment(f"Secrets are not copied. Set these variables in the environment: {', '.join(secret)}", "")
    yield from (_comment(note, "") for note in imported.notes)
    yield "{"
    yield '  "websites": ['
    for draft in imported.sites:
        yield from _site(draft)
    yield "  ],"
    yield "}"


def _site(draft: Draft) -> Iterator[str]:
    yield from (_comment(note, "    ") for note in draft.notes)
    text = _json({key: value for key, value in draft.keys.items() if value != ""})
    if draft.refused is None:
        yield f"    {text},"
    else:
        yield _comment(f"not checked: {draft.refused}: {text}", "    ")


def _comment(text: str, indent: str) -> str:
    return f"{indent}// {printable(text)}"


def _json(value: object) -> str:
    """JSON with readable characters; invisible ones are escaped."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value)
