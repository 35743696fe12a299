"""What of the local file is still to be delivered. An entry stands for a commit: a few bytes, whatever it holds."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from monitoring.models import Alert, CheckResult
from monitoring.store import schema

REQUEUE_POINTS = 5_000
"""How many checks one entry stands for when all that is stored is to be delivered anew."""

OLDEST_MS = 0
"""Since when such an entry waits: a database that lacks everything must not be asked before it has it again."""

KEYS_AND_BATCHES = "id BETWEEN ? AND ? AND batch BETWEEN ? AND ?"


@dataclass(frozen=True, slots=True)
class Delivery:
    """Points to deliver, and the outbox entries that they settle."""

    entries: tuple[int, ...]
    results: tuple[CheckResult, ...]
    alerts: tuple[Alert, ...]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A point that the database will never take, and why. `kind` is "check" or "alert"."""

    kind: str
    host: str
    time_ms: int
    reason: str


def add(connection: sqlite3.Connection, keys: Sequence[int], created_ms: int) -> int:
    """A new entry for points with these keys; returns the batch number that they are to carry."""
    insert = "INSERT INTO outbox (created_ms, first_id, last_id, points) VALUES (?, ?, ?, ?)"
    cursor = connection.execute(insert, (created_ms, min(keys), max(keys), len(keys)))
    return int(cursor.lastrowid or 0)


def next_delivery(connection: sqlite3.Connection, limit: int) -> Delivery | None:
    """The oldest entries that together hold about `limit` points, with the points."""
    query = "SELECT batch, first_batch, last_batch, first_id, last_id, points FROM outbox ORDER BY batch LIMIT ?"
    entries = connection.execute(query, (limit,)).fetchall()
    if not entries:
        return None
    taken = _take(entries, limit)
    first_batch, last_batch = taken[0][1], taken[0][2]
    if first_batch is None:
        first_batch, last_batch = taken[0][0], taken[-1][0]
    span = (min(entry[3] for entry in taken), max(entry[4] for entry in taken), first_batch, last_batch)
    hosts = dict(connection.execute("SELECT id, host FROM sites"))
    checks = connection.execute(f"SELECT {schema.RESULT_COLUMNS} FROM checks WHERE {KEYS_AND_BATCHES}", span)
    alerts = connection.execute(f"SELECT {schema.ALERT_COLUMNS} FROM alerts WHERE {KEYS_AND_BATCHES}", span)
    return Delivery(
        entries=tuple(entry[0] for entry in taken),
        results=tuple(schema.result_from_row(row, hosts) for row in checks),
        alerts=tuple(schema.alert_from_row(row, hosts) for row in alerts),
    )


def _take(entries: Sequence[Sequence[int]], limit: int) -> Sequence[Sequence[int]]:
    """The first entries up to `limit` points; one that stands for other commits than its own goes alone."""
    points = 0
    for count, entry in enumerate(entries):
        stands_for_others = entry[1] is not None
        if count and (stands_for_others or points + entry[5] > limit):
            return entries[:count]
        if stands_for_others:
            return entries[:1]
        points += entry[5]
    return entries


def remove(connection: sqlite3.Connection, entries: Sequence[int]) -> None:
    connection.executemany("DELETE FROM outbox WHERE batch = ?", [(entry,) for entry in entries])


def bury(connection: sqlite3.Connection, letters: Sequence[DeadLetter], at_ms: int) -> None:
    rows = [(at_ms, letter.kind, letter.host, letter.time_ms, letter.reason) for letter in letters]
    connection.executemany("INSERT INTO dead_letters VALUES (?, ?, ?, ?, ?)", rows)


def dead_letters(connection: sqlite3.Connection) -> Sequence[DeadLetter]:
    query = "SELECT kind, host, time_ms, reason FROM dead_letters ORDER BY at_ms, time_ms"
    return [DeadLetter(*row) for row in connection.execute(query)]


def requeue(connection: sqlite3.Connection) -> int:
    """Replace the outbox by entries for everything stored; returns how many points that is."""
    newest = connection.execute("SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
    last_batch = newest[0] if newest else 0
    connection.execute("DELETE FROM outbox")
    total, first = 0, 0
    while points := _points_from(connection, first):
        count, last = points
        row = (OLDEST_MS, 0, last_batch, first, last, count)
        columns = "created_ms, first_batch, last_batch, first_id, last_id, points"
        connection.execute(f"INSERT INTO outbox ({columns}) VALUES (?, ?, ?, ?, ?, ?)", row)
        total, first = total + count, last + 1
    return total


def _points_from(connection: sqlite3.Connection, first: int) -> tuple[int, int] | None:
    """How many of the next points after key `first` make an entry, and the key of the last one."""
    query = """
        SELECT COUNT(*), MAX(id) FROM (
            SELECT id FROM (SELECT id FROM checks UNION ALL SELECT id FROM alerts)
            WHERE id >= ? ORDER BY id LIMIT ?)
    """
    count, last = connection.execute(query, (first, REQUEUE_POINTS)).fetchone()
    return (count, last) if count else None
