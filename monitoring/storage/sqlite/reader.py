"""Reads the local file."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from monitoring.errors import StoreUnavailable
from monitoring.fields import CAUSES
from monitoring.models import Alert, CheckResult, Downtime, Failure, LastState, SiteStats, Window
from monitoring.statistics.reference import NONE_ENDED, Ended
from monitoring.statistics.spans import plan
from monitoring.statistics.summary import Span, Summary
from monitoring.statistics.totals import SiteTotals
from monitoring.statistics.windows import bucket_range
from monitoring.storage.base import Counts, DeliveryRecord, Pending, Refusal
from monitoring.storage.notifications import Delivery, Entry
from monitoring.storage.sqlite.file.connection import ReaderPool
from monitoring.storage.sqlite.tables import (
    maintenance,
    meta,
    migrations,
    notifications,
    outbox,
    purge,
    queries,
    rows,
    shared,
    states,
)
from monitoring.storage.sqlite.tables.schema import (
    ALERT_COLUMNS,
    SITE,
    SITE_BITS,
    alert_from_row,
    check_from_row,
    first_key,
    inside,
    site_of,
    time_of,
)
from monitoring.storage.sqlite.tables.summaries import FAILED, JUDGED
from monitoring.units import DAY_MS, HOUR_MS, MINUTE_MS

NEWEST_ALERTS = f"""
SELECT {ALERT_COLUMNS} FROM alerts WHERE id IN (SELECT MAX(id) FROM alerts GROUP BY {SITE})"""

NEWEST_TIME = f"""
SELECT MAX(time) FROM (
    SELECT MAX(id) >> {SITE_BITS} AS time FROM checks
    UNION ALL SELECT MAX(id) >> {SITE_BITS} FROM alerts UNION ALL SELECT MAX(last) FROM sites)
