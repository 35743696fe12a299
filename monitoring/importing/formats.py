"""Which format a file is in, by its content."""

import json
from collections.abc import Callable

from monitoring.importing import gatus, plain, prometheus, sitemap, uptime_kuma
from monitoring.importing.draft import Imported

TEXTS: tuple[Callable[[str], Imported | None], ...] = (sitemap.read, plain.read)
"""Formats that are read from text."""

DATA: tuple[Callable[[object], Imported | None], ...] = (gatus.read, uptime_kuma.read, prometheus.read)
"""Formats in JSON or YAML."""

KNOWN = (gatus.SOURCE, uptime_kuma.SOURCE, prometheus.SOURCE, sitemap.SOURCE, plain.SOURCE)


def read(raw: bytes) -> Imported:
    """What is in a file. Raises `ValueError` with what is wrong, to follow the file's name."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None
    for read_text in TEXTS:
        if found := read_text(text):
            return found
    data = _parsed(text)
    for read_data in DATA:
        if found := read_data(data):
            return found
    raise ValueError(f"is nothing that can be imported: {', '.join(KNOWN[:-1])} or {KNOWN[-1]}")


def _parsed(text: str) -> object:
    """JSON, or else YAML. Raises `ValueError`."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    import yaml

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ValueError(f"is neither JSON nor YAML: {where}{error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ValueError("is neither JSON nor YAML") from None
