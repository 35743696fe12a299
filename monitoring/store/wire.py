"""Checks, alerts and answers as JSON, and back: what a gateway and its clients say to each other. Pure.

Points are tested value by value on the way in, whoever sent them. Integers stay integers; means are floats, whose JSON
gives the same float again: so numbers that passed a gateway equal those of the store behind it.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, TypeVar

from monitoring import names
from monitoring.models import (
    Alert,
    AlertType,
    Bucket,
    Cause,
    CheckResult,
    ResponseTimes,
    SiteStats,
    Streak,
    Window,
)

Item = TypeVar("Item")
Word = TypeVar("Word", bound=StrEnum)
Record = dict[str, Any]

OLDEST_MS = 946_684_800_000
"""2000-01-01: no point is older."""
NEWEST_MS = 4_102_444_800_000
"""2100-01-01: every point is older. Fixed bounds, because no machine's clock is asked when another one has measured."""
LAST_MS = 7_258_118_400_000
"""2200-01-01: no window ends later."""

LONGEST = 10**12
"""Of spans of time in milliseconds or microseconds: whole in a float, and longer than anything real."""

LONGEST_BODY = 8 << 20
"""Bytes of one request."""

PHASE_COUNT = 5

CHECK_KEYS = frozenset({"host", "timeMs", "coversMs", "lagUs", "status", "responseUs", "phasesUs", "cause"})
ALERT_KEYS = frozenset({"type", "host", "timeMs", "startMs", "endMs", "availability", "cause"})


class Malformed(ValueError):
    """What is wrong with a value, after its key. Never quotes more than a few characters of it."""


# One value


