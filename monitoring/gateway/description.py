"""The description of the gateway's interface (OpenAPI 3.1), made of the messages themselves."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from monitoring import __version__, names
from monitoring.gateway.parameters import LONGEST_WINDOW_S
from monitoring.storage.gateway import answers, messages
from monitoring.storage.gateway.values import LAST_MS, SPANS

Schema = dict[str, Any]

_ABOUT = (
    "Times are integer milliseconds of UTC since 1970 (Ms) or integer microseconds (Us). A window is half open, "
    "[from, until). The same point sent twice is one point. 503: the database is away, try again with the same data; "
    "400, 413 and 422: these data will never be taken. What is measured in one location is apart from all others: a request "
    "is about one of them, without `location` about that without a name. Summaries are data that monitors write. For one "
    "release, monitors of version 1.1.0 go on with /api/v1 as they know it."
)

REQUESTS = (messages.WriteRequest, messages.VerifyRequest, messages.RecordRequest)
ANSWERS = (
    answers.StoredAnswer,
    answers.VerifyAnswer,
    answers.CountsAnswer,
    answers.StatsAnswer,
    answers.ChecksAnswer,
    answers.MissingAnswer,
    answers.AlertsAnswer,
    answers.LastAlertsAnswer,
    answers.StatesAnswer,
    answers.TimeAnswer,
    answers.KnownAnswer,
    answers.LocationsAnswer,
    answers.RefusedAnswer,
)

_WORDS = {
    "400": "Not understood",
    "401": "No token, or an unknown one",
    "403": "A token for something else",
    "413": "Too long",
    "415": "No JSON",
    "422": "A value is wrong, or will never be taken",
    "429": "Too many requests",
    "503": "The database is away: try again",
}


def description() -> Schema:
    """What `/api/v2/openapi.json` answers."""
    _, schemas = msgspec.json.schema_components([*REQUESTS, *ANSWERS], ref_template="#/components/schemas/{name}")
    return {
        "openapi": "3.1.0",
        "info": {"title": "Uptime monitor: gateway", "version": __version__, "description": _ABOUT},
        "paths": {**_writing(), **_reading(), **_upkeep()},
        "components": {
            "securitySchemes": {
                "write": {"type": "http", "scheme": "bearer", "description": "MONITORING_WRITE_TOKEN"},
                "read": {"type": "http", "scheme": "bearer", "description": "MONITORING_READ_TOKEN"},
            },
            "schemas": schemas,
        },
    }


def _writing() -> Schema:
    """For monitors."""
    span = _parameter("span", {"enum": list(SPANS)}, about="by the summaries of this length alone; absent: by points")
    counts = _get("How many checks of each site", (*_WINDOW, span), answers.CountsAnswer, "write", "422")
    return {
        "/api/v2/points": {"post": _post("Store checks, alerts and summaries", messages.WriteRequest, answers.StoredAnswer)},
        "/api/v2/verify": {
            "post": _post("Write a point, read it back", messages.VerifyRequest, answers.VerifyAnswer),
        },
        "/api/v2/record": {
            "post": _post("Remember how far a local file has delivered", messages.RecordRequest, answers.StoredAnswer)
        },
        "/api/v2/check-counts": {"get": counts},
    }


def _reading() -> Schema:
    """For readers."""
    exact = _parameter("exact", {"enum": ["true", "false"]}, about="percentiles; absent: exact up to an hour")
    found = {
        "stats": _read("Statistics of each site", (*_WINDOW, exact), answers.StatsAnswer),
        "results": _get("The checks of a window", _WINDOW, answers.ChecksAnswer, "read", "413", "422"),
        "missing": _read("How many checks are known by summaries only", _WINDOW, answers.MissingAnswer),
        "alerts": _read("Alerts and recoveries", _WINDOW, answers.AlertsAnswer),
        "alerts/latest": _read("The newest one of each site", _HERE, answers.LastAlertsAnswer),
        "states": _read("Where each site stands", (_BEFORE, *_HERE), answers.StatesAnswer),
        "last-time": _read("The newest time", _HERE, answers.TimeAnswer),
        "known": _get("Has any monitor written?", (), answers.KnownAnswer, "read"),
        "locations": _get("Where sites are checked", (), answers.LocationsAnswer, "read"),
    }
    return {f"/api/v2/{path}": {"get": question} for path, question in found.items()}


def _upkeep() -> Schema:
    """For whoever looks after the gateway."""
    metrics = _get("For Prometheus", (), {}, "read")
    metrics["responses"]["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    well = {"type": "object", "properties": {"status": {"const": "ok"}}, "required": ["status"]}
    return {
        "/healthz": {"get": _get("Does the database answer?", (), well)},
        "/metrics": {"get": metrics},
        "/api/v2/openapi.json": {"get": _get("This description", (), {"type": "object"})},
    }


# Requests and responses

Content = Schema | type[msgspec.Struct]


def _schema(content: Content) -> Schema:
    return content if isinstance(content, dict) else {"$ref": f"#/components/schemas/{content.__name__}"}


def _integer(low: int, high: int) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high}


def _parameter(name: str, schema: Schema, *, required: bool = False, about: str = "") -> Schema:
    return {"name": name, "in": "query", "required": required, "schema": schema, "description": about}


_LOCATION: Schema = {"type": "string", "pattern": names.PATTERN, "minLength": 1, "maxLength": names.LONGEST_LOCATION}
_BEFORE = _parameter("before", _integer(0, LAST_MS), required=True, about="milliseconds; by the checks before then")
_HERE = (_parameter("location", _LOCATION, about="what is seen from there; absent: from the one without a name"),)
_WINDOW = (
    *_HERE,
    _parameter("from", _integer(0, LAST_MS), about="milliseconds; with until"),
    _parameter("until", _integer(0, LAST_MS), about="milliseconds; with from"),
    _parameter("window", _integer(1, LONGEST_WINDOW_S), about="seconds before now; more than a day: from a whole hour on"),
)


def _get(summary: str, asked: Iterable[Schema], answer: Content, role: str | None = None, *more: str) -> Schema:
    statuses = ("400", "429", "503", *more)
    return {"summary": summary, "parameters": list(asked), **_responses(answer, role, statuses)}


def _read(summary: str, asked: Iterable[Schema], answer: Content) -> Schema:
    """A question about one location."""
    return _get(summary, asked, answer, "read", "422")


def _post(summary: str, content: Content, answer: Content) -> Schema:
    body = {"required": True, "content": {"application/json": {"schema": _schema(content)}}}
    statuses = ("400", "413", "415", "422", "429", "503")
    return {"summary": summary, "requestBody": body, **_responses(answer, "write", statuses)}


def _responses(answer: Content, role: str | None, statuses: Sequence[str]) -> Schema:
    refused = (*statuses, "401", "403") if role else statuses
    return {
        "security": [{role: []}] if role else [],
        "responses": {
            "200": _response("As asked", answer),
            **{status: _response(_WORDS[status], answers.RefusedAnswer) for status in sorted(refused)},
        },
    }


def _response(words: str, content: Content) -> Schema:
    return {"description": words, "content": {"application/json": {"schema": _schema(content)}}}
