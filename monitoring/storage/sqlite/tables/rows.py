"""Reads checks by their keys, also those that 1.1.0 has left in blocks, and deletes rows in short steps."""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager

from monitoring.models import Window
from monitoring.statistics.summary import Span
from monitoring.storage.sqlite.tables import blocks_1_1
from monitoring.storage.sqlite.tables.schema import CHECK_COLUMNS, Row, between, first_key, time_of

ROWS_AT_ONCE = {"checks": 5_000, "minutes": 1_000, "alerts": 1_000, "hours": 300, "days": 300, "blocks": 20}
SCATTERED_AT_ONCE = 200
LOOK_AT_ONCE = 50_000
"""A step of some milliseconds deletes so many rows of all sites. Of some sites, whose rows lie on many pages, it deletes
`SCATTERED_AT_ONCE` and looks at `LOOK_AT_ONCE`."""


Connected = Callable[[], AbstractContextManager[sqlite3.Connection]]
"""Gives a connection for reading, or a transaction."""


def source(connection: sqlite3.Connection, parts: Sequence[Window]) -> str:
    """The table that has the checks of these windows: a view while there are blocks, which the next call replaces."""
    return blocks_1_1.source(connection, parts) if blocks_1_1.exist(connection) else "checks"


def ends(connection: sqlite3.Connection) -> tuple[int, int]:
    """About the times of the oldest and the newest check; (0, -1) when there is none."""
    oldest, newest = connection.execute("SELECT (SELECT MIN(id) FROM checks), (SELECT MAX(id) FROM checks)").fetchone()
    found = [] if oldest is None else [(time_of(oldest), time_of(newest))]
    if blocks_1_1.exist(connection) and (packed := blocks_1_1.ends(connection)):
        found.append(packed)
    return min((first for first, _ in found), default=0), max((last for _, last in found), default=-1)


def stored_among(connection: sqlite3.Connection, keys: Collection[int]) -> set[int]:
    """Those keys of which a check is stored."""
    found = _among(connection, keys, "checks")
    if found != set(keys) and blocks_1_1.exist(connection):
        minutes = {Span.MINUTE.start_of(time_of(key)) for key in keys}
        parts = [Window(start_ms, start_ms + Span.MINUTE.length_ms) for start_ms in minutes]
        found = _among(connection, keys, source(connection, parts))
    return found


def _among(connection: sqlite3.Connection, keys: Collection[int], table: str) -> set[int]:
    query = f"SELECT 1 FROM {table} WHERE id = ?"
    return {key for key in keys if connection.execute(query, (key,)).fetchone()}


def some(connection: sqlite3.Connection, first: int, last: int, sites: Collection[int] | None, limit: int) -> list[Row]:
    """`CHECK_COLUMNS` of the first `limit` checks with keys from `first` to `last`, of these sites (None: of all)."""
    found: list[Row] = []
    while first <= last and len(found) < limit:
        end = min(last, blocks_1_1.last_of_some(connection, first)) if blocks_1_1.exist(connection) else last
        table = source(connection, [Window(time_of(first), time_of(end) + 1)])
        where, values = between(first, end, sites)
        query = f"SELECT {CHECK_COLUMNS} FROM {table} WHERE {where} ORDER BY id LIMIT :limit"
        found += connection.execute(query, values | {"limit": limit - len(found)})
        first = end + 1
    return found


def delete_in_steps(writing: Connected, table: str, before_ms: int, sites: Collection[int] | None = None) -> Iterator[None]:
    """Delete all rows of these sites (None: of all) before a moment, some for each advance of the iterator.

    `writing` gives the connection for each step.
    """
    reached = None if sites is not None and not sites else 0
    while reached is not None:
        with writing() as connection:
            reached = delete(connection, table, reached, before_ms, sites)
        yield


def delete(
    connection: sqlite3.Connection, table: str, first: int, before_ms: int, sites: Collection[int] | None = None
) -> int | None:
    """Delete some rows of these sites (None: of all) with keys from `first` and before a moment.

    Returns the key to go on from; None: all are deleted.
    """
    end, count = first_key(before_ms), ROWS_AT_ONCE[table] if sites is None else LOOK_AT_ONCE
    query = f"SELECT id FROM {table} WHERE id >= ? AND id < ? ORDER BY id LIMIT 1 OFFSET {count}"
    row = connection.execute(query, (first, end)).fetchone()
    until = int(row[0]) if row else end
    where, values = between(first, until - 1, sites)
    if sites is None:
        connection.execute(f"DELETE FROM {table} WHERE {where}", values)
    else:
        query = f"SELECT id FROM {table} WHERE {where} ORDER BY id LIMIT {SCATTERED_AT_ONCE}"
        found = connection.execute(query, values).fetchall()
        connection.executemany(f"DELETE FROM {table} WHERE id = ?", found)
        if len(found) == SCATTERED_AT_ONCE:
            return int(found[-1][0]) + 1
    return until if row else None
