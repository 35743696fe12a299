"""Packs minutes that are over, in small steps between two commits: nobody waits for it.

A step packs the checks of one part (a hundred sites) in memory. What some parts have come to is then stored in one
step, and their checks leave the table: in one pass over its pages instead of one for each part. What is in memory is
only work done ahead; a monitor that ends between two steps does it again.

On the way every check is folded into its site's `History`, which so stands in the file whole, however long it is.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from monitoring.models import History
from monitoring.store import due, histories, outbox, packing, position, rolledblocks, rollups, schema
from monitoring.store.blocks import MINUTE_MS, PART_SITES, PackedChecks, SiteColumns, block_key, encode
from monitoring.store.position import Position
from monitoring.store.schema import SITE_BITS, SITE_MASK, Row, first_key

SETTLED_MS = 15_000
"""A minute is packed this long after its end. What comes later still stays in `checks`, where it is found as well."""

PARTS_AT_ONCE = 3
"""How many parts are stored in one step, which then takes about as long as one that packs."""

# The site's number first: for nine rows in ten it says no before the row is read.
SPAN = f"""
id >= :first AND id < :last AND (id & {SITE_MASK}) BETWEEN :first_site AND :last_site
    AND batch <= :batch AND {packing.FITS}
"""


@dataclass(frozen=True, slots=True)
class Packed:
    """What a part of a minute was packed to: rows of `minutes` and `blocks`, and where its sites stand then.

    `rolled` is what it adds to hours and days.
    """

    checks: int = 0
    minutes: Sequence[Row] = ()
    rolled: Sequence[Row] = ()
    blocks: Sequence[Row] = ()
    histories: Mapping[int, History] = field(default_factory=dict)


class Packer:
    """Works on the one connection that writes, within its transactions."""

    def __init__(self) -> None:
        self._begun: Position | None = None
        self._parts: list[Packed] = []

    def step(self, connection: sqlite3.Connection, last_site: int, now_ms: int) -> bool:
        """Pack or store the next parts of the oldest minute that is over, up to this site; False when there is none."""
        self._begun = begun = self._begun or _begin(connection, now_ms)
        if begun is None:
            return False
        reached = replace(begun, site=begun.site + len(self._parts) * PART_SITES)
        is_last = reached.site > last_site
        if is_last or len(self._parts) == PARTS_AT_ONCE:
            parts, self._parts, self._begun = self._parts, [], None  # before the commit, which can fail
            if _have_changed(connection, begun, parts):
                return True
            _store(connection, begun, parts, now_ms)
            position.save(connection, Position(begun.minute_ms + MINUTE_MS) if is_last else reached)
        else:
            self._parts.append(_pack(connection, reached))
        return True


def _begin(connection: sqlite3.Connection, now_ms: int) -> Position | None:
    """Where to go on: in a minute that was stored in part, or in the next one that has checks, if it is over."""
    reached = position.load(connection)
    if reached.site:
        return reached
    query = "SELECT MIN(id) FROM checks WHERE id >= ?"
    oldest = connection.execute(query, (first_key(reached.minute_ms),)).fetchone()[0]
    if oldest is None:
        return None
    minute_ms = block_key(oldest) >> SITE_BITS
    if minute_ms + MINUTE_MS + SETTLED_MS > now_ms:
        return None
    return Position(minute_ms, 0, outbox.last_batch(connection))


def _span(at: Position, parts: int) -> dict[str, int]:
    """The bounds of the checks of so many parts that are to be packed."""
    return {
        "first": first_key(at.minute_ms),
        "last": first_key(at.minute_ms + MINUTE_MS),
        "first_site": at.site,
        "last_site": at.site + parts * PART_SITES - 1,
        "batch": at.batch,
    }


def _pack(connection: sqlite3.Connection, at: Position) -> Packed:
    query = f"SELECT {schema.RESULT_COLUMNS} FROM checks WHERE {SPAN} ORDER BY id"
    rows = connection.execute(query, _span(at, 1)).fetchall()
    if not rows:
        return Packed()
    checks = SiteColumns.of(rows)
    known = histories.load(connection, at.site, at.site + PART_SITES - 1)
    minutes = [(first_key(at.minute_ms) | site, *values) for site, *values in packing.add_up_sites(at.minute_ms, checks)]
    return Packed(
        checks=len(rows),
        minutes=minutes,
        rolled=rollups.of_minutes(minutes),
        blocks=[(at.key, len(rows), encode(checks, at.site))],
        histories={
            span.site: histories.fold(known.get(span.site), checks.rows[span.first : span.last]) for span in checks.spans
        },
    )


def _have_changed(connection: sqlite3.Connection, at: Position, parts: Sequence[Packed]) -> bool:
    """Was one of their checks written again since they were packed? Then it is a new one, and stays loose."""
    query = f"SELECT COUNT(*) FROM checks WHERE {SPAN}"
    count = connection.execute(query, _span(at, len(parts))).fetchone()[0]
    return bool(count != sum(part.checks for part in parts))


def _store(connection: sqlite3.Connection, at: Position, parts: Sequence[Packed], now_ms: int) -> None:
    """Put what was packed in the place of its checks."""
    span = _span(at, len(parts))
    outbox.cover(connection, span["first"], span["last"])
    connection.execute(f"DELETE FROM checks WHERE {SPAN}", span)
    for part in parts:
        connection.executemany(schema.INSERT_MINUTE, part.minutes)
        rolledblocks.add(connection, rollups.add(connection, part.rolled), now_ms)
        connection.executemany("INSERT INTO blocks VALUES (?, ?, ?)", part.blocks)
        histories.save(connection, part.histories)
    due.grow(connection, [key for part in parts for key, *_ in part.blocks], now_ms)
    due.add_loose(connection, span, now_ms)
    rolledblocks.add_loose(connection, span, now_ms)


def already_packed(connection: sqlite3.Connection, keys: Iterable[int]) -> set[int]:
    """Those of these keys whose checks are packed: a point that is written twice is one point."""
    wanted = set(keys)
    packed: set[int] = set()
    for block in {block_key(key) for key in wanted}:
        for (data,) in connection.execute("SELECT data FROM blocks WHERE id = ?", (block,)):
            packed.update(PackedChecks(data).keys(block))
    return wanted & packed
