"""The local SQLite file of one monitor: every check and alert, and what is still to be delivered elsewhere."""

import sqlite3
import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from monitoring.errors import StoreRefused
from monitoring.models import Alert, CheckResult
from monitoring.storage.sqlite.connection import BUSY_TIMEOUT_S, Format, transaction
from monitoring.storage.sqlite.file import DatabaseFile, OpenFile
from monitoring.storage.sqlite.guard import FileGuard
from monitoring.storage.sqlite.lock import FileLock
from monitoring.store import (
    due,
    histories,
    outbox,
    packer,
    packing,
    position,
    purge,
    retention,
    rolledblocks,
    rollups,
    schema,
)
from monitoring.store.blocks import MinuteBlock, block_key
from monitoring.store.local_reader import LocalReader, newest_alerts
from monitoring.store.outbox import DeadLetter, Delivery
from monitoring.store.rolledblocks import RolledBlock
from monitoring.store.schema import SITE_MASK, Row, first_key
from monitoring.store.takeover import PastOfSites
from monitoring.store.underway import UnderWay

Point = CheckResult | Alert

MAX_SITES = SITE_MASK + 1

FORMAT = Format(0, schema.SCHEMA_VERSION, schema.SCHEMA)

NEXT_SITE = """
SELECT IFNULL(MAX(number), -1) + 1
FROM (SELECT MAX(id) AS number FROM sites UNION ALL SELECT seq FROM sqlite_sequence WHERE name = 'sites')
"""
"""Never the number of a site that was deleted."""


