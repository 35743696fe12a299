"""What of the local file is still to be delivered.

An entry stands for a commit, or for all that lies in a range of keys: a few bytes, whatever it holds.
"""

import heapq
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from monitoring.models import Alert, CheckResult
from monitoring.store import position, schema
from monitoring.store.blocks import PackedChecks
from monitoring.store.position import Position
from monitoring.store.schema import SITE_BITS, SITE_MASK, Row

OLDEST_MS = 0
"""Since when an entry for everything waits: a database that lacks all must not be asked before it has it again."""

COMMITS = """
INSERT INTO outbox (batch, created_ms, whole, first_id, last_id, points)
SELECT batch, :created_ms, 0, MIN(id), MAX(id), COUNT(*)
FROM (SELECT id, batch FROM checks WHERE id >= :first UNION ALL SELECT id, batch FROM alerts WHERE id >= :first)
WHERE batch != :taken_over GROUP BY batch
"""

COUNT_CHECKS = """
SELECT (SELECT COALESCE(SUM(checks), 0) FROM blocks INDEXED BY block_sizes WHERE id BETWEEN :first AND :last)
    + (SELECT COUNT(*) FROM checks WHERE id BETWEEN :first AND :last)
"""

KEYS_AND_BATCHES = "id BETWEEN ? AND ? AND batch BETWEEN ? AND ?"


@dataclass(frozen=True, slots=True)
class Delivery:
    """Points to deliver, and the outbox entries that they settle: whole, or up to the key `until`.

    `packed` is how far the file was packed when they were read: later keys may have moved since.
    """

    entries: tuple[int, ...]
    results: tuple[CheckResult, ...]
    alerts: tuple[Alert, ...]
    until: int | None = None
    packed: Position | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the outbox."""

    batch: int
    whole: int
    first: int
    last: int
    points: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A point that the database will never take, and why. `kind` is "check" or "alert"."""

    kind: str
    host: str
    time_ms: int
    reason: str


def add(connection: sqlite3.Connection, keys: Sequence[int], created_ms: int) -> int:
    """A new entry for points with these keys; returns the batch number that they are to carry."""
    insert = "INSERT INTO outbox (created_ms, whole, first_id, last_id, points) VALUES (?, 0, ?, ?, ?)"
    cursor = connection.execute(insert, (created_ms, min(keys), max(keys), len(keys)))
    return int(cursor.lastrowid or 0)


