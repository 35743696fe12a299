"""Migrates the tables of 1.1.0's file (version 3) in one transaction.

Minutes, hours and days stay, because their columns mean the same. Checks in blocks stay, too, and become rows later (see
`blocks_1_1`). What is small is written anew: the checks of the newest minutes, alerts, sites, the outbox. All summaries are
put into the outbox, because the database has none in this form.
"""

import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from monitoring.statistics.summary import Span
from monitoring.storage.base import Deletion
from monitoring.storage.sqlite.tables import blocks_1_1, meta, rows, schema, states, summaries
from monitoring.storage.sqlite.tables.meta import Value
from monitoring.storage.sqlite.tables.schema import SITE_BITS, Row, check_from_row, first_key, site_of, stored_row, time_of

OLD_CHECKS = f"SELECT id, {', '.join(blocks_1_1.OLD_COLUMNS)}, detail FROM old_checks"
TABLES = frozenset({"sites", "checks", "minutes", "blocks", "alerts", "outbox", "purges", "meta"})
"""Its files are recognised by these, beside the version."""

RENAMED = ("checks", "alerts", "outbox", "purges", "meta")
"""These get another form: what is in them is copied."""

HALVES = ("failures_first_half", "responses_count_first_half", "responses_sum_first_half")
HISTORY = ("last", "last_covers", "last_available", "last_failure", "good_since", "failing_since", "detail")
PART_SITES = 100
SAMPLE = 4_096


def migrate(connection: sqlite3.Connection) -> None:
    known: dict[str, str] = dict(connection.execute("SELECT key, value FROM meta"))
    position = json.loads(known["packed until"]) if "packed until" in known else {"minute_ms": 0, "site": 0, "batch": 0}
    summarised_ms = int(position["minute_ms"])
    for table in RENAMED:
        connection.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
    connection.execute("DROP INDEX failed_checks")
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    for statement in schema.SCHEMA:
        if not any(f"CREATE TABLE {kept} " in statement for kept in tables):
            connection.execute(statement)
    _move_sites(connection)
    _free_minutes(connection)
    _add_maintenance(connection, [span.kind for span in Span if span.kind in tables])
    _move_meta(connection, known, summarised_ms)
    _move_alerts(connection)
    late = list(_move_checks(connection, position))
    _drop_unfinished(connection, summarised_ms)
    _add_late(connection, late, summarised_ms)
    _move_outbox(connection, summarised_ms)
    _note_delivered(connection)
    _move_refused(connection)
    connection.execute("INSERT INTO purges (host, before_ms, forget) SELECT host, before_ms, forget FROM old_purges")
    for table in (*(f"old_{name}" for name in RENAMED), "blocks_due", "rollups_due", "dead_letters"):
        connection.execute(f"DROP TABLE {table}")


def _move_sites(connection: sqlite3.Connection) -> None:
    for column in HISTORY:
        connection.execute(f"ALTER TABLE sites ADD COLUMN {column} {'TEXT' if column == 'detail' else 'INTEGER'}")
    found = connection.execute("SELECT id, history FROM sites WHERE history IS NOT NULL").fetchall()
    settings = ", ".join(f"{column} = ?" for column in HISTORY)
    connection.executemany(
        f"UPDATE sites SET {settings} WHERE id = ?", [(*_history(json.loads(text)), site) for site, text in found]
    )
    connection.execute("ALTER TABLE sites DROP COLUMN history")
    for column in ("certificate", "last_maintenance"):
        connection.execute(f"ALTER TABLE sites ADD COLUMN {column} INTEGER")


def _history(values: Sequence[Any]) -> Row:
    """The values of `HISTORY`. (The first versions had no detail.)"""
    *numbers, detail = (*values, "")[:7] if len(values) < len(HISTORY) else values
    return (*numbers, detail or None)


def _free_minutes(connection: sqlite3.Connection) -> None:
    """Let three columns of `minutes` be NULL, which are no longer used. They stay, because the table may have gigabytes.

    SQLite documents this way to drop a NOT NULL: change the table's definition.
    """
    connection.execute("ALTER TABLE minutes RENAME COLUMN responses TO times")
    (sql,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'minutes'").fetchone()
    for column in HALVES:
        sql = sql.replace(f"{column} INTEGER NOT NULL", f"{column} INTEGER")
    version = connection.execute("PRAGMA schema_version").fetchone()[0]
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'minutes'", (sql,))
    connection.execute(f"PRAGMA schema_version = {version + 1}")
    connection.execute("PRAGMA writable_schema = OFF")


def _add_maintenance(connection: sqlite3.Connection, kept: Collection[str]) -> None:
    """1.1.0 had no maintenance."""
    for table in kept:
        for column in schema.SUMS_OF_MAINTENANCE:
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} INTEGER NOT NULL DEFAULT 0")


def _move_meta(connection: sqlite3.Connection, known: dict[str, str], summarised_ms: int) -> None:
    kept = json.loads(known.get("kept from", "{}"))
    meta.put(connection, Value.MARKER, known["marker"])
    meta.put(connection, Value.FORMER_MARKER, known["marker"])
    meta.put(connection, Value.SUMMARISED_MS, summarised_ms)
    meta.put(connection, Value.EXPIRED, kept.get("undelivered", 0))
    meta.put(connection, Value.ALERTS_FROM_MS, kept.get("alerts_from_ms", 0))


def _move_alerts(connection: sqlite3.Connection) -> None:
    columns = schema.ALERT_COLUMNS.removesuffix(", detail")
    connection.execute(f"INSERT INTO alerts ({columns}) SELECT {columns} FROM old_alerts")


