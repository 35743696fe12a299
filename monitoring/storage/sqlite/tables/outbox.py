"""What a database has yet to receive: entries in order, each a range of keys of one table.

The checks of a commit share an entry, if they are newer than all before. A check that comes out of order has an entry of its
own, unless it lies in a range that waits: a range around it would contain checks that were delivered already. When a minute
is summarised before any of its checks is delivered, one entry replaces all of theirs, so that months without a database cost
little. Summaries come after the points of their span because they are stored later.
"""

import sqlite3
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from monitoring.models import Window
from monitoring.statistics.summary import SiteSummary, Span
from monitoring.storage.base import KINDS, Delivery, DeliveryRecord, Pending, Points, Refusal
from monitoring.storage.sqlite.tables import meta, queries, rows, summaries
from monitoring.storage.sqlite.tables.meta import Value
from monitoring.storage.sqlite.tables.schema import (
    ALERT_COLUMNS,
    Row,
    alert_from_row,
    between,
    check_from_row,
    first_key,
    site_of,
    time_of,
)
from monitoring.units import MINUTE_MS

SPANS = {span.kind: span for span in Span}

INSERT = "INSERT INTO outbox (kind, first, last, site, points, created_ms) VALUES (?, ?, ?, ?, ?, ?)"

LARGEST_KEY = 2**63 - 1

ROOM = {"checks": 1, "alerts": 1, Span.MINUTE.kind: 5, Span.HOUR.kind: 20, Span.DAY.kind: 20}
"""The memory that a point takes, in checks. A summary holds response times, and in a request also text."""

NOTHING_IN_FLIGHT = 0
ALL_IN_FLIGHT = 2**63 - 1


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """One row of the outbox."""

    entry: int
    kind: str
    first: int
    last: int
    site: int | None
    points: int

    @property
    def sites(self) -> Collection[int] | None:
        """The sites whose rows it has; None: all."""
        return None if self.site is None else (self.site,)


def add_checks(connection: sqlite3.Connection, keys: Sequence[int], newest: int, created_ms: int, in_flight: int) -> None:
    """Checks with these keys, in order, were stored. `newest` is the newest key stored before."""
    begin = out_of_order = bisect_right(keys, newest)
    while begin < len(keys):
        end = bisect_left(keys, first_key(Span.MINUTE.start_of(time_of(keys[begin])) + MINUTE_MS), begin)
        add(connection, "checks", keys[begin], keys[end - 1], end - begin, created_ms)
        begin = end
    add_missing(connection, "checks", keys[:out_of_order], created_ms, in_flight)


def add(
    connection: sqlite3.Connection, kind: str, first: int, last: int, points: int, created_ms: int, site: int | None = None
) -> None:
    connection.execute(INSERT, (kind, first, last, site, points, created_ms))


