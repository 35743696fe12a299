"""What a request says: its parameters and its body, strictly. Raises `BadRequest` (400), other HTTP errors, `Malformed`."""

import re
from collections.abc import Mapping
from typing import TypeVar

import msgspec
from flask import request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from monitoring import names
from monitoring.models import Window
from monitoring.statistics.summary import Span
from monitoring.stats import HOUR_MS, from_whole_hour
from monitoring.storage.gateway.values import LAST_MS, SPANS, Malformed, decode

_NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)

MS_PER_S = 1_000
LONGEST_WINDOW_S = 10 * 366 * 86_400

EXACT_MS = HOUR_MS
"""Percentiles of windows up to this long are exact when nothing is said."""

Message = TypeVar("Message")
Value = TypeVar("Value")


def body(kind: type[Message]) -> Message:
    """The JSON object that is the body of this request."""
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("the body must be application/json")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise UnsupportedMediaType("the body must not be compressed")
    try:
        return decode(request.get_data(cache=False), kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise BadRequest("the body is not JSON") from None


def location() -> str:
    """The parameter `location`; "" when there is none: a question is about one location, by default that without a name."""
    if "location" not in request.args:
        return ""
    found = _single(request.args, "location")
    if not names.is_name(found, names.LONGEST_LOCATION):
        raise Malformed(f"location: must be 1 to {names.LONGEST_LOCATION} characters, and hold {names.CHARACTERS}")
    return found


def none_but_location() -> None:
    """There may be no other parameter."""
    _parameters()


def none() -> None:
    """There may be no parameters."""
    if request.args:
        raise BadRequest("there must be no parameters")


def moment(name: str) -> int:
    """This parameter, in milliseconds."""
    return _number(_parameters(name), name, 0, LAST_MS)


def window(now_ms: int, *more: str) -> Window:
    """The parameters `from` and `until` (milliseconds), or `window` (seconds before now); others may be these."""
    found = _parameters("from", "until", "window", *more)
    if "window" in found:
        if "from" in found or "until" in found:
            raise BadRequest("either window, or from and until")
        return from_whole_hour(Window.before(now_ms, MS_PER_S * _number(found, "window", 1, LONGEST_WINDOW_S)))
    asked = Window(_number(found, "from", 0, LAST_MS), _number(found, "until", 0, LAST_MS))
    if asked.length_ms < 0:
        raise BadRequest("from must not be after until")
    return asked


def exact(asked: Window) -> bool:
    """The parameter `exact`."""
    if "exact" not in request.args:
        return asked.length_ms <= EXACT_MS
    return _word("exact", {"true": True, "false": False})


def span() -> Span | None:
    """The parameter `span`; None when there is none."""
    return _word("span", SPANS) if "span" in request.args else None


def _word(name: str, meanings: Mapping[str, Value]) -> Value:
    found = _single(request.args, name)
    if found not in meanings:
        raise BadRequest(f"{name} must be one of {', '.join(meanings)}")
    return meanings[found]


def _parameters(*known: str) -> MultiDict[str, str]:
    unknown = sorted(request.args.keys() - {*known, "location"})
    if unknown:
        raise BadRequest(f"unknown parameter {ascii(unknown[0])[:40]}")
    return request.args


def _number(found: MultiDict[str, str], name: str, low: int, high: int) -> int:
    text = _single(found, name)
    if not _NUMBER.fullmatch(text) or not low <= int(text) <= high:
        raise BadRequest(f"{name} must be an integer from {low} to {high}")
    return int(text)


def _single(found: MultiDict[str, str], name: str) -> str:
    values = found.getlist(name)
    if len(values) != 1:
        raise BadRequest(f"{name} must be given once")
    return values[0]