"""

DOWNTIME = f"COUNT(*), COUNT(*) {FAILED}, IFNULL(SUM(covers) FILTER (WHERE {JUDGED}), 0), IFNULL(SUM(covers) {FAILED}, 0)"
DOWNTIME_OF_SUMMARIES = (
    "SUM(checks), SUM(checks - good - maintenance), SUM(covers - maintenance_covers),"
    " SUM(covers - good_covers - maintenance_covers)"
)

OLDER = "an older version wrote it: start a monitor, which brings it up to date"

RESULTS_AT_ONCE = 5_000

ROWS_AT_ONCE, MOST_TURNS = 20_000, 4
"""About so many minutes are added up at once, whose response times are all in memory: those of an hour of 1000 sites would
leave holes of 12 MB there. Each turn passes over all rows of the window, so there are not many."""


class FileReader:
    """Keeps `Reader` for a local file that a monitor writes or wrote; also answers what alerts are decided from."""

    kind = "local"

    def __init__(self, path: Path, pool: ReaderPool | None = None) -> None:
        self.path = path
        self.readers = pool or ReaderPool(path)

    @contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one moment of the file. Raises `StoreUnavailable` and its kinds."""
        with self.readers.snapshot() as connection:
            if migrations.version(connection) != migrations.NEWEST:
                raise StoreUnavailable(f"{self.path}: {_why_unread(connection)}")
            yield connection

    def has_no_tables(self) -> bool:
        """Whether nobody has filled the file yet. False where it cannot be read: the questions say why."""
        with suppress(StoreUnavailable), self.readers.snapshot() as connection:
            return migrations.version(connection) == 0
        return False

    def _names(self, connection: sqlite3.Connection) -> Mapping[int, str]:
        """The hosts of the sites to read, by number."""
        return queries.hosts(connection)

    def _summarised_ms(self, connection: sqlite3.Connection) -> int | None:
        """All minutes before this moment have right summaries. None: see module `queries`."""
        return meta.number(connection, meta.Value.SUMMARISED_MS)

    def stats(self, window: Window, *, exact: bool, **_: object) -> Mapping[str, SiteStats]:
        """As `Reader.stats`. (A gateway calls it as `Backend.stats`, whose other arguments are of no use here.)"""
        marks = bucket_range(window, exact=exact)
        found = {host: totals.stats(host, marks) for host, totals in self._totals(window, exact=exact)}
        return {host: stats for host, stats in found.items() if stats}

    def summaries(self, window: Window) -> Mapping[str, Summary]:
        """Keeps `Ends`."""
        return {host: totals.summary() for host, totals in self._totals(window, exact=True)}

    def _totals(self, window: Window, *, exact: bool) -> Iterator[tuple[str, SiteTotals]]:
        with self._snapshot() as connection:
            names, summarised_ms = self._names(connection), self._summarised_ms(connection)
            for sites in _in_turns(names, window.length_ms if exact else min(window.length_ms, 2 * HOUR_MS)):
                reader = queries.WindowReader(connection, window, summarised_ms, exact=exact, sites=sites)
                yield from ((names[site], totals) for site, totals in reader.totals() if site in names)

    # What alerts are decided from

    def downtime(
        self, window: Window, hosts: Collection[str] | None = None, ended: Ended = NONE_ENDED
    ) -> Mapping[str, Downtime]:
        with self._snapshot() as connection:
            names = queries.hosts(connection, hosts)
            planned = plan(window, self._summarised_ms(connection) or 0, exact=window.length_ms < DAY_MS)
            sites = None if hosts is None else names
            found = queries.sums_by_site(connection, planned, DOWNTIME, DOWNTIME_OF_SUMMARIES, sites)
            of_ended = _ended(connection, window, names, ended)
        return {names[site]: Downtime(*sums, *of_ended.get(site, ())) for site, sums in found.items()}

    def failures(self, window: Window, hosts: Collection[str]) -> Mapping[str, Sequence[Failure]]:
        where, values = inside(window)
        found: defaultdict[str, list[Failure]] = defaultdict(list)
        with self._snapshot() as connection:
            names = queries.hosts(connection, hosts)
            table = rows.source(connection, [window])
            failed = f"{where} AND cause IS NOT NULL AND {JUDGED}"
            query = f"SELECT id, covers, cause, detail FROM {table} WHERE {failed} ORDER BY id"
            for key, covers, cause, detail in connection.execute(query, values):
                if site_of(key) in names:
                    found[names[site_of(key)]].append(Failure(time_of(key), covers, CAUSES[cause], detail or ""))
        return dict(found)

    # What is stored

    def results(self, window: Window, hosts: Collection[str] | None = None) -> Iterator[CheckResult]:
        for _, moment in groupby(self._results(window, hosts), attrgetter("time_ms")):
            yield from sorted(moment, key=attrgetter("host"))

    def _results(self, window: Window, hosts: Collection[str] | None) -> Iterator[CheckResult]:
        """In order of time. Read some at a time, so that no snapshot of the file is held while the caller works."""
        with self._snapshot() as connection:
            oldest_ms, newest_ms = rows.ends(connection)
        first, last = first_key(max(window.from_ms, oldest_ms)), first_key(min(window.until_ms, newest_ms + 1)) - 1
        while first <= last:
            end = min(last, first + first_key(DAY_MS))
            with self._snapshot() as connection:
                names = {site: host for site, host in self._names(connection).items() if hosts is None or host in hosts}
                found = rows.some(connection, first, end, names, RESULTS_AT_ONCE)
            yield from (check_from_row(row, names) for row in found)
            first = found[-1][0] + 1 if len(found) == RESULTS_AT_ONCE else end + 1

    def alerts(self, window: Window) -> Sequence[Alert]:
        where, values = inside(window)
        with self._snapshot() as connection:
            return self._alerts(connection, f"SELECT {ALERT_COLUMNS} FROM alerts WHERE {where}", values)

    def last_alerts(self) -> Mapping[str, Alert]:
        with self._snapshot() as connection:
            return {alert.host: alert for alert in self._alerts(connection, NEWEST_ALERTS)}

    def _alerts(self, connection: sqlite3.Connection, query: str, values: Mapping[str, int] | None = None) -> list[Alert]:
        names = self._names(connection)
        rows_of = (row for row in connection.execute(query, values or {}) if site_of(row[0]) in names)
        return sorted((alert_from_row(row, names) for row in rows_of), key=lambda alert: (alert.time_ms, alert.host))

    def last_states(self, before_ms: int) -> Mapping[str, LastState]:
        with self._snapshot() as connection:
            names = self._names(connection)
            found = states.before(connection, before_ms, names, self._summarised_ms(connection))
        return {names[site]: state for site, state in found.items()}

    def last_time(self) -> int | None:
        with self._snapshot() as connection:
            found = connection.execute(NEWEST_TIME).fetchone()[0]
        return None if found is None else int(found)

    def missing(self, window: Window) -> int:  # noqa: ARG002 - a local file lacks only what has expired
        return 0

    def counts(self, window: Window, kind: str = "checks", each: Span | None = None) -> Counts:
        """As `Backend.counts`."""
        with self._snapshot() as connection:
            names, summarised_ms = self._names(connection), self._summarised_ms(connection)
            if kind == "checks" and each is None:
                found = queries.check_counts(connection, window, names, summarised_ms)
                return {(window.from_ms, host): checks for host, checks in found.items()}
            return queries.counts(connection, window, names, kind, each)

    def summarised_ms(self) -> int:
        """All minutes before this moment are summarised."""
        with self._snapshot() as connection:
            return self._summarised_ms(connection) or 0

    def pending(self) -> Pending:
        with self._snapshot() as connection:
            return outbox.pending(connection)

    def delivered(self) -> DeliveryRecord:
        """How far this file has delivered."""
        with self._snapshot() as connection:
            return outbox.delivered(connection)

    def preview(self, request: purge.Request, location: str | None = None) -> purge.Preview:
        """What this request would delete; of a gateway's file at this location (None: everywhere)."""
        with self._snapshot() as connection:
            return purge.preview(connection, request, self._summarised_ms(connection) or 0, location)

    def is_shared(self) -> bool:
        """Whether it is a gateway's file, in which monitors at several locations store."""
        with self._snapshot() as connection:
            return shared.is_shared(connection)

    def refusals(self) -> Sequence[Refusal]:
        with self._snapshot() as connection:
            return outbox.refusals(connection)

    def pending_notifications(self, channel: str) -> Sequence[Entry]:
        """The pending entries of the channel, in order of (time, host)."""
        with self._snapshot() as connection:
            return notifications.pending(connection, channel)

    def newest_notifications(self, channel: str, states: Collection[Delivery]) -> Mapping[str, Entry]:
        """By host, the newest alert or recovery of the channel that is in one of these states."""
        with self._snapshot() as connection:
            return notifications.newest_changes(connection, channel, states)

    def deliveries(self, window: Window) -> Sequence[Entry]:
        """The notifications about events of a window, in order of (time, host, channel)."""
        with self._snapshot() as connection:
            return notifications.deliveries(connection, window)

    def maintenance_by_hand(self) -> Mapping[str, Window]:
        """The newest maintenance of each host that was begun by hand, by any process."""
        with self._snapshot() as connection:
            return maintenance.by_hand(connection)

    def close(self) -> None:
        self.readers.close()