class LocalStore(LocalReader):
    """Writes the file; keeps `Store`, `HistoryReader` and `AlertReader`.

    One process writes a file (the second is told who does), one thread at a time. Each commit also leaves an entry in
    the outbox, in the same transaction: also while there is no database, for one may come.
    """

    def __init__(
        self,
        path: Path,
        lock: FileLock | None = None,
        patience_s: float = BUSY_TIMEOUT_S,
        home: Path | None = None,
        home_lock: FileLock | None = None,
    ) -> None:
        """Opens or creates the file. Raises `MonitoringError` when another process writes it, or as `OpenFile` does.

        `lock` is one on the file that was taken before. `home` is where the file belongs when it cannot be there now,
        and `home_lock` a lock on that.
        """
        self.file = DatabaseFile(path, FORMAT, lock, patience_s)
        super().__init__(path, self.file.readers)
        self.guard = FileGuard(self, home or path, home_lock)
        self.echo: list[tuple[Sequence[CheckResult], Sequence[Alert]]] | None = None
        self._packer = packer.Packer()
        self._under_way = UnderWay(self.file.mutex)
        self._generation = self._asked_in = 0
        self._kept_ms: tuple[int, int] | None = None
        try:
            with self.file.exclusively() as connection:
                self._load(connection)
        except BaseException:
            self.file.close()
            raise

    def _load(self, connection: sqlite3.Connection) -> None:
        """Learn what is kept in memory of this file."""
        with transaction(connection):
            rollups.begin(connection)
        due.begin(connection)
        self._sites: dict[str, int] = dict(connection.execute("SELECT host, id FROM sites"))
        self._newest_alerts = {alert.host: alert for alert in newest_alerts(connection)}
        self.marker = self._get_marker(connection)
        self.path = self.file.path

    def open_sibling(self, path: Path, lock: FileLock, patience_s: float) -> "LocalStore":
        """A store on another file. Raises as `OpenFile` does."""
        return LocalStore(path, lock, patience_s)

    def become(self, file: OpenFile, *, is_copy: bool) -> None:
        """Go on with this file, which holds the same or something else; `file.exclusively` must be held."""
        self.file.turn_to(file)
        if not is_copy:  # what was handed out to be delivered is unknown there
            self._generation += 1
            self._packer, self._under_way = packer.Packer(), UnderWay(self.file.mutex)
        self._load(file.connection)

    def newest_alerts(self) -> Sequence[Alert]:
        """The newest transition of each site, known without reading the file."""
        return [alert for host, alert in self._newest_alerts.items() if host in self._sites]

    def write(self, results: Sequence[CheckResult], alerts: Sequence[Alert]) -> None:
        points: tuple[Point, ...] = (*results, *alerts)
        if points:
            self.append(results, alerts, created_ms=max(point.time_ms for point in points))

    def append(self, results: Sequence[CheckResult], alerts: Sequence[Alert], created_ms: int) -> None:
        """One commit; `created_ms` is when these points began to wait for delivery."""
        points: tuple[Point, ...] = (*results, *alerts)
        with self._writing() as connection:
            sites = self._with_new_sites(connection, [point.host for point in points])
            keys = [first_key(point.time_ms) | sites[point.host] for point in points]
            batch = outbox.add(connection, keys, created_ms)
            rows = [schema.result_row(result, sites[result.host], batch) for result in results]
            connection.executemany(schema.INSERT_RESULT, self._without_packed(connection, rows, created_ms))
            alert_rows = [schema.alert_row(alert, sites[alert.host], batch) for alert in alerts]
            connection.executemany(schema.INSERT_ALERT, alert_rows)
        self._sites = sites
        for alert in alerts:
            known = self._newest_alerts.get(alert.host)
            if known is None or known.time_ms <= alert.time_ms:
                self._newest_alerts[alert.host] = alert
        if self.echo is not None:
            self.echo.append((results, alerts))

    def take_over(self, past: PastOfSites) -> None:
        """Keep, in a file that is new, what a database knows of its sites; it is not to be delivered there again."""
        hosts = [*(alert.host for alert in past.alerts), *(check.host for check in past.checks), *past.histories]
        with self._writing() as connection:
            sites = self._with_new_sites(connection, hosts)
            alerts = [schema.alert_row(alert, sites[alert.host], schema.TAKEN_OVER) for alert in past.alerts]
            connection.executemany(schema.INSERT_ALERT, alerts)
            checks = [schema.earlier_row(check, sites[check.host]) for check in past.checks]
            connection.executemany(schema.INSERT_EARLIER, checks)
            histories.save(connection, {sites[host]: history for host, history in past.histories.items()})
        self._sites = sites
        self._newest_alerts |= {alert.host: alert for alert in past.alerts}

    def pack(self, now_ms: int) -> bool:
        """Take the next small step in packing the oldest minute that is over; was there one?"""
        last_site = max(self._sites.values(), default=0)
        with self._writing() as connection:
            return self._packer.step(connection, last_site, now_ms)

    def keep(self, checks_ms: int, alerts_ms: int) -> None:
        """From now on `tidy` deletes what is older than this; before the first call nothing is too old."""
        self._kept_ms = (checks_ms, alerts_ms)

    def tidy(self, now_ms: int) -> bool:
        """Take the next small step in deleting what was to be purged, or is too old; was there one?"""
        if self.purge(now_ms):
            return True
        if self._kept_ms is None:
            return False
        checks_ms, alerts_ms = self._kept_ms
        return self.retain(now_ms - checks_ms, now_ms - alerts_ms)

    def retain(self, checks_before_ms: int, alerts_before_ms: int) -> bool:
        """Take the next small step in deleting what is older than these moments; was there one?"""
        with self._writing() as connection:
            return retention.step(connection, checks_before_ms, alerts_before_ms)

    def hosts(self) -> Collection[str]:
        """Every host that has something here, or had."""
        return tuple(self._sites)

    def given_up(self) -> int:
        """How many checks grew older than retention before any database had them."""
        with self._pool.snapshot() as connection:
            return retention.load(connection).undelivered

    def purge(self, now_ms: int) -> bool:
        """Take the next small step in what `--purge` asked for; was there one?"""
        with self._writing() as connection:
            request = purge.find(connection)
            if request is None:
                return False
            if request.state == purge.PURGED:
                if self._under_way.is_clear_of_purged:
                    purge.end(connection, request)
                return self._under_way.is_clear_of_purged
            is_last = not purge.step(connection, request, now_ms, self._under_way.last_block)
        if is_last:
            self._under_way.purged()
            self._forget_sites()
        return True

    def _forget_sites(self) -> None:
        with self.file.exclusively() as connection:
            self._sites = dict(connection.execute("SELECT host, id FROM sites"))

    def next_delivery(self, limit: int) -> Delivery | None:
        """The oldest undelivered points, about `limit` of them; None when all is delivered."""
        self._begin_turn()
        with self._pool.snapshot() as connection:
            delivery = outbox.next_delivery(connection, limit)
        self._under_way.took(something=delivery is not None)
        return delivery

    def acknowledge(self, delivery: Delivery) -> None:
        """These were delivered (or buried): they leave the outbox."""
        with self._writing() as connection:
            if self._asked_in == self._generation:
                outbox.settle(connection, delivery)
        self._under_way.took(something=False)

    def packed_until_ms(self) -> int:
        """All minutes before this moment are packed: their blocks are due or were delivered."""
        with self._pool.snapshot() as connection:
            return position.load(connection).minute_ms

    def next_blocks(self, limit: int) -> Sequence[MinuteBlock]:
        """The oldest minutes, up to `limit`, whose copy in the database is missing or out of date: as they are now."""
        self._asked_in = self._generation
        self._under_way.begin_blocks()
        with self._pool.snapshot() as connection:
            blocks = due.next_blocks(connection, limit)
        self._under_way.took_blocks(blocks)
        return blocks

    def acknowledge_blocks(self, blocks: Sequence[MinuteBlock]) -> None:
        """These were delivered; one that has changed meanwhile stays due."""
        with self._writing() as connection:
            if self._asked_in == self._generation:
                due.settle(connection, blocks)
        self._under_way.took(something=False)

    def next_rollups(self, limit: int) -> Sequence[RolledBlock]:
        """The oldest hours or days, about `limit`, whose copy in the database is missing or out of date: as they are now."""
        self._begin_turn()
        with self._pool.snapshot() as connection:
            blocks = rolledblocks.next_blocks(connection, limit)
        self._under_way.took(something=bool(blocks))
        return blocks

    def acknowledge_rollups(self, blocks: Sequence[RolledBlock]) -> None:
        """These were delivered; one that has changed meanwhile stays due."""
        with self._writing() as connection:
            if self._asked_in == self._generation:
                rolledblocks.settle(connection, blocks)
        self._under_way.took(something=False)

    def _begin_turn(self) -> None:
        """What is read from now on is acknowledged in this file only: another one may take its place meanwhile."""
        self._asked_in = self._generation
        self._under_way.begin_turn()

    def bury(self, letters: Sequence[DeadLetter], at_ms: int) -> None:
        """Keep what will never be accepted, with the reason."""
        with self._writing() as connection:
            outbox.bury(connection, letters, at_ms)

    def dead_letters(self) -> Sequence[DeadLetter]:
        with self._pool.snapshot() as connection:
            return outbox.dead_letters(connection)

    def requeue(self) -> int:
        """Put all that is stored into the outbox again, for a database that lacks it; returns the number of points.

        All blocks, hours and days are due again as well.
        """
        with self._writing() as connection:
            due.add_all(connection, outbox.OLDEST_MS, position.load(connection).key)
            rolledblocks.add_all(connection, outbox.OLDEST_MS)
            return outbox.requeue(connection)

    def close(self) -> None:
        self.file.close()

    def _without_packed(self, connection: sqlite3.Connection, rows: Sequence[Row], created_ms: int) -> Sequence[Row]:
        """These rows without those that are packed already. Blocks and histories hear of the others of packed minutes."""
        reached = position.load(connection)
        if not rows or not reached.may_be_past(min(rows)[0]):
            return rows
        past = [row[0] for row in rows if reached.is_past(row[0])]
        packed = packer.already_packed(connection, past)
        late = [row for row in rows if row[0] in set(past) - packed]
        changed = {block_key(row[0]) for row in late if packing.fits(row)}
        due.add_late(connection, changed, created_ms, self._under_way.last_block)
        rolledblocks.add_late(connection, [row[0] for row in late], created_ms)
        histories.add_late(connection, [row[:-1] for row in late])
        return [row for row in rows if row[0] not in packed]

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self.file.writing() as connection:
            yield connection

    def _with_new_sites(self, connection: sqlite3.Connection, hosts: Iterable[str]) -> dict[str, int]:
        new = dict.fromkeys(host for host in hosts if host not in self._sites)
        if not new:
            return self._sites
        first = connection.execute(NEXT_SITE).fetchone()[0]
        if first + len(new) > MAX_SITES:
            raise StoreRefused(f"{self.path}: more than {MAX_SITES} sites")
        numbers = {host: number for number, host in enumerate(new, start=first)}
        rows = [(number, host) for host, number in numbers.items()]
        connection.executemany("INSERT INTO sites (id, host) VALUES (?, ?)", rows)
        return self._sites | numbers

    def _get_marker(self, connection: sqlite3.Connection) -> str:
        """The name of this file, by which a database can tell whether it has seen this file's data."""
        connection.execute("INSERT OR IGNORE INTO meta VALUES ('marker', ?)", (uuid.uuid4().hex,))
        return str(connection.execute("SELECT value FROM meta WHERE key = 'marker'").fetchone()[0])