def integer(key: str, value: object, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise Malformed(f"{key}: must be an integer from {low} to {high}")
    return value


def moment(key: str, value: object) -> int:
    return integer(key, value, OLDEST_MS, NEWEST_MS - 1)


def span(key: str, value: object) -> int:
    return integer(key, value, 0, LONGEST)


def maybe_span(key: str, value: object) -> int | None:
    return None if value is None else span(key, value)


def text(key: str, value: object, longest: int) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= longest:
        raise Malformed(f"{key}: must be a text of 1 to {longest} characters")
    return value


def host_name(key: str, value: object) -> str:
    return _name(key, value, names.LONGEST_HOST)


def location_name(value: object) -> str:
    return _name("location", value, names.LONGEST_LOCATION)


def _name(key: str, value: object, longest: int) -> str:
    name = text(key, value, longest)
    if not names.is_name(name, longest):
        raise Malformed(f"{key}: must hold {names.CHARACTERS}")
    return name


def word(key: str, value: object, kind: type[Word]) -> Word:
    try:
        return kind(value if isinstance(value, str) else "")
    except ValueError:
        raise Malformed(f"{key}: must be one of {', '.join(kind)}") from None


def status_code(value: object) -> int:
    return 0 if value == 0 and type(value) is int else integer("status", value, 100, 999)


def percent(key: str, value: object) -> float:
    if type(value) not in (int, float) or not 0 <= value <= 100:  # type: ignore[operator]  # it is a number then
        raise Malformed(f"{key}: must be a number from 0 to 100")
    return float(value)  # type: ignore[arg-type]  # the same


def record(value: object, keys: frozenset[str], required: Iterable[str]) -> Record:
    """An object with no other keys than these."""
    if not isinstance(value, dict):
        raise Malformed("must be an object")
    if not value.keys() <= keys:
        raise Malformed(f"has the unknown key {ascii(min(value.keys() - keys))[:40]}")
    missing = [key for key in required if key not in value]
    if missing:
        raise Malformed(f"lacks {missing[0]}")
    return value


def each(key: str, values: object, read: Callable[[object], Item], most: int) -> list[Item]:
    """Every item of an array; what is wrong names its place."""
    if not isinstance(values, list) or len(values) > most:
        raise Malformed(f"{key}: must be an array of at most {most} items")
    found: list[Item] = []
    try:
        found.extend(map(read, values))
    except Malformed as error:
        raise Malformed(f"{key}[{len(found)}]: {error}") from None
    return found


# Points


def check_json(check: CheckResult) -> Record:
    """A check without the text that explains its failure: that stays in the local file."""
    return {
        "host": check.host,
        "timeMs": check.time_ms,
        "coversMs": check.covers_ms,
        "lagUs": check.lag_us,
        "status": check.status,
        "responseUs": check.response_us,
        "phasesUs": check.phases_us,
        "cause": check.cause,
    }


def read_check(value: object) -> CheckResult:
    """Raises `Malformed`."""
    found = record(value, CHECK_KEYS, ("host", "timeMs", "coversMs", "lagUs", "status"))
    cause = found.get("cause")
    return CheckResult(
        host=host_name("host", found["host"]),
        time_ms=moment("timeMs", found["timeMs"]),
        covers_ms=integer("coversMs", found["coversMs"], 1, LONGEST),
        lag_us=span("lagUs", found["lagUs"]),
        status=status_code(found["status"]),
        response_us=maybe_span("responseUs", found.get("responseUs")),
        phases_us=_phases(found.get("phasesUs")),
        cause=None if cause is None else word("cause", cause, Cause),
    )


def _phases(value: object) -> tuple[int | None, int | None, int | None, int | None, int | None]:
    if value is None:
        return None, None, None, None, None
    if not isinstance(value, list) or len(value) != PHASE_COUNT:
        raise Malformed(f"phasesUs: must be an array of {PHASE_COUNT} items")
    resolve, connect, tls, processing, transfer = (maybe_span("phasesUs", time) for time in value)
    return resolve, connect, tls, processing, transfer


def alert_json(alert: Alert) -> Record:
    return {
        "type": alert.type,
        "host": alert.host,
        "timeMs": alert.time_ms,
        "startMs": alert.start_ms,
        "endMs": alert.end_ms,
        "availability": alert.availability,
        "cause": alert.cause,
    }


def read_alert(value: object) -> Alert:
    """Raises `Malformed`."""
    found = record(value, ALERT_KEYS, ("type", "host", "timeMs", "startMs", "availability"))
    kind, cause, end = word("type", found["type"], AlertType), found.get("cause"), found.get("endMs")
    if end is not None and kind is AlertType.ALERT:
        raise Malformed("endMs: an alert has no end")
    return Alert(
        type=kind,
        host=host_name("host", found["host"]),
        time_ms=moment("timeMs", found["timeMs"]),
        start_ms=moment("startMs", found["startMs"]),
        end_ms=None if end is None else moment("endMs", end),
        availability=percent("availability", found["availability"]),
        cause=None if cause is None else word("cause", cause, Cause),
    )


# Answers: a client reads what a gateway wrote, and takes anything else for no answer (KeyError, TypeError, ValueError)


def stats_json(site: SiteStats) -> Record:
    """Statistics of a site; `availability` in percent is for people, the rest is exact."""
    return {
        "host": site.host,
        "checks": site.checks,
        "available": site.available,
        "coveredMs": site.covered_ms,
        "availableMs": site.available_ms,
        "availability": 100 * site.available_ms / site.covered_ms if site.covered_ms else None,
        "responseUs": site.response and {name: getattr(site.response, f"{name}_us") for name in RESPONSE_KEYS},
        "phasesUs": dict(site.phases_us),
        "statuses": {str(status): count for status, count in sorted(site.statuses.items())},
        "causes": dict(site.causes),
        "lastFailureMs": site.last_failure_ms,
        "trend": [(mark.mean_us, mark.failures) for mark in site.trend],
    }


RESPONSE_KEYS = ("mean", "min", "max", "p50", "p95", "p99")


def read_stats(found: Record) -> SiteStats:
    response = found["responseUs"]
    return SiteStats(
        host=found["host"],
        checks=found["checks"],
        available=found["available"],
        covered_ms=found["coveredMs"],
        available_ms=found["availableMs"],
        response=response and ResponseTimes(*(response[key] for key in RESPONSE_KEYS)),
        phases_us=found["phasesUs"],
        statuses={int(status): count for status, count in found["statuses"].items()},
        causes={Cause(cause): count for cause, count in found["causes"].items()},
        last_failure_ms=found["lastFailureMs"],
        trend=tuple(Bucket(mean_us, failures) for mean_us, failures in found["trend"]),
    )


def streak_json(host: str, found: Streak) -> Record:
    return {
        "host": host,
        "lastMs": found.last_ms,
        "lastFailureMs": found.last_failure_ms,
        "goodSinceMs": found.good_since_ms,
    }


def read_streak(found: Record) -> Streak:
    return Streak(found["lastFailureMs"], found["goodSinceMs"], found.get("lastMs"))


def window_query(window: Window) -> dict[str, int]:
    return {"from": window.from_ms, "until": window.until_ms}