def _move_checks(connection: sqlite3.Connection, position: dict[str, int]) -> Iterator[Row]:
    """Yields the checks of packed minutes, which no summary contains. Unpacks a minute that is packed in part."""
    begin = first_key(position["minute_ms"])
    for row in connection.execute(f"{OLD_CHECKS} ORDER BY id"):
        new = blocks_1_1.new_row(row[0], row[1:])
        connection.execute(schema.INSERT_CHECK, stored_row(new))
        if row[0] < begin:
            yield new
    end = begin + first_key(Span.MINUTE.length_ms)
    for key, data in connection.execute("SELECT id, data FROM blocks WHERE id >= ? AND id < ?", (begin, end)).fetchall():
        connection.executemany(schema.INSERT_CHECK, map(stored_row, blocks_1_1.unpacked(key, data)))
        connection.execute("DELETE FROM blocks WHERE id = ?", (key,))


def _drop_unfinished(connection: sqlite3.Connection, summarised_ms: int) -> None:
    """Delete summaries of spans that are not over: they will be added up at their end."""
    for span in Span:
        connection.execute(f"DELETE FROM {span.kind} WHERE id >= ?", (first_key(span.start_of(summarised_ms)),))


def _add_late(connection: sqlite3.Connection, late: Sequence[Row], summarised_ms: int) -> None:
    checks = {row[0]: check_from_row(row, {site_of(row[0]): ""}) for row in late}
    summaries.add_late(connection, checks, summarised_ms)
    states.save(connection, states.follow(states.load(connection), late))


def _move_outbox(connection: sqlite3.Connection, summarised_ms: int) -> None:
    """Ranges stay ranges. Of commits, what is not packed becomes one range, and each late check has an entry."""
    insert = "INSERT INTO outbox (kind, first, last, points, created_ms) VALUES (?, ?, ?, ?, ?)"
    ranges = connection.execute(
        "SELECT first_id, last_id, points, created_ms FROM old_outbox WHERE whole = 1 ORDER BY batch"
    )
    for first, last, points, created_ms in ranges.fetchall():
        connection.execute(insert, ("checks", first, last, max(1, points), created_ms))
        _add_alerts(connection, "id BETWEEN ? AND ?", (first, last), created_ms)
    of_commit = "batch IN (SELECT batch FROM old_outbox WHERE whole = 0)"
    since = "(SELECT created_ms FROM old_outbox WHERE old_outbox.batch = old_checks.batch)"
    begin = first_key(summarised_ms)
    late = f"SELECT 'checks', id, id, 1, {since} FROM old_checks WHERE id < ? AND {of_commit} ORDER BY id"
    connection.execute(f"INSERT INTO outbox (kind, first, last, points, created_ms) {late}", (begin,))
    newest = f"SELECT MIN(id), MAX(id), COUNT(*), MIN({since}) FROM old_checks WHERE id >= ? AND {of_commit}"
    first, last, points, created_ms = connection.execute(newest, (begin,)).fetchone()
    if first is not None:
        connection.execute(insert, ("checks", first, last, points, created_ms))
    _add_alerts(connection, of_commit, (), 0)
    for span in Span:
        first, last = connection.execute(f"SELECT MIN(id), MAX(id) FROM {span.kind}").fetchone()
        if first is not None:
            points = _about(connection, span.kind)
            connection.execute(insert, (span.kind, first, last, points, summarised_ms + span.length_ms))


def _note_delivered(connection: sqlite3.Connection) -> None:
    """What is older than everything that waits was delivered, so a database that lacks it gets it again."""
    (waiting,) = connection.execute("SELECT MIN(first) FROM outbox WHERE kind = 'checks'").fetchone()
    until_ms = rows.ends(connection)[1] + 1 if waiting is None else time_of(waiting)
    meta.put(connection, Value.DELIVERED_NEWEST_MS, until_ms - 1)


def _add_alerts(connection: sqlite3.Connection, condition: str, values: Sequence[int], created_ms: int) -> None:
    select = f"SELECT 'alerts', id, id, 1, MAX(?, id >> {SITE_BITS}) FROM old_alerts WHERE {condition} ORDER BY id"
    connection.execute(f"INSERT INTO outbox (kind, first, last, points, created_ms) {select}", (created_ms, *values))


def _about(connection: sqlite3.Connection, table: str) -> int:
    """About how many rows the table has, without reading them all."""
    query = f"SELECT COUNT(*), MIN(id), MAX(id) FROM (SELECT id FROM {table} ORDER BY id LIMIT {SAMPLE})"
    count, first, last = connection.execute(query).fetchone()
    (newest,) = connection.execute(f"SELECT MAX(id) FROM {table}").fetchone()
    return int(count) if count < SAMPLE else int(count * (newest - first) / max(1, last - first))


def _move_refused(connection: sqlite3.Connection) -> None:
    connection.execute(
        """INSERT INTO refused (kind, host, first_ms, last_ms, count, field, reason, by_age)
        SELECT kind || 's', host, MIN(time_ms), MAX(time_ms), COUNT(*), '', reason, 0
        FROM dead_letters GROUP BY kind, host, reason"""
    )


# What it sent to a database

ARE_DUE = """
SELECT 1 FROM outbox WHERE kind IN ('hours', 'days')
UNION ALL SELECT 1 FROM refused WHERE kind IN ('hours', 'days') AND NOT by_age
"""


def deletion(connection: sqlite3.Connection) -> Deletion | None:
    """What the database has in 1.1.0's form, once every hour and day has arrived as a point; None: nothing, or not yet."""
    marker = meta.text(connection, Value.FORMER_MARKER)
    if not marker or connection.execute(ARE_DUE).fetchone():
        return None
    return Deletion((), 0, checks=False, spans=(), alerts=False, former=marker)
