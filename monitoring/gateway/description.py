"""The description of the gateway's API (OpenAPI 3.1), generated from its endpoints and messages."""

from typing import Any

import msgspec

from monitoring import __version__
from monitoring.gateway.public_api import CONTENT, JSON
from monitoring.storage.gateway.interface import ENDPOINTS, Endpoint, RefusedAnswer

Schema = dict[str, Any]

_ABOUT = (
    "People and scripts use /api/v2/stats and /api/v2/alerts, which answer with the objects of `--format json`. Monitors "
    "and readers of this program use /api/v2/store, which has the data exactly as they are stored: there, times are "
    "integer milliseconds of UTC since 1970 (Ms) or integer microseconds (Us). A window is half open, [from, until). A "
    "point that is sent twice is stored once. 503 means that the database is unavailable: try again with the same data. "
    "400, 413 and 422 mean that the same data will never be accepted. Each location has its own data: a request is about "
    "one location, and without `location` about the one without a name. Monitors write the summaries themselves. For one "
    "release, monitors of version 1.1.0 can still use /api/v1."
)

_REFUSALS = {
    "400": "Not understood",
    "401": "No token, or an unknown one",
    "403": "A token for something else",
    "409": "The database was replaced or emptied: verify it again, and send everything",
    "413": "Too long",
    "415": "Not JSON",
    "422": "A value is invalid, or the database will never accept it",
    "429": "Too many requests",
    "503": "The database is unavailable: try again",
}

_PLACE = "#/components/schemas/{name}"


def description() -> Schema:
    """The content of `/api/v2/openapi.json`."""
    every = (*CONTENT, *ENDPOINTS)
    messages = {kind for it in every for kind in (it.request, it.answer)} | {RefusedAnswer}
    _, schemas = msgspec.json.schema_components(messages, ref_template=_PLACE)
    metrics = _operation("For Prometheus", "read", {"text/plain": {"schema": {"type": "string"}}})
    itself = _operation("This description", None, {"application/json": {"schema": {"type": "object"}}})
    return {
        "openapi": "3.1.0",
        "info": {"title": "Website monitor: gateway", "version": __version__, "description": _ABOUT},
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