def last_batch(connection: sqlite3.Connection) -> int:
    """The number of the newest commit; 0 when there was none."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
    return int(row[0]) if row else 0


def cover(connection: sqlite3.Connection, first: int, end: int) -> None:
    """Some of the keys `first <= key < end`, a minute, are about to be packed: to move to its start, without their batch.

    When some are undelivered, an entry for the whole range takes the place of those of the commits.
    """
    connection.execute(
        "UPDATE outbox SET first_id = ? WHERE whole = 1 AND first_id BETWEEN ? AND ?", (first, first, end - 1)
    )
    query = "SELECT MIN(created_ms) FROM outbox WHERE whole = 0 AND first_id < ? AND last_id >= ?"
    waiting_since = connection.execute(query, (end, first)).fetchone()[0]
    if waiting_since is None:
        return
    _cover_whole(connection, waiting_since, first, end - 1)
    # Only entries that begin in this minute: older keys of the range may be on their way already, without late comers.
    connection.execute("DELETE FROM outbox WHERE whole = 0 AND first_id >= ? AND last_id < ?", (first, end))


def _cover_whole(connection: sqlite3.Connection, created_ms: int, first: int, last: int) -> None:
    """By the entry that does so already, by one that ends just before, or by a new one."""
    query = "SELECT 1 FROM outbox WHERE whole = 1 AND first_id <= ? AND last_id >= ?"
    if connection.execute(query, (first, last)).fetchone():
        return
    longer = "UPDATE outbox SET last_id = ?, points = points + ? WHERE whole = 1 AND last_id = ?"
    if not connection.execute(longer, (last, _count(connection, first, last), first - 1)).rowcount:
        _add_whole(connection, created_ms, first, last)


def give_up(connection: sqlite3.Connection, end: int) -> int:
    """Checks with keys before `end` are about to be deleted; returns how many of them were undelivered.

    Alerts live longer: an entry that has some there stays.
    """
    query = "SELECT batch, whole, first_id, last_id, points FROM outbox WHERE first_id < ?"
    entries = [Entry(*row) for row in connection.execute(query, (end,)).fetchall()]
    lost = {entry: _checks_before(connection, entry, end) for entry in entries}
    shorter = "UPDATE outbox SET first_id = :end WHERE whole = 1 AND first_id < :end"
    alerts = "EXISTS (SELECT 1 FROM alerts WHERE id >= outbox.first_id AND id < :end)"
    for entry, checks in lost.items():
        connection.execute("UPDATE outbox SET points = MAX(0, points - ?) WHERE batch = ?", (checks, entry.batch))
    connection.execute(f"{shorter} AND NOT {alerts}", {"end": end})
    connection.execute("DELETE FROM outbox WHERE whole = 1 AND first_id > last_id")
    connection.execute("DELETE FROM outbox WHERE whole = 0 AND points = 0")
    return sum(lost.values())


def _checks_before(connection: sqlite3.Connection, entry: Entry, end: int) -> int:
    """How many checks before the key `end` this entry stands for."""
    span = {"first": entry.first, "last": min(entry.last, end - 1), "batch": entry.batch}
    if entry.whole:
        return int(connection.execute(COUNT_CHECKS, span).fetchone()[0])
    query = "SELECT COUNT(*) FROM checks WHERE id BETWEEN :first AND :last AND batch = :batch"
    return int(connection.execute(query, span).fetchone()[0])


def recount(connection: sqlite3.Connection) -> None:
    """Some of what was to be delivered has been deleted: entries with nothing left go, the others count anew."""
    query = "SELECT batch, whole, first_id, last_id, points FROM outbox"
    for entry in [Entry(*row) for row in connection.execute(query).fetchall()]:
        points = _count(connection, entry.first, entry.last) if entry.whole else _count_batch(connection, entry)
        connection.execute("UPDATE outbox SET points = ? WHERE batch = ?", (points, entry.batch))
    connection.execute("DELETE FROM outbox WHERE points = 0")


def _count_batch(connection: sqlite3.Connection, entry: Entry) -> int:
    span = (entry.first, entry.last, entry.batch, entry.batch)
    checks, alerts = (
        connection.execute(f"SELECT COUNT(*) FROM {table} WHERE {KEYS_AND_BATCHES}", span).fetchone()[0]
        for table in ("checks", "alerts")
    )
    return int(checks + alerts)


def requeue(connection: sqlite3.Connection) -> int:
    """Replace the outbox by entries for everything stored; returns how many points that is.

    One stands for all minutes that are packed. The commits since go once more as they went first: fresh points are
    delivered in pieces, too, so that the newest minutes are read quickly from the beginning.
    """
    connection.execute("DELETE FROM outbox")
    first = schema.first_key(position.load(connection).untouched_ms)
    return _add_whole(connection, OLDEST_MS, 0, first - 1) + _add_commits(connection, OLDEST_MS, first)


def _add_commits(connection: sqlite3.Connection, created_ms: int, first: int) -> int:
    """An entry for what each commit has from this key on; returns how many points that is."""
    connection.execute(COMMITS, {"created_ms": created_ms, "first": first, "taken_over": schema.TAKEN_OVER})
    return int(connection.execute("SELECT COALESCE(SUM(points), 0) FROM outbox WHERE whole = 0").fetchone()[0])


def _add_whole(connection: sqlite3.Connection, created_ms: int, first: int, last: int) -> int:
    points = _count(connection, first, last)
    if points:
        insert = "INSERT INTO outbox (created_ms, whole, first_id, last_id, points) VALUES (?, 1, ?, ?, ?)"
        connection.execute(insert, (created_ms, first, last, points))
    return points


def _count(connection: sqlite3.Connection, first: int, last: int) -> int:
    """How many points lie in a range of keys."""
    query = f"{COUNT_CHECKS} + (SELECT COUNT(*) FROM alerts WHERE id BETWEEN :first AND :last)"
    return int(connection.execute(query, {"first": first, "last": last}).fetchone()[0])


def next_delivery(connection: sqlite3.Connection, limit: int) -> Delivery | None:
    """The oldest entries that together hold about `limit` points, or that much of the first one, with the points."""
    query = "SELECT batch, whole, first_id, last_id, points FROM outbox ORDER BY whole DESC, batch LIMIT ?"
    entries = [Entry(*row) for row in connection.execute(query, (limit,))]
    if not entries:
        return None
    if entries[0].whole:
        return _part_of(connection, entries[0], limit)
    taken = _take(entries, limit)
    span = (min(entry.first for entry in taken), max(entry.last for entry in taken), taken[0].batch, taken[-1].batch)
    hosts = dict(connection.execute("SELECT id, host FROM sites"))
    checks = connection.execute(f"SELECT {schema.RESULT_COLUMNS} FROM checks WHERE {KEYS_AND_BATCHES}", span)
    alerts = connection.execute(f"SELECT {schema.ALERT_COLUMNS} FROM alerts WHERE {KEYS_AND_BATCHES}", span)
    return Delivery(
        entries=tuple(entry.batch for entry in taken),
        results=tuple(schema.result_from_row(row, hosts) for row in checks),
        alerts=tuple(schema.alert_from_row(row, hosts) for row in alerts),
    )


def _take(entries: Sequence[Entry], limit: int) -> Sequence[Entry]:
    """The first entries up to `limit` points, at least one."""
    points = 0
    for count, entry in enumerate(entries):
        points += entry.points
        if count and points > limit:
            return entries[:count]
    return entries


def _part_of(connection: sqlite3.Connection, entry: Entry, limit: int) -> Delivery:
    """The first points of a range, about `limit` of them, whether packed or not."""
    last = _last_key(connection, entry, limit)
    span = (entry.first, last)
    hosts = dict(connection.execute("SELECT id, host FROM sites"))
    packed = connection.execute("SELECT id, data FROM blocks WHERE id BETWEEN ? AND ?", span)
    checks = connection.execute(f"SELECT {schema.RESULT_COLUMNS} FROM checks WHERE id BETWEEN ? AND ?", span)
    alerts = connection.execute(f"SELECT {schema.ALERT_COLUMNS} FROM alerts WHERE id BETWEEN ? AND ?", span)
    return Delivery(
        entries=(entry.batch,),
        results=(
            *(schema.result_from_row(row, hosts) for key, data in packed for row in _unpacked(key, data)),
            *(schema.result_from_row(row, hosts) for row in checks),
        ),
        alerts=tuple(schema.alert_from_row(row, hosts) for row in alerts),
        until=last,
        packed=position.load(connection),
    )


def _unpacked(key: int, data: bytes) -> Sequence[Row]:
    return PackedChecks(data).rows_by_site(key >> SITE_BITS, key & SITE_MASK)


def _last_key(connection: sqlite3.Connection, entry: Entry, limit: int) -> int:
    """The key up to which the range holds about `limit` points."""
    sources = ("id, checks FROM blocks INDEXED BY block_sizes", "id, 1 FROM checks", "id, 1 FROM alerts")
    sizes = [
        connection.execute(f"SELECT {source} WHERE id BETWEEN ? AND ? ORDER BY id", (entry.first, entry.last))
        for source in sources
    ]
    points = 0
    for key, count in heapq.merge(*sizes):
        points += count
        if points >= limit:
            return int(key)
    return entry.last


def settle(connection: sqlite3.Connection, delivery: Delivery) -> None:
    """These points were delivered: their entries go, or begin after them (they may have grown meanwhile)."""
    if delivery.until is None:
        connection.executemany("DELETE FROM outbox WHERE batch = ?", [(entry,) for entry in delivery.entries])
        return
    until, points = delivery.until, len(delivery.results) + len(delivery.alerts)
    if delivery.packed and position.load(connection) != delivery.packed:
        until, points = min(until, schema.first_key(delivery.packed.minute_ms) - 1), 0
    shorter = "UPDATE outbox SET first_id = MAX(first_id, ?), points = MAX(0, points - ?) WHERE batch = ?"
    connection.execute(shorter, (until + 1, points, delivery.entries[0]))
    connection.execute("DELETE FROM outbox WHERE whole = 1 AND first_id > last_id")


def bury(connection: sqlite3.Connection, letters: Sequence[DeadLetter], at_ms: int) -> None:
    rows = [(at_ms, letter.kind, letter.host, letter.time_ms, letter.reason) for letter in letters]
    connection.executemany("INSERT INTO dead_letters VALUES (?, ?, ?, ?, ?)", rows)


def dead_letters(connection: sqlite3.Connection) -> Sequence[DeadLetter]:
    query = "SELECT kind, host, time_ms, reason FROM dead_letters ORDER BY at_ms, time_ms"
    return [DeadLetter(*row) for row in connection.execute(query)]
