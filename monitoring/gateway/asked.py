"""What a request says: its parameters and its JSON, strictly. Raises `BadRequest` (400), other HTTP errors, `Malformed`."""

import json
import re
from collections.abc import Collection
from typing import NoReturn

from flask import request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from monitoring.models import Window
from monitoring.stats import from_whole_hour
from monitoring.store import wire
from monitoring.store.wire import Malformed

MARKER_PATTERN = r"^[0-9A-Za-z_-]{1,64}$"
_MARKER = re.compile(MARKER_PATTERN.strip("^$"))
_NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)

MS_PER_S = 1_000
LONGEST_WINDOW_S = 10 * 366 * 86_400


def content(keys: Collection[str], required: Collection[str]) -> wire.Record:
    """The JSON object that is the body of this request; besides these keys it may have `location`."""
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("the body must be application/json")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise UnsupportedMediaType("the body must not be compressed")
    try:
        value = json.loads(request.get_data(cache=False), parse_constant=_not_a_number)
    except (ValueError, RecursionError):
        raise BadRequest("the body is not JSON") from None
    return wire.record(value, frozenset({*keys, "location"}), required)


def _not_a_number(name: str) -> NoReturn:
    raise ValueError(name)


def file_name(value: object) -> str:
    """The name of a monitor's local file."""
    if not isinstance(value, str) or not _MARKER.fullmatch(value):
        raise Malformed("file: must be 1 to 64 letters, digits, _ or -")
    return value


def location_of(found: wire.Record) -> str:
    """Where the content of a body was measured; "" when it does not say."""
    return wire.location_name(found["location"]) if "location" in found else ""


def location_asked() -> str:
    """The parameter `location`; "" when there is none: a question is about one location, by default that without a name."""
    return wire.location_name(_single(request.args, "location")) if "location" in request.args else ""


def file_asked() -> str:
    """The parameter `file`."""
    return file_name(_single(_parameters("file"), "file"))


def nothing_else_asked() -> None:
    """There may be no parameter but `location`."""
    _parameters()


def nothing_asked() -> None:
    """There may be no parameters."""
    if request.args:
        raise BadRequest("there must be no parameters")


def until_asked() -> int:
    """The parameter `until`, in milliseconds."""
    return _number(_parameters("until"), "until", 0, wire.LAST_MS)


def window_asked(now_ms: int) -> Window:
    """The parameters `from` and `until` (milliseconds), or `window` (seconds before now)."""
    return _window(_parameters("from", "until", "window"), now_ms)


def _parameters(*names: str) -> MultiDict[str, str]:
    unknown = sorted(request.args.keys() - {*names, "location"})
    if unknown:
        raise BadRequest(f"unknown parameter {ascii(unknown[0])[:40]}")
    return request.args


def _window(found: MultiDict[str, str], now_ms: int) -> Window:
    if "window" in found:
        if "from" in found or "until" in found:
            raise BadRequest("either window, or from and until")
        return from_whole_hour(Window.before(now_ms, MS_PER_S * _number(found, "window", 1, LONGEST_WINDOW_S)))
    window = Window(_number(found, "from", 0, wire.LAST_MS), _number(found, "until", 0, wire.LAST_MS))
    if window.length_ms < 0:
        raise BadRequest("from must not be after until")
    return window


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
