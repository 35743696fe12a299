"""Strings of the configuration, in which `${NAME}` is replaced from the environment.

A value from the environment may be a secret. So a string is kept in segments that know their variable, and text for
people shows the variable's name in place of its value.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

_TOKEN = re.compile(r"(?P<escaped>\$\$\{)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}|(?P<broken>\$\{)")
_SURROGATE = re.compile("[\ud800-\udfff]")


F = TypeVar("F", bound=Callable[..., object])

Schema = Mapping[str, Any]
"""JSON Schema, as plain data."""


def accepts(schema: Schema) -> Callable[[F], F]:
    """Attach to a converter the JSON Schema of the values that it accepts, as far as a schema can describe them."""

    def mark(convert: F) -> F:
        convert.schema = schema  # type: ignore[attr-defined]
        return convert

    return mark


def or_variable(schema: Schema) -> Schema:
    """Also accept a string with a variable, whose value the schema cannot check."""
    return {"anyOf": [schema, {"type": "string", "pattern": r"\$\{"}]}


class Invalid(Exception):
    """A value is wrong. The message completes a sentence that starts with the key, and never quotes the value.

    It is caught where the key is known: a `ConfigError` carries the whole sentence to the user.
    """


@dataclass(frozen=True, slots=True)
class Segment:
    """Part of a string. `variable` is the name of the variable that it comes from; None: the file itself has it."""

    value: str = field(repr=False)
    variable: str | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """A string of the configuration with its variables replaced."""

    parts: tuple[Segment, ...]

    @property
    def value(self) -> str:
        return self.parts[0].value if len(self.parts) == 1 else "".join(part.value for part in self.parts)

    def between(self, start: int, end: int) -> "Text":
        """The text of `value[start:end]`. A segment that is cut keeps its variable."""
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

    Raises `Invalid` for unset variables (it names all of them), a `${` without a name, and lone surrogates.
    """
    parts = tuple(_parts(template)) if "${" in template else (Segment(template),)
    missing = sorted({part.variable for part in parts if part.variable and part.variable not in environ})
    if missing:
        names = " and ".join(f"${{{name}}}" for name in missing)
        raise Invalid(f"{names} {'is' if len(missing) == 1 else 'are'} not set in the environment")
    text = Text(tuple(Segment(environ[part.variable], part.variable) if part.variable else part for part in parts))
    if _SURROGATE.search(text.value):
        raise Invalid("contains a lone surrogate, which is not a character")
    return text


def unexpanded(template: str) -> Text:
    """The string with `${NAME}` left as it is, as in a site's `host`. Raises `Invalid`."""
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
