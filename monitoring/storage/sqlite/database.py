"""A file as the database of a gateway. It stores what monitors write, summaries too, and adds up nothing itself.

Its tables are those of a monitor's local file, so the same readers read both. One file may hold several locations: there the
name of a site begins with that of its location.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from monitoring.errors import StoreUnverified
from monitoring.models import Alert, AlertType, CheckResult, Window
from monitoring.statistics.summary import SiteSummary, Span
from monitoring.storage.base import Deletion, DeliveryRecord, Points
from monitoring.storage.sqlite.guard import GuardedStore
from monitoring.storage.sqlite.reader import FileReader
from monitoring.storage.sqlite.tables import purge, queries, rows, schema, shared, states, summaries
from monitoring.storage.sqlite.tables.schema import SITE, first_key, site_of


class SharedFile(GuardedStore):
    """The file that all locations of a database share. Its hosts are whole names, with the location.

    One process writes it. Several threads may use it at once.
    """

    def open(self, location: str = "") -> "FileDatabase":
        return FileDatabase(self, location)

    def locations(self) -> Collection[str]:
        """Every location that has or had something here."""
        return {shared.place(name)[0] for name in self.sites}

    def append(self, checks: Sequence[CheckResult], alerts: Sequence[Alert], now_ms: int) -> None:  # noqa: ARG002
        self.write(Points(checks, alerts))

    def write(self, points: Points) -> None:
        """Store these in one transaction. A check that is there already is left as it is."""
        every: Iterable[CheckResult | Alert | SiteSummary] = chain(points.checks, points.alerts, points.summaries)
        names = [one.host for one in every]
        with self.exclusively() as connection:
            with self.opened.transaction():
                sites = states.number(connection, self.sites, names)
                self._write_checks(connection, {first_key(one.time_ms) | sites[one.host]: one for one in points.checks})
                alerts = [schema.alert_row(one, sites[one.host]) for one in points.alerts]
                connection.executemany(schema.INSERT_ALERT, alerts)
                for one in points.summaries:
                    summaries.store(connection, one.span, one.start_ms, {sites[one.host]: one.summary})
            self.sites = sites
            if self.echo is not None:
                self.echo.append((points.checks, points.alerts))

    def _write_checks(self, connection: sqlite3.Connection, checks: Mapping[int, CheckResult]) -> None:
        stored = rows.stored_among(connection, checks.keys())
        new = {key: checks[key] for key in sorted(checks.keys() - stored)}
        connection.executemany(schema.INSERT_CHECK, [schema.check_row(check, site_of(key)) for key, check in new.items()])
        states.save_after(connection, new)

    def next_purge(self) -> purge.Request | None:
        """The oldest purge that was requested on this machine."""
        with self._snapshot() as connection:
            return purge.due(connection)

    def purge(self, request: purge.Request, location: str | None = None) -> Iterator[None]:
        """Carry out a purge at this location (None: at all) in short steps, one for each advance."""
        for here in self.locations() if location is None else [location]:
            yield from self.open(here).delete(request.deletion())
        with self.writing() as connection:
            connection.execute("DELETE FROM purges WHERE id = ?", (request.id,))


class FileDatabase(FileReader):
    """Keeps `Backend` in a `SharedFile`, at one location. Several threads may use it at once."""

    def __init__(self, file: SharedFile, location: str) -> None:
        super().__init__(file.path, file.readers)
        self._shared = file
        self._location = location
        self._prefix = shared.prefix(location)
        self.name = file.path.name

    def ping(self) -> None:
        """Return when the file can be read."""
        with self._snapshot() as connection:
            connection.execute("SELECT 1 FROM meta LIMIT 1").fetchone()

    # The writer

    def verify(self, marker: str) -> DeliveryRecord | None:
        with self._shared.writing() as connection:
            connection.execute("INSERT OR IGNORE INTO meta (key, value) VALUES (?, '')", (shared.KNOWN + marker,))
            found = connection.execute("SELECT value FROM meta WHERE key = ?", (shared.RECORD + marker,)).fetchone()
        return None if found is None else DeliveryRecord(*json.loads(found[0]))

    def record(self, marker: str, record: DeliveryRecord) -> None:
        """Raises `StoreUnverified` when another file was begun since `verify`."""
        known = json.dumps([record.delivery, record.newest_ms, record.summarised_ms])
        with self._shared.writing() as connection:
            if not connection.execute("SELECT 1 FROM meta WHERE key = ?", (shared.KNOWN + marker,)).fetchone():
                raise StoreUnverified(f"{self.name} is a new file: everything must be sent again")
            connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (shared.RECORD + marker, known))

    def write(self, points: Points) -> None:
        every = (points.checks, points.alerts, points.summaries)
        if self._prefix:
            every = tuple([replace(one, host=self._prefix + one.host) for one in some] for some in every)  # type: ignore[assignment]
        self._shared.write(Points(*every))

    def delete(self, deletion: Deletion) -> Iterator[None]:
        sites = [site for site, host in self._hosts().items() if deletion.hosts is None or host in deletion.hosts]
        tables = [span.kind for span in reversed(Span) if span in deletion.spans]
        for table in [*tables, *(["checks"] if deletion.checks else [])]:
            yield from rows.delete_in_steps(self._shared.writing, table, deletion.before_ms, sites)
        if deletion.checks:
            self._forget_states(sites, deletion.before_ms)
        if deletion.alerts:
            yield from self._delete_alerts(sites, deletion)

    def _delete_alerts(self, sites: Collection[int], deletion: Deletion) -> Iterator[None]:
        opened = [alert for alert in self.last_alerts().values() if alert.type is AlertType.ALERT]
        kept_of = [alert.host for alert in opened] if deletion.open_alerts_of is None else deletion.open_alerts_of
        kept_from_ms = {alert.host: alert.time_ms for alert in opened if alert.host in kept_of}
        names, by_end = self._hosts(), defaultdict[int, list[int]](list)
        for site in sites:
            by_end[min(deletion.before_ms, kept_from_ms.get(names[site], deletion.before_ms))].append(site)
        for before_ms, some in by_end.items():
            yield from rows.delete_in_steps(self._shared.writing, "alerts", before_ms, some)

    def _forget_states(self, sites: Sequence[int], before_ms: int) -> None:
        """Delete the states of sites that have no check left."""
        with self._shared.writing() as connection:
            known = states.load(connection)
            gone = [site for site in sites if site in known and known[site].last_ms < before_ms]
            states.save(connection, dict.fromkeys(gone))

    # The reader

    def _names(self, connection: sqlite3.Connection) -> Mapping[int, str]:  # noqa: ARG002 - kept in memory
        return self._hosts()

    def _hosts(self) -> dict[int, str]:
        """The sites of this location, by number."""
        places = {number: shared.place(name) for name, number in self._shared.sites.items()}
        return {number: host for number, (location, host) in places.items() if location == self._location}

    def _summarised_ms(self, connection: sqlite3.Connection) -> None:
        """None: monitors write the summaries."""

    def missing(self, window: Window) -> int:
        with self._snapshot() as connection:
            is_exact = window.length_ms <= Span.DAY.length_ms
            return queries.WindowReader(connection, window, None, exact=is_exact).missing(self._hosts().keys())

    def last_time(self) -> int | None:
        with self._snapshot() as connection:
            checked_ms = [state.last_ms for state in states.load(connection, self._hosts()).values()]
        return max([*checked_ms, *(alert.time_ms for alert in self.last_alerts().values())], default=None)

    def locations(self) -> Sequence[str]:
        others = f"SELECT {SITE} FROM alerts UNION SELECT {SITE} FROM days"
        query = f"SELECT host FROM sites WHERE last IS NOT NULL OR id IN ({others})"
        with self._snapshot() as connection:
            names = [name for (name,) in connection.execute(query)]
        return sorted({shared.place(name)[0] for name in names})

    def is_known(self) -> bool:
        with self._snapshot() as connection:
            has_sites = connection.execute("SELECT EXISTS (SELECT 1 FROM sites)").fetchone()[0]
            return bool(has_sites) or shared.is_shared(connection)

    def close(self) -> None:
        """Nothing: other locations use the same file."""
