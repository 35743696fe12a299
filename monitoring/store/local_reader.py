"""Questions to the local file."""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from monitoring.models import Alert, CheckResult, Downtime, Failure, History, SiteStats, Window
from monitoring.storage.sqlite.connection import ReaderPool
from monitoring.store import due, histories, rolledblocks, rollups, schema, windows
from monitoring.store.schema import SITE_BITS, SITE_MASK, first_key

NEWEST_ALERTS = f"SELECT {schema.ALERT_COLUMNS}, MAX(id) FROM alerts GROUP BY id & {SITE_MASK}"


class LocalReader:
    """Reads a local file that a monitor writes, or wrote. Keeps `HistoryReader` and `AlertReader`."""

    kind = "local"

    def __init__(self, path: Path, pool: ReaderPool | None = None) -> None:
        """`pool`: the connections to be used."""
        self.path = path
        self._pool = pool or ReaderPool(path)

    def stats(self, window: Window) -> Mapping[str, SiteStats]:
        with self._pool.snapshot() as connection:
            return windows.stats(connection, window, rollups.told(connection, window))

    def downtime(self, window: Window, hosts: Collection[str] | None = None) -> Mapping[str, Downtime]:
        with self._pool.snapshot() as connection:
            return windows.downtime(connection, window, hosts)

    def failures(self, window: Window, hosts: Collection[str]) -> Mapping[str, Sequence[Failure]]:
        with self._pool.snapshot() as connection:
            return windows.failures(connection, window, hosts)

    def earlier_checks(self, window: Window) -> Sequence[CheckResult]:
        """Checks of the window that this file took over from a database when it was new: for alerts only, not whole."""
        with self._pool.snapshot() as connection:
            return windows.earlier_checks(connection, window)

    def results(self, window: Window) -> Sequence[CheckResult]:
        with self._pool.snapshot() as connection:
            return windows.results(connection, window)

    def alerts(self, window: Window) -> Sequence[Alert]:
        query = f"SELECT {schema.ALERT_COLUMNS} FROM alerts WHERE id >= :first AND id < :last"
        with self._pool.snapshot() as connection:
            hosts = _hosts(connection)
            rows = connection.execute(query, _span(window)).fetchall()
        return sorted((schema.alert_from_row(row, hosts) for row in rows), key=lambda alert: (alert.time_ms, alert.host))

    def last_alerts(self) -> Mapping[str, Alert]:
        with self._pool.snapshot() as connection:
            return {alert.host: alert for alert in newest_alerts(connection)}

    def last_time(self) -> int | None:
        query = "SELECT MAX(id) FROM (SELECT MAX(id) AS id FROM checks UNION ALL SELECT MAX(id) FROM alerts)"
        with self._pool.snapshot() as connection:
            key = connection.execute(query).fetchone()[0]
            packed = [history.last_ms for history in histories.load(connection).values()]
        return max([*packed, *([] if key is None else [int(key) >> SITE_BITS])], default=None)

    def histories(self) -> Mapping[str, History]:
        with self._pool.snapshot() as connection:
            hosts = _hosts(connection)
            return {hosts[site]: history for site, history in histories.current(connection).items()}

    def pending(self) -> tuple[int, int | None]:
        """How many points, blocks, hours and days wait for delivery, and since when the oldest does (milliseconds)."""
        with self._pool.snapshot() as connection:
            points, oldest_point = connection.execute("SELECT SUM(points), MIN(created_ms) FROM outbox").fetchone()
            blocks, oldest_block = due.waiting(connection)
            rolled, oldest_rolled = rolledblocks.waiting(connection)
        oldest = (at for at in (oldest_point, oldest_block, oldest_rolled) if at is not None)
        return (points or 0) + blocks + rolled, min(oldest, default=None)

    def oldest_pending_ms(self) -> int | None:
        """Since when the oldest of that does."""
        return self.pending()[1]

    def close(self) -> None:
        self._pool.close()


def newest_alerts(connection: sqlite3.Connection) -> Sequence[Alert]:
    """The newest transition of each host."""
    hosts = _hosts(connection)
    return [schema.alert_from_row(row[:-1], hosts) for row in connection.execute(NEWEST_ALERTS)]


def _span(window: Window) -> dict[str, int]:
    return {"first": first_key(window.from_ms), "last": first_key(window.until_ms)}


def _hosts(connection: sqlite3.Connection) -> dict[int, str]:
    return dict(connection.execute("SELECT id, host FROM sites"))
