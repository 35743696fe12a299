"""Parses the bytes of a configuration file: JSON, in which comments and trailing commas are allowed."""

import codecs
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation

from monitoring.config.parsing import structure
from monitoring.config.parsing.text import Invalid

_MOST_DIGITS = 40
MOST_RELAXED = 1 << 20
"""Characters. Longer files cannot use JSON5 (beyond comments and trailing commas), whose parser is slow."""

UTF_16 = "seems to be UTF-16; save it as UTF-8"

_WORDS = {"Extra data": "there is more after the end of the configuration"}
"""Messages of Python's parser, with clearer ones."""

_JSON5_ERROR = re.compile(r"[^:]*:(\d+) (.*) at column (\d+)", re.DOTALL)


_YAML = re.compile(r"(?:[ \t]*(?:#.*)?\r?\n)*(?:---(?:\s|$)|- \S|[\w.-]+:(?:\s|$))")
"""The beginning of a YAML file, after comments and empty lines. JSON begins with a brace or a value."""


class InvalidSyntax(Invalid):
    """The text cannot be parsed at one place. The message begins with line and column: "4:5: expecting …"."""

    def __init__(self, line: int, column: int, sentence: str) -> None:
        super().__init__(f"{line}:{column}: {sentence}")
        self.line, self.column, self.sentence = line, column, sentence


class RepeatedKeys(dict[str, object]):
    """An object in which some keys are given more than once, kept so that the error can say where."""

    repeated: Sequence[str] = ()


def repeated_keys(data: object) -> Sequence[str]:
    """The keys that are given more than once in this object."""
    return data.repeated if isinstance(data, RepeatedKeys) else ()


def parse(raw: bytes) -> object:
    """The data of a file. Numbers with a point become `Decimal`, so that 99.95 stays exact. Raises `Invalid`.

    A number that no type can hold (NaN, 1e99999999999999999999) becomes a `Decimal` that is not finite, which the
    converter of the key refuses.
    """
    text = decoded(raw)
    try:
        return _parse_strict(text)
    except json.JSONDecodeError as error:
        return _parse_relaxed(text, error)


def _parse_strict(text: str) -> object:
    """Parse plain JSON, with a parser in C that is hundreds of times faster than that of JSON5."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_int=_integer, parse_float=_decimal, parse_constant=Decimal)
    except RecursionError:
        raise Invalid("is nested too deeply") from None


def _parse_relaxed(text: str, strict: json.JSONDecodeError) -> object:
    if "\0" in text[:2]:
        raise Invalid(UTF_16) from None
    if _YAML.match(text):
        raise Invalid("seems to be YAML; a configuration is JSON, {…}") from None
    plain = structure.as_plain(text)
    if plain is not None:
        if not plain.strip():
            raise Invalid("is empty") from None
        try:
            return _parse_strict(plain)
        except json.JSONDecodeError as error:
            strict = error
    if len(text) > MOST_RELAXED:
        raise _syntax_error(text, "", strict) from None
    return _parse_json5(text, strict)


def _parse_json5(text: str, strict: json.JSONDecodeError) -> object:
    import json5

    try:
        data = json5.loads(text, object_pairs_hook=_object, parse_int=_integer, parse_float=_decimal, parse_constant=Decimal)
    except RecursionError:
        raise Invalid("is nested too deeply") from None
    except ValueError as error:
        raise _syntax_error(text, str(error), strict) from None
    return _with_whole_characters(data)


def _with_whole_characters(data: object) -> object:
    """Join the surrogate pairs that json5 leaves in place of escaped characters beyond U+FFFF."""
    if isinstance(data, str):
        return data.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    if isinstance(data, list):
        return [_with_whole_characters(item) for item in data]
    if isinstance(data, dict):
        data.update({key: _with_whole_characters(item) for key, item in data.items()})
    return data


def _syntax_error(text: str, relaxed: str, strict: json.JSONDecodeError) -> InvalidSyntax:
    """The error of the parser that got further, explained from the text if possible."""
    if explanation := structure.explain_error(text, strict.pos):
        return InvalidSyntax(strict.lineno, strict.colno, explanation)
    match = _JSON5_ERROR.fullmatch(relaxed)
    if match is None or (int(match[1]), int(match[3])) == (strict.lineno, strict.colno):
        said = strict.msg.removesuffix(" at").removesuffix(" starting")
        return InvalidSyntax(strict.lineno, strict.colno, _WORDS.get(said, _lowered(said)))
    line, column = int(match[1]), int(match[3])
    said = match[2].encode("ascii", "backslashreplace").decode().replace("\n", "\\n").replace("\r", "\\r")
    return InvalidSyntax(line, column, structure.explain_error(text, _offset(text, line, column)) or _lowered(said))


def _offset(text: str, line: int, column: int) -> int:
    lines = text.split("\n")
    return sum(len(one) + 1 for one in lines[: line - 1]) + column - 1


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def decoded(raw: bytes) -> str:
    """The text of a file. Raises `Invalid`."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise Invalid(UTF_16) from None
        line, begin = raw.count(b"\n", 0, error.start) + 1, raw.rfind(b"\n", 0, error.start) + 1
        raise InvalidSyntax(line, len(raw[begin : error.start].decode()) + 1, "is not UTF-8 text") from None


def _object(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    listed = list(pairs)
    data = dict(listed)
    if len(data) == len(listed):
        return data
    marked = RepeatedKeys(data)
    marked.repeated = [key for key, count in Counter(key for key, _ in listed).items() if count > 1]
    return marked


def _integer(digits: str, base: int = 10) -> int | Decimal:
    return int(digits, base) if len(digits) <= _MOST_DIGITS else Decimal("Infinity")


def _decimal(number: str) -> Decimal:
    try:
        return Decimal(number)
    except InvalidOperation:
        return Decimal("Infinity")
