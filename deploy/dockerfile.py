"""Reads a Dockerfile and a .dockerignore, as far as ours use their language. Pure."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

_CONTINUED = re.compile(r"\\\n")
_COMMENT = re.compile(r"^\s*#.*\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Instruction:
    """One step: its name in capitals, and what stands behind it, on one line."""

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        """The words of the exec form (a JSON list), or those between blanks."""
        if self.text.startswith("["):
            return [str(word) for word in json.loads(self.text)]
        return self.text.split()

    @property
    def pairs(self) -> dict[str, str]:
        """NAME=VALUE NAME=VALUE, as ENV has them."""
        return dict(word.split("=", 1) for word in self.words)


def instructions(dockerfile: str) -> list[Instruction]:
    """All steps in order, comments left out."""
    lines = _CONTINUED.sub(" ", _COMMENT.sub("", dockerfile + "\n")).splitlines()
    return [
        Instruction(name.upper(), text.strip()) for line in lines if line.strip() for name, _, text in [line.partition(" ")]
    ]


def in_context(paths: Iterable[str], dockerignore: str) -> Iterator[str]:
    """Those of these files that a build may see: the last rule that fits a file, or a directory above it, decides."""
    rules = [line.strip() for line in dockerignore.splitlines() if line.strip() and not line.startswith("#")]
    for path in paths:
        ignored = False
        for rule in rules:
            if _fits(path, rule.removeprefix("!")):
                ignored = not rule.startswith("!")
        if not ignored:
            yield path


def _fits(path: str, pattern: str) -> bool:
    parts = path.split("/")
    anywhere = pattern.removeprefix("**/") != pattern
    wanted = pattern.removeprefix("**/").split("/")
    starts = range(len(parts)) if anywhere else (0,)
    return any(_begins_with(parts[start:], wanted) for start in starts)


def _begins_with(parts: list[str], wanted: list[str]) -> bool:
    return len(parts) >= len(wanted) and all(map(fnmatchcase, parts, wanted))
