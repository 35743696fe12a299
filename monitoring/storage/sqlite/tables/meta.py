"""Single values of the local file, in table `meta`."""

import sqlite3
from enum import Enum


class Value(Enum):
    """Their keys. All but the markers and the notice are numbers, 0 when absent."""

    MARKER = "marker"  # identifies this file in a database
    SUMMARISED_MS = "summarised_ms"  # all minutes before this moment are summarised
    DELIVERY = "delivery"  # the newest delivered outbox entry
    DELIVERED_NEWEST_MS = "delivered_newest_ms"  # the newest time of a delivered check or alert
    DELIVERED_SUMMARISED_MS = "delivered_summarised_ms"  # the end of the newest minute with delivered summaries
    EXPIRED = "expired"  # how many checks expired before any database had them
    ALERTS_FROM_MS = "alerts_from_ms"  # older alerts are deleted, except the newest of each site
    FORMER_MARKER = "former_marker"  # the file whose 1.1.0 summaries the database still has
    NOTICE = "notice"  # to be said at the next start


def number(connection: sqlite3.Connection, value: Value) -> int:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (value.value,)).fetchone()
    return int(row[0]) if row else 0


def text(connection: sqlite3.Connection, value: Value) -> str:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (value.value,)).fetchone()
    return str(row[0]) if row else ""


def put(connection: sqlite3.Connection, value: Value, new: int | str) -> None:
    connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (value.value, new))


def raise_to(connection: sqlite3.Connection, value: Value, new: int) -> None:
    """Set it, unless it is greater."""
    if new > number(connection, value):
        put(connection, value, new)


def remove(connection: sqlite3.Connection, value: Value) -> None:
    connection.execute("DELETE FROM meta WHERE key = ?", (value.value,))
