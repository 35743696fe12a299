"""Reads the keys of one object and collects everything that is wrong, so that all errors are reported at once."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TypeVar

from monitoring.config.syntax import repeated_keys
from monitoring.config.text import Invalid, expand

T = TypeVar("T")
D = TypeVar("D")

_LONGEST_KEY = 60
_KEY_LIKENESS = 0.6


class Report:
    """Collects errors and warnings, one line each: source, place, rule."""

    def __init__(self, source: str, environ: Mapping[str, str]) -> None:
        self.source = source
        self.environ = environ
        self.problems: list[str] = []
        self.warnings: list[str] = []

    def problem(self, where: str, rule: str) -> None:
        self.problems.append(self._line(where, rule))

    def warn(self, where: str, fact: str) -> None:
        self.warnings.append(self._line(where, fact))

    def _line(self, where: str, rule: str) -> str:
        return ": ".join(part for part in (self.source, where, rule) if part)

    def convert(self, value: object, where: str, convert: Callable[[object], T], default: D) -> T | D:
        """What `convert` makes of a value whose strings are `Text`; None, or a value that is wrong, is `default`."""
        if value is None:
            return default
        try:
            return convert(self._expanded(value))
        except Invalid as error:
            self.problem(where, str(error))
            return default

    def _expanded(self, value: object) -> object:
        if isinstance(value, str):
            return expand(value, self.environ)
        if isinstance(value, dict):
            if repeated := repeated_keys(value):
                raise Invalid(f"has a key twice: {repeated[0][:_LONGEST_KEY]}")
            return {key: self._expanded(item) for key, item in value.items()}
        return [self._expanded(item) for item in value] if isinstance(value, list) else value


class Section:
    """One object of the configuration. Reports unknown and repeated keys at once, wrong values when they are taken."""

    def __init__(
        self, report: Report, data: object, where: str, keys: Collection[str] | None, name: str | None = None
    ) -> None:
        """`keys` are those it may have; None: any, as in `headers`. `name` is what people call it, beside each place."""
        self._report = report
        self._data: Mapping[str, object] = data if isinstance(data, dict) else {}
        self.where = where
        self._name = name
        self.is_object = isinstance(data, dict)
        if not self.is_object:
            self.problem(None, "must be an object, {…}")
        for key in repeated_keys(data):
            self.problem(key, "given twice")
        for key in self._data:
            if keys is not None and key not in keys:
                self.problem(key, "unknown key" + _suggestion(key, keys))

    def keys(self) -> Iterator[str]:
        return iter(self._data)

    def has(self, key: str) -> bool:
        """Does the key have a value? null counts as not given."""
        return self._data.get(key) is not None

    def place(self, key: str) -> str:
        """The full path of one of its keys."""
        name = key if key.isascii() and key.replace("-", "_").isidentifier() else json.dumps(key)
        shown = name if len(name) <= _LONGEST_KEY else f"{name[:_LONGEST_KEY]}…"
        return f"{self.where}.{shown}" if self.where else shown

    def problem(self, key: str | None, rule: str) -> None:
        """Report that a key is wrong; None: the object itself."""
        self._report.problem(self._named(self.where if key is None else self.place(key)), rule)

    def warn(self, fact: str) -> None:
        self._report.warn(self._named(self.where), fact)

    def take(self, key: str, convert: Callable[[object], T], default: D) -> T | D:
        """The converted value of a key; `default` when it is not given, or wrong (which is reported)."""
        return self._report.convert(self._data.get(key), self._named(self.place(key)), convert, default)

    def section(self, key: str, keys: Collection[str] | None) -> "Section":
        """The object under a key; an empty one when it is not given."""
        data = self._data.get(key)
        return Section(self._report, {} if data is None else data, self.place(key), keys, self._name)

    def _named(self, place: str) -> str:
        return f"{place} ({self._name})" if self._name else place

    def sections(self, key: str, keys: Collection[str]) -> Iterator["Section"]:
        """The objects of the list under a key, one after the other, so that errors are reported in their order."""
        items = self._data.get(key)
        if isinstance(items, list):
            for index, item in enumerate(items):
                yield Section(self._report, item, f"{self.place(key)}[{index}]", keys, _name_of(item))
        elif items is not None:
            self.problem(key, "must be a list, […]")


def _name_of(item: object) -> str | None:
    """The name that a website has in the file, variables as they are written there; None if it cannot stand in a line."""
    name = item.get("name") if isinstance(item, dict) else None
    return name if isinstance(name, str) and name.isprintable() and len(name) <= _LONGEST_KEY else None


def _suggestion(key: str, keys: Collection[str]) -> str:
    import difflib

    plain = {_plain(known): known for known in keys}
    close = difflib.get_close_matches(_plain(key[:_LONGEST_KEY]), plain, n=1, cutoff=_KEY_LIKENESS)
    return f"; did you mean {plain[close[0]]}?" if close else ""


def _plain(key: str) -> str:
    """Without case and separators: check_interval is as good a hint as checkIntervall."""
    return key.lower().replace("_", "").replace("-", "")
