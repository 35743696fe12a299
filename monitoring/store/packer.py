"""Packs minutes that are over, a few sites at a time, between two commits: nobody waits for it.

On the way every check is folded into its site's `History`, which so stands in the file whole, however long it is.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from monitoring.models import History
from monitoring.states import advance
from monitoring.store import outbox, packing, schema
from monitoring.store.packing import MINUTE_MS
from monitoring.store.schema import CAUSE, SITE_MASK, Row, first_key

SETTLED_MS = 15_000
"""A minute is packed this long after its end. What comes later still stays in `checks`, where it is found as well."""

SITES_A_STEP = 100

MINUTE_CHECKS = f"""
SELECT {schema.RESULT_COLUMNS} FROM checks
WHERE id >= :first AND id < :last AND batch <= :batch
    AND (id & {SITE_MASK}) >= :first_site AND (id & {SITE_MASK}) < :last_site
"""


@dataclass(frozen=True, slots=True)
class Position:
    """All minutes before `minute_ms` are packed, and of this one all sites before `site`.

    `batch` is the last commit that was there when this minute was begun. Later ones stay loose: their outbox entries
    must find them.
    """

    minute_ms: int = 0
    site: int = 0
    batch: int = 0


def step(connection: sqlite3.Connection, hosts: Mapping[int, str], now_ms: int) -> bool:
    """Pack the next sites of the oldest minute that is over; False when there is none. Within a transaction."""
    position = _load_position(connection)
    if position.site == 0:
        begun = _begin_minute(connection, position, now_ms)
        if begun is None:
            return False
        position = begun
    _pack_sites(connection, hosts, position)
    if position.site + SITES_A_STEP > max(hosts, default=0):
        _save_position(connection, Position(position.minute_ms + MINUTE_MS))
    else:
        _save_position(connection, replace(position, site=position.site + SITES_A_STEP))
    return True


def _begin_minute(connection: sqlite3.Connection, position: Position, now_ms: int) -> Position | None:
    """The next minute that has checks, if it is over; the outbox is told that its commits' numbers will go."""
    query = "SELECT MIN(id) FROM checks WHERE id >= ?"
    oldest = connection.execute(query, (first_key(position.minute_ms),)).fetchone()[0]
    if oldest is None:
        return None
    minute_ms = packing.minute_key(oldest) >> schema.SITE_BITS
    if minute_ms + MINUTE_MS + SETTLED_MS > now_ms:
        return None
    outbox.cover(connection, first_key(minute_ms), first_key(minute_ms + MINUTE_MS))
    return Position(minute_ms, 0, outbox.last_batch(connection))


def _load_position(connection: sqlite3.Connection) -> Position:
    row = connection.execute("SELECT value FROM meta WHERE key = 'packed until'").fetchone()
    return Position(**json.loads(row[0])) if row else Position()


def _save_position(connection: sqlite3.Connection, position: Position) -> None:
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('packed until', ?)", (json.dumps(asdict(position)),))


def _pack_sites(connection: sqlite3.Connection, hosts: Mapping[int, str], position: Position) -> None:
    by_site: dict[int, list[Row]] = {}
    for row in connection.execute(MINUTE_CHECKS, _span(position)):
        by_site.setdefault(row[0] & SITE_MASK, []).append(row)
    _keep_histories(connection, by_site, hosts)
    packable = {site: rows for site, rows in by_site.items() if packing.can_pack(rows)}
    minutes = [(first_key(position.minute_ms) | site, *packing.pack(rows)) for site, rows in packable.items()]
    connection.executemany(schema.INSERT_MINUTE, minutes)
    packed = [(row[0],) for rows in packable.values() for row in rows]
    connection.executemany("DELETE FROM checks WHERE id = ?", packed)


def _span(position: Position) -> dict[str, int]:
    """The bounds of one step: its minute, its sites, its commits."""
    return {
        "first": first_key(position.minute_ms),
        "last": first_key(position.minute_ms + MINUTE_MS),
        "first_site": position.site,
        "last_site": position.site + SITES_A_STEP,
        "batch": position.batch,
    }


def _keep_histories(connection: sqlite3.Connection, by_site: Mapping[int, Sequence[Row]], hosts: Mapping[int, str]) -> None:
    known = load_histories(connection, min(by_site, default=0), max(by_site, default=0))
    rows = [(json.dumps(asdict(fold(known.get(site), rows, hosts))), site) for site, rows in by_site.items()]
    connection.executemany("UPDATE sites SET history = ? WHERE id = ?", rows)


def already_packed(connection: sqlite3.Connection, keys: Iterable[int]) -> set[int]:
    """Those of these keys whose checks are packed: a point that is written twice is one point."""
    position = _load_position(connection)
    late = {key for key in keys if key < first_key(position.minute_ms + (MINUTE_MS if position.site else 0))}
    packed = set()
    for packed_as in {packing.minute_key(key) for key in late}:
        for (data,) in connection.execute("SELECT packed FROM minutes WHERE id = ?", (packed_as,)):
            packed |= {row[0] for row in packing.unpacked_rows(packed_as, data, packing.EVER)}
    return late & packed


def load_histories(connection: sqlite3.Connection, first: int = 0, last: int = SITE_MASK) -> dict[int, History]:
    """Where each of the sites `first` to `last` stood at the end of what is packed."""
    query = "SELECT id, history FROM sites WHERE id BETWEEN ? AND ? AND history IS NOT NULL"
    rows = connection.execute(query, (first, last))
    return {site: History(**json.loads(history)) for site, history in rows}


def histories(connection: sqlite3.Connection, hosts: Mapping[int, str]) -> dict[int, History]:
    """Where each site stands: at the end of what is packed, and then by what is not."""
    position = _load_position(connection)
    found = load_histories(connection)
    query = f"SELECT {schema.RESULT_COLUMNS} FROM checks WHERE id >= ? ORDER BY id"
    for row in connection.execute(query, (first_key(position.minute_ms),)):
        site = row[0] & SITE_MASK
        found[site] = fold(found.get(site), [row], hosts)
    return found


def fold(history: History | None, rows: Sequence[Row], hosts: Mapping[int, str]) -> History:
    """The history after these checks as well; checks that are in it already change nothing."""
    if history is not None and all((row[CAUSE] is None) == history.last_available for row in rows):
        rows = rows[-1:]  # a run that only goes on: its last check says it all
    for row in rows:
        check = schema.result_from_row(row, hosts)
        if history is None or check.time_ms > history.last_ms:
            history = advance(history, check)
    if history is None:
        raise ValueError("no checks to fold")
    return history
