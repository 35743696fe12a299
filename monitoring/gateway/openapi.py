"""The description of the gateway's interface (OpenAPI 3.1), in one place for people, clients and the tests that fuzz it."""

from typing import Any

from monitoring import __version__, names
from monitoring.gateway import minutes, rollups
from monitoring.gateway.asked import LONGEST_WINDOW_S, MARKER_PATTERN
from monitoring.models import PHASES, AlertType, Cause
from monitoring.store import wire
from monitoring.store.blocks import MINUTE_MS, PART_SITES
from monitoring.store.influxblocks import Told
from monitoring.store.rollups import LENGTHS_MS
from monitoring.store.schema import ROLLED_SUMS

Schema = dict[str, Any]

MOST_POINTS = 20_000


def description() -> Schema:
    """What `/api/v1/openapi.json` answers."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Uptime monitor: gateway", "version": __version__, "description": _ABOUT},
        "paths": _paths(),
        "components": {
            "securitySchemes": {
                "write": {"type": "http", "scheme": "bearer", "description": "MONITORING_WRITE_TOKEN"},
                "read": {"type": "http", "scheme": "bearer", "description": "MONITORING_READ_TOKEN"},
            },
            "schemas": {"Check": _check(), "Alert": _alert(), "Stats": _stats(), "Error": _object(error=_text())},
        },
    }


_ABOUT = (
    "Times are integer milliseconds of UTC since 1970 (Ms) or integer microseconds (Us). A window is half open, "
    "[from, until). The same point sent twice is one point. 503: the database is away, try again with the same data; "
    "400, 413 and 422: these data will never be taken, and nothing of the request was stored. What is measured in one "
    "location is apart from all others: a request is about one of them, without `location` about that without a name."
)

_TOLD = "where the minute's checks are: 0 blocks, 1 pieces and blocks, 2 points until all blocks are there, 3 points"


def _paths() -> Schema:
    return {**_writing(), **_reading(), **_upkeep()}


def _writing() -> Schema:
    """For monitors."""
    points = {"checks": _array(_named("Check"), MOST_POINTS), "alerts": _array(_named("Alert"), MOST_POINTS)}
    proof = _located(file=_file(), prove={"type": "boolean"})
    known = _object(known={"type": "boolean"})
    return {
        "/api/v1/results": {
            "post": _post("Store checks and alerts", _object((), **points, location=_location()), _STORED),
            "get": _get("The checks of a window", _WINDOW, _windowed(checks=_array(_named("Check"))), "read", "413", "422"),
        },
        "/api/v1/proof": {"post": _post("Is this file known? And write a point, and read it back", proof, known)},
        **_minutes(),
        **_rollups(),
    }


def _minutes() -> Schema:
    """What monitors send of whole minutes beside the points."""
    minute = {**_integer(wire.OLDEST_MS, wire.NEWEST_MS - 1), "multipleOf": MINUTE_MS}
    told = _object(minuteMs=minute, told={**_integer(min(Told), max(Told)), "description": _TOLD})
    place = _place()
    checks = {"type": "string", "contentEncoding": "base64"}
    block = _object(minuteMs=minute, part=_integer(0, minutes.LAST_PART), hosts=_array(place, PART_SITES), checks=checks)
    number = _integer(0, MINUTE_MS - 1)
    piece = _object(minuteMs=minute, number=number, hosts=_array(place, minutes.MOST_HOSTS), checks=checks)
    blocks = _located(file=_file(), blocks=_array(block, minutes.MOST_BLOCKS))
    pieces, states = _array(piece, minutes.MOST_BLOCKS), _array(told, minutes.MOST_MINUTES)
    seals = _located(file=_file(), minutes=_array(minute, minutes.MOST_MINUTES))
    asked, answer = (_parameter("file", _file(), required=True), *_HERE), _object(minutes=_array(told))
    return {
        "/api/v1/minutes": {
            "post": _post("Store whole minutes", blocks, _STORED),
            "get": _get("The minutes of a file that are not whole yet", asked, answer, "write", "422"),
        },
        "/api/v1/minutes/announcements": {
            "post": _post("Say where checks will be", _located(file=_file(), told=states, pieces=pieces), _STORED)
        },
        "/api/v1/minutes/seals": {"post": _post("Minutes are whole", seals, _STORED)},
    }


def _rollups() -> Schema:
    """What monitors send of hours and days."""
    sums = _array(_integer(0, rollups.LARGEST_SUM), len(ROLLED_SUMS))
    count, time = _integer(1, rollups.MOST_COUNT), _or_null(_integer(0, wire.LONGEST))
    site = _object(
        place=_integer(0, PART_SITES - 1),
        sums={**sums, "minItems": len(ROLLED_SUMS), "description": ", ".join(ROLLED_SUMS)},
        lastFailureMs=_or_null(_moment()),
        statuses={"type": "object", "additionalProperties": count, "propertyNames": {"pattern": "^[1-9][0-9]{2}$"}},
        causes={"type": "object", "additionalProperties": count, "propertyNames": _cause()},
        shortestUs=time,
        longestUs=time,
        sketch={"type": "string", "contentEncoding": "base64", "maxLength": rollups.LONGEST_SKETCH},
    )
    block = _object(
        table={"enum": list(map(str, rollups.Table))},
        startMs={**_moment(), "multipleOf": min(LENGTHS_MS.values())},
        part=_integer(0, minutes.LAST_PART),
        hosts=_array(_place(), PART_SITES),
        sites=_array(site, PART_SITES),
    )
    content = _located(file=_file(), blocks=_array(block, rollups.MOST_BLOCKS))
    return {"/api/v1/rollups": {"post": _post("Store hours and days", content, _STORED)}}


def _reading() -> Schema:
    """For readers."""
    time = _or_null(_integer(0))
    streak = _object(host=_text(), lastMs=time, lastFailureMs=time, goodSinceMs=time)
    streaks = _object(until=_integer(0), sites=_array(streak))
    alerts = _array(_named("Alert"))
    found = {
        "/api/v1/stats": _read("Statistics of each site", _WINDOW, _windowed(sites=_array(_named("Stats")))),
        "/api/v1/alerts": _read("Alerts and recoveries", _WINDOW, _windowed(alerts=alerts)),
        "/api/v1/alerts/latest": _read("The newest one of each site", _HERE, _object(alerts=alerts)),
        "/api/v1/last-time": _read("The newest time", _HERE, _object(timeMs=time)),
        "/api/v1/streaks": _read("Last checks and failures, and good since when", (_UNTIL, *_HERE), streaks),
        "/api/v1/known": _get("Has any monitor written?", (), _object(known={"type": "boolean"}), "read"),
        "/api/v1/locations": _get("Where sites are checked", (), _object(locations=_array(_text())), "read"),
    }
    return {path: {"get": question} for path, question in found.items()}


def _upkeep() -> Schema:
    """For whoever looks after the gateway."""
    metrics = _get("For Prometheus", [], {}, "read")
    metrics["responses"]["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    return {
        "/healthz": {"get": _get("Does the database answer?", [], _object(status={"const": "ok"}))},
        "/metrics": {"get": metrics},
        "/api/v1/openapi.json": {"get": _get("This description", [], {"type": "object"})},
    }


# Values


def _check() -> Schema:
    time = _or_null(_integer(0, wire.LONGEST))
    phases = {**_array(time, wire.PHASE_COUNT), "minItems": wire.PHASE_COUNT, "description": ", ".join(PHASES)}
    return _object(
        ("host", "timeMs", "coversMs", "lagUs", "status"),
        host=_host(),
        timeMs=_moment(),
        coversMs=_integer(1, wire.LONGEST),
        lagUs=_integer(0, wire.LONGEST),
        status={"anyOf": [{"const": 0}, _integer(100, 999)]},
        responseUs=time,
        phasesUs=_or_null(phases),
        cause={**_or_null(_cause()), "description": "null: the site was available"},
    )


def _alert() -> Schema:
    keys = ("host", "timeMs", "startMs", "availability", "type")
    common = {
        "host": _host(),
        "timeMs": _moment(),
        "startMs": _moment(),
        "availability": {"type": "number", "minimum": 0, "maximum": 100},
        "cause": _or_null(_cause()),
    }
    return {
        "oneOf": [
            _object(keys, type={"const": str(AlertType.ALERT)}, endMs={"type": "null"}, **common),
            _object(keys, type={"const": str(AlertType.RECOVERY)}, endMs=_or_null(_moment()), **common),
        ]
    }


def _stats() -> Schema:
    count, mean = _integer(0), {"type": "number", "minimum": 0}
    times = {"mean": mean, **dict.fromkeys(("min", "max", "p50", "p95", "p99"), count)}
    return _object(
        host=_text(),
        checks=count,
        available=count,
        coveredMs=count,
        availableMs=count,
        availability=_or_null({"type": "number", "minimum": 0, "maximum": 100}),
        responseUs=_or_null(_object(**times)),
        phasesUs=_object((), **dict.fromkeys(PHASES, mean)),
        statuses={"type": "object", "additionalProperties": count},
        causes={"type": "object", "additionalProperties": count},
        lastFailureMs=_or_null(count),
        trend=_array({**_array(_or_null(mean), 2), "minItems": 2, "description": "mean, failures"}),
    )


def _moment() -> Schema:
    return _integer(wire.OLDEST_MS, wire.NEWEST_MS - 1)


def _cause() -> Schema:
    return {"enum": [str(cause) for cause in Cause]}


def _file() -> Schema:
    return {"type": "string", "pattern": MARKER_PATTERN}


def _host() -> Schema:
    return {"type": "string", "pattern": names.PATTERN, "maxLength": names.LONGEST_HOST}


def _location() -> Schema:
    return {"type": "string", "pattern": names.PATTERN, "maxLength": names.LONGEST_LOCATION}


def _place() -> Schema:
    """A host, or nothing at a place that nothing is of."""
    return {**_host(), "pattern": names.PATTERN.replace("+$", "*$")}


def _text() -> Schema:
    return {"type": "string"}


def _integer(low: int, high: int | None = None) -> Schema:
    return {"type": "integer", "minimum": low, **({} if high is None else {"maximum": high})}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _array(items: Schema, most: int | None = None) -> Schema:
    return {"type": "array", "items": items, **({} if most is None else {"maxItems": most})}


def _object(required: tuple[str, ...] | None = None, /, **properties: Schema) -> Schema:
    """An object with these keys and no others; all of them are required unless it is said which."""
    keys = list(properties if required is None else required)
    return {"type": "object", "properties": properties, "required": keys, "additionalProperties": False}


def _located(**properties: Schema) -> Schema:
    """The same, and where it was measured."""
    return _object(tuple(properties), **properties, location=_location())


def _windowed(**properties: Schema) -> Schema:
    return _object(**{"from": _integer(0), "until": _integer(0)}, **properties)


def _named(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


# Requests and responses

_STORED = _object(stored=_integer(0))


def _parameter(name: str, schema: Schema, *, required: bool = False, about: str = "") -> Schema:
    return {"name": name, "in": "query", "required": required, "schema": schema, "description": about}


_UNTIL = _parameter("until", _integer(0, wire.LAST_MS), required=True, about="milliseconds; checks before then")
_HERE = (_parameter("location", _location(), about="what is seen from there; absent: from the one without a name"),)
_WINDOW = (
    *_HERE,
    _parameter("from", _integer(0, wire.LAST_MS), about="milliseconds; with until"),
    _parameter("until", _integer(0, wire.LAST_MS), about="milliseconds; with from"),
    _parameter(
        "window",
        _integer(1, LONGEST_WINDOW_S),
        about="seconds before now; more than a day: from a whole hour on",
    ),
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


def _get(summary: str, parameters: Any, answer: Schema, role: str | None = None, *more: str) -> Schema:
    statuses = ("400", "429", "503", *more)
    return {"summary": summary, "parameters": list(parameters), **_responses(answer, role, statuses)}


def _read(summary: str, parameters: Any, answer: Schema) -> Schema:
    """A question about one location."""
    return _get(summary, parameters, answer, "read", "422")


def _post(summary: str, content: Schema, answer: Schema) -> Schema:
    body = {"required": True, "content": {"application/json": {"schema": content}}}
    statuses = ("400", "413", "415", "422", "429", "503")
    return {"summary": summary, "requestBody": body, **_responses(answer, "write", statuses)}


def _responses(answer: Schema, role: str | None, statuses: tuple[str, ...]) -> Schema:
    refused = (*statuses, "401", "403") if role else statuses
    return {
        "security": [{role: []}] if role else [],
        "responses": {
            "200": _response("As asked", answer),
            **{status: _response(_WORDS[status], _named("Error")) for status in sorted(refused)},
        },
    }


def _response(words: str, schema: Schema) -> Schema:
    return {"description": words, "content": {"application/json": {"schema": schema}}}
