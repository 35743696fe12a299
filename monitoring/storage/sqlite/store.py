"""The local file of a monitor: checks, alerts, summaries, and what a database has yet to receive."""

import sqlite3
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from monitoring.errors import StoreError
from monitoring.models import Alert, CheckResult, LastState, Window
from monitoring.storage.base import Deletion, Delivery, Points, Refusal
from monitoring.storage.notifications import Entry, Route, Warn, never, nowhere
from monitoring.storage.sqlite.file.open_file import OpenFile
from monitoring.storage.sqlite.guard import GuardedStore
from monitoring.storage.sqlite.reader import NEWEST_ALERTS
from monitoring.storage.sqlite.tables import (
    from_1_1,
    maintenance,
    meta,
    notifications,
    outbox,
    purge,
    retention,
    rows,
    schema,
)
from monitoring.storage.sqlite.tables import states as site_states
from monitoring.storage.sqlite.tables.meta import Value
from monitoring.storage.sqlite.tables.outbox import ALL_IN_FLIGHT, NOTHING_IN_FLIGHT
from monitoring.storage.sqlite.tables.schema import ALERT_COLUMNS, first_key, inside, site_of
from monitoring.storage.sqlite.tables.summariser import Summariser

LOOK_MS = 10_000
"""How often retention runs."""


