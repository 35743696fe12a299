"""What is too old leaves the local file: an hour at a time, oldest first, in steps of a few milliseconds.

First the mark `Kept` moves and all that was still to be delivered of that hour is given up; then its rows go. A process
that ends in between goes on at the next start. Pages that are freed are used again, so the file does not grow beyond
what its retention holds; it is not made smaller, which would move pages about for nothing.
"""

import json
import sqlite3
from dataclasses import asdict, dataclass, replace

from monitoring.stats import DAY_MS, HOUR_MS
from monitoring.store import due, outbox, rolledblocks, rollups
from monitoring.store.schema import SITE_BITS, SITE_MASK, first_key

AT_ONCE = {"minutes": 1_000, "blocks": 20, "checks": 1_000, "earlier_checks": 1_000}
"""How many rows of each table go in one step: some milliseconds of work."""

ALERTS_AT_ONCE = 1_000

OPEN_ALERTS = f"""
SELECT id FROM (SELECT MAX(id) AS id, type FROM alerts GROUP BY id & {SITE_MASK}) WHERE type = 'alert'
"""
"""However old: a monitor that starts must know that these were announced."""

OLDEST_KEY = """
SELECT MIN(id) FROM (
    SELECT MIN(id) AS id FROM minutes UNION ALL SELECT MIN(id) FROM blocks UNION ALL SELECT MIN(id) FROM checks
    UNION ALL SELECT MIN(id) FROM earlier_checks)
"""

NAME = "kept from"


@dataclass(frozen=True, slots=True)
class Kept:
    """No check before `from_ms` is to be found here (its rows may still be going), no alert before `alerts_from_ms`.

    `undelivered` checks were given up before any database had them.
    """

    from_ms: int = 0
    alerts_from_ms: int = 0
    undelivered: int = 0


def load(connection: sqlite3.Connection) -> Kept:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (NAME,)).fetchone()
    return Kept(**json.loads(row[0])) if row else Kept()


def _save(connection: sqlite3.Connection, kept: Kept) -> None:
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (NAME, json.dumps(asdict(kept))))


def step(connection: sqlite3.Connection, checks_before_ms: int, alerts_before_ms: int) -> bool:
    """Take the next step towards keeping nothing before these moments (whole hours); was there one?

    What hours and days tell of checks lives as long as alerts, by whole days.
    """
    kept = load(connection)
    return (
        delete_some(connection, first_key(kept.from_ms), stay_in_rollups=True)
        or _advance(connection, kept, checks_before_ms)
        or _delete_alerts(connection, kept, alerts_before_ms // HOUR_MS * HOUR_MS)
        or rolledblocks.delete_some(connection, min(checks_before_ms, alerts_before_ms) // DAY_MS * DAY_MS)
    )


def delete_some(connection: sqlite3.Connection, end: int, *, stay_in_rollups: bool = False) -> bool:
    """Delete the oldest rows of checks with keys before `end`; were there any?

    Those that came late are only now added to hours and days, if they are to stay in them.
    """
    for table, count in AT_ONCE.items():
        oldest = f"SELECT id FROM {table} WHERE id < ? ORDER BY id LIMIT ?"
        last = connection.execute(f"SELECT MAX(id) FROM ({oldest})", (end, count)).fetchone()[0]
        if last is not None:
            if table == "blocks":  # mostly given up already, unless a new database was to have them meanwhile
                due.shrink(connection, 0, last + 1)
            if table == "checks" and stay_in_rollups:
                rollups.add_checks(connection, last)
            connection.execute(f"DELETE FROM {table} WHERE id <= ?", (last,))
            return True
    return False


def _advance(connection: sqlite3.Connection, kept: Kept, before_ms: int) -> bool:
    """Give up the oldest hour, if all of it lies before this moment."""
    oldest = connection.execute(OLDEST_KEY).fetchone()[0]
    if oldest is None:
        return False
    from_ms = (oldest >> SITE_BITS) // HOUR_MS * HOUR_MS + HOUR_MS
    if from_ms > before_ms:
        return False
    undelivered = outbox.give_up(connection, first_key(from_ms))
    due.give_up(connection, first_key(from_ms))
    connection.execute("DELETE FROM dead_letters WHERE kind = 'check' AND time_ms < ?", (from_ms,))
    _save(connection, replace(kept, from_ms=max(kept.from_ms, from_ms), undelivered=kept.undelivered + undelivered))
    return True


def _delete_alerts(connection: sqlite3.Connection, kept: Kept, before_ms: int) -> bool:
    """Once an hour, for it reads all alerts to find the open ones."""
    if before_ms <= kept.alerts_from_ms:
        return False
    oldest = f"SELECT id FROM alerts WHERE id < ? AND id NOT IN ({OPEN_ALERTS}) ORDER BY id LIMIT {ALERTS_AT_ONCE}"
    deleted = connection.execute(f"DELETE FROM alerts WHERE id IN ({oldest})", (first_key(before_ms),)).rowcount
    if deleted < ALERTS_AT_ONCE:
        _save(connection, replace(kept, alerts_from_ms=before_ms))
    return True
