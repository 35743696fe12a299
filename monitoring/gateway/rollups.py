"""Hours and days as clients send them: taken apart, tested number by number, and put together anew. Pure.

The checks they are sums of are not at hand any more, so they are tested for what any sums of checks keep to.
"""

import binascii
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from monitoring import sketch
from monitoring.gateway.minutes import LAST_PART, MOST_CHECKS, place_name
from monitoring.models import PHASES, Cause
from monitoring.stats import DAY_MS
from monitoring.store import wire
from monitoring.store.blocks import MINUTE_MS, PART_SITES
from monitoring.store.influxblocks import read_data
from monitoring.store.packing import counted
from monitoring.store.rolledblocks import RolledBlock
from monitoring.store.rollups import LENGTHS_MS
from monitoring.store.schema import ROLLED_SUMS, Row
from monitoring.store.wire import Malformed, Record, each, integer, record

MOST_BLOCKS = 100
MOST_COUNT = MOST_CHECKS * DAY_MS // MINUTE_MS
LARGEST_SUM = 10**15
"""Of milliseconds or microseconds: sums of some thousands of these are whole in 64 bits."""
LONGEST_SKETCH = 8_000
"""Characters."""

BLOCK_KEYS = frozenset({"table", "startMs", "part", "hosts", "sites"})
SITE_KEYS = frozenset({"place", "sums", "lastFailureMs", "statuses", "causes", "shortestUs", "longestUs", "sketch"})


class Table(StrEnum):
    """What a block is a part of."""

    HOURS = "hours"
    DAYS = "days"


def read_block(value: object) -> RolledBlock:
    """Raises `Malformed`."""
    found = record(value, BLOCK_KEYS, BLOCK_KEYS)
    table = wire.word("table", found["table"], Table)
    start_ms = wire.moment("startMs", found["startMs"])
    if start_ms % LENGTHS_MS[table]:
        raise Malformed(f"startMs: must be the start of one of the {table}, UTC")
    part = integer("part", found["part"], 0, LAST_PART)
    hosts = tuple(each("hosts", found["hosts"], place_name, PART_SITES))
    span = range(start_ms, start_ms + LENGTHS_MS[table])
    rows = each("sites", found["sites"], lambda site: _read_site(site, hosts, span), PART_SITES)
    places = [row[0] for row in rows]
    if sorted(set(places)) != places:
        raise Malformed("sites: must be one after the other")
    return RolledBlock(str(table), start_ms, part, hosts, tuple(rows))


def _read_site(value: object, hosts: Sequence[str], span: range) -> Row:
    found = record(value, SITE_KEYS, SITE_KEYS)
    place = integer("place", found["place"], 0, len(hosts) - 1)
    if not hosts[place]:
        raise Malformed("place: must be that of a host")
    sums = dict(zip(ROLLED_SUMS, _read_sums(found["sums"]), strict=True))
    statuses = _read_counts("statuses", found["statuses"], _status)
    causes = _read_counts("causes", found["causes"], lambda name: wire.word("causes", name, Cause))
    _test_counts(sums, statuses, causes)
    times = _read_times(found, sums)
    return (place, *sums.values(), _read_last_failure(found, sums, span), counted(statuses), counted(causes), *times)


def _read_sums(value: object) -> list[int]:
    sums = each("sums", value, lambda number: integer("sum", number, 0, LARGEST_SUM), len(ROLLED_SUMS))
    if len(sums) != len(ROLLED_SUMS):
        raise Malformed(f"sums: must be {len(ROLLED_SUMS)}")
    return sums


def _read_counts(key: str, value: object, read: Any) -> dict[Any, int]:
    if not isinstance(value, dict):
        raise Malformed(f"{key}: must be an object")
    return {read(name): integer(key, count, 1, MOST_COUNT) for name, count in value.items()}


def _status(name: str) -> int:
    if not name.isascii() or not name.isdigit() or str(int(name)) != name:
        raise Malformed("statuses: must be named by integers from 100 to 999")
    return integer("statuses", int(name), 100, 999)


def _test_counts(sums: Mapping[str, int], statuses: Mapping[int, int], causes: Mapping[Cause, int]) -> None:
    checks, good = sums["checks"], sums["good"]
    failed, failed_covers = checks - good, sums["covers"] - sums["good_covers"]
    if not 1 <= checks <= MOST_COUNT or failed < 0:
        raise Malformed(f"sums: checks must be 1 to {MOST_COUNT}, and not fewer of them good")
    if sums["good_covers"] < good or failed_covers < failed:
        raise Malformed("sums: each check must cover something")
    if sum(causes.values()) != failed or sum(statuses.values()) > checks:
        raise Malformed("causes, statuses: must be as many as there are")
    for times in ("responses", *PHASES):
        if sums[f"{times}_count"] > good or (sums[f"{times}_sum"] and not sums[f"{times}_count"]):
            raise Malformed(f"sums: {times} must be of good checks")


def _read_last_failure(found: Record, sums: Mapping[str, int], span: range) -> int | None:
    last = found["lastFailureMs"]
    if (last is None) != (sums["checks"] == sums["good"]):
        raise Malformed("lastFailureMs: must be there when a check failed")
    return None if last is None else integer("lastFailureMs", last, span.start, span.stop - 1)


def _read_times(found: Record, sums: Mapping[str, int]) -> tuple[int | None, int | None, bytes]:
    """The shortest and the longest response time, and all of them as a sketch."""
    shortest, longest = (wire.maybe_span(key, found[key]) for key in ("shortestUs", "longestUs"))
    counts = _read_sketch(found["sketch"])
    total = sums["responses_count"]
    if sketch.count(counts) != total:
        raise Malformed("sketch: must count all response times")
    if shortest is None or longest is None:
        if total or shortest is not longest:
            raise Malformed("shortestUs, longestUs: must be there when there are response times")
    elif sketch.ends(counts) != (sketch.bucket(shortest), sketch.bucket(longest)):
        raise Malformed("sketch: must reach from the shortest response time to the longest one")
    elif not shortest * total <= sums["responses_sum"] <= longest * total:
        raise Malformed("sums: responses must lie between the shortest and the longest one")
    return shortest, longest, sketch.pack(counts)


def _read_sketch(value: object) -> int:
    if value == "":
        return 0
    try:
        return sketch.read(read_data(wire.text("sketch", value, LONGEST_SKETCH)))
    except Malformed:
        raise
    except (ValueError, binascii.Error):
        raise Malformed("sketch: cannot be read") from None
