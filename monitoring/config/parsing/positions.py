"""Finds the line of each key and each list item in the text of a configuration. Pure.

`syntax` has parsed the text before. It is scanned again only when there is an error or a warning to report.
"""

import json
import re

Path = tuple[str | int, ...]
"""The keys and indices that lead from the root to one value."""

TOKEN = re.compile(
    r"""(?P<skipped>[\s\ufeff]+|//[^\n\r]*|/\*.*?\*/)
      | (?P<string>"(?:[^"\\]+|\\.)*"|'(?:[^'\\]+|\\.)*')
      | (?P<mark>[{}\[\]:,])
      | (?P<word>[^\s{}\[\]:,"'/]+)""",
    re.VERBOSE | re.DOTALL,
)
"""One token: blanks or a comment, a string, a bracket, colon or comma, or a word."""


def lines(text: str) -> dict[Path, int]:
    """The line of every key and every list item, counted from 1. The last one counts if a key is given twice."""
    found: dict[Path, int] = {}
    path: list[str | int] = []
    line, key_follows = 1, False
    for token in TOKEN.finditer(text):
        word = token[0]
        if not token["skipped"]:
            if key_follows and word not in ("}", ","):
                path[-1] = _key(word)
            if word in ("}", "]"):
                path.pop()
            elif word == ",":
                path[-1] = path[-1] + 1 if isinstance(path[-1], int) else path[-1]
            elif word != ":" and (key_follows or (path and isinstance(path[-1], int))):
                found[tuple(path)] = line
            if word in ("{", "["):
                path.append("" if word == "{" else 0)
            key_follows = word in ("{", ",") and bool(path) and isinstance(path[-1], str)
        line += word.count("\n")
    return found


def _key(word: str) -> str:
    """The key that a token stands for: in quotes of either kind, or without quotes."""
    try:
        return str(json.loads(word))
    except ValueError:
        import json5

        return str(next(iter(json5.loads(f"{{{word}:0}}"))))