def add_missing(connection: sqlite3.Connection, kind: str, keys: Iterable[int], created_ms: int, in_flight: int) -> None:
    """The rows with these keys are new or changed: add an entry for each that no entry covers which is not in flight.

    Only entries that begin in the same minute, hour or day are searched. To send a row twice does no harm.
    """
    length_ms, is_new = (SPANS[kind].length_ms, 0) if kind in SPANS else (MINUTE_MS, 1)
    covering = (
        "SELECT entry FROM outbox WHERE kind = ? AND first BETWEEN ? AND ? AND last >= ? AND entry > ? AND site IS NULL"
        " ORDER BY first DESC LIMIT 1"
    )
    for key in keys:
        start = first_key(time_of(key) // length_ms * length_ms)
        cover = connection.execute(covering, (kind, start, key, key, in_flight)).fetchone()
        if cover is None:
            add(connection, kind, key, key, 1, created_ms)
        else:
            connection.execute("UPDATE outbox SET points = points + ? WHERE entry = ?", (is_new, *cover))


def fold_minute(connection: sqlite3.Connection, start_ms: int, checks: int, in_flight: int) -> None:
    """A minute of so many checks is summarised: if all of them wait for delivery, replace their entries by one."""
    first, last = first_key(start_ms), first_key(start_ms + MINUTE_MS) - 1
    of_minute = "FROM outbox WHERE kind = 'checks' AND first BETWEEN ? AND ? AND site IS NULL"
    query = f"SELECT COUNT(*), SUM(points), MIN(entry), MAX(last), MIN(created_ms) {of_minute}"
    entries, points, oldest, newest_key, created_ms = connection.execute(query, (first, last)).fetchone()
    if entries > 1 and points == checks and oldest > in_flight and newest_key <= last:
        connection.execute(f"DELETE {of_minute}", (first, last))
        add(connection, "checks", first, last, checks, created_ms)


# Delivering


def next_delivery(connection: sqlite3.Connection, limit: int) -> Delivery | None:
    """The points of the oldest entries, about as many as take the memory of `limit` checks.

    A delivery has no points if the rows of its entries are gone.
    """
    taken: defaultdict[str, dict[int, Row]] = defaultdict(dict)
    last_entry, last_key, left = 0, 0, limit
    for entry in _entries(connection):
        size = ROOM[entry.kind]
        if last_entry and min(entry.points * size, limit) > left:
            break
        last_entry, last_key = entry.entry, entry.last
        room = max(1, left // size)
        found = _rows(connection, entry, room + 1)
        if len(found) > room:
            found.pop()
            last_key = found[-1][0]
        taken[entry.kind].update((row[0], row) for row in found)
        left -= size * len(found)
        if last_key != entry.last:
            break
    return Delivery(_points(connection, taken), last_entry, last_key) if last_entry else None


def _entries(connection: sqlite3.Connection) -> Iterator[OutboxEntry]:
    """In order, some at a time, so that no statement is open while the rows of an entry are read."""
    query, last = "SELECT entry, kind, first, last, site, points FROM outbox WHERE entry > ? ORDER BY entry LIMIT 100", 0
    while found := connection.execute(query, (last,)).fetchall():
        yield from (OutboxEntry(*row) for row in found)
        last = found[-1][0]


def _rows(connection: sqlite3.Connection, entry: OutboxEntry, limit: int) -> list[Row]:
    if entry.kind == "checks":
        return rows.some(connection, entry.first, entry.last, entry.sites, limit)
    where, values = between(entry.first, entry.last, entry.sites)
    query = f"SELECT {ALERT_COLUMNS} FROM alerts WHERE {where}"
    if entry.kind in SPANS:
        query = summaries.select(SPANS[entry.kind], where)
    return connection.execute(f"{query} ORDER BY id LIMIT :limit", values | {"limit": limit}).fetchall()


def _points(connection: sqlite3.Connection, rows_of: Mapping[str, Mapping[int, Row]]) -> Points:
    """The points of these rows, which are given by kind and key."""
    hosts = queries.hosts(connection)

    def summaries_of(span: Span) -> Iterator[SiteSummary]:
        for key, *values in rows_of[span.kind].values():
            yield SiteSummary(hosts[site_of(key)], span, time_of(key), summaries.summary_of(values, span))

    return Points(
        tuple(check_from_row(row, hosts) for row in rows_of["checks"].values()),
        tuple(alert_from_row(row, hosts) for row in rows_of["alerts"].values()),
        tuple(chain.from_iterable(map(summaries_of, Span))),
    )


def acknowledge(connection: sqlite3.Connection, delivery: Delivery) -> None:
    """It has arrived: delete its entries."""
    connection.execute("DELETE FROM outbox WHERE entry < ?", (delivery.last_entry,))
    done = (delivery.last_entry, delivery.last_key)
    connection.execute("DELETE FROM outbox WHERE entry = ? AND last <= ?", done)
    rest = "UPDATE outbox SET first = ?, points = MAX(1, points - ?) WHERE entry = ?"
    connection.execute(rest, (delivery.last_key + 1, len(delivery.points), delivery.last_entry))
    meta.raise_to(connection, Value.DELIVERY, delivery.last_entry)
    points = delivery.points
    times = (*(check.time_ms for check in points.checks), *(alert.time_ms for alert in points.alerts))
    meta.raise_to(connection, Value.DELIVERED_NEWEST_MS, max(times, default=0))
    ends = (one.start_ms + MINUTE_MS for one in points.summaries if one.span is Span.MINUTE)
    meta.raise_to(connection, Value.DELIVERED_SUMMARISED_MS, max(ends, default=0))


def delivered(connection: sqlite3.Connection) -> DeliveryRecord:
    """The newest delivered times, but before everything that waits."""
    newest_ms = meta.number(connection, Value.DELIVERED_NEWEST_MS)
    summarised_ms = meta.number(connection, Value.DELIVERED_SUMMARISED_MS)
    for kind in KINDS:
        first = connection.execute("SELECT MIN(first) FROM outbox WHERE kind = ?", (kind,)).fetchone()[0]
        if first is not None and kind in SPANS:
            summarised_ms = min(summarised_ms, SPANS[kind].start_of(time_of(first)) + SPANS[kind].length_ms - 1)
        elif first is not None:
            newest_ms = min(newest_ms, time_of(first) - 1)
    return DeliveryRecord(meta.number(connection, Value.DELIVERY), max(0, newest_ms), max(0, summarised_ms))


def pending(connection: sqlite3.Connection) -> Pending:
    are_points = "kind IN ('checks', 'alerts')"
    query = f"SELECT SUM(points) FILTER (WHERE {are_points}), SUM(points) FILTER (WHERE NOT {are_points}), MIN(created_ms)"
    points, others, oldest_ms = connection.execute(f"{query} FROM outbox").fetchone()
    return Pending(points or 0, others or 0, oldest_ms)


def points_of(connection: sqlite3.Connection, entry: OutboxEntry) -> int:
    """How many points this entry has now."""
    if entry.kind == "checks" and entry.site is None and entry.last - entry.first > first_key(MINUTE_MS):
        return queries.number_of_checks(connection, Window(time_of(entry.first), time_of(entry.last) + 1))
    where, values = between(entry.first, entry.last, entry.sites)
    return int(connection.execute(f"SELECT COUNT(*) FROM {entry.kind} WHERE {where}", values).fetchone()[0])


def is_waiting(connection: sqlite3.Connection, end: int) -> bool:
    """Whether checks before this key wait for delivery."""
    query = "SELECT 1 FROM outbox WHERE kind = 'checks' AND first < ? LIMIT 1"
    return connection.execute(query, (end,)).fetchone() is not None


# Sending again


def requeue(connection: sqlite3.Connection, window: Window, points: Mapping[str, int], in_flight: int) -> None:
    """Add an entry for all rows of each kind in this window, in place of entries within it. `points` are their numbers."""
    inside = "DELETE FROM outbox WHERE kind = ? AND first >= ? AND last <= ? AND entry > ?"
    for kind in KINDS:
        first, last = _range(kind, window)
        connection.execute(inside, (kind, first, last, in_flight))
        if points[kind]:
            add(connection, kind, first, last, points[kind], window.from_ms)


def requeue_alerts(connection: sqlite3.Connection, in_flight: int) -> None:
    """Replace the entries of all alerts by one."""
    connection.execute("DELETE FROM outbox WHERE kind = 'alerts' AND entry > ?", (in_flight,))
    first, last, number = connection.execute("SELECT MIN(id), MAX(id), COUNT(*) FROM alerts").fetchone()
    if number:
        add(connection, "alerts", first, last, number, time_of(first))


def count(connection: sqlite3.Connection, window: Window) -> dict[str, int]:
    """How many rows of each kind `requeue` would put into the outbox."""
    counts = {"checks": queries.number_of_checks(connection, window)}
    for kind in KINDS[1:]:
        query = f"SELECT COUNT(*) FROM {kind} WHERE id BETWEEN ? AND ?"
        counts[kind] = connection.execute(query, _range(kind, window)).fetchone()[0]
    return counts


def _range(kind: str, window: Window) -> tuple[int, int]:
    """The first and the last key of this kind in the window; summaries are those of spans that overlap it."""
    from_ms = SPANS[kind].start_of(window.from_ms) if kind in SPANS else window.from_ms
    return first_key(from_ms), min(first_key(window.until_ms), LARGEST_KEY) - 1


# Refusals


def add_refused(connection: sqlite3.Connection, refused: Iterable[Refusal]) -> None:
    """Store refusals as ranges: those of the same kind, site and field become one, with the newest reason.

    (InfluxDB's words differ each time, because they name a point and count what was dropped.)
    """
    same = "kind = ? AND host = ? AND field = ? AND by_age = ?"
    longer = "reason = ?, first_ms = MIN(first_ms, ?), last_ms = MAX(last_ms, ?), count = count + ?"
    insert = (
        "INSERT INTO refused (kind, host, field, by_age, reason, first_ms, last_ms, count) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    )
    for one in refused:
        alike = (one.kind, one.host, one.field, one.by_age)
        found = (one.reason, one.first_ms, one.last_ms, one.count)
        if not connection.execute(f"UPDATE refused SET {longer} WHERE {same}", (*found, *alike)).rowcount:
            connection.execute(insert, (*alike, *found))


def refusals(connection: sqlite3.Connection) -> Sequence[Refusal]:
    query = "SELECT kind, host, first_ms, last_ms, count, field, reason, by_age FROM refused ORDER BY id"
    return [replace(Refusal(*row), by_age=bool(row[-1])) for row in connection.execute(query)]


def retry_refused(connection: sqlite3.Connection, kind: str) -> None:
    """Put what was refused of this kind (not by age) into the outbox again, and delete the refusals."""
    for site, one in _refused(connection, kind):
        span = (first_key(one.first_ms), first_key(one.last_ms + 1) - 1)
        add(connection, kind, *span, one.count, one.first_ms, site)
    connection.execute("DELETE FROM refused WHERE kind = ? AND NOT by_age", (kind,))


def refused_sample(connection: sqlite3.Connection, kind: str, limit: int) -> Points:
    """The newest point of each refusal of this kind (not by age), at most `limit`."""
    taken: defaultdict[str, dict[int, Row]] = defaultdict(dict)
    for site, one in _refused(connection, kind):
        key = first_key(one.last_ms) | site
        if len(taken[kind]) < limit:
            taken[kind].update((row[0], row) for row in _rows(connection, OutboxEntry(0, kind, key, key, None, 1), 1))
    return _points(connection, taken)


def _refused(connection: sqlite3.Connection, kind: str) -> Iterator[tuple[int, Refusal]]:
    """What was refused of this kind (not by age), with the number of its site."""
    sites = {host: site for site, host in queries.hosts(connection).items()}
    found = [one for one in refusals(connection) if one.kind == kind and not one.by_age]
    yield from ((sites[one.host], one) for one in found if one.host in sites)
