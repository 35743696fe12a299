"""Strings of the configuration: `${NAME}` comes from the environment, and where it went is remembered.

What the environment gave may be a secret. So a string is kept in parts that know their origin, and whoever
shows it shows the name in place of the value.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

_TOKEN = re.compile(r"(?P<escaped>\$\$\{)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}|(?P<broken>\$\{)")


F = TypeVar("F", bound=Callable[..., object])

Schema = Mapping[str, Any]
"""JSON Schema, as plain data."""


def accepts(schema: Schema) -> Callable[[F], F]:
    """Says of a converter what it takes: types, bounds and words, as far as JSON Schema can say it."""

    def mark(convert: F) -> F:
        convert.schema = schema  # type: ignore[attr-defined]
        return convert

    return mark


def or_variable(schema: Schema) -> Schema:
    """A string that may also come from the environment, so that its value is not in the file."""
    return {"anyOf": [schema, {"type": "string", "pattern": r"\$\{"}]}


class Invalid(Exception):
    """What is wrong with a value; completes the sentence that starts with its key. Never quotes the value.

    It never leaves this package: a `ConfigError` carries its sentence.
    """


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a string; `variable` is the name in `${NAME}` when the environment gave it."""

    value: str = field(repr=False)
    variable: str | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """A string of the configuration with its variables replaced."""

    parts: tuple[Segment, ...]

    @property
    def value(self) -> str:
        return "".join(part.value for part in self.parts)

    def between(self, start: int, end: int) -> "Text":
        """The parts of `value[start:end]`; a part that is cut keeps its origin."""
        return Text(tuple(_cut(self.parts, start, end)))


def _cut(parts: tuple[Segment, ...], start: int, end: int) -> Iterator[Segment]:
    offset = 0
    for part in parts:
        piece = part.value[max(0, start - offset) : max(0, end - offset)]
        if piece:
            yield Segment(piece, part.variable)
        offset += len(part.value)


def expand(template: str, environ: Mapping[str, str]) -> Text:
    """Replace `${NAME}` from the environment; `$${` is a literal `${`.

    Raises `Invalid` for unset variables (all of them named), a `${` without a name and text that is no Unicode.
    """
    parts = tuple(_parts(template))
    missing = sorted({part.variable for part in parts if part.variable and part.variable not in environ})
    if missing:
        names = " and ".join(f"${{{name}}}" for name in missing)
        raise Invalid(f"{names} {'is' if len(missing) == 1 else 'are'} not set in the environment")
    text = Text(tuple(Segment(environ[part.variable], part.variable) if part.variable else part for part in parts))
    if any("\ud800" <= character <= "\udfff" for character in text.value):
        raise Invalid("holds a lone surrogate, which is no character")
    return text


def unexpanded(template: str) -> Text:
    """The parts of a string whose variables stand for themselves, as in a site's `host`. Raises `Invalid`."""
    names = {part.variable for part in _parts(template) if part.variable}
    return expand(template, {name: f"${{{name}}}" for name in names})


def _parts(template: str) -> Iterator[Segment]:
    end = 0
    for token in _TOKEN.finditer(template):
        yield Segment(template[end : token.start()])
        if token["broken"]:
            raise Invalid("has a ${ that is not ${NAME}; write $${ for a plain ${")
        yield Segment("${") if token["escaped"] else Segment("", token["name"])
        end = token.end()
    yield Segment(template[end:])
