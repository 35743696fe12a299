"""What `--purge` asked for, done by the one process that writes the local file, in steps of a few milliseconds.

The request is a row of table `purges`, which any process may add in one short transaction. A process that ends in
between goes on at the next start. Nothing that was purged comes back: the outbox finds its points by their keys, and
they are gone; what was on its way meanwhile is deleted in the database, which happens after that.
"""

import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import partial

from monitoring.models import Window
from monitoring.statistics.summary import Span
from monitoring.storage.base import Deletion
from monitoring.storage.sqlite import outbox, queries, rows, states, summaries
from monitoring.storage.sqlite.schema import SITE_BITS, SITE_MASK, TABLES, first_key
from monitoring.storage.sqlite.summaries import SITE

SITES_AT_ONCE = 25
"""Of how many sites what the moment cuts is added up again in a step."""

ENTRIES_AT_ONCE = 200
ALERTS_AT_ONCE = 1_000

OPEN_ALERTS = f"""
SELECT id FROM (SELECT MAX(id) AS id, type FROM alerts GROUP BY id & {SITE_MASK}) WHERE type = 'alert'
"""


class Stage(IntEnum):
    """What is being done. `reached` of a stage is the first key, site or entry that is still to be looked at."""

    CHECKS = 0
    MINUTES = 1
    HOURS = 2
    DAYS = 3
    CUT_MINUTE = 4
    CUT_HOUR = 5
    CUT_DAY = 6
    ALERTS = 7
    ENTRIES = 8
    SITES = 9
    DONE = 10
    """Here; the database is to follow."""


