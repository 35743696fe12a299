"""The documents for people, taken apart: their links, tables, fenced blocks and commands."""

import re
import shlex
from collections.abc import Iterator

from tests.support.sources import ROOT

NAMES = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "bench/README.md")

DOCUMENTS = {
    name: (ROOT / name).read_text()
    for name in (*NAMES, *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")))
    if (ROOT / name).exists()
}
"""By their paths within the repository."""

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^(#+) +(.+)$", re.MULTILINE)
_PROGRAM = "./monitoringApp.py "


def fences(text: str) -> Iterator[tuple[str, str]]:
    """The fenced blocks: language ("" when none is named) and content."""
    return ((match[1], match[2]) for match in _FENCE.finditer(text))


def without_fences(text: str) -> str:
    return _FENCE.sub("", text)


def links(text: str) -> Iterator[tuple[str, str]]:
    """Links within the repository: path ("" for this document) and anchor ("" for none)."""
    for target in _LINK.findall(without_fences(text)):
        if "://" not in target:
            path, _, anchor = target.partition("#")
            yield path, anchor


def anchors(text: str) -> set[str]:
    """What headings are called in links."""
    return {_anchor(title) for _, title in _HEADING.findall(without_fences(text))}


def _anchor(title: str) -> str:
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title).lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def section(text: str, title: str) -> str:
    """What stands under a heading, up to the next one of its level or above."""
    level = next(len(marks) for marks, found in _HEADING.findall(text) if found == title)
    after = re.split(rf"^#{{{level}}} +{re.escape(title)}$", text, maxsplit=1, flags=re.MULTILINE)[1]
    return re.split(rf"^#{{1,{level}}} ", after, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """The rows of all tables, without their heads."""
    found, was_rule = [], False
    for line in without_fences(text).splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            was_rule = False
        elif set(line) <= set("|- :"):
            was_rule = True
        elif was_rule:
            found.append(cells)
    return found


def commands(text: str) -> Iterator[list[str]]:
    """The arguments of each example that runs the program, in fences, indented blocks and code within a line."""
    for line in [*text.splitlines(), *re.findall(r"`([^`\n]+)`", without_fences(text))]:
        stripped = line.strip().removeprefix("$ ")
        if stripped.startswith(_PROGRAM) and "`" not in stripped:
            words = shlex.split(stripped.removeprefix(_PROGRAM), comments=True)
            if "MODE" not in words:
                yield words[: next((place for place, word in enumerate(words) if word in (">>", ">", "|")), None)]
