"""Where the checks of a span of time are read: in table `checks`, and in what 1.1.0 has left."""

import sqlite3
from collections.abc import Collection, Sequence

from monitoring.models import Window
from monitoring.storage.sqlite import blocks_1_1
from monitoring.storage.sqlite.schema import CHECK_COLUMNS, SITE_BITS, SITE_MASK, Row


def source(connection: sqlite3.Connection, parts: Sequence[Window]) -> str:
    """The table (or view) that has the checks of these spans, until the next call."""
    return blocks_1_1.source(connection, parts) if blocks_1_1.exist(connection) else "checks"


def ends(connection: sqlite3.Connection) -> tuple[int, int]:
    """About the times of the oldest and of the newest check; the first one is later when there is none."""
    oldest, newest = connection.execute("SELECT (SELECT MIN(id) FROM checks), (SELECT MAX(id) FROM checks)").fetchone()
    found = [] if oldest is None else [(oldest >> SITE_BITS, newest >> SITE_BITS)]
    if blocks_1_1.exist(connection) and (packed := blocks_1_1.ends(connection)):
        found.append(packed)
    return min((first for first, _ in found), default=0), max((last for _, last in found), default=-1)


def stored_among(connection: sqlite3.Connection, keys: Collection[int]) -> set[int]:
    """Those of these keys whose checks are stored."""
    query = "SELECT 1 FROM checks WHERE id = ?"
    found = {key for key in keys if connection.execute(query, (key,)).fetchone()}
    if found != set(keys) and blocks_1_1.exist(connection):
        found |= blocks_1_1.stored_among(connection, keys)
    return found


def some(connection: sqlite3.Connection, first: int, last: int, site: int | None, limit: int) -> list[Row]:
    """`CHECK_COLUMNS` of the first checks, up to `limit`, with keys from `first` to `last`, of a site or of all."""
    of_site = "" if site is None else f"AND id & {SITE_MASK} = {site}"
    packed: list[Row] = []
    if blocks_1_1.exist(connection):
        packed, last = blocks_1_1.some(connection, first, last, site, limit)
    query = f"SELECT {CHECK_COLUMNS} FROM checks WHERE id BETWEEN ? AND ? {of_site} ORDER BY id LIMIT ?"
    found = connection.execute(query, (first, last, limit)).fetchall()
    if not packed:
        return found
    return sorted([*found, *packed])[:limit]
