"""The keys of a website's assertions, in the order in which they are evaluated."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from monitoring.checks.assertions import (
    ExpectedHeaders,
    ExpectedJSON,
    ExpectedPattern,
    ExpectedStatus,
    ExpectedText,
    ForbiddenText,
    MaxResponseTime,
)
from monitoring.config.parsing import values
from monitoring.config.parsing.section import Section
from monitoring.models import Assertion, Site
from monitoring.units import HOUR_MS

T = TypeVar("T")

_RESPONSE_TIME_US = values.duration(1, HOUR_MS, unit_us=1)

Read = Callable[[Section, str], Assertion | None]
"""Reads one key that is given; None: it is wrong (which is reported)."""


def _value(convert: Callable[[object], T], assertion: Callable[[T], Assertion]) -> Read:
    """A reader of an assertion that has one value."""

    def read(section: Section, key: str) -> Assertion | None:
        found = section.take(key, convert, None)
        return None if found is None else assertion(found)

    return read


def _headers(section: Section, key: str) -> Assertion | None:
    patterns = section.section(key, None)
    names = read_header_names(patterns)
    _refuse_empty(section, key, patterns, "header")
    found = ((name, patterns.take(name, values.pattern, None)) for name in names)
    return ExpectedHeaders(tuple((name, pattern) for name, pattern in found if pattern is not None)) if names else None


def read_header_names(headers: Section) -> list[str]:
    """The names of headers in an object. Invalid and repeated ones are reported."""
    names: dict[str, str] = {}
    for position, name in enumerate(headers.keys(), start=1):
        # An invalid name may be a secret in the wrong place, so the error has its number.
        if not values.is_header_name(name):
            headers.problem(None, f"name {position} is not a valid header name")
            continue
        if name.lower() in names:
            headers.problem(name, "given twice (case does not count)")
        names[name.lower()] = name
    return list(names.values())


def _json(section: Section, key: str) -> Assertion | None:
    expressions = section.section(key, None)
    _refuse_empty(section, key, expressions, "JMESPath expression")
    wanted = []
    for place, expression in enumerate(expressions.keys(), start=1):
        if problem := _jmespath_problem(expression):
            expressions.problem(None, f"expression {place} {problem}")
        else:
            wanted.append((expression, expressions.take(expression, values.json_value, None)))
    return ExpectedJSON(tuple(wanted)) if wanted else None


def _jmespath_problem(expression: str) -> str | None:
    """Why this expression can never be evaluated; None: it can. Variables in it are not replaced, as in every key."""
    import jmespath

    try:
        parsed = jmespath.compile(expression).parsed
    except jmespath.exceptions.ParseError as error:
        return f"is not valid JMESPath (see character {error.lex_position + 1})"
    except (ValueError, RecursionError):
        return "is not valid JMESPath"
    return next(_calls_that_fail(parsed), None)


def _calls_that_fail(node: Mapping[str, Any]) -> Iterator[str]:
    from jmespath.functions import Functions

    if node["type"] == "function_expression":
        signature = Functions.FUNCTION_TABLE.get(node["value"], {}).get("signature")
        given = len(node["children"])
        if signature is None:
            yield f"calls {node['value']}(), which JMESPath does not have"
        elif given < len(signature) or (given > len(signature) and not signature[-1].get("variadic")):
            yield f"calls {node['value']}() with {given} argument{'' if given == 1 else 's'}, it takes {len(signature)}"
    for child in node["children"]:
        yield from _calls_that_fail(child)


def _refuse_empty(section: Section, key: str, found: Section, what: str) -> None:
    if found.is_object and not list(found.keys()):
        section.problem(key, f"must name at least one {what}")


ASSERTIONS: Mapping[str, Read] = MappingProxyType(
    {
        "expectedStatus": _value(values.statuses, ExpectedStatus),
        "expectedHeaders": _headers,
        "expectedText": _value(values.texts, ExpectedText),
        "forbiddenText": _value(values.texts, ForbiddenText),
        "expectedPattern": _value(values.pattern, ExpectedPattern),
        "expectedJSON": _json,
        "maxResponseTime": _value(_RESPONSE_TIME_US, MaxResponseTime),
    }
)


def read_assertions(section: Section) -> Mapping[str, Assertion]:
    """The assertions of a website, by key."""
    found = ((key, read(section, key)) for key, read in ASSERTIONS.items() if section.has(key))
    return {key: assertion for key, assertion in found if assertion is not None}


def refuse_impossible(section: Section, site: Site, assertions: Mapping[str, Assertion]) -> None:
    """Report every assertion that no answer to the site's request can meet."""
    for key, assertion in assertions.items():
        if reason := assertion.impossible(site):
            section.problem(key, reason)
