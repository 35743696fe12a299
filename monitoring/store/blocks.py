"""All checks of up to a hundred sites in one minute, column by column, in few bytes. Pure.

The checks lie site after site, each site's in order of time. A column of integers is stored as planes: first the lowest
byte of every number, then the next one, as many as its largest number needs, so that equal bytes stand together and
compress well and quickly. In a column that has None, that is 0 and every number one more than it is. A column of one
value is that value. Columns are read one by one: who wants to know what failed never touches a phase.
"""

import json
import sys
import zlib
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, repeat
from typing import Any, NamedTuple

from monitoring.store.schema import SITE_BITS, SITE_MASK, Columns, Row

PART_SITES = 100
"""Sites are packed in parts of so many by their number in the file."""

MINUTE_MS = 60_000

PLACES = range(SITE_MASK + 1)
"""The sites of a block lie side by side: what is at a place is the site that many numbers after the first one."""

WORD = array("Q").itemsize

LARGEST_NUMBER = 256**WORD - 1
"""Of a word. Planes hold smaller ones only: None beside them takes one more."""

INTEGERS = Columns._fields[1:-1]
"""The columns that are numbers or None; the first one (the key) is kept as site and time, the last one is text."""


@dataclass(frozen=True, slots=True)
class MinuteBlock:
    """All checks of up to PART_SITES sites in one minute, and what they add up to: whole, late ones included.

    `hosts` are by place: a check's place in `data` is an index into them. `sums` holds for each host that has checks
    its place and then the columns of `minutes` after the key, from `schema.SUMS` on; `responses` are bytes.
    `version` tells two states of the same block apart, and nothing else.
    """

    minute_ms: int
    part: int
    hosts: tuple[str, ...]
    sums: tuple[tuple[Any, ...], ...]
    data: bytes
    version: int = 0


@dataclass(frozen=True, slots=True)
class Span:
    """Where one site's checks stand in columns that go site by site: `[first, last)`."""

    site: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class SiteColumns:
    """Checks of one minute, one at least: site by site, each site's in order of time.

    `offsets` are their times in milliseconds of the minute; `columns` those of table `checks`.
    """

    rows: Sequence[Row]
    columns: Columns
    offsets: Sequence[int]
    spans: Sequence[Span]

    @classmethod
    def of(cls, rows: Iterable[Row]) -> "SiteColumns":
        """Of rows of table `checks` (`schema.RESULT_COLUMNS`), in any order."""
        ordered = sorted(rows)
        ordered.sort(key=_site)
        columns = Columns(*zip(*ordered, strict=True))
        offsets = [(key >> SITE_BITS) % MINUTE_MS for key in columns.id]
        sizes = Counter([key & SITE_MASK for key in columns.id])
        return cls(ordered, columns, offsets, _spans(list(sizes.items())))


def _site(row: Row) -> Any:
    return row[0] & SITE_MASK


def _spans(sizes: Sequence[tuple[int, int]]) -> list[Span]:
    """Of sites and how many checks each has."""
    ends = list(accumulate((count for _, count in sizes), initial=0))
    return [Span(site, first, last) for (site, _), first, last in zip(sizes, ends, ends[1:], strict=False)]


def block_key(key: int) -> int:
    """The key of the block that the check with this key belongs in: its minute and the first site of its part."""
    time_ms, site = key >> SITE_BITS, key & SITE_MASK
    return (time_ms - time_ms % MINUTE_MS) << SITE_BITS | (site - site % PART_SITES)


def encode_checks(rows: Iterable[Row]) -> bytes:
    """Rows of table `checks` (`schema.RESULT_COLUMNS`) of one minute, one at least, in any order; site number = place."""
    return encode(SiteColumns.of(rows), 0)


