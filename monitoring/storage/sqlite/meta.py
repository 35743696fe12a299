"""Single values that the local file keeps."""

import sqlite3
from enum import Enum


class Value(Enum):
    """What they are called. All but the markers and the notice are numbers; 0 as long as nothing has been said."""

    MARKER = "marker"  # the name of this file, by which a database knows it
    SUMMARISED_MS = "summarised_ms"  # every minute before this moment has its summaries
    DELIVERY = "delivery"  # the newest outbox entry that was delivered
    DELIVERED_NEWEST_MS = "delivered_newest_ms"  # the newest time of a check or alert that was delivered
    DELIVERED_SUMMARISED_MS = "delivered_summarised_ms"  # the end of the newest minute whose summaries were delivered
    EXPIRED = "expired"  # how many checks grew too old before any database had them
    ALERTS_FROM_MS = "alerts_from_ms"  # alerts before this moment have been deleted, but for the newest ones
    FORMER_MARKER = "former_marker"  # of which file there still are, in the database, summaries as 1.1.0 sent them
    NOTICE = "notice"  # what is to be said at the next start


def number(connection: sqlite3.Connection, value: Value) -> int:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (value.value,)).fetchone()
    return int(row[0]) if row else 0


def text(connection: sqlite3.Connection, value: Value) -> str:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (value.value,)).fetchone()
    return str(row[0]) if row else ""


def put(connection: sqlite3.Connection, value: Value, new: int | str) -> None:
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (value.value, new))


def raise_to(connection: sqlite3.Connection, value: Value, new: int) -> None:
    """Set it, unless it is greater already."""
    if new > number(connection, value):
        put(connection, value, new)


def remove(connection: sqlite3.Connection, value: Value) -> None:
    connection.execute("DELETE FROM meta WHERE key = ?", (value.value,))
