"""A file that several threads write, whatever becomes of it; a host is here the whole name of a site, with its location."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Self

from monitoring.errors import StoreError
from monitoring.models import Alert, CheckResult, Window
from monitoring.statistics.summary import SiteSummary
from monitoring.storage.sqlite import blocks_1_1, queries, rows, schema, states, summaries
from monitoring.storage.sqlite.connection import BUSY_TIMEOUT_S
from monitoring.storage.sqlite.file import DatabaseFile, OpenFile
from monitoring.storage.sqlite.guard import FileGuard
from monitoring.storage.sqlite.lock import FileLock
from monitoring.storage.sqlite.reader import FileReader
from monitoring.storage.sqlite.schema import SITE_MASK, first_key


class GuardedFile:
    """What the guard of a gateway's file asks, and what it has to know of: all that is written."""

    def __init__(self, path: Path, lock: FileLock | None = None, patience_s: float = BUSY_TIMEOUT_S) -> None:
        """Opens or creates the file, and brings one of an older version up to date. Raises as `OpenFile` does.

        `lock` is one on the file that was taken before.
        """
        self.path = path
        self.file = DatabaseFile(path, lock, patience_s)
        self.guard = FileGuard(self, path)
        self.echo: list[tuple[Sequence[CheckResult], Sequence[Alert]]] | None = None
        try:
            with self.file.exclusively() as connection:
                self._load(connection)
        except BaseException:
            self.close()
            raise

    def _load(self, connection: sqlite3.Connection) -> None:
        """Learn what is kept in memory of this file."""
        self.sites: Mapping[str, int] = dict(connection.execute("SELECT host, id FROM sites"))
        self.has_blocks = blocks_1_1.exist(connection)

    def snapshot(self) -> AbstractContextManager[sqlite3.Connection]:
        """A connection that sees one moment of the file."""
        return self.file.readers.snapshot()

    def write(
        self, checks: Sequence[CheckResult], alerts: Sequence[Alert] = (), summarised: Sequence[SiteSummary] = ()
    ) -> None:
        """A check that is stored already stays as it is."""
        names = [one.host for one in checks] + [one.host for one in alerts] + [one.host for one in summarised]
        with self.file.exclusively() as connection:
            with self.file.transaction():
                sites = states.number(connection, self.sites, names)
                self._write_checks(connection, {first_key(one.time_ms) | sites[one.host]: one for one in checks})
                connection.executemany(schema.INSERT_ALERT, [schema.alert_row(one, sites[one.host]) for one in alerts])
                for one in summarised:
                    row = (first_key(one.start_ms) | sites[one.host], *summaries.row_of(one.summary, one.span))
                    connection.execute(summaries.insert(one.span), row)
            self.sites = sites
            if self.echo is not None:
                self.echo.append((checks, alerts))

    def _write_checks(self, connection: sqlite3.Connection, checks: Mapping[int, CheckResult]) -> None:
        stored = rows.stored_among(connection, checks.keys())
        new = {key: checks[key] for key in sorted(checks.keys() - stored)}
        connection.executemany(schema.INSERT_CHECK, [schema.check_row(check, key & SITE_MASK) for key, check in new.items()])
        by_site: dict[int, list[CheckResult]] = {}
        for key, check in new.items():
            by_site.setdefault(key & SITE_MASK, []).append(check)
        known = states.load(connection, by_site.keys()) if by_site else {}
        states.save(
            connection, {site: states.after(connection, site, known.get(site), own) for site, own in by_site.items()}
        )

    def close(self) -> None:
        self.guard.close()
        self.file.close()

    # What the guard asks

    def results(self, window: Window) -> Sequence[CheckResult]:
        with self.snapshot() as connection:
            return list(queries.results(connection, window, self._names()))

    def remembered_results(self, window: Window) -> Sequence[CheckResult]:
        with self.file.exclusively() as connection:
            return list(queries.results(connection, window, self._names()))

    def _names(self) -> dict[int, str]:
        return {number: name for name, number in self.sites.items()}

    def append(self, checks: Sequence[CheckResult], alerts: Sequence[Alert], now_ms: int) -> None:  # noqa: ARG002
        self.write(checks, alerts)

    def newest_alerts(self) -> Sequence[Alert]:
        """None where the file can no longer be read: the monitors send everything again."""
        with suppress(StoreError):
            return list(FileReader(self.path, self.file.readers).last_alerts().values())
        return ()

    def oldest_pending_ms(self) -> int | None:
        """Nothing is delivered from here."""
        return None

    def open_sibling(self, path: Path, lock: FileLock, patience_s: float) -> Self:
        """Sites have the same numbers in a new file, so that nobody who reads just then takes one for another."""
        sibling = type(self)(path, lock, patience_s)
        if not sibling.sites:
            with sibling.file.writing() as connection:
                connection.executemany("INSERT INTO sites (id, host) VALUES (?, ?)", self._names().items())
                sibling._load(connection)
        return sibling

    def become(self, file: OpenFile, *, is_copy: bool) -> None:  # noqa: ARG002
        self.file.turn_to(file)
        self._load(file.connection)