@dataclass(frozen=True, slots=True)
class Request:
    """Delete what lies before a moment: of one site (None: of all). `forget`: an open alert goes, too.

    `hosts` are those whose data the database deletes as well when that is all sites; others may write there, too.
    """

    host: str | None
    before_ms: int
    forget: bool
    hosts: tuple[str, ...] = ()
    stage: Stage = Stage.CHECKS
    reached: int = 0
    id: int = 0

    @property
    def but_open_alerts(self) -> str:
        """A condition on the keys of alerts."""
        return "" if self.forget else f"AND id NOT IN ({OPEN_ALERTS})"

    def deletion(self) -> Deletion:
        hosts = self.hosts if self.host is None else (self.host,)
        return Deletion(hosts or None, self.before_ms, keep_open_alerts=not self.forget)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a request would delete: about how many checks, how many alerts, of which hosts, and since when.

    `summed_from_ms`: since when summaries tell of checks, which themselves may be gone (None: there are none).
    """

    checks: int = 0
    alerts: int = 0
    hosts: tuple[str, ...] = ()
    from_ms: int | None = None
    summed_from_ms: int | None = None


def ask(connection: sqlite3.Connection, request: Request) -> int:
    """Leave a request; returns its number."""
    insert = "INSERT INTO purges (host, hosts, before_ms, forget) VALUES (?, ?, ?, ?)"
    hosts = json.dumps(request.hosts) if request.hosts else None
    return int(connection.execute(insert, (request.host, hosts, request.before_ms, request.forget)).lastrowid or 0)


def find(connection: sqlite3.Connection, condition: str, value: int) -> Request | None:
    """The oldest request of which this is true; None when there is none."""
    query = f"SELECT host, hosts, before_ms, forget, stage, reached, id FROM purges WHERE {condition} ORDER BY id LIMIT 1"
    row = connection.execute(query, (value,)).fetchone()
    if row is None:
        return None
    host, hosts, before_ms, forget, stage, reached, number = row
    return Request(host, before_ms, bool(forget), tuple(json.loads(hosts or "[]")), Stage(stage), reached, number)


def due(connection: sqlite3.Connection) -> Request | None:
    """The oldest request that is not done here."""
    return find(connection, "stage < ?", Stage.DONE)


def done(connection: sqlite3.Connection) -> Request | None:
    """The oldest request that is done here, but not yet in the database."""
    return find(connection, "stage = ?", Stage.DONE)


def finish(connection: sqlite3.Connection, deletion: Deletion) -> None:
    """It has been carried out in the database, too."""
    request = done(connection)
    if request is not None and request.deletion() == deletion:
        connection.execute("DELETE FROM purges WHERE id = ?", (request.id,))


def step(connection: sqlite3.Connection, request: Request, summarised_ms: int, now_ms: int, in_flight: int) -> None:
    """Take the next step of a request, within a transaction."""
    cut = _Cut(connection, request, _site(connection, request.host), summarised_ms, now_ms, in_flight)
    steps: Mapping[Stage, Callable[[], int | None]] = {
        Stage.CHECKS: partial(cut.delete_rows, "checks"),
        Stage.MINUTES: partial(cut.delete_rows, "minutes"),
        Stage.HOURS: partial(cut.delete_rows, "hours"),
        Stage.DAYS: partial(cut.delete_rows, "days"),
        Stage.CUT_MINUTE: partial(cut.add_up_again, Span.MINUTE),
        Stage.CUT_HOUR: partial(cut.add_up_again, Span.HOUR),
        Stage.CUT_DAY: partial(cut.add_up_again, Span.DAY),
        Stage.ALERTS: cut.delete_alerts,
        Stage.ENTRIES: cut.count_entries,
        Stage.SITES: cut.forget_sites,
    }
    is_unknown = request.host is not None and cut.site is None
    reached = None if is_unknown else steps[request.stage]()
    stage = request.stage if reached is not None else Stage.DONE if is_unknown else Stage(request.stage + 1)
    connection.execute("UPDATE purges SET stage = ?, reached = ? WHERE id = ?", (stage, reached or 0, request.id))


def _site(connection: sqlite3.Connection, host: str | None) -> int | None:
    row = connection.execute("SELECT id FROM sites WHERE host = ?", (host,)).fetchone()
    return int(row[0]) if row else None


@dataclass(frozen=True, slots=True)
class _Cut:
    """A request at work. Each method takes one step and returns what it has reached; None: the stage is over."""

    connection: sqlite3.Connection
    request: Request
    site: int | None
    summarised_ms: int
    now_ms: int
    in_flight: int

    @property
    def end(self) -> int:
        """The first key that stays."""
        return first_key(self.request.before_ms)

    @property
    def of_site(self) -> str:
        return "" if self.site is None else f"AND {SITE} = {self.site}"

    def delete_rows(self, table: str) -> int | None:
        """Of summaries, the one that the moment cuts goes as well."""
        sites = None if self.site is None else [self.site]
        return rows.delete(self.connection, table, self.request.reached, self.request.before_ms, sites)

    def add_up_again(self, span: Span) -> int | None:
        """The next sites' summaries of the span that the moment cuts, from what is left of finer ones."""
        start_ms = span.start_of(self.request.before_ms)
        if start_ms == self.request.before_ms or start_ms + span.length_ms > self.summarised_ms:
            return None
        query = f"SELECT id FROM sites WHERE id >= ? {self.of_site} ORDER BY id LIMIT {SITES_AT_ONCE}"
        sites = [site for (site,) in self.connection.execute(query, (self.request.reached,))]
        if not sites:
            return None
        if span is Span.MINUTE:
            found = summaries.of_minute(self.connection, start_ms, sites)
        else:
            found = summaries.of_finer(self.connection, span, start_ms, sites)
        summaries.store(self.connection, span, start_ms, found)
        keys = [first_key(start_ms) | site for site in found]
        outbox.add_missing(self.connection, TABLES[span], keys, self.now_ms, self.in_flight)
        return int(sites[-1]) + 1

    def delete_alerts(self) -> int | None:
        before = f"id < {self.end} {self.of_site}"
        self.connection.execute(f"DELETE FROM earlier_checks WHERE {before}")
        chosen = f"SELECT id FROM alerts WHERE {before} {self.request.but_open_alerts} LIMIT {ALERTS_AT_ONCE}"
        if self.connection.execute(f"DELETE FROM alerts WHERE id IN ({chosen})").rowcount == ALERTS_AT_ONCE:
            return 0
        of_host = "IFNULL(? = host, 1)"
        host, before_ms = self.request.host, self.request.before_ms
        self.connection.execute(f"DELETE FROM refused WHERE last_ms < ? AND {of_host}", (before_ms, host))
        cut = f"UPDATE refused SET first_ms = ? WHERE first_ms < ? AND {of_host}"
        self.connection.execute(cut, (before_ms, before_ms, host))
        return None

    def count_entries(self) -> int | None:
        """Some of what waits for delivery is gone: entries with nothing left go, the others count anew."""
        columns = "entry, kind, first, last, site, points"
        query = f"SELECT {columns} FROM outbox WHERE entry >= ? AND first < ? ORDER BY entry LIMIT {ENTRIES_AT_ONCE}"
        entry, looked_at = None, 0
        for row in self.connection.execute(query, (self.request.reached, self.end)).fetchall():
            entry = outbox.Entry(*row)
            points = outbox.points_of(self.connection, entry, self.summarised_ms)
            if points:
                self.connection.execute("UPDATE outbox SET points = ? WHERE entry = ?", (points, entry.entry))
            elif entry.entry > self.in_flight:
                self.connection.execute("DELETE FROM outbox WHERE entry = ?", (entry.entry,))
            looked_at += entry.points
            if looked_at >= rows.LOOK_AT_ONCE:
                break
        return None if entry is None else entry.entry + 1

    def forget_sites(self) -> int | None:
        """A site of which nothing is left loses its number; of the others what they were before is forgotten."""
        query = f"SELECT id FROM sites WHERE id >= ? {self.of_site} ORDER BY id LIMIT {SITES_AT_ONCE}"
        sites = [site for (site,) in self.connection.execute(query, (self.request.reached,))]
        known = states.load(self.connection, sites) if sites else {}
        for site in sites:
            state = known.get(site)
            if self.request.forget or (state and state.last_ms < self.request.before_ms):
                past = states.Past(self.connection, site, self.summarised_ms)
                states.save(self.connection, {site: past.state(self.summarised_ms)})
            if not self._has_anything(site):
                self.connection.execute("DELETE FROM sites WHERE id = ?", (site,))
        return int(sites[-1]) + 1 if sites else None

    def _has_anything(self, site: int) -> bool:
        """Is there a check, an alert or a summary of this site?"""
        if states.load(self.connection, [site]):
            return True
        newer = [("alerts", 0), ("checks", self.summarised_ms)]
        newer += [(table, span.start_of(self.request.before_ms)) for span, table in TABLES.items()]
        query = f"SELECT 1 FROM {{}} WHERE id >= ? AND {SITE} = ? LIMIT 1"
        return any(
            self.connection.execute(query.format(table), (first_key(from_ms), site)).fetchone() for table, from_ms in newer
        )


def preview(connection: sqlite3.Connection, request: Request, summarised_ms: int) -> Preview:
    """Reads counts only."""
    names = queries.hosts(connection, None if request.host is None else [request.host])
    window = Window(0, request.before_ms)
    where, values = queries.inside(window, None if request.host is None else names)

    def first_ms(*tables: str) -> int | None:
        firsts = [
            connection.execute(f"SELECT id FROM {table} WHERE {where} ORDER BY id LIMIT 1", values) for table in tables
        ]
        return min((key >> SITE_BITS for found in firsts for (key,) in found), default=None)

    counts = queries.check_counts(connection, window, names, summarised_ms)
    alerts = f"SELECT COUNT(*) FROM alerts WHERE {where} {request.but_open_alerts}"
    return Preview(
        checks=sum(counts.values()),
        alerts=connection.execute(alerts, values).fetchone()[0],
        hosts=tuple(names.values()),
        from_ms=first_ms("minutes", "checks", "alerts"),
        summed_from_ms=first_ms(*TABLES.values()),
    )
