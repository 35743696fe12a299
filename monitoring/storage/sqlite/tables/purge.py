"""Carries out `--purge` in steps of a few milliseconds, in the process that writes the local file.

A request is a row of table `purges`, which any process may add in a short transaction. If the writing process ends in
between, the next one begins the request again. Nothing that was purged comes back: the rows that outbox entries name are
gone, and what was in flight is deleted in the database, which happens after its delivery.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace

from monitoring.models import Window
from monitoring.statistics.summary import Span
from monitoring.storage.base import Deletion
from monitoring.storage.notifications import Route
from monitoring.storage.sqlite.tables import meta, notifications, outbox, queries, rows, shared, states, summaries
from monitoring.storage.sqlite.tables.meta import Value
from monitoring.storage.sqlite.tables.schema import ALERT_COLUMNS, SITE, alert_from_row, first_key, inside, time_of

SITES_AT_ONCE = 25
"""A step adds up again the cut span of so many sites."""

DONE = 10
"""The `stage` of a request that is done in this file."""

ENTRIES_AT_ONCE = 200
ALERTS_AT_ONCE = 1_000

OPEN_ALERTS = f"""
SELECT id FROM (SELECT MAX(id) AS id, type FROM alerts GROUP BY {SITE}) WHERE type = 'alert'
"""


@dataclass(frozen=True, slots=True)
class Request:
    """Delete what one site (None: every site) has before a moment. `forget`: also an open alert.

    For every site, `hosts` says whose data the database deletes, because others may write there, too. `is_done`: it is done
    in this file, but not in the database. `reached` counts the rows deleted or changed so far.
    """

    host: str | None
    before_ms: int
    forget: bool
    hosts: tuple[str, ...] = ()
    is_done: bool = False
    reached: int = 0
    id: int = 0

    @property
    def but_open_alerts(self) -> str:
        """A condition on the keys of alerts to delete."""
        return "" if self.forget else f"AND id NOT IN ({OPEN_ALERTS})"

    def deletion(self) -> Deletion:
        hosts = self.hosts if self.host is None else (self.host,)
        return Deletion(hosts or None, self.before_ms, open_alerts_of=() if self.forget else None)

    def deletion_here(self) -> Deletion:
        """The part in this file, where no others write."""
        return replace(self, hosts=()).deletion()


@dataclass(frozen=True, slots=True)
class Preview:
    """What a request would delete: about how many checks, how many alerts, of which hosts, since when.

    `summed_from_ms`: since when there are summaries, whose checks may have expired (None: there are none).
    """

    checks: int = 0
    alerts: int = 0
    hosts: tuple[str, ...] = ()
    from_ms: int | None = None
    summed_from_ms: int | None = None


def ask(connection: sqlite3.Connection, request: Request) -> int:
    """Store a request; return its number."""
    insert = "INSERT INTO purges (host, hosts, before_ms, forget) VALUES (?, ?, ?, ?)"
    hosts = json.dumps(request.hosts) if request.hosts else None
    return int(connection.execute(insert, (request.host, hosts, request.before_ms, request.forget)).lastrowid or 0)


def find(connection: sqlite3.Connection, condition: str, value: int) -> Request | None:
    """The oldest request that meets this condition; None: there is none."""
    query = f"SELECT host, hosts, before_ms, forget, stage, reached, id FROM purges WHERE {condition} ORDER BY id LIMIT 1"
    row = connection.execute(query, (value,)).fetchone()
    if row is None:
        return None
    host, hosts, before_ms, forget, stage, reached, number = row
    return Request(host, before_ms, bool(forget), tuple(json.loads(hosts or "[]")), stage == DONE, reached, number)


def due(connection: sqlite3.Connection) -> Request | None:
    """The oldest request that is not done in this file."""
    return find(connection, "stage < ?", DONE)


def done(connection: sqlite3.Connection) -> Request | None:
    """The oldest request that is done in this file, but not in the database."""
    return find(connection, "stage = ?", DONE)


def finish(connection: sqlite3.Connection, deletion: Deletion) -> None:
    """The database has carried it out, too."""
    request = done(connection)
    if request is not None and (request.deletion().hosts, request.before_ms) == (deletion.hosts, deletion.before_ms):
        connection.execute("DELETE FROM purges WHERE id = ?", (request.id,))


@dataclass(slots=True)
class Purge:
    """Carries out a request in this file.

    Outbox entries up to `in_flight` are being delivered. `route` says who hears that the record of an open outage was
    deleted.
    """

    connection: sqlite3.Connection
    request: Request
    now_ms: int
    in_flight: Callable[[], int]
    route: Route
    _site: int | None = field(init=False, default=None)  # None: every site

    def steps(self) -> Iterator[None]:
        """One step for each advance, which the caller makes a transaction."""
        row = self.connection.execute("SELECT id FROM sites WHERE host = ?", (self.request.host,)).fetchone()
        self._site = row and row[0]
        before = self.connection.total_changes
        for _ in self._parts() if row or self.request.host is None else ():
            changed = max(1, self.connection.total_changes - before)  # a step that only looked is progress, too
            self.connection.execute("UPDATE purges SET reached = reached + ? WHERE id = ?", (changed, self.request.id))
            yield
            before = self.connection.total_changes
        self.connection.execute("UPDATE purges SET stage = ? WHERE id = ?", (DONE, self.request.id))

    def _parts(self) -> Iterator[None]:
        for table in ("checks", *outbox.SPANS):  # also the summaries of spans that the moment cuts
            sites = None if self._site is None else [self._site]
            yield from rows.delete_in_steps(lambda: nullcontext(self.connection), table, self.request.before_ms, sites)
        for span in Span:
            yield from self._add_up_again(span)
        self._delete_notifications()
        yield from self._delete_alerts()
        yield from self._count_entries()
        yield from self._forget_sites()

    @property
    def _summarised_ms(self) -> int:
        return meta.number(self.connection, Value.SUMMARISED_MS)

    @property
    def _end(self) -> int:
        """The first key that stays."""
        return first_key(self.request.before_ms)

    @property
    def _of_site(self) -> str:
        return "" if self._site is None else f"AND {SITE} = {self._site}"

    def _sites(self) -> Iterator[list[int]]:
        """The sites in groups, each for one step."""
        last = -1
        query = f"SELECT id FROM sites WHERE id > ? {self._of_site} ORDER BY id LIMIT {SITES_AT_ONCE}"
        while sites := [site for (site,) in self.connection.execute(query, (last,))]:
            yield sites
            last = sites[-1]

    def _add_up_again(self, span: Span) -> Iterator[None]:
        """Summarise the span that the moment cuts from what is left of it."""
        start_ms = span.start_of(self.request.before_ms)
        if start_ms == self.request.before_ms or start_ms + span.length_ms > self._summarised_ms:
            return
        for sites in self._sites():
            if span is Span.MINUTE:
                found = summaries.of_minute(self.connection, start_ms, sites)
            else:
                found = summaries.of_finer(self.connection, span, start_ms, sites)
            summaries.store(self.connection, span, start_ms, found)
            yield

    def _delete_notifications(self) -> None:
        """In the step before the alert records go: an open one says who has to hear that it is gone."""
        request = self.request
        if not request.forget:
            notifications.delete_before(self.connection, request.before_ms, request.host)
            return
        names = queries.hosts(self.connection)
        query = f"SELECT {ALERT_COLUMNS} FROM alerts WHERE id < {self._end} {self._of_site} AND id IN ({OPEN_ALERTS})"
        opened = [alert_from_row(row, names) for row in self.connection.execute(query).fetchall()]
        notifications.forget(self.connection, request.host, request.before_ms, opened, self.route, self.now_ms)

    def _delete_alerts(self) -> Iterator[None]:
        before = f"id < {self._end} {self._of_site}"
        chosen = f"SELECT id FROM alerts WHERE {before} {self.request.but_open_alerts} LIMIT {ALERTS_AT_ONCE}"
        while self.connection.execute(f"DELETE FROM alerts WHERE id IN ({chosen})").rowcount == ALERTS_AT_ONCE:
            yield
        of_host = "IFNULL(? = host, 1)"
        host, before_ms = self.request.host, self.request.before_ms
        self.connection.execute(f"DELETE FROM refused WHERE last_ms < ? AND {of_host}", (before_ms, host))
        cut = f"UPDATE refused SET first_ms = ? WHERE first_ms < ? AND {of_host}"
        self.connection.execute(cut, (before_ms, before_ms, host))
        yield

    def _count_entries(self) -> Iterator[None]:
        """Count the points of outbox entries again, and delete entries that have none."""
        columns, last, looked_at = "entry, kind, first, last, site, points", -1, 0
        query = f"SELECT {columns} FROM outbox WHERE entry > ? AND first < ? ORDER BY entry LIMIT {ENTRIES_AT_ONCE}"
        while found := self.connection.execute(query, (last, self._end)).fetchall():
            for row in found:
                entry = outbox.OutboxEntry(*row)
                self._count(entry)
                last, looked_at = entry.entry, looked_at + entry.points
                if looked_at >= rows.LOOK_AT_ONCE:
                    break
            looked_at = 0
            yield

    def _count(self, entry: outbox.OutboxEntry) -> None:
        points = outbox.points_of(self.connection, entry)
        if points:
            self.connection.execute("UPDATE outbox SET points = ? WHERE entry = ?", (points, entry.entry))
        elif entry.entry > self.in_flight():
            self.connection.execute("DELETE FROM outbox WHERE entry = ?", (entry.entry,))

    def _forget_sites(self) -> Iterator[None]:
        """Delete sites of which nothing is left, and find the states of the others anew."""
        for sites in self._sites():
            known = states.load(self.connection, sites)
            for site in sites:
                state = known.get(site)
                if self.request.forget or (state and state.last_ms < self.request.before_ms):
                    past = states.Past(self.connection, site, self._summarised_ms)
                    states.save(self.connection, {site: past.state(self._summarised_ms)})
                if not self._has_anything(site):
                    self.connection.execute("DELETE FROM sites WHERE id = ?", (site,))
            yield

    def _has_anything(self, site: int) -> bool:
        """Whether the site has a check, an alert or a summary."""
        if states.load(self.connection, [site]):
            return True
        newer = [("alerts", 0), ("checks", self._summarised_ms)]
        newer += [(table, span.start_of(self.request.before_ms)) for table, span in outbox.SPANS.items()]
        query = f"SELECT 1 FROM {{}} WHERE id >= ? AND {SITE} = ? LIMIT 1"
        return any(
            self.connection.execute(query.format(table), (first_key(from_ms), site)).fetchone() for table, from_ms in newer
        )


def preview(connection: sqlite3.Connection, request: Request, summarised_ms: int, location: str | None = None) -> Preview:
    """What this request would delete. Only counts, so it is quick. `location`: only there (None: everywhere)."""
    places = {site: shared.place(name) for site, name in queries.hosts(connection).items()}
    names = {site: host for site, (at, host) in places.items() if request.host in (None, host) and location in (None, at)}
    window = Window(0, request.before_ms)
    where, values = inside(window, None if request.host is location is None else names)

    def first_ms(*tables: str) -> int | None:
        firsts = [
            connection.execute(f"SELECT id FROM {table} WHERE {where} ORDER BY id LIMIT 1", values) for table in tables
        ]
        return min((time_of(key) for found in firsts for (key,) in found), default=None)

    counts = queries.check_counts(connection, window, names, summarised_ms)
    alerts = f"SELECT COUNT(*) FROM alerts WHERE {where} {request.but_open_alerts}"
    return Preview(
        checks=sum(counts.values()),
        alerts=connection.execute(alerts, values).fetchone()[0],
        hosts=tuple(dict.fromkeys(names.values())),
        from_ms=first_ms("minutes", "checks", "alerts"),
        summed_from_ms=first_ms(*outbox.SPANS),
    )
