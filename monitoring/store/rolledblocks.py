"""Hours and days whose copy in the database is missing or out of date.

Each change of an hour or a day leaves a row in `rollups_due`, one for up to a hundred sites. What is over and packed is
sent, days before hours, oldest first: a database that has an hour of a file has all its hours before, and all its days
that were over then.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from monitoring.store import due, position, rollups
from monitoring.store.blocks import PART_SITES
from monitoring.store.rollups import LENGTHS_MS, Place
from monitoring.store.schema import RESULT_COLUMNS, SITE_BITS, SITE_MASK, Row, first_key

TABLES = ("days", "hours")
"""In the order in which they are sent."""

# A random version is another one than any that is on its way, also after a requeue or a restart.
ADD = """
INSERT INTO rollups_due VALUES (?, ?, random(), ?)
ON CONFLICT (length_ms, id) DO UPDATE SET version = excluded.version, created_ms = excluded.created_ms
"""

OVER = "length_ms = :length_ms AND id < :end"
OF_PART = f"id >= :first AND id < :last AND (id & {SITE_MASK}) BETWEEN :first_site AND :last_site"

# From the first hour (day) of anything to the last one, of each part.
ADD_ALL = """
WITH RECURSIVE
    ends (first, last) AS (
        SELECT MIN(id) / :step * :step, MAX(id) FROM (
            SELECT MIN(id) AS id FROM {table} UNION ALL SELECT MAX(id) FROM {table}
            UNION ALL SELECT MIN(id) FROM checks UNION ALL SELECT MAX(id) FROM checks)),
    starts (id) AS (
        SELECT first FROM ends WHERE first IS NOT NULL
        UNION ALL SELECT id + :step FROM starts, ends WHERE id + :step <= last),
    parts (site) AS (
        SELECT 0 UNION ALL SELECT site + :sites FROM parts WHERE site + :sites <= (SELECT MAX(id) FROM sites))
INSERT INTO rollups_due SELECT :length_ms, starts.id | site, random(), :created_ms FROM starts CROSS JOIN parts
"""


@dataclass(frozen=True, slots=True)
class RolledBlock:
    """What up to PART_SITES sites add up to in an hour or a day: whole, late checks included.

    `table` is "hours" or "days"; `hosts` are by place; each of `rows` is a place and then `rollups.COLUMNS`. `version`
    tells two states of the same block apart, and nothing else.
    """

    table: str
    start_ms: int
    part: int
    hosts: tuple[str, ...]
    rows: tuple[Row, ...]
    version: int = 0


def add(connection: sqlite3.Connection, changed: Iterable[Place], created_ms: int) -> None:
    """These hours and days have changed."""
    blocks = {(LENGTHS_MS[table], key - (key & SITE_MASK) % PART_SITES) for table, key in changed}
    connection.executemany(ADD, [(length_ms, key, created_ms) for length_ms, key in blocks])


def add_late(connection: sqlite3.Connection, keys: Iterable[int], created_ms: int) -> None:
    """So have those that checks with these keys lie in."""
    changed = [(table, rollups.start(key, length_ms)) for key in keys for table, length_ms in LENGTHS_MS.items()]
    add(connection, changed, created_ms)


def add_loose(connection: sqlite3.Connection, span: Mapping[str, int], created_ms: int) -> None:
    """So have those that what is loose of some parts of a minute lies in."""
    loose = connection.execute(f"SELECT id FROM checks WHERE {OF_PART}", span).fetchall()
    add_late(connection, [key for (key,) in loose], created_ms)


def add_all(connection: sqlite3.Connection, created_ms: int) -> None:
    """Every hour and day is due."""
    connection.execute("DELETE FROM rollups_due")
    for table, length_ms in LENGTHS_MS.items():
        steps = {"step": first_key(length_ms), "sites": PART_SITES, "length_ms": length_ms, "created_ms": created_ms}
        connection.execute(ADD_ALL.format(table=table), steps)


def delete_some(connection: sqlite3.Connection, before_ms: int) -> bool:
    """`rollups.delete_some`; what it deletes is not delivered any more."""
    deleted = rollups.delete_some(connection, before_ms)
    if deleted:
        for table in TABLES:
            connection.execute(f"DELETE FROM rollups_due WHERE {OVER}", _over(table, before_ms))
    return deleted


def waiting(connection: sqlite3.Connection) -> tuple[int, int | None]:
    """How many are due, and since when the oldest is."""
    query = f"SELECT COUNT(*), MIN(created_ms) FROM rollups_due WHERE {OVER}"
    packed_until_ms = position.load(connection).minute_ms
    found = [connection.execute(query, _over(table, packed_until_ms)).fetchone() for table in TABLES]
    return sum(count for count, _ in found), min((oldest for _, oldest in found if oldest is not None), default=None)


def next_blocks(connection: sqlite3.Connection, limit: int) -> list[RolledBlock]:
    """The oldest ones, up to `limit` of them; all of one hour at once, if that is not too many."""
    query = f"SELECT id, version FROM rollups_due WHERE {OVER} ORDER BY id LIMIT :limit"
    packed_until_ms = position.load(connection).minute_ms
    for table in TABLES:
        found = connection.execute(query, _over(table, packed_until_ms) | {"limit": limit}).fetchall()
        if len(found) == limit:
            last_ms = found[-1][0] >> SITE_BITS
            found = [row for row in found if row[0] >> SITE_BITS < last_ms] or found
        if found:
            return [_block(connection, table, *row) for row in found]
    return []


def settle(connection: sqlite3.Connection, blocks: Iterable[RolledBlock]) -> None:
    """These were delivered; what has changed meanwhile stays due."""
    delete = "DELETE FROM rollups_due WHERE length_ms = ? AND id = ? AND version = ?"
    keys = [
        (LENGTHS_MS[block.table], first_key(block.start_ms) | block.part * PART_SITES, block.version) for block in blocks
    ]
    connection.executemany(delete, keys)


def _over(table: str, at_ms: int) -> dict[str, int]:
    """Those whose end is not after this moment."""
    length_ms = LENGTHS_MS[table]
    return {"length_ms": length_ms, "end": first_key(max(0, at_ms - length_ms + 1))}


def _block(connection: sqlite3.Connection, table: str, key: int, version: int) -> RolledBlock:
    start_ms, first_site = key >> SITE_BITS, key & SITE_MASK
    stored = connection.execute(f"SELECT * FROM {table} WHERE id BETWEEN ? AND ?", (key, key + PART_SITES - 1))
    parts: dict[int, list[Row]] = {site - key: [tuple(values)] for site, *values in stored}
    for one, *values in rollups.of_checks(_loose(connection, key, LENGTHS_MS[table])):
        parts.setdefault((one & SITE_MASK) - first_site, []).append(tuple(values))
    rows = tuple((place, *rollups.merge(parts[place])) for place in sorted(parts))
    return RolledBlock(table, start_ms, first_site // PART_SITES, due.hosts_of_part(connection, first_site), rows, version)


def _loose(connection: sqlite3.Connection, key: int, length_ms: int) -> Sequence[Row]:
    """The checks that came late."""
    first_site = key & SITE_MASK
    span = {
        "first": key - first_site,
        "last": key - first_site + first_key(length_ms),
        "first_site": first_site,
        "last_site": first_site + PART_SITES - 1,
    }
    return connection.execute(f"SELECT {RESULT_COLUMNS} FROM checks WHERE {OF_PART} ORDER BY id", span).fetchall()
