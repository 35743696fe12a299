"""What is too old leaves the local file, oldest first, in steps of a few milliseconds.

First an hour's entries leave the outbox, and what no database has had of it is counted; then its rows go. Checks and
minutes are kept equally long, hours and days as long as alerts. Freed pages are used again, so the file does not grow
beyond what its retention holds; it is not made smaller, which would move pages about for nothing.
"""

import sqlite3

from monitoring.models import Window
from monitoring.statistics.summary import Span
from monitoring.storage.sqlite import blocks_1_1, meta, notifications, outbox, queries, rows
from monitoring.storage.sqlite.meta import Value
from monitoring.storage.sqlite.schema import SITE_BITS, SITE_MASK, first_key

BLOCKS_AT_ONCE = 20
ALERTS_AT_ONCE = 1_000

NEWEST_ALERTS = f"SELECT MAX(id) FROM alerts GROUP BY id & {SITE_MASK}"
"""However old: whether an outage is open, and which failures belong to the one before, is decided from them."""


def step(connection: sqlite3.Connection, checks_before_ms: int, alerts_before_ms: int, in_flight: int) -> bool:
    """Take the next step towards keeping nothing before these moments, in whole hours; was there one?

    Nothing that is not summarised yet goes.
    """
    summarised_ms = meta.number(connection, Value.SUMMARISED_MS)
    checks_ms = Span.HOUR.start_of(min(checks_before_ms, summarised_ms))
    rolled_ms = Span.DAY.start_of(min(checks_before_ms, alerts_before_ms, summarised_ms))
    return (
        _delete_checks(connection, checks_ms, summarised_ms, in_flight)
        or _delete_alerts(connection, Span.HOUR.start_of(alerts_before_ms))
        or any(_delete_rows(connection, table, rolled_ms) for table in ("hours", "days"))
    )


def _delete_checks(connection: sqlite3.Connection, before_ms: int, summarised_ms: int, in_flight: int) -> bool:
    """Take the next step with the oldest hour, if it lies before this moment."""
    tables = ["checks", "minutes", *(["blocks"] if blocks_1_1.exist(connection) else [])]
    firsts = " UNION ALL ".join(f"SELECT MIN(id) AS id FROM {table}" for table in tables)
    oldest = connection.execute(f"SELECT MIN(id) FROM ({firsts})").fetchone()[0]
    if oldest is None or oldest >= first_key(before_ms):
        return False
    end_ms = Span.HOUR.start_of(oldest >> SITE_BITS) + Span.HOUR.length_ms
    if expire(connection, end_ms, summarised_ms, in_flight):
        return True
    if outbox.is_waiting(connection, first_key(end_ms)):  # on its way: whether it arrives will be seen
        return False
    return any(_delete_rows(connection, table, end_ms) for table in tables)


def _delete_rows(connection: sqlite3.Connection, table: str, before_ms: int) -> bool:
    """Delete the oldest rows before this moment; were there any?"""
    end = first_key(before_ms)
    if connection.execute(f"SELECT 1 FROM {table} WHERE id < ? LIMIT 1", (end,)).fetchone() is None:
        return False
    if table == "blocks":
        oldest = f"SELECT id FROM blocks WHERE id < ? ORDER BY id LIMIT {BLOCKS_AT_ONCE}"
        connection.execute(f"DELETE FROM blocks WHERE id IN ({oldest})", (end,))
        return True
    reached = rows.delete(connection, table, 0, before_ms)
    if table in outbox.SPANS:
        _cut_entries(connection, table, reached or end, 0)
    return True


def expire(connection: sqlite3.Connection, end_ms: int, summarised_ms: int, in_flight: int) -> bool:
    """Take checks before this moment, but for those on their way, out of the outbox and count them; were there any?"""
    waiting = "kind = 'checks' AND first < ? AND entry > ?"
    query = f"SELECT first, last, points FROM outbox WHERE {waiting}"
    end = first_key(end_ms)
    found = connection.execute(query, (end, in_flight)).fetchall()
    if not found:
        return False
    lost = 0
    for first, last, points in found:
        if last < end:
            lost += points
        else:
            window = Window(first >> SITE_BITS, end_ms)
            lost += sum(queries.check_counts(connection, window, queries.hosts(connection), summarised_ms).values())
    _cut_entries(connection, "checks", end, in_flight)
    connection.execute("DELETE FROM refused WHERE kind = 'checks' AND last_ms < ?", (end_ms,))
    meta.put(connection, Value.EXPIRED, meta.number(connection, Value.EXPIRED) + lost)
    return True


def _cut_entries(connection: sqlite3.Connection, kind: str, end: int, in_flight: int) -> None:
    """Nothing before this key is to be delivered any more."""
    of_kind = "kind = ? AND first < ? AND entry > ?"
    connection.execute(f"DELETE FROM outbox WHERE {of_kind} AND last < ?", (kind, end, in_flight, end))
    connection.execute(f"UPDATE outbox SET first = ? WHERE {of_kind}", (end, kind, end, in_flight))


def _delete_alerts(connection: sqlite3.Connection, before_ms: int) -> bool:
    """Once an hour, for it reads all alerts to find the newest of each site."""
    if before_ms <= meta.number(connection, Value.ALERTS_FROM_MS):
        return False
    oldest = f"SELECT id FROM alerts WHERE id < ? AND id NOT IN ({NEWEST_ALERTS}) ORDER BY id LIMIT {ALERTS_AT_ONCE}"
    deleted = connection.execute(f"DELETE FROM alerts WHERE id IN ({oldest})", (first_key(before_ms),)).rowcount
    if deleted < ALERTS_AT_ONCE:
        notifications.delete_before(connection, before_ms)
        meta.put(connection, Value.ALERTS_FROM_MS, before_ms)
    return True
