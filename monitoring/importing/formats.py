"""Finds the format of a file by its content."""

from collections.abc import Callable

from monitoring.config.parsing import syntax
from monitoring.config.parsing.text import Invalid
from monitoring.importing import gatus, plain, prometheus, sitemap, uptime_kuma
from monitoring.importing.draft import Imported

TEXTS: tuple[Callable[[str], Imported | None], ...] = (sitemap.read, plain.read)
"""Formats that are plain text or XML."""

DATA: tuple[Callable[[object], Imported | None], ...] = (gatus.read, uptime_kuma.read, prometheus.read)
"""Formats in JSON or YAML."""

KNOWN = (gatus.SOURCE, uptime_kuma.SOURCE, prometheus.SOURCE, sitemap.SOURCE, plain.SOURCE)


def read(raw: bytes) -> Imported:
    """Import the content of a file. Raises `ValueError` with the problem, in words that follow the name of the file."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None
    for read_text in TEXTS:
        if found := read_text(text):
            return found
    if odd := plain.odd_line(text):
        raise ValueError(f"line {odd} is neither a URL nor a host")
    data = _parsed(text)
    for read_data in DATA:
        if found := read_data(data):
            return found
    raise ValueError(f"has no format that can be imported: {', '.join(KNOWN[:-1])} or {KNOWN[-1]}")


def _parsed(text: str) -> object:
    """Parse JSON or, if that fails, YAML, which may begin with a brace, too. Raises `ValueError`."""
    try:
        return _json(text)
    except ValueError as error:
        wrong = error
    import yaml

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if text.lstrip().startswith(("{", "[")):
            raise wrong from None
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
        where = f": line {mark.line + 1}, column {mark.column + 1}: {error.problem}" if mark else ""  # type: ignore[union-attr]
        raise ValueError(f"is neither JSON nor YAML{where}") from None


def _json(text: str) -> object:
    """Parse JSON with comments and trailing commas. Raises `ValueError` with the place of the error."""
    try:
        return syntax.parse(text.encode())
    except syntax.InvalidSyntax as error:
        raise ValueError(f"is not JSON: line {error.line}, column {error.column}: {error.sentence}") from None
    except Invalid as error:
        raise ValueError(str(error)) from None
