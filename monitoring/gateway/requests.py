"""Reads and validates the query or the body of a request. Raises `Malformed`, and HTTP errors if a body is not JSON."""

import re
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from flask import request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from monitoring.storage.gateway.interface import Asked, Endpoint, Value
from monitoring.storage.gateway.messages import Malformed, decode, plainly

_NUMBER = re.compile(r"-?[0-9]{1,18}", re.ASCII)

TEXTS = {"location", "site", "at", "since"}
"""Parameters that are text even if they look like a number."""

LISTS = {"host"}
"""Parameters that may be given several times."""


def read(endpoint: Endpoint[Asked, Value]) -> Asked:
    """The request to this endpoint."""
    return _body(endpoint.request) if endpoint.method == "POST" else _query(endpoint.request)


def _body(kind: type[Asked]) -> Asked:
    if request.query_string:
        raise Malformed("there must be no parameters: all data go into the body")
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("the body must be application/json")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise UnsupportedMediaType("the body must not be compressed")
    try:
        return decode(request.get_data(cache=False), kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise BadRequest("the body is not JSON") from None


def _query(kind: type[Asked]) -> Asked:
    asked: dict[str, Any] = {}
    try:
        given = parse_qsl(request.query_string.decode("ascii"), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise Malformed("the query must be UTF-8, in percent-encoding") from None
    for name, value in given:
        if name in LISTS:
            asked[name] = [*asked.get(name, ()), value]
            continue
        if name in asked:
            raise Malformed(f"{ascii(name)[:40]} must be given once")
        is_number = name not in TEXTS and _NUMBER.fullmatch(value)
        asked[name] = int(value) if is_number else value
    try:
        return msgspec.convert(asked, kind)
    except msgspec.ValidationError as error:
        raise Malformed(plainly(error)) from None
