"""Blocks whose copy in the database is missing or out of date."""

import sqlite3
from collections.abc import Iterable, Mapping

from monitoring.store import packing, schema
from monitoring.store.blocks import MINUTE_MS, PART_SITES, MinuteBlock, PackedChecks, SiteColumns, encode
from monitoring.store.schema import SITE_BITS, SITE_MASK, Row, first_key

# A random version is another one than any that is on its way, also after a requeue or a restart.
ADD = """
INSERT INTO blocks_due VALUES (?, random(), ?) ON CONFLICT (id) DO UPDATE SET version = excluded.version
"""

BLOCK_KEY = f"id - (id >> {SITE_BITS}) % {MINUTE_MS} * {1 << SITE_BITS} - (id & {SITE_MASK}) % :sites"
"""`blocks.block_key` in SQL."""

LOOSE = f"""
FROM checks WHERE id >= :first AND id < :last AND (id & {SITE_MASK}) BETWEEN :first_site AND :last_site AND {packing.FITS}
"""
"""What of some parts of a minute is not packed."""


def add(connection: sqlite3.Connection, keys: Iterable[int], created_ms: int) -> None:
    """The blocks with these keys have changed."""
    connection.executemany(ADD, [(key, created_ms) for key in keys])


def add_loose(connection: sqlite3.Connection, span: Mapping[str, int], created_ms: int) -> None:
    """Some parts of a minute were packed; the blocks of what came meanwhile and stayed loose tell of that too."""
    query = f"SELECT DISTINCT {BLOCK_KEY} {LOOSE}"
    add(connection, [key for (key,) in connection.execute(query, {**span, "sites": PART_SITES}).fetchall()], created_ms)


def add_all(connection: sqlite3.Connection, created_ms: int, packed_until: int) -> None:
    """Every block is due; `packed_until` is the first key that is not packed yet."""
    connection.execute("DELETE FROM blocks_due")
    late = f"SELECT DISTINCT {BLOCK_KEY} FROM checks WHERE {BLOCK_KEY} < :until AND {packing.FITS}"
    connection.execute(
        f"INSERT INTO blocks_due SELECT id, random(), :created_ms FROM (SELECT id FROM blocks UNION {late})",
        {"created_ms": created_ms, "until": packed_until, "sites": PART_SITES},
    )


def waiting(connection: sqlite3.Connection) -> tuple[int, int | None]:
    """How many blocks are due, and since when the oldest is."""
    count, oldest = connection.execute(
        "SELECT COUNT(*), (SELECT MIN(created_ms) FROM blocks_due) FROM blocks_due"
    ).fetchone()
    return count, oldest


def next_blocks(connection: sqlite3.Connection, limit: int) -> list[MinuteBlock]:
    """The oldest ones, up to `limit` of them."""
    rows = connection.execute("SELECT id, version FROM blocks_due ORDER BY id LIMIT ?", (limit,)).fetchall()
    return [_block(connection, key, version) for key, version in rows]


def settle(connection: sqlite3.Connection, blocks: Iterable[MinuteBlock]) -> None:
    """These were delivered; what has changed meanwhile stays due."""
    keys = [(first_key(block.minute_ms) | block.part * PART_SITES, block.version) for block in blocks]
    connection.executemany("DELETE FROM blocks_due WHERE id = ? AND version = ?", keys)


def _block(connection: sqlite3.Connection, key: int, version: int) -> MinuteBlock:
    minute_ms, site = key >> SITE_BITS, key & SITE_MASK
    stored = connection.execute("SELECT data FROM blocks WHERE id = ?", (key,)).fetchone()
    bounds = {
        "first": first_key(minute_ms),
        "last": first_key(minute_ms + MINUTE_MS),
        "first_site": site,
        "last_site": site + PART_SITES - 1,
    }
    late = connection.execute(f"SELECT {schema.RESULT_COLUMNS} {LOOSE}", bounds).fetchall()
    if late:
        packed = PackedChecks(stored[0]).rows(minute_ms, site) if stored else []
        data, sums = _repacked(minute_ms, site, SiteColumns.of([*packed, *late]))
    else:
        data, sums = stored[0], _stored_sums(connection, key)
    return MinuteBlock(minute_ms, site // PART_SITES, _hosts(connection, site), tuple(sums), data, version)


def _repacked(minute_ms: int, first_site: int, checks: SiteColumns) -> tuple[bytes, list[Row]]:
    sums = [(site - first_site, *values) for site, *values in packing.add_up_sites(minute_ms, checks)]
    return encode(checks, first_site), sums


def _stored_sums(connection: sqlite3.Connection, key: int) -> list[Row]:
    rows = connection.execute("SELECT * FROM minutes WHERE id BETWEEN ? AND ?", (key, key + PART_SITES - 1))
    return [(row[0] - key, *row[1:]) for row in rows]


def _hosts(connection: sqlite3.Connection, first_site: int) -> tuple[str, ...]:
    """By place; an empty name where there is no such site."""
    query = "SELECT id, host FROM sites WHERE id BETWEEN ? AND ?"
    hosts = dict(connection.execute(query, (first_site, first_site + PART_SITES - 1)))
    return tuple(hosts.get(site, "") for site in range(first_site, max(hosts, default=first_site - 1) + 1))
