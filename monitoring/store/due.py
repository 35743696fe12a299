"""Blocks whose copy in the database is missing or out of date.

Blocks are packed in the order of their keys and delivered in it, so one mark tells of nearly all of them: those before
it were delivered. `blocks_due` names the ones that changed after they were, or while they were on their way.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

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

COUNT = "SELECT COUNT(*) FROM blocks INDEXED BY block_sizes WHERE id >= ? AND id < ?"

NAME = "blocks delivered"


@dataclass(frozen=True, slots=True)
class Mark:
    """Blocks with keys before `until` were delivered; `blocks` from there on were not, the oldest since `since_ms`.

    `version` is that of every block that is not in `blocks_due`; another one after each requeue and each start.
    """

    until: int = 0
    version: int = 0
    blocks: int = 0
    since_ms: int | None = None


def load(connection: sqlite3.Connection) -> Mark:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (NAME,)).fetchone()
    return Mark(**json.loads(row[0])) if row else Mark()


def _save(connection: sqlite3.Connection, mark: Mark) -> None:
    if not mark.blocks:
        mark = replace(mark, since_ms=None)
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (NAME, json.dumps(asdict(mark))))


def begin(connection: sqlite3.Connection) -> None:
    """A process starts: what an earlier one had on its way counts for nothing."""
    _save(connection, replace(load(connection), version=_random(connection)))


def _random(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT random()").fetchone()[0])


def grow(connection: sqlite3.Connection, keys: Sequence[int], now_ms: int) -> None:
    """The blocks with these keys were packed; some may lie before the mark, where something was given up."""
    mark = load(connection)
    ahead = sum(key >= mark.until for key in keys)
    since_ms = now_ms if mark.since_ms is None else mark.since_ms
    _save(connection, replace(mark, blocks=mark.blocks + ahead, since_ms=since_ms))
    add_changed(connection, keys, now_ms, handed_out=0)


def shrink(connection: sqlite3.Connection, first: int, end: int) -> None:
    """The blocks with the keys `first <= key < end` are about to be deleted."""
    mark = load(connection)
    gone = connection.execute(COUNT, (max(first, mark.until), end)).fetchone()[0]
    if gone:
        _save(connection, replace(mark, blocks=mark.blocks - gone))


def give_up(connection: sqlite3.Connection, end: int) -> None:
    """The blocks with keys before `end` are about to be deleted, whether they were delivered or not."""
    shrink(connection, 0, end)
    mark = load(connection)
    _save(connection, replace(mark, until=max(mark.until, end)))
    connection.execute("DELETE FROM blocks_due WHERE id < ?", (end,))


def add_changed(connection: sqlite3.Connection, keys: Iterable[int], created_ms: int, handed_out: int) -> None:
    """The blocks with these keys have changed; those up to the key `handed_out` may be on their way."""
    sent_until = max(load(connection).until, handed_out + 1)
    connection.executemany(ADD, [(key, created_ms) for key in keys if key < sent_until])


def add_late(connection: sqlite3.Connection, keys: Iterable[int], created_ms: int, handed_out: int) -> None:
    """The same by checks that came late; some of these blocks may not exist yet: then nothing else tells of them."""
    wanted = set(keys)
    query = "SELECT 1 FROM blocks INDEXED BY block_sizes WHERE id = ?"
    new = {key for key in wanted if not connection.execute(query, (key,)).fetchone()}
    connection.executemany(ADD, [(key, created_ms) for key in new])
    add_changed(connection, wanted - new, created_ms, handed_out)


def add_loose(connection: sqlite3.Connection, span: Mapping[str, int], created_ms: int) -> None:
    """Some parts of a minute were packed; the blocks of what came meanwhile and stayed loose tell of that too."""
    query = f"SELECT DISTINCT {BLOCK_KEY} {LOOSE}"
    found = connection.execute(query, {**span, "sites": PART_SITES}).fetchall()
    add_late(connection, [key for (key,) in found], created_ms, handed_out=0)


def add_all(connection: sqlite3.Connection, created_ms: int, packed_until: int) -> None:
    """Every block is due; `packed_until` is the first key that is not packed yet."""
    connection.execute("DELETE FROM blocks_due")
    late = f"SELECT DISTINCT {BLOCK_KEY} AS block FROM checks WHERE {BLOCK_KEY} < :until AND {packing.FITS}"
    unpacked = f"SELECT block FROM ({late}) WHERE block NOT IN (SELECT id FROM blocks)"
    connection.execute(
        f"INSERT INTO blocks_due SELECT block, random(), :created_ms FROM ({unpacked})",
        {"created_ms": created_ms, "until": packed_until, "sites": PART_SITES},
    )
    blocks = connection.execute("SELECT COUNT(*) FROM blocks INDEXED BY block_sizes").fetchone()[0]
    _save(connection, Mark(version=_random(connection), blocks=blocks, since_ms=created_ms))


def waiting(connection: sqlite3.Connection) -> tuple[int, int | None]:
    """About how many blocks are due, and since when the oldest is."""
    mark = load(connection)
    count, oldest = connection.execute(
        "SELECT COUNT(*), (SELECT MIN(created_ms) FROM blocks_due) FROM blocks_due"
    ).fetchone()
    return count + mark.blocks, min((at for at in (oldest, mark.since_ms) if at is not None), default=None)


def next_blocks(connection: sqlite3.Connection, limit: int) -> list[MinuteBlock]:
    """The oldest ones, up to `limit` of them."""
    mark = load(connection)
    query = "SELECT id FROM blocks INDEXED BY block_sizes WHERE id >= ? ORDER BY id LIMIT ?"
    versions = {key: mark.version for (key,) in connection.execute(query, (mark.until, limit))}
    versions |= connection.execute("SELECT id, version FROM blocks_due ORDER BY id LIMIT ?", (limit,)).fetchall()
    return [_block(connection, key, versions[key]) for key in sorted(versions)[:limit]]


def settle(connection: sqlite3.Connection, blocks: Iterable[MinuteBlock]) -> None:
    """These, all that `next_blocks` gave, were delivered; what has changed meanwhile stays due."""
    mark = load(connection)
    until = mark.until
    for block in blocks:
        key = key_of(block)
        deleted = connection.execute("DELETE FROM blocks_due WHERE id = ? AND version = ?", (key, block.version)).rowcount
        if deleted or block.version == mark.version:
            until = max(until, key + 1)
    if until > mark.until:
        sent = connection.execute(COUNT, (mark.until, until)).fetchone()[0]
        _save(connection, replace(mark, until=until, blocks=mark.blocks - sent))


def key_of(block: MinuteBlock) -> int:
    return first_key(block.minute_ms) | block.part * PART_SITES


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
    else:  # nothing at all is left of one that was purged
        data, sums = stored[0] if stored else b"", _stored_sums(connection, key)
    return MinuteBlock(minute_ms, site // PART_SITES, hosts_of_part(connection, site), tuple(sums), data, version)


def _repacked(minute_ms: int, first_site: int, checks: SiteColumns) -> tuple[bytes, list[Row]]:
    sums = [(site - first_site, *values) for site, *values in packing.add_up_sites(minute_ms, checks)]
    return encode(checks, first_site), sums


def _stored_sums(connection: sqlite3.Connection, key: int) -> list[Row]:
    rows = connection.execute("SELECT * FROM minutes WHERE id BETWEEN ? AND ?", (key, key + PART_SITES - 1))
    return [(row[0] - key, *row[1:]) for row in rows]


def hosts_of_part(connection: sqlite3.Connection, first_site: int) -> tuple[str, ...]:
    """By place; an empty name where there is no such site (any more)."""
    query = "SELECT id, host FROM sites WHERE id BETWEEN ? AND ?"
    hosts = dict(connection.execute(query, (first_site, first_site + PART_SITES - 1)))
    return tuple(hosts.get(site, "") for site in range(first_site, max(hosts, default=first_site - 1) + 1))
