"""What InfluxDB keeps of whole minutes beside the points themselves, as text that its string fields hold. Pure.

A point of ten fields costs InfluxDB ten values to read, and a window has a million points. So the monitor also sends
what a minute adds up to, a hundred sites in one text, and all its checks in another: a thousand sites and an hour are
six hundred such blocks. Until a minute's blocks are there, its checks are in pieces: one text for each delivery.
"""

import base64
import json
import sys
import zlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate, pairwise
from typing import Any

from monitoring.models import CheckResult
from monitoring.store import schema
from monitoring.store.blocks import MINUTE_MS, MinuteBlock, encode_checks
from monitoring.store.schema import SUMS, Row

RESPONSES = SUMS.index("responses_count") + 1
"""Where a row of sums (after its place) says how many response times it has."""

WORD = array("I").itemsize


class Told(IntEnum):
    """Where all checks of one file in one minute can be read; the highest that was said of a minute holds."""

    BLOCKS = 0
    """In its blocks: the minute is over."""
    PIECES = 1
    """In its pieces and blocks together."""
    POINTS = 2
    """In the points only, until all blocks are there."""
    POINTS_FOR_GOOD = 3
    """In the points only: some of it was refused, or fits into no block."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Checks of one minute that were delivered together; `number` tells the pieces of a minute apart."""

    minute_ms: int
    number: int
    hosts: tuple[str, ...]
    data: bytes

    @classmethod
    def of(cls, minute_ms: int, number: int, checks: Sequence[CheckResult]) -> "Piece":
        """The text that explains a failure stays at home."""
        hosts = tuple(dict.fromkeys(check.host for check in checks))
        places = {host: place for place, host in enumerate(hosts)}
        rows = [(*schema.result_row(check, places[check.host], 0)[:-2], None) for check in checks]
        return cls(minute_ms, number % MINUTE_MS, hosts, encode_checks(rows))


def sums_text(block: MinuteBlock) -> str:
    """The sums of a block with the names of its sites; see `read_sums`."""
    columns = list(zip(*(row[:-1] for row in block.sums), strict=True))
    responses = b"".join(_little(row[-1]) for row in block.sums)
    return packed_text([block.hosts, columns], b"".join(responses[plane::WORD] for plane in range(WORD)))


def read_sums(text: str) -> tuple[list[str], Iterator[Row]]:
    """Hosts by place, and `MinuteBlock.sums`."""
    (hosts, columns), planes = unpacked_text(text)
    if not columns:  # all that it told of was purged
        return hosts, iter(())
    count = len(planes) // WORD
    raw = bytearray(len(planes))
    for plane in range(WORD):
        raw[plane::WORD] = planes[plane * count : (plane + 1) * count]
    responses = _little(bytes(raw))
    ends = [WORD * end for end in accumulate(columns[RESPONSES], initial=0)]
    times = (responses[first:last] for first, last in pairwise(ends))
    return hosts, zip(*columns, times, strict=True)


def hosts_text(hosts: Sequence[str]) -> str:
    return packed_text(list(hosts), b"")


def read_hosts(text: str) -> list[str]:
    hosts: list[str] = unpacked_text(text)[0]
    return hosts


def data_text(data: bytes) -> str:
    """Any bytes: InfluxDB's strings are text, and its JSON spells out what HTML would not like."""
    return base64.b64encode(data).decode()


def read_data(text: str) -> bytes:
    return base64.b64decode(text)


def version_of(*texts: str) -> int:
    """A number by which two states of the same block or piece are told apart."""
    version = 0
    for text in texts:
        version = zlib.crc32(text.encode(), version)
    return version


def packed_text(head: object, body: bytes) -> str:
    """Whatever JSON holds, and bytes."""
    text = json.dumps(head, separators=(",", ":")).encode()
    return data_text(zlib.compress(b"\n".join((text, body))))


def unpacked_text(text: str) -> tuple[Any, bytes]:
    """The same read back."""
    head, _, body = zlib.decompress(read_data(text)).partition(b"\n")
    return json.loads(head), body


def _little(words: bytes) -> bytes:
    """Words of this machine's byte order as little-endian ones, and back."""
    if sys.byteorder == "little":
        return words
    swapped = array("I", words)
    swapped.byteswap()
    return swapped.tobytes()