def encode(checks: SiteColumns, first_site: int) -> bytes:
    """The same; `first_site` is the number of the site at place 0."""
    steps = [(after - before) % MINUTE_MS for before, after in zip([0, *checks.offsets], checks.offsets, strict=False)]
    fields = [_packed(column) for column in (steps, *(getattr(checks.columns, name) for name in INTEGERS))]
    head = {
        "places": [(span.site - first_site, span.last - span.first) for span in checks.spans],
        "fields": [field for field, _ in fields],
        "details": [(index, text) for index, text in enumerate(checks.columns.detail) if text is not None],
    }
    text = json.dumps(head, separators=(",", ":")).encode()
    return zlib.compress(b"\n".join((text, b"".join(planes for _, planes in fields))), 1)


class PackedChecks:
    """The checks of a block, read column by column."""

    def __init__(self, data: bytes) -> None:
        head, _, self._body = zlib.decompress(data).partition(b"\n")
        known: dict[str, Any] = json.loads(head)
        self._details: dict[int, str] = dict(known["details"])
        self._fields = [_Field(*field) for field in known["fields"]]
        self.spans = _spans(known["places"])
        """By place instead of site."""
        self._count = self.spans[-1].last

    def column(self, name: str) -> list[Any]:
        """One of the columns that are numbers, as in `schema.Columns`."""
        return self._column(INTEGERS.index(name) + 1)

    def offsets(self) -> list[int]:
        """When the checks were, in milliseconds of their minute."""
        return [moved % MINUTE_MS for moved in accumulate(self._column(0))]

    def keys(self, first_key: int, sites: Sequence[int] = PLACES) -> list[int]:
        """The keys of the checks; `first_key` is that of the block, `sites` what is added to it by place."""
        numbers = chain.from_iterable(repeat(sites[span.site], span.last - span.first) for span in self.spans)
        return [first_key + (offset << SITE_BITS) + number for offset, number in zip(self.offsets(), numbers, strict=True)]

    def rows(self, minute_ms: int, first_site: int, sites: Sequence[int] = PLACES) -> list[Row]:
        """All checks as `schema.RESULT_COLUMNS`, in order of their keys; `first_site` is what `sites` count from."""
        return sorted(self.rows_by_site(minute_ms, first_site, sites))

    def rows_by_site(self, minute_ms: int, first_site: int, sites: Sequence[int] = PLACES) -> list[Row]:
        """The same site by site, each site's in order of time."""
        keys = self.keys(minute_ms << SITE_BITS | first_site, sites)
        details = map(self._details.get, range(self._count))
        return list(zip(keys, *map(self.column, INTEGERS), details, strict=True))

    def _column(self, place: int) -> list[Any]:
        field = self._fields[place]
        if not field.width:
            return field.value if field.is_list else [field.value] * self._count
        begin = self._count * sum(earlier.width for earlier in self._fields[:place])
        raw = bytearray(self._count * WORD)
        for plane in range(field.width):
            raw[plane::WORD] = self._body[begin + plane * self._count : begin + (plane + 1) * self._count]
        numbers = _words(raw)
        return [number - 1 if number else None for number in numbers] if field.has_none else list(numbers)


class _Field(NamedTuple):
    """How a column is stored: as planes, or as one `value` that all have, or (numbers no word holds) as a list of all."""

    width: int  # the number of planes
    has_none: bool = False
    value: Any = None
    is_list: bool = False


def _packed(column: Sequence[int | None]) -> tuple[_Field, bytes]:
    """How a column is stored, and its planes."""
    if column.count(column[0]) == len(column):
        return _Field(0, value=column[0]), b""
    known = [number for number in column if number is not None]
    if min(known) < 0 or max(known) >= LARGEST_NUMBER:
        return _Field(0, value=column, is_list=True), b""
    has_none = len(known) < len(column)
    numbers = [0 if number is None else number + 1 for number in column] if has_none else known
    raw = _bytes(numbers)
    width = (max(numbers).bit_length() + 7) // 8
    return _Field(width, has_none), b"".join(raw[plane::WORD] for plane in range(width))


def _bytes(numbers: Sequence[int]) -> bytes:
    words = array("Q", numbers)
    if sys.byteorder == "big":
        words.byteswap()
    return words.tobytes()


def _words(raw: bytes | bytearray) -> Sequence[int]:
    words = array("Q", raw)
    if sys.byteorder == "big":
        words.byteswap()
    return words
