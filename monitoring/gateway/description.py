"""The description of the gateway's interface (OpenAPI 3.1), made of its endpoints and their messages."""

from typing import Any

import msgspec

from monitoring import __version__
from monitoring.gateway.dialect import CONTENT, JSON
from monitoring.storage.gateway.interface import ENDPOINTS, Endpoint, RefusedAnswer

Schema = dict[str, Any]

_ABOUT = (
    "For people and their scripts: /api/v2/stats and /api/v2/alerts, the objects of `--format json`. The rest, "
    "/api/v2/store, is what monitors and readers of this program say to each other, exactly as it is stored: there "
    "times are integer milliseconds of UTC since 1970 (Ms) or integer microseconds (Us). A window is half open, "
    "[from, until). The same point sent twice is one point. 503: the database is away, try again with the same data; "
    "400, 413 and 422: these data will never be taken. What is measured in one location is apart from all others: a request "
    "is about one of them, without `location` about that without a name. Summaries are data that monitors write. For one "
    "release, monitors of version 1.1.0 go on with /api/v1 as they know it."
)

_REFUSALS = {
    "400": "Not understood",
    "401": "No token, or an unknown one",
    "403": "A token for something else",
    "409": "The database has begun anew: verify it again, and send everything",
    "413": "Too long",
    "415": "No JSON",
    "422": "A value is wrong, or will never be taken",
    "429": "Too many requests",
    "503": "The database is away: try again",
}

_PLACE = "#/components/schemas/{name}"


def description() -> Schema:
    """What `/api/v2/openapi.json` answers."""
    every = (*CONTENT, *ENDPOINTS)
    messages = {kind for it in every for kind in (it.request, it.answer)} | {RefusedAnswer}
    _, schemas = msgspec.json.schema_components(messages, ref_template=_PLACE)
    metrics = _operation("For Prometheus", "read", {"text/plain": {"schema": {"type": "string"}}})
    itself = _operation("This description", None, {"application/json": {"schema": {"type": "object"}}})
    return {
        "openapi": "3.1.0",
        "info": {"title": "Uptime monitor: gateway", "version": __version__, "description": _ABOUT},
        "paths": {
            **{it.path: {it.method.lower(): _described(it, schemas)} for it in every},
            "/metrics": {"get": metrics},
            "/api/v2/openapi.json": {"get": itself},
        },
        "components": {
            "securitySchemes": {
                "write": {"type": "http", "scheme": "bearer", "description": "MONITORING_WRITE_TOKEN"},
                "read": {"type": "http", "scheme": "bearer", "description": "MONITORING_READ_TOKEN"},
            },
            "schemas": schemas,
        },
    }


def _described(endpoint: Endpoint[Any, Any], schemas: Schema) -> Schema:
    operation = _operation(endpoint.about, endpoint.role, _content(endpoint.answer, CONTENT.get(endpoint, JSON)))
    if endpoint.method == "POST":
        return {**operation, "requestBody": {"required": True, "content": _content(endpoint.request)}}
    asked = schemas[endpoint.request.__name__]
    return {
        **operation,
        "description": asked.get("description", ""),
        "parameters": [
            {"name": name, "in": "query", "required": name in asked.get("required", ()), "schema": schema}
            for name, schema in asked["properties"].items()
        ],
    }


def _operation(about: str, role: str | None, answer: Schema) -> Schema:
    refused = [status for status in _REFUSALS if role or status not in ("401", "403")]
    return {
        "summary": about,
        "security": [{role: []}] if role else [],
        "responses": {
            "200": {"description": "As asked", "content": answer},
            **{status: {"description": _REFUSALS[status], "content": _content(RefusedAnswer)} for status in refused},
        },
    }


def _content(message: type[msgspec.Struct], content_type: str = JSON) -> Schema:
    return {content_type: {"schema": {"$ref": _PLACE.format(name=message.__name__)}}}
