"""Where the checks of a span of time are read."""

import sqlite3
from collections.abc import Iterator, Sequence

from monitoring.models import Window
from monitoring.storage.sqlite.schema import CHECK_COLUMNS, SITE_BITS, SITE_MASK, Row


def source(connection: sqlite3.Connection, parts: Sequence[Window]) -> str:  # noqa: ARG001
    """The table that has the checks of these spans."""
    return "checks"


def ends(connection: sqlite3.Connection) -> tuple[int, int]:
    """The times of the oldest and of the newest check; the first one is later when there is none."""
    oldest, newest = connection.execute("SELECT (SELECT MIN(id) FROM checks), (SELECT MAX(id) FROM checks)").fetchone()
    return (0, -1) if oldest is None else (oldest >> SITE_BITS, newest >> SITE_BITS)


def some(connection: sqlite3.Connection, first: int, last: int, site: int | None, limit: int) -> Iterator[Row]:
    """`CHECK_COLUMNS` of the first checks, up to `limit`, with keys from `first` to `last`, of a site or of all."""
    of_site = "" if site is None else f"AND id & {SITE_MASK} = {site}"
    query = f"SELECT {CHECK_COLUMNS} FROM checks WHERE id BETWEEN ? AND ? {of_site} ORDER BY id LIMIT ?"
    yield from connection.execute(query, (first, last, limit))
