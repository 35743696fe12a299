"""How often response times of about the same length occurred: what percentiles of long windows come from. Pure.

The buckets are DDSketch's (https://arxiv.org/abs/1908.10693): the middle of one is within 1 % of all times in it. A
sketch is one integer, the count of bucket n standing in its bits 32n to 32n + 31. So sketches are merged by adding
them, in any order, and every store comes to the same one.

Import it late, where a long window is asked about or hours are added up: making the buckets takes a while.
"""

import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate
from operator import sub

from ddsketch.mapping import LogarithmicMapping

from monitoring.statistics.percentiles import PERCENTS, rank

ACCURACY = 0.01

LONGEST_US = 10**12
"""Longer times count as this long: eleven days."""

FIELD_BITS = 32
WORD = FIELD_BITS // 8

HEAD = 3
"""Bytes before the counts of a packed sketch: one for the bytes of a count, two for the number of the first bucket."""


def _buckets() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The largest time of each bucket, and its middle. The first one holds the time 0 alone, the last one has no end."""
    mapping = LogarithmicMapping(ACCURACY)
    largest, middles = [0], [0]
    for key in range(mapping.key(LONGEST_US) + 1):
        bound = int(mapping.gamma**key) + 1
        while mapping.key(bound) > key:
            bound -= 1
        largest.append(bound)
        middles.append(round(mapping.value(key)))
    return (*largest[:-1], sys.maxsize), tuple(middles)


LARGEST, MIDDLES = _buckets()


def of(ordered: Sequence[int]) -> int:
    """The sketch of these times (microseconds, ascending)."""
    if not ordered:
        return 0
    first, last = bucket(ordered[0]), bucket(ordered[-1])
    places = [bisect_right(ordered, bound) for bound in LARGEST[first : last + 1]]
    counts = array("I", map(sub, places, [0, *places]))
    return int.from_bytes(_little(counts).tobytes(), "little") << FIELD_BITS * first


def bucket(time_us: int) -> int:
    """The number of the bucket that holds this time."""
    return bisect_left(LARGEST, time_us)


def ends(sketch: int) -> tuple[int, int] | None:
    """The numbers of the first and the last bucket that is not empty; None when all are."""
    return (((sketch & -sketch).bit_length() - 1) // FIELD_BITS, (sketch.bit_length() - 1) // FIELD_BITS) if sketch else None


def count(sketch: int) -> int:
    """How many times it holds."""
    return sum(_counts(sketch))


def percentiles(sketch: int, shortest_us: int, longest_us: int) -> tuple[int, int, int]:
    """The `percentiles.PERCENTS` of a sketch that is not empty, in microseconds, within the shortest and the longest time.

    Each is the middle of the bucket that the nearest rank lies in.
    """
    totals = list(accumulate(_counts(sketch)))
    middles = (MIDDLES[bisect_right(totals, rank(totals[-1], percent))] for percent in PERCENTS)
    p50, p95, p99 = (min(max(middle, shortest_us), longest_us) for middle in middles)
    return p50, p95, p99


def pack(sketch: int) -> bytes:
    """The sketch in few bytes: the lowest byte of each count from the first that is not 0, then the next bytes."""
    known = ends(sketch)
    if known is None:
        return b""
    first, _ = known
    counts = _counts(sketch >> FIELD_BITS * first)
    raw = _little(counts).tobytes()
    width = (max(counts).bit_length() + 7) // 8
    return bytes((width, *first.to_bytes(2, "little"))) + b"".join(raw[plane::WORD] for plane in range(width))


def unpack(data: bytes) -> int:
    """The sketch that `pack` made these bytes of."""
    if not data:
        return 0
    width, first = data[0], int.from_bytes(data[1:HEAD], "little")
    size = (len(data) - HEAD) // width
    raw = bytearray(WORD * size)
    for plane in range(width):
        raw[plane::WORD] = data[HEAD + plane * size : HEAD + (plane + 1) * size]
    return int.from_bytes(raw, "little") << FIELD_BITS * first


def read(data: bytes) -> int:
    """As `unpack`, for bytes from elsewhere. Raises ValueError when they are no packed sketch."""
    if data:
        width, size = data[0], len(data) - HEAD
        if not 1 <= width <= WORD or size <= 0 or size // width + int.from_bytes(data[1:HEAD], "little") > len(LARGEST):
            raise ValueError("no sketch")
    found = unpack(data)
    if pack(found) != data:
        raise ValueError("no sketch as it is packed")
    return found


def _counts(sketch: int) -> "array[int]":
    """The count of each bucket."""
    return _little(array("I", sketch.to_bytes(-(-sketch.bit_length() // FIELD_BITS) * WORD, "little")))


def _little(words: "array[int]") -> "array[int]":
    """Words of this machine's byte order as little-endian ones, or back; in place."""
    if sys.byteorder == "big":
        words.byteswap()
    return words
