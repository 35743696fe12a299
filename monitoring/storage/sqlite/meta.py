"""Single values that the local file keeps."""

import sqlite3
from collections.abc import Mapping
from enum import Enum


class Value(Enum):
    """Their names. All but the marker and the notice are numbers; 0 as long as nothing has been said."""

    MARKER = "marker"
    SUMMARISED_MS = "summarised_ms"
    DELIVERY = "delivery"
    DELIVERED_NEWEST_MS = "delivered_newest_ms"
    DELIVERED_SUMMARISED_MS = "delivered_summarised_ms"
    EXPIRED = "expired"
    ALERTS_FROM_MS = "alerts_from_ms"
    NOTICE = "notice"


MEANINGS: Mapping[Value, str] = {
    Value.MARKER: "the name of this file, by which a database knows it",
    Value.SUMMARISED_MS: "every minute before this moment has its summaries",
    Value.DELIVERY: "the last outbox entry that was delivered",
    Value.DELIVERED_NEWEST_MS: "the newest time of a check or alert that was delivered",
    Value.DELIVERED_SUMMARISED_MS: "the end of the newest minute whose summaries were delivered",
    Value.EXPIRED: "how many checks grew too old before any database had them",
    Value.NOTICE: "what is to be said at the next start, a text",
    Value.ALERTS_FROM_MS: "alerts before this moment have been deleted",
}


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