class LocalStore(GuardedStore):
    """Keeps `Reader`, `OwnReader` and `Ends`. One thread appends and maintains, another one delivers, any thread may read.

    `path` and `marker`, by which a database knows the file, change when another file takes its place. All methods that write
    raise `StoreError`.
    """

    _generation = _taken_in = 0
    """The number of the open file, and of the one from which the last delivery was taken."""
    _in_flight = NOTHING_IN_FLIGHT
    _kept_ms: tuple[int, int] | None = None
    _rest_until_ms = 0
    _route: Route = staticmethod(nowhere)
    _warn: Warn = staticmethod(never)
    purged: Sequence[Deletion] = ()
    """What purges have deleted here since the file was opened, in order."""

    def _load(self, connection: sqlite3.Connection) -> None:
        super()._load(connection)
        self._newest = first_key(rows.ends(connection)[1] + 1) - 1
        self._newest_alerts = {alert.host: alert for alert in self._alerts(connection, NEWEST_ALERTS)}
        self._summariser = Summariser(connection, self._snapshot, self.writing)
        self.marker = meta.text(connection, Value.MARKER)
        self._purging: tuple[purge.Request, Iterator[None]] | None = None

    def become(self, file: OpenFile, *, is_copy: bool) -> OpenFile:
        if not is_copy:  # the delivery in flight has no entries there
            self._generation += 1
            self._in_flight = NOTHING_IN_FLIGHT
            self._carry_over(file)
        return super().become(file, is_copy=is_copy)

    def _carry_over(self, file: OpenFile) -> None:
        """Copy notifications and maintenance to the other file, as far as this one can be read."""
        with suppress(StoreError, sqlite3.Error):
            found, by_hand = notifications.newest(self.opened.connection), maintenance.by_hand(self.opened.connection)
            with file.transaction():
                notifications.add(file.connection, found)
                for host, window in by_hand.items():
                    maintenance.begin(file.connection, [host], window)

    def newest_alerts(self) -> Sequence[Alert]:
        """From memory: the file may be unreadable."""
        return [alert for host, alert in self._newest_alerts.items() if host in self.sites]

    # Writing

    def append(self, checks: Sequence[CheckResult], alerts: Sequence[Alert], now_ms: int) -> None:
        """Store these with their outbox entries, durably, or nothing.

        A check that is there already is left as it is; a late one is added to its summaries.
        """
        points: list[CheckResult | Alert] = [*checks, *alerts]
        if not points:
            return
        with self.writing() as connection:
            sites = site_states.number(connection, self.sites, [point.host for point in points])
            new = self._insert_checks(connection, checks, sites, now_ms)
            outbox.add_checks(connection, list(new), self._newest, now_ms, self._in_flight)
            for alert in alerts:
                row = schema.alert_row(alert, sites[alert.host])
                connection.execute(schema.INSERT_ALERT, row)
                outbox.add(connection, "alerts", row[0], row[0], 1, now_ms)
                notifications.add_state_change(connection, alert, self._route)
            warnings = notifications.add_certificates(connection, new.values(), self._warn, now_ms)
        for warning in warnings:
            self.say(warning)
        self.sites, self._newest = sites, max(self._newest, *new) if new else self._newest
        self._remember(alerts)
        if self.echo is not None:
            self.echo.append((checks, alerts))

    def _insert_checks(
        self, connection: sqlite3.Connection, checks: Sequence[CheckResult], sites: Mapping[str, int], now_ms: int
    ) -> dict[int, CheckResult]:
        """Store those that are new; return them in order of their keys."""
        every = {first_key(one.time_ms) | sites[one.host]: one for one in checks}
        stored = rows.stored_among(connection, [key for key in every if key <= self._newest])
        new = {key: every[key] for key in sorted(every.keys() - stored)}
        rows_of = [schema.check_row(check, site_of(key)) for key, check in new.items()]
        connection.executemany(schema.INSERT_CHECK, rows_of)
        self._summariser.add(connection, new, now_ms, self._in_flight)
        return new

    def take_over(
        self, alerts: Sequence[Alert] = (), states: Mapping[str, LastState] | None = None, checks: Sequence[CheckResult] = ()
    ) -> None:
        """Store what a database knows and this file does not, without delivering it there again.

        That is alerts, states where they are newer, and the checks from which the next alerts are decided.
        """
        known = states or {}
        with self.writing() as connection:
            hosts = [*(one.host for one in alerts), *(one.host for one in checks), *known]
            sites = site_states.number(connection, self.sites, hosts)
            connection.executemany(schema.INSERT_ALERT, [schema.alert_row(alert, sites[alert.host]) for alert in alerts])
            new = self._insert_checks(connection, checks, sites, max((one.time_ms for one in checks), default=0))
            own = site_states.load(connection)
            newer = {sites[host]: it for host, it in known.items()}
            newer = {site: it for site, it in newer.items() if site not in own or own[site].last_ms < it.last_ms}
            site_states.save(connection, newer)
        self.sites, self._newest = sites, max(self._newest, *new) if new else self._newest
        self._remember(alerts)

    def _remember(self, alerts: Iterable[Alert]) -> None:
        for alert in alerts:
            known = self._newest_alerts.get(alert.host)
            if known is None or known.time_ms <= alert.time_ms:
                self._newest_alerts[alert.host] = alert

    def maintain(self, now_ms: int) -> bool:
        """Take the next short step of summaries, retention and purges. False: nothing is left to do."""
        return (
            self._summariser.step(now_ms, lambda: self._in_flight)
            or self._retain(now_ms)
            or self.unpack()
            or self._purge(now_ms)
        )

    def _purge(self, now_ms: int) -> bool:
        if self._has_blocks:  # a check might come out of a block after it was purged
            return False
        if self._purging is None:
            with self._snapshot() as connection:
                request = purge.due(connection)
            if request is None:
                return False
            carried_out = purge.Purge(self.opened.connection, request, now_ms, lambda: self._in_flight, self._route)
            self._purging = request, carried_out.steps()
        request, steps = self._purging
        try:
            with self.writing() as connection:
                is_over = next(steps, purge) is purge
                sites = dict(connection.execute("SELECT host, id FROM sites"))
                alerts = self._alerts(connection, NEWEST_ALERTS) if is_over else []
        except BaseException:
            self._purging = None  # begin it again
            raise
        self.sites = sites
        if is_over:
            self._newest_alerts = {alert.host: alert for alert in alerts}
            self.purged = (*self.purged, request.deletion_here())
            self._purging = None
        return True

    def set_retention(self, checks_ms: int, alerts_ms: int) -> None:
        """From now on `maintain` deletes what is older than this. Before the first call it deletes nothing."""
        self._kept_ms, self._rest_until_ms = (checks_ms, alerts_ms), 0

    def _retain(self, now_ms: int) -> bool:
        if self._kept_ms is None or now_ms < self._rest_until_ms:
            return False
        checks_ms, alerts_ms = self._kept_ms
        with self.writing() as connection:
            has_more = retention.step(connection, now_ms - checks_ms, now_ms - alerts_ms, self._in_flight)
        if not has_more:
            self._rest_until_ms = now_ms + LOOK_MS
        return has_more

    def expired(self) -> int:
        """How many checks grew older than retention before any database had them."""
        with self._snapshot() as connection:
            return meta.number(connection, Value.EXPIRED)

    def next_deletion(self) -> Deletion | None:
        """What the database is to delete next: what the oldest finished purge deleted here, then what 1.1.0 sent.

        None: nothing, or something has to be delivered first. It stays the same until `deletion_done`.
        """
        if self._in_flight != NOTHING_IN_FLIGHT:
            return None
        with self._snapshot() as connection:
            request = purge.done(connection)
            if request is None:
                return from_1_1.deletion(connection)
            # The database may lack a recovery that was purged before its delivery: it must not keep that alert as open.
            where, values = inside(Window(0, request.before_ms))
            kept = self._alerts(connection, f"SELECT {ALERT_COLUMNS} FROM alerts WHERE {where}", values)
            return replace(request.deletion(), open_alerts_of=tuple({alert.host for alert in kept}))

    def deletion_done(self, deletion: Deletion) -> None:
        """Deliver the summaries of the spans that its end cuts: the database has deleted these, whoever sent them when."""
        self.requeue(deletion.before_ms, deletion.before_ms)
        with self.writing() as connection:
            if deletion.former:
                meta.remove(connection, Value.FORMER_MARKER)
            else:
                purge.finish(connection, deletion)

    def hosts(self) -> Collection[str]:
        """Every host that has or had something here."""
        return tuple(self.sites)

    # Notifications

    def set_route(self, route: Route, channels: Collection[str], now_ms: int, warn: Warn = never) -> None:
        """Use these channels from now on, and `warn` for certificates. Give up what waits for other channels."""
        self._route, self._warn = route, warn
        with self.writing() as connection:
            notifications.give_up_others(connection, channels, now_ms)

    def add_reminders(self, reminders: Sequence[Entry]) -> None:
        """Store those that are not there already."""
        with self.writing() as connection:
            notifications.add(connection, self._without_purged(connection, reminders))

    def set_delivery(self, entries: Sequence[Entry]) -> None:
        """Store state, time and reason of these, whose records may not be stored yet."""
        with self.writing() as connection:
            notifications.set_delivery(connection, self._without_purged(connection, entries))

    def _without_purged(self, connection: sqlite3.Connection, entries: Iterable[Entry]) -> Sequence[Entry]:
        """Without those that a purge deleted while their channel was sending them."""
        purges = [*self.purged, *([self._purging[0].deletion_here()] if self._purging else [])]
        forgotten = [one for one in purges if one.open_alerts_of is not None]

        def is_gone(entry: Entry) -> bool:
            return any(one.takes(entry.alert) for one in forgotten) and not notifications.is_stored(connection, entry)

        return [entry for entry in entries if not is_gone(entry)]

    # The outbox

    def next_delivery(self, limit: int) -> Delivery | None:
        """About `limit` of the oldest undelivered points; None when everything is delivered.

        They are in flight until they are acknowledged or postponed. The database deletes nothing meanwhile.
        """
        while (delivery := self._take(limit)) is not None and not delivery.points:
            self.acknowledge(delivery)  # the rows of these entries have been deleted
        return delivery

    def _take(self, limit: int) -> Delivery | None:
        with self.mutex:  # until the rows are read, all entries count as in flight
            self._in_flight, self._taken_in = ALL_IN_FLIGHT, self._generation
        delivery = None
        try:
            with self._snapshot() as connection:
                delivery = outbox.next_delivery(connection, limit)
        finally:
            with self.mutex:
                self._in_flight = delivery.last_entry if delivery else NOTHING_IN_FLIGHT
        return delivery

    def acknowledge(self, delivery: Delivery, refused: Iterable[Refusal] = ()) -> None:
        """It has arrived, except what was refused. Refusals are kept as ranges."""
        with self.writing() as connection:
            if self._taken_in != self._generation:  # it came from another file
                return
            outbox.acknowledge(connection, delivery)
            outbox.add_refused(connection, refused)
        self.postpone()

    def postpone(self) -> None:
        """Nothing is in flight any more: what has not arrived will be the next delivery again."""
        with self.mutex:
            self._in_flight = NOTHING_IN_FLIGHT

    def requeue(self, from_ms: int, until_ms: int) -> int:
        """Deliver all checks and alerts of this time again, and the summaries of all spans that overlap it.

        Returns the number of checks and alerts. Until they are delivered, `pending` and `delivered` treat them as new.
        """
        span = Window(from_ms, until_ms)
        with self._snapshot() as connection:
            points = outbox.count(connection, span)
        with self.writing() as connection:
            outbox.requeue(connection, span, points, self._in_flight)
        return points["checks"] + points["alerts"]

    def requeue_alerts(self) -> None:
        with self.writing() as connection:
            outbox.requeue_alerts(connection, self._in_flight)

    def renew_marker(self) -> None:
        """Take another marker, because this file was put back from a copy: to the database it is another file now."""
        marker = uuid.uuid4().hex
        with self.writing() as connection:
            meta.put(connection, Value.MARKER, marker)
        self.marker = marker

    def refused_sample(self, kind: str, limit: int) -> Points:
        with self._snapshot() as connection:
            return outbox.refused_sample(connection, kind, limit)

    def retry_refused(self, kind: str) -> None:
        with self.writing() as connection:
            outbox.retry_refused(connection, kind)
