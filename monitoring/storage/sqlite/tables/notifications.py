"""Notifications in the local file: one row for each event and channel.

A row holds the whole record that it is about: it outlives a purge of the record, and can be carried to another file.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from monitoring.models import Alert, AlertType, CheckResult, Window
from monitoring.storage.notifications import HISTORY_DELETED, WARNED, Delivery, Entry, Event, Route, Warn

COLUMNS = "channel, event, time_ms, record, state, done_ms, reason"
INSERT = """
INSERT OR IGNORE INTO notifications (channel, host, time_ms, event, start_ms, record, state, done_ms, reason)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""

NOT_CONFIGURED = "the channel is no longer configured"
MOST_CARRIED = 10_000

TOLD = "state IN ('sent', 'late')"


def add(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    """Entries that are there already are left as they are."""
    connection.executemany(INSERT, [_row(entry) for entry in entries])


def add_state_change(connection: sqlite3.Connection, alert: Alert, route: Route) -> None:
    """Add an entry for each channel that `route` gives."""
    query = "SELECT DISTINCT channel FROM notifications WHERE host = ? AND start_ms = ? AND event = ?"
    told = {channel for (channel,) in connection.execute(query, (alert.host, alert.start_ms, Event.ALERT))}
    add(connection, (Entry(channel, Event(alert.type), alert.time_ms, alert) for channel in route(alert, told)))


def add_certificates(
    connection: sqlite3.Connection, checks: Iterable[CheckResult], warn: Warn, now_ms: int
) -> Sequence[str]:
    """Add the warnings about the certificates that these checks saw; return a sentence for each."""
    query = f"SELECT {COLUMNS} FROM notifications WHERE channel = ? AND host = ? AND event = ?"
    said = []
    for check in checks:
        if check.certificate_s is not None:
            rows = connection.execute(query, (WARNED, check.host, Event.CERTIFICATE))
            if warning := warn(check, [_entry(row).alert for row in rows], now_ms):
                add(connection, warning.entries)
                said.append(warning.text)
    return said


def pending(connection: sqlite3.Connection, channel: str) -> Sequence[Entry]:
    query = f"SELECT {COLUMNS} FROM notifications WHERE channel = ? AND state = 'pending' ORDER BY time_ms, host"
    return [_entry(row) for row in connection.execute(query, (channel,))]


def newest_changes(connection: sqlite3.Connection, channel: str, states: Collection[Delivery]) -> Mapping[str, Entry]:
    # SQLite takes the other columns from the row that has the maximum.
    query = (
        f"SELECT {COLUMNS}, MAX(time_ms) FROM notifications WHERE channel = ? AND event IN ('alert', 'recovery')"
        " AND state IN (SELECT value FROM json_each(?)) GROUP BY host"
    )
    found = [_entry(row[:-1]) for row in connection.execute(query, (channel, json.dumps(list(states))))]
    return {entry.alert.host: entry for entry in found}


def is_stored(connection: sqlite3.Connection, entry: Entry) -> bool:
    query = "SELECT 1 FROM notifications WHERE channel = ? AND host = ? AND time_ms = ? AND event = ?"
    return connection.execute(query, entry.key).fetchone() is not None


def set_delivery(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    changes = "state = excluded.state, done_ms = excluded.done_ms, reason = excluded.reason"
    statement = INSERT.replace("OR IGNORE ", "") + f" ON CONFLICT DO UPDATE SET {changes}"
    connection.executemany(statement, [_row(entry) for entry in entries])


def give_up_others(connection: sqlite3.Connection, channels: Collection[str], now_ms: int) -> None:
    """Give up what waits for channels other than these."""
    connection.execute(
        "UPDATE notifications SET state = 'failed', done_ms = ?, reason = ?"
        " WHERE state = 'pending' AND channel NOT IN (SELECT value FROM json_each(?))",
        (now_ms, NOT_CONFIGURED, json.dumps(list(channels))),
    )


def deliveries(connection: sqlite3.Connection, window: Window) -> Sequence[Entry]:
    chosen = "time_ms >= ? AND time_ms < ? AND channel != ?"
    query = f"SELECT {COLUMNS} FROM notifications WHERE {chosen} ORDER BY time_ms, host, channel"
    return [_entry(row) for row in connection.execute(query, (window.from_ms, window.until_ms, WARNED))]


def newest(connection: sqlite3.Connection) -> Sequence[Entry]:
    """The entries that a file must have which takes the place of this one."""
    query = f"SELECT {COLUMNS} FROM notifications ORDER BY state = 'pending' DESC, time_ms DESC LIMIT {MOST_CARRIED}"
    return [_entry(row) for row in connection.execute(query)]


def delete_before(connection: sqlite3.Connection, before_ms: int, host: str | None = None) -> None:
    """Delete a host's (None: all) entries of events before a moment, except pending ones and the newest of each channel.

    Of state changes and of certificates the newest stays, so that it is known who was told of an outage until it ends.
    """
    newest_ones = (
        "SELECT MAX(time_ms) FROM notifications AS newer WHERE newer.channel = old.channel AND newer.host = old.host"
        f" AND (newer.event = '{Event.CERTIFICATE}') = (old.event = '{Event.CERTIFICATE}')"
    )
    connection.execute(
        "DELETE FROM notifications AS old WHERE time_ms < ? AND IFNULL(? = host, 1)"
        f" AND state != 'pending' AND time_ms < ({newest_ones})",
        (before_ms, host),
    )


def forget(
    connection: sqlite3.Connection, host: str | None, before_ms: int, open_alerts: Iterable[Alert], route: Route, now_ms: int
) -> None:
    """Delete a host's (None: all) entries of events before a moment, because the alert records of these events go.

    Whoever was told of one of the open alerts is told that its record was deleted. Whoever was told of an outage that has
    ended is still told of its end.
    """
    ends = [end for alert in open_alerts for end in _ends_of_told(connection, alert, route, now_ms)]
    told = (
        "SELECT 1 FROM notifications AS told WHERE told.channel = old.channel AND told.host = old.host"
        f" AND told.start_ms = old.start_ms AND told.event = 'alert' AND told.{TOLD}"
    )
    connection.execute(
        "DELETE FROM notifications AS old WHERE time_ms < ? AND IFNULL(? = host, 1)"
        f" AND NOT (event = 'recovery' AND state = 'pending' AND EXISTS ({told}))",
        (before_ms, host),
    )
    add(connection, ends)


def _ends_of_told(connection: sqlite3.Connection, alert: Alert, route: Route, now_ms: int) -> Iterable[Entry]:
    query = f"SELECT DISTINCT channel FROM notifications WHERE host = ? AND start_ms = ? AND event = 'alert' AND {TOLD}"
    told = {channel for (channel,) in connection.execute(query, (alert.host, alert.start_ms))}
    end = replace(alert, type=AlertType.RECOVERY, time_ms=now_ms, detail=HISTORY_DELETED)
    return [Entry(channel, Event.RECOVERY, now_ms, end) for channel in told.intersection(route(end, told))]


def _row(entry: Entry) -> tuple[object, ...]:
    import msgspec  # late: many files have no notifications

    record = msgspec.json.encode(entry.alert).decode()
    return (*entry.key, entry.alert.start_ms, record, entry.state, entry.done_ms, entry.reason or None)


def _entry(row: Sequence[object]) -> Entry:
    import msgspec  # late, as above

    channel, event, time_ms, record, state, done_ms, reason = row
    return Entry(
        channel=str(channel),
        event=Event(str(event)),
        time_ms=int(time_ms),  # type: ignore[call-overload]
        alert=msgspec.json.decode(str(record), type=Alert),
        state=Delivery(str(state)),
        done_ms=done_ms,  # type: ignore[arg-type]
        reason=str(reason or ""),
    )
