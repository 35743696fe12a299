"""Reads the keys of one object and collects everything that is wrong, so that all errors are reported at once."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, KeysView, Mapping
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from monitoring.config.parsing import positions
from monitoring.config.parsing.syntax import decoded, repeated_keys
from monitoring.config.parsing.text import Invalid, expand

T = TypeVar("T")
D = TypeVar("D")

_LONGEST_KEY = 60
_KEY_LIKENESS = 0.6


class Report:
    """Collects errors and warnings, one line each: source, line, key, rule. Relative file names start from `folder`."""

    def __init__(self, source: str, environ: Mapping[str, str], raw: bytes = b"", folder: Path = Path()) -> None:
        """`raw` is the content of the source, if it is a file."""
        self.source = source
        self.environ = environ
        self.folder = folder
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self._raw = raw

    def of_file(self, raw: bytes, file: Path | None = None) -> "Report":
        """A report on another file (None: this one, now that it has been read). Both share the errors and the warnings."""
        report = Report(str(file or self.source), self.environ, raw, file.parent if file else self.folder)
        report.problems, report.warnings = self.problems, self.warnings
        return report

    def problem(self, where: str, rule: str, path: positions.Path = ()) -> None:
        self.problems.append(self._line(where, rule, path))

    def warn(self, where: str, fact: str, path: positions.Path) -> None:
        self.warnings.append(self._line(where, fact, path))

    def _line(self, where: str, rule: str, path: positions.Path) -> str:
        ancestors = (path[:length] for length in range(len(path), 0, -1))
        line = next((self._lines[place] for place in ancestors if place in self._lines), None)
        return ": ".join(part for part in (f"{self.source}:{line}" if line else self.source, where, rule) if part)

    @cached_property
    def _lines(self) -> Mapping[positions.Path, int]:
        return positions.lines(decoded(self._raw))

    def expanded(self, value: object) -> object:
        """The value with each string expanded to a `Text`. Raises `Invalid`."""
        if isinstance(value, str):
            return expand(value, self.environ)
        if isinstance(value, dict):
            if repeated := repeated_keys(value):
                raise Invalid(f"has a key twice: {repeated[0][:_LONGEST_KEY]}")
            return {key: self.expanded(item) for key, item in value.items()}
        return [self.expanded(item) for item in value] if isinstance(value, list) else value


class Section:
    """One object of the configuration. Reports unknown and repeated keys at once, and wrong values when they are taken."""

    def __init__(
        self, report: Report, data: object, where: str, keys: Collection[str] | None, path: positions.Path = ()
    ) -> None:
        """`keys` are those that it may have; None: any, as in `headers`. `where` and `path` say where it is in the file."""
        self.report = report
        self._data: Mapping[str, object] = data if isinstance(data, dict) else {}
        self.where = where
        self._path = path
        self.is_object = isinstance(data, dict)
        if not self.is_object:
            self.problem(None, "must be an object, {…}")
        for key in repeated_keys(data):
            self.problem(key, "given twice")
        for key in self._data:
            if keys is not None and key not in keys:
                self.problem(key, "unknown key" + _suggestion(key, keys))

    def keys(self) -> KeysView[str]:
        return self._data.keys()

    @property
    def folder(self) -> Path:
        """The folder of its file, from which relative file names start."""
        return self.report.folder

    def has(self, key: str) -> bool:
        """Does the key have a value? null counts as not given."""
        return self._data.get(key) is not None

    def has_any(self, keys: Iterable[str]) -> bool:
        """Is any of these keys given, be it as null? Of most websites it spares looking for them one by one."""
        return not self.keys().isdisjoint(keys)

    def place(self, key: str) -> str:
        """The full path of one of its keys."""
        name = key if key.isascii() and key.replace("-", "_").isidentifier() else json.dumps(key)
        shown = name if len(name) <= _LONGEST_KEY else f"{name[:_LONGEST_KEY]}…"
        return f"{self.where}.{shown}" if self.where else shown

    def problem(self, key: str | None, rule: str) -> None:
        """Report that a key is wrong; None: the object itself."""
        if key is None:
            self.report.problem(self.where, rule, self._path)
        else:
            self.report.problem(self.place(key), rule, (*self._path, key))

    def warn(self, fact: str) -> None:
        self.report.warn(self.where, fact, self._path)

    def warn_key(self, key: str, fact: str) -> None:
        self.report.warn(self.place(key), fact, (*self._path, key))

    def seen_from(self, other: "Section") -> str:
        """Its place, as an error in the `other` section names it."""
        return self.where if self.report is other.report else f"{self.where} in {self.report.source}"

    def take(self, key: str, convert: Callable[[object], T], default: D) -> T | D:
        """The converted value of a key; `default` if it is not given, or is wrong (which is reported)."""
        value = self._data.get(key)
        if value is None:
            return default
        try:
            return convert(self.report.expanded(value))
        except Invalid as error:
            self.problem(key, str(error))
            return default

    def section(self, key: str, keys: Collection[str] | None) -> "Section":
        """The object under a key; an empty one if the key is not given."""
        data = self._data.get(key)
        return Section(self.report, {} if data is None else data, self.place(key), keys, (*self._path, key))

    def peek(self, key: str) -> object:
        """The unchecked value of a key."""
        return self._data.get(key)

    def sections(self, key: str, keys: Collection[str], short: str | None = None) -> Iterator["Section"]:
        """The objects of the list under a key, one after the other, so that errors are reported in order.

        If `short` is given, a string stands for an object with only that key.
        """
        items, place = self._data.get(key), self.place(key)
        if isinstance(items, list):
            for index, found in enumerate(items):
                item = {short: found} if short and isinstance(found, str) else found
                where = f"{place}[{index}]{_name_of(item)}"
                yield Section(self.report, item, where, keys, (*self._path, key, index))
        elif items is not None:
            self.problem(key, "must be a list, […]")


def _name_of(item: object) -> str:
    """The name of a website as it is in the file, variables unexpanded; "" if it does not fit into a line."""
    name = item.get("name") if isinstance(item, dict) else None
    return f" ({name})" if isinstance(name, str) and name and name.isprintable() and len(name) <= _LONGEST_KEY else ""


def _suggestion(key: str, keys: Collection[str]) -> str:
    import difflib

    plain = {_plain(known): known for known in keys}
    close = difflib.get_close_matches(_plain(key[:_LONGEST_KEY]), plain, n=1, cutoff=_KEY_LIKENESS)
    return f"; did you mean {plain[close[0]]}?" if close else ""


def _plain(key: str) -> str:
    """The key without case and separators, so that check_interval suggests checkInterval as well as checkIntervall does."""
    return key.lower().replace("_", "").replace("-", "")
