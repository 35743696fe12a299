"""Reads the blocks of 1.1.0's files. A block has the checks of up to a hundred sites in a minute, packed by column.

After migration the file still has its blocks, in table `blocks`. They become rows in short steps, the newest first. Until
then, questions read them here. This module goes when nobody upgrades from 1.1.0 any more.

A column of integers is stored in planes: the lowest byte of every number, then the next byte, and so on. If a column
contains None, None is stored as 0, and every number as one more than it is. A column with one value is that value.
A column with numbers that fit into no word is a list. Checks are in order of site, then of time.
"""

import json
import sqlite3
import sys
import zlib
from array import array
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from monitoring.fields import LONGEST_TIME_US
from monitoring.models import Window
from monitoring.statistics.summary import Span
from monitoring.storage.sqlite.tables.schema import (
    CHECK_COLUMNS,
    INSERT_CHECK,
    SITE_BITS,
    Row,
    first_key,
    stored_row,
    time_of,
)
from monitoring.units import MINUTE_MS

WORD = array("Q").itemsize
LARGEST_KEY = 2**63 - 1

BLOCKS_AT_ONCE = 20
"""A delivery unpacks at least so many blocks, if there are so many."""

ROWS_AT_ONCE = 5_000
"""So many checks become rows in one step of some 20 ms."""

OLD_COLUMNS = ("covers", "lag", "status", "response", "resolve", "connect", "tls", "processing", "transfer", "cause")
"""The columns of a block, in its order, after the times and before the details."""

_OLD_PLACES = {name: place for place, name in enumerate((*OLD_COLUMNS, "detail"))}
NEW_ORDER = tuple(_OLD_PLACES.get(name) for name in CHECK_COLUMNS.split(", ")[1:])
"""The place of each column of `CHECK_COLUMNS` in a block; None: blocks do not have it."""

LONG = tuple(OLD_COLUMNS.index(name) for name in OLD_COLUMNS[3:9])
"""The durations, which 1.1.0 did not limit."""


def exist(connection: sqlite3.Connection) -> bool:
    """Whether the file has blocks."""
    return connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'blocks'").fetchone() is not None


def new_row(key: int, old: Sequence[Any]) -> Row:
    """A row of `CHECK_COLUMNS` from a key and 1.1.0's columns."""
    values = [
        min(value, LONGEST_TIME_US) if place in LONG and value is not None else value for place, value in enumerate(old)
    ]
    return (key, *(None if place is None else values[place] for place in NEW_ORDER))


def unpacked(key: int, data: bytes) -> list[Row]:
    """The checks of a block as rows of `CHECK_COLUMNS`, in order of their keys."""
    head, _, body = zlib.decompress(data).partition(b"\n")
    known: dict[str, Any] = json.loads(head)
    count = sum(size for _, size in known["places"])
    columns, begin = [], 0
    for field in known["fields"]:
        columns.append(_column(field, body[begin : begin + count * field[0]], count))
        begin += count * field[0]
    steps, *values = columns
    details: dict[int, str] = dict(known["details"])
    sites = [place for place, size in known["places"] for _ in range(size)]
    offsets = [moved % MINUTE_MS for moved in accumulate(steps)]
    keys = [key + (offset << SITE_BITS) + site for offset, site in zip(offsets, sites, strict=True)]
    texts = map(details.get, range(count))
    return sorted(new_row(one, old) for one, *old in zip(keys, *values, texts, strict=True))


def _column(field: Sequence[Any], planes: bytes, count: int) -> list[Any]:
    width, has_none, value, is_list = field
    if not width:
        return value if is_list else [value] * count
    raw = bytearray(count * WORD)
    for plane in range(width):
        raw[plane::WORD] = planes[plane * count : (plane + 1) * count]
    words = array("Q", raw)
    if sys.byteorder == "big":
        words.byteswap()
    return [number - 1 if number else None for number in words] if has_none else list(words)


def source(connection: sqlite3.Connection, parts: Sequence[Window]) -> str:
    """Create a temporary view of all checks of these windows, which lasts as long as the snapshot; return its name."""
    for drop in ("VIEW IF EXISTS temp.every_check", "TABLE IF EXISTS temp.in_blocks"):
        connection.execute(f"DROP {drop}")
    columns = CHECK_COLUMNS.split(", ")
    connection.execute(f"CREATE TEMP TABLE in_blocks (id INTEGER PRIMARY KEY, {', '.join(columns[1:])})")
    insert = f"INSERT OR REPLACE INTO in_blocks VALUES ({', '.join('?' * len(columns))})"
    query = "SELECT id, data FROM blocks WHERE id >= ? AND id < ? ORDER BY id"
    for part in parts:
        first, end = first_key(part.from_ms), first_key(part.until_ms)
        for key, data in connection.execute(query, (first_key(Span.MINUTE.start_of(part.from_ms)), end)):
            connection.executemany(insert, (row for row in unpacked(key, data) if first <= row[0] < end))
    of_blocks = f"SELECT {CHECK_COLUMNS} FROM in_blocks WHERE id NOT IN (SELECT id FROM main.checks)"
    connection.execute(f"CREATE TEMP VIEW every_check AS SELECT {CHECK_COLUMNS} FROM main.checks UNION ALL {of_blocks}")
    return "every_check"


def last_of_some(connection: sqlite3.Connection, first: int) -> int:
    """The last possible key in some blocks from this key on."""
    begin = Span.MINUTE.start_of(time_of(first))
    query = "SELECT id FROM blocks WHERE id >= ? ORDER BY id LIMIT 1 OFFSET ?"
    row = connection.execute(query, (first_key(begin), BLOCKS_AT_ONCE)).fetchone()
    return (first_key(max(time_of(row[0]), begin + MINUTE_MS)) if row else LARGEST_KEY) - 1


def ends(connection: sqlite3.Connection) -> tuple[int, int] | None:
    """About the times of the oldest and the newest check in blocks."""
    query = "SELECT (SELECT MIN(id) FROM blocks) >> ?1, ((SELECT MAX(id) FROM blocks) >> ?1) + ?2"
    oldest, newest = connection.execute(query, (SITE_BITS, MINUTE_MS - 1)).fetchone()
    return None if oldest is None else (oldest, newest)


def unpack_some(connection: sqlite3.Connection) -> bool:
    """Turn some checks of the newest block into rows, within a transaction. False: there is no block.

    The block is deleted with its last check, and the table after the last block.
    """
    found = connection.execute("SELECT id, data FROM blocks ORDER BY id DESC LIMIT 1").fetchone()
    if found is None:
        connection.execute("DROP TABLE blocks")
        return False
    key, data = found
    is_stored = "SELECT 1 FROM checks WHERE id = ?"
    rows = unpacked(key, data)
    left = (
        rows if len(rows) <= ROWS_AT_ONCE else [row for row in rows if not connection.execute(is_stored, row[:1]).fetchone()]
    )
    connection.executemany(INSERT_CHECK, map(stored_row, left[:ROWS_AT_ONCE]))
    if len(left) <= ROWS_AT_ONCE:
        connection.execute("DELETE FROM blocks WHERE id = ?", (key,))
    return True
