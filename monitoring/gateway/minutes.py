"""Whole minutes as clients send them: taken apart, tested check by check, and put together anew. Pure.

A client's bytes are never stored, nor its sums: what a minute adds up to is worked out here, of checks that are right.
"""

import binascii
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitoring.store import packing, wire
from monitoring.store.blocks import INTEGERS, MINUTE_MS, PART_SITES, MinuteBlock, PackedChecks, SiteColumns, encode_checks
from monitoring.store.influxblocks import Piece, Told, read_data
from monitoring.store.schema import CAUSES, SITE_MASK, Row
from monitoring.store.wire import LONGEST, Malformed, each, integer, record

MOST_HOSTS = 5_000
"""Of one piece: no delivery has more points."""
MOST_CHECKS = 100_000
"""Of one block or piece; a part that is checked ten times a second has 60,000 in a minute."""
MOST_BYTES = 32 << 20
"""Of one block or piece when unpacked."""
MOST_BLOCKS = 100
MOST_MINUTES = 100_000
LAST_PART = SITE_MASK // PART_SITES
WIDEST = 8

_BOUNDS: Mapping[str, tuple[int, int]] = {
    **dict.fromkeys(INTEGERS, (0, LONGEST)),
    "covers": (1, LONGEST),
    "status": (0, 999),
    "cause": (0, len(CAUSES) - 1),
}
_MAY_BE_NONE = frozenset(INTEGERS) - {"covers", "lag", "status"}

BLOCK_KEYS = frozenset({"minuteMs", "part", "hosts", "checks"})
TOLD_KEYS = frozenset({"minuteMs", "told"})
PIECE_KEYS = frozenset({"minuteMs", "number", "hosts", "checks"})


def read_block(value: object) -> MinuteBlock:
    """A `MinuteBlock` with sums of our own. Raises `Malformed`."""
    found = record(value, BLOCK_KEYS, BLOCK_KEYS)
    minute_ms = minute("minuteMs", found["minuteMs"])
    hosts = each("hosts", found["hosts"], place_name, PART_SITES)
    rows = _read_rows(found["checks"], minute_ms, hosts)
    sums = tuple(packing.add_up_sites(minute_ms, SiteColumns.of(rows)))
    return MinuteBlock(minute_ms, integer("part", found["part"], 0, LAST_PART), tuple(hosts), sums, encode_checks(rows))


def read_piece(value: object) -> Piece:
    """Raises `Malformed`."""
    found = record(value, PIECE_KEYS, PIECE_KEYS)
    minute_ms = minute("minuteMs", found["minuteMs"])
    number = integer("number", found["number"], 0, MINUTE_MS - 1)
    hosts = each("hosts", found["hosts"], place_name, MOST_HOSTS)
    return Piece(minute_ms, number, tuple(hosts), encode_checks(_read_rows(found["checks"], minute_ms, hosts)))


def read_told(value: object) -> tuple[int, Told]:
    """Raises `Malformed`."""
    found = record(value, TOLD_KEYS, TOLD_KEYS)
    return minute("minuteMs", found["minuteMs"]), Told(integer("told", found["told"], min(Told), max(Told)))


def minute(key: str, value: object) -> int:
    found = wire.moment(key, value)
    if found % MINUTE_MS:
        raise Malformed(f"{key}: must be the start of a minute")
    return found


def place_name(value: object) -> str:
    """A host, or nothing at a place that no check is of."""
    return "" if value == "" else wire.host_name("host", value)


def _read_rows(value: object, minute_ms: int, hosts: Sequence[str]) -> list[Row]:
    """The checks in a text, all of them right, without the texts that explain failures."""
    try:
        data = read_data(wire.text("checks", value, MOST_BYTES))
        packed = _unpack(data, hosts)
        rows = [(*row[:-1], None) for row in packed.rows(minute_ms, 0)]
    except Malformed:
        raise
    except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError, binascii.Error, zlib.error):
        raise Malformed("checks: cannot be read") from None
    if len({row[0] for row in rows}) < len(rows):
        raise Malformed("checks: must be of different moments")
    if not all(map(packing.fits, rows)):
        raise Malformed(f"checks: response must be at most {packing.LARGEST_TIME_US}")
    return rows


def _unpack(data: bytes, hosts: Sequence[str]) -> PackedChecks:
    """Checks whose columns may be read: they are as long as they say, and hold what a check may hold."""
    _test_shape(data, hosts)
    packed = PackedChecks(data)
    for name in INTEGERS:
        _test_column(name, packed.column(name))
    return packed


def _test_column(name: str, column: Sequence[Any]) -> None:
    known = [value for value in column if value is not None] if name in _MAY_BE_NONE else column
    low, high = _BOUNDS[name]
    if set(map(type, known)) - {int} or (known and not low <= min(known) <= max(known) <= high):
        raise Malformed(f"checks: {name} must be integers from {low} to {high}")
    if name == "status" and any(0 < status < 100 for status in set(known)):
        raise Malformed("checks: status must be 0 or from 100 to 999")


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the head of packed checks says of them: the places of hosts, how many checks each, and the columns."""

    places: Sequence[tuple[int, int]]
    fields: Sequence[tuple[int, bool, Any, bool]]

    @property
    def count(self) -> int:
        return sum(count for _, count in self.places)


def _test_shape(data: bytes, hosts: Sequence[str]) -> None:
    """Before a column is made of it: nothing small unpacks into something enormous. See `blocks.encode`."""
    unpacking = zlib.decompressobj()
    head, _, body = unpacking.decompress(data, MOST_BYTES).partition(b"\n")
    if not unpacking.eof or unpacking.unused_data:
        raise Malformed("checks: unpacked too long, or cut short")
    known = json.loads(head)
    shape = _Shape(known["places"], known["fields"])
    _test_places(shape, hosts)
    if len(shape.fields) != len(INTEGERS) + 1 or not all(_is_field(field, shape.count) for field in shape.fields):
        raise Malformed("checks: cannot be read")
    if len(body) != shape.count * sum(field[0] for field in shape.fields):
        raise Malformed("checks: must be as long as they say")


def _test_places(shape: _Shape, hosts: Sequence[str]) -> None:
    places = [integer("place", place, 0, len(hosts) - 1) for place, _ in shape.places]
    counts = [integer("count", count, 1, MOST_CHECKS) for _, count in shape.places]
    if not 1 <= sum(counts) <= MOST_CHECKS:
        raise Malformed(f"checks: must be 1 to {MOST_CHECKS}")
    if sorted(set(places)) != places or not all(hosts[place] for place in places):
        raise Malformed("checks: must be of hosts that are named, one after the other")


def _is_field(field: Any, count: int) -> bool:
    """How a column is stored: planes of bytes, or one value for all, or all values."""
    width, has_none, value, is_list = field
    if type(width) is not int or type(has_none) is not bool or type(is_list) is not bool or not 0 <= width <= WIDEST:
        return False
    if not is_list:
        return value is None or type(value) is int
    return isinstance(value, list) and len(value) == count
