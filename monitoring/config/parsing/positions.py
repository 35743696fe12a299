"""The line on which each key and each item of a configuration file stands. Pure.

A second look at a text that `syntax` has read already, taken only when there is something to say about it.
"""

import json
import re

Path = tuple[str | int, ...]
"""The keys and indices that lead from the whole to one value."""

TOKEN = re.compile(
    r"""(?P<skipped>[\s\ufeff]+|//[^\n\r]*|/\*.*?\*/)
      | (?P<string>"(?:[^"\\]+|\\.)*"|'(?:[^'\\]+|\\.)*')
      | (?P<mark>[{}\[\]:,])
      | (?P<word>[^\s{}\[\]:,"'/]+)""",
    re.VERBOSE | re.DOTALL,
)
"""A comment or blanks, a string, a mark or a word of a text."""


def lines(text: str) -> dict[Path, int]:
    """The line of every key and of every item of a list; of a key that stands twice, the last one. The first line is 1."""
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
    """A key as it is meant: in quotes of either kind, or without."""
    try:
        return str(json.loads(word))
    except ValueError:
        import json5

        return str(next(iter(json5.loads(f"{{{word}:0}}"))))
