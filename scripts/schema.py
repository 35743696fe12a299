"""Writes `config.schema.json`, by which editors complete and check a configuration: `make generate`

The rules are those of the program: what reads a configuration reads this one, which has every key, and notes how each is
read. The words are those of docs/configuration.md.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, KeysView, Mapping
from pathlib import Path
from typing import Any, TypeVar

from monitoring.config.loading import ROOT_KEYS, read_config
from monitoring.config.parsing.files import included_names
from monitoring.config.parsing.section import Report, Section

ROOT = Path(__file__).parents[1]
SCHEMA = ROOT / "config.schema.json"

T = TypeVar("T")
D = TypeVar("D")

ANY_KEY = "name"
"""Stands for every key where any may stand, as in `headers`."""


class Recorder(Section):
    """An object of a configuration in which every key is given, and found right; notes how each is read."""

    def __init__(self, keys: Collection[str] | None) -> None:
        super().__init__(Report("", {}), {}, "", None)
        self._keys = keys
        self._noted: dict[str, Any] = {}

    def keys(self) -> KeysView[str]:
        return dict.fromkeys(self._keys or [ANY_KEY]).keys()

    def has(self, key: str) -> bool:  # noqa: ARG002 - every key is given
        return True

    def problem(self, key: str | None, rule: str) -> None:
        """Nothing is wrong with what is not there."""

    def take(self, key: str, convert: Callable[[object], T], default: D) -> T | D:
        self._noted[key] = convert.schema  # type: ignore[attr-defined]  # missing? say @accepts(…) of the converter
        return default

    def section(self, key: str, keys: Collection[str] | None) -> "Recorder":
        return self._noted.setdefault(key, Recorder(keys))  # type: ignore[no-any-return]

    def sections(self, key: str, keys: Collection[str], short: str | None = None) -> Iterator["Recorder"]:
        item = Recorder(keys)
        self._noted[key] = [item]
        yield item
        if short:  # read by now
            self._noted[key] = {"type": "array", "items": {"anyOf": [item._noted[short], item]}}

    def schema(self) -> dict[str, Any]:
        """What it may hold. A key may be null, which is as if it were not given."""
        read = {key: {"anyOf": [*_alternatives(_plain(noted)), {"type": "null"}]} for key, noted in self._noted.items()}
        if self._keys is None:
            return {"type": "object", "additionalProperties": read[ANY_KEY]}
        return {"type": "object", "properties": {key: read[key] for key in self._keys}, "additionalProperties": False}


def _alternatives(found: Any) -> list[Any]:
    return found["anyOf"] if isinstance(found, dict) and found.keys() == {"anyOf"} else [found]


def _plain(noted: object) -> Any:
    """JSON Schema as plain data."""
    if isinstance(noted, Recorder):
        return noted.schema()
    if isinstance(noted, list | tuple):
        items = [_plain(item) for item in noted]
        return {"type": "array", "items": items[0]} if isinstance(noted[0], Recorder) else items
    if not isinstance(noted, Mapping):
        return noted
    found = {key: _plain(value) for key, value in noted.items()}
    return {"anyOf": [inner for item in found["anyOf"] for inner in _alternatives(item)]} if "anyOf" in found else found


def schema() -> dict[str, Any]:
    """The whole schema."""
    root = Recorder(ROOT_KEYS)
    included_names(root)
    read_config(root, Path("config.json"))
    found = root.schema()
    document = (ROOT / "docs" / "configuration.md").read_text()
    _describe(found, _explained(document, "General keys"))
    _describe(_inner(found["properties"]["websites"])["items"], _explained(document, "Keys of a website"))
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Configuration of website-monitor", **found}


def _inner(key: Mapping[str, Any]) -> Any:
    return key["anyOf"][0]


def _explained(document: str, heading: str) -> dict[str, str]:
    """The keys that a table explains, with their meaning as plain text."""
    table = document.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| (.*?) \|", table, re.MULTILINE)
    return {key: re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", words).replace("`", "") for key, words in rows}


def _describe(found: Mapping[str, Any], words: Mapping[str, str]) -> None:
    for key, said in words.items():
        outer, _, inner = key.partition(".")
        place = found["properties"][outer]
        (_inner(place)["properties"][inner] if inner else place)["description"] = said


def text() -> str:
    """The content of the file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(text())
