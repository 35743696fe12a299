"""Deletes what is too old from the local file, oldest first, in steps of a few milliseconds.

Of each hour, first the outbox entries are deleted, and the checks that no database has had are counted; then the rows.
Checks and minutes are kept equally long, hours and days as long as alerts. SQLite uses freed pages again, so the file stays
as big as its retention needs. It is never made smaller, which would only move pages.
"""

import sqlite3

from monitoring.models import Window
from monitoring.statistics.summary import Span
from monitoring.storage.sqlite.tables import blocks_1_1, meta, notifications, outbox, queries, rows
from monitoring.storage.sqlite.tables.meta import Value
from monitoring.storage.sqlite.tables.schema import SITE, first_key, time_of

ALERTS_AT_ONCE = 1_000

NEWEST_ALERTS = f"SELECT MAX(id) FROM alerts GROUP BY {SITE}"
"""These stay, however old: they say whether an outage is open, and which failures belong to the outage before."""


def step(connection: sqlite3.Connection, checks_before_ms: int, alerts_before_ms: int, in_flight: int) -> bool:
    """Take the next step to delete what is older than these moments, in whole hours. False: there is none.

    What is not summarised yet stays.
    """
    summarised_ms = meta.number(connection, Value.SUMMARISED_MS)
    checks_ms = Span.HOUR.start_of(min(checks_before_ms, summarised_ms))
    rolled_ms = Span.DAY.start_of(min(checks_before_ms, alerts_before_ms, summarised_ms))
    return (
        _delete_checks(connection, checks_ms, in_flight)
        or _delete_alerts(connection, Span.HOUR.start_of(alerts_before_ms))
        or any(_delete_rows(connection, table, rolled_ms) for table in ("hours", "days"))
    )


def _delete_checks(connection: sqlite3.Connection, before_ms: int, in_flight: int) -> bool:
    """Take the next step with the oldest hour before this moment. False: there is none."""
    tables = ["checks", "minutes", *(["blocks"] if blocks_1_1.exist(connection) else [])]
    firsts = " UNION ALL ".join(f"SELECT MIN(id) AS id FROM {table}" for table in tables)
    oldest = connection.execute(f"SELECT MIN(id) FROM ({firsts})").fetchone()[0]
    if oldest is None or oldest >= first_key(before_ms):
        return False
    end_ms = Span.HOUR.start_of(time_of(oldest)) + Span.HOUR.length_ms
    if _expire(connection, end_ms, in_flight):
        return True
    if outbox.is_waiting(connection, first_key(end_ms)):  # in flight: it may still arrive
        return False
    return any(_delete_rows(connection, table, end_ms) for table in tables)


def _delete_rows(connection: sqlite3.Connection, table: str, before_ms: int) -> bool:
    """Delete the oldest rows before this moment. False: there are none."""
    end = first_key(before_ms)
    if connection.execute(f"SELECT 1 FROM {table} WHERE id < ? LIMIT 1", (end,)).fetchone() is None:
        return False
    reached = rows.delete(connection, table, 0, before_ms)
    connection.execute("DELETE FROM refused WHERE kind = ? AND last_ms < ?", (table, time_of(reached or end)))
    if table in outbox.SPANS:
        _cut_entries(connection, table, reached or end, 0)
    return True


def _expire(connection: sqlite3.Connection, end_ms: int, in_flight: int) -> bool:
    """Take checks before this moment out of the outbox, unless they are in flight, and count them. False: there are none."""
    waiting = "kind = 'checks' AND first < ? AND entry > ?"
    query = f"SELECT first, last, points FROM outbox WHERE {waiting}"
    end = first_key(end_ms)
    found = connection.execute(query, (end, in_flight)).fetchall()
    if not found:
        return False
    lost = 0
    for first, last, points in found:
        lost += points if last < end else queries.number_of_checks(connection, Window(time_of(first), end_ms))
    _cut_entries(connection, "checks", end, in_flight)
    meta.put(connection, Value.EXPIRED, meta.number(connection, Value.EXPIRED) + lost)
    return True


def _cut_entries(connection: sqlite3.Connection, kind: str, end: int, in_flight: int) -> None:
    """Take everything before this key out of the outbox."""
    of_kind = "kind = ? AND first < ? AND entry > ?"
    connection.execute(f"DELETE FROM outbox WHERE {of_kind} AND last < ?", (kind, end, in_flight, end))
    connection.execute(f"UPDATE outbox SET first = ? WHERE {of_kind}", (end, kind, end, in_flight))


def _delete_alerts(connection: sqlite3.Connection, before_ms: int) -> bool:
    """Once an hour, because this reads all alerts to find the newest of each site."""
    if before_ms <= meta.number(connection, Value.ALERTS_FROM_MS):
        return False
    oldest = f"SELECT id FROM alerts WHERE id < ? AND id NOT IN ({NEWEST_ALERTS}) ORDER BY id LIMIT {ALERTS_AT_ONCE}"
    deleted = connection.execute(f"DELETE FROM alerts WHERE id IN ({oldest})", (first_key(before_ms),)).rowcount
    if deleted < ALERTS_AT_ONCE:
        notifications.delete_before(connection, before_ms)
        meta.put(connection, Value.ALERTS_FROM_MS, before_ms)
    return True
