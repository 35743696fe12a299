"""A histogram of response times, for the percentiles of long windows. Pure.

The buckets are those of DDSketch (https://arxiv.org/abs/1908.10693): the middle of a bucket is within 1 % of every time in
it. A sketch is one integer, whose bits 32n to 32n + 31 are the count of bucket n. Adding sketches as integers merges
them, in any order, so every store gets the same result.

Import it late, only for a long window or for summing hours: computing the buckets takes a while.
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
"""Eleven days; longer times count as this long."""

FIELD_BITS = 32
WORD = FIELD_BITS // 8

HEAD = 3
"""The header of a packed sketch in bytes: one for the width of a count, two for the number of the first bucket."""


def _buckets() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The largest time and the middle of each bucket. The first holds only the time 0, the last has no upper bound."""
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
    """The numbers of the first and the last bucket that are not empty; None if all are empty."""
    return (((sketch & -sketch).bit_length() - 1) // FIELD_BITS, (sketch.bit_length() - 1) // FIELD_BITS) if sketch else None


def count(sketch: int) -> int:
    """The number of response times in the sketch."""
    return sum(_counts(sketch))


def percentiles(sketch: int, shortest_us: int, longest_us: int) -> tuple[int, int, int]:
    """The `percentiles.PERCENTS` of a non-empty sketch in microseconds.

    Each is the middle of the bucket that contains the nearest rank, limited to the shortest and the longest time.
    """
    totals = list(accumulate(_counts(sketch)))
    middles = (MIDDLES[bisect_right(totals, rank(totals[-1], percent))] for percent in PERCENTS)
    p50, p95, p99 = (min(max(middle, shortest_us), longest_us) for middle in middles)
    return p50, p95, p99


def pack(sketch: int) -> bytes:
    """The sketch as few bytes: a header, then the lowest byte of every count, the next byte of every count, and so on.

    The counts begin at the first bucket that is not empty.
    """
    known = ends(sketch)
    if known is None:
        return b""
    first, _ = known
    counts = _counts(sketch >> FIELD_BITS * first)
    raw = _little(counts).tobytes()
    width = (max(counts).bit_length() + 7) // 8
    return bytes((width, *first.to_bytes(2, "little"))) + b"".join(raw[plane::WORD] for plane in range(width))


def unpack(data: bytes) -> int:
    """The inverse of `pack`."""
    if not data:
        return 0
    width, first = data[0], int.from_bytes(data[1:HEAD], "little")
    size = (len(data) - HEAD) // width
    raw = bytearray(WORD * size)
    for plane in range(width):
        raw[plane::WORD] = data[HEAD + plane * size : HEAD + (plane + 1) * size]
    return int.from_bytes(raw, "little") << FIELD_BITS * first


def read(data: bytes) -> int:
    """As `unpack`, for untrusted bytes. Raises ValueError if `pack` cannot have made them."""
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
    """Convert words between this machine's byte order and little-endian, in place."""
    if sys.byteorder == "big":
        words.byteswap()
    return words