def _in_turns(sites: Collection[int], by_minutes_ms: int) -> Iterator[range]:
    """The numbers of these sites, in ranges of which each has about as many. So much is read from minutes, at most."""
    numbers = sorted(sites)
    rows_of_all = len(numbers) * by_minutes_ms // MINUTE_MS
    turns = min(MOST_TURNS, -(-rows_of_all // ROWS_AT_ONCE))
    size = max(1, -(-len(numbers) // max(1, turns)))
    for place in range(0, len(numbers), size):
        some = numbers[place : place + size]
        yield range(some[0], some[-1] + 1)


def _ended(connection: sqlite3.Connection, window: Window, names: queries.Names, ended: Ended) -> dict[int, list[int]]:
    """Number and covered time of the failed checks that belong to ended outages, by site."""
    ends = {site: ended[host] for site, host in names.items() if host in ended}
    if not ends:
        return {}
    part = Window(window.from_ms, min(window.until_ms, max(ends.values()) + 1))
    where, values = inside(part, ends)
    query = f"""
WITH ends (site, end) AS MATERIALIZED (SELECT CAST(key AS INTEGER), value FROM json_each(:ends)),
failed AS (SELECT id, covers FROM {rows.source(connection, [part])} WHERE {where} AND cause IS NOT NULL AND {JUDGED})
SELECT {SITE}, COUNT(*), SUM(covers) FROM failed JOIN ends ON {SITE} = site WHERE id >> {SITE_BITS} <= end GROUP BY 1"""
    found = connection.execute(query, values | {"ends": json.dumps(ends)})
    return {site: numbers for site, *numbers in found}


def _why_unread(connection: sqlite3.Connection) -> str:
    """Why this file cannot be read."""
    version = migrations.version(connection)
    if version in migrations.VERSIONS:
        return OLDER
    if version:
        return f"written by another version of this program (file format {version})"
    is_filled = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
    return "not a file of this program" if is_filled else "is empty"
