"""`--purge`: says what would be deleted, asks, deletes it from the local file and from InfluxDB, and reports."""

import sqlite3
import threading
from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from monitoring.clock import Clock
from monitoring.config import Config
from monitoring.errors import ConfigError, MonitoringError, StoreError, StoreUnavailable
from monitoring.moments import length_ms, moment_ms
from monitoring.stats import HOUR_MS
from monitoring.storage.sqlite.connection import BUSY_TIMEOUT_S, transaction, translated
from monitoring.storage.sqlite.lock import writer_is_alive
from monitoring.store import position, purge
from monitoring.store.choosing import database_address
from monitoring.store.forwarder import Forwarder
from monitoring.store.influx import CONNECT_TIMEOUT_S, InfluxStore
from monitoring.store.influxblocks import Told
from monitoring.store.influxpurge import Held, InfluxPurge
from monitoring.store.local import LocalStore
from monitoring.store.opening import WRITER_TIMEOUT_S, open_influx
from monitoring.store.purge import Request, Survey
from monitoring.store.rollups import LENGTHS_MS

QUESTION_TIMEOUT_S = 120.0
"""Counting and deleting millions of points takes InfluxDB a while."""

LOOK_S = 0.2
PATIENCE_LOOKS = 300
"""How often a running monitor is looked at without any progress."""

SHOWN_HOSTS = 5


@dataclass(frozen=True, slots=True)
class Scope:
    """What is to be deleted: of one site (None: of all), before a moment (None: everything so far), from one location."""

    host: str | None
    before_ms: int | None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Terminal:
    """How it talks; `ask` puts a question (None: nobody is there to answer)."""

    say: Callable[[str], None]
    ask: Callable[[str], str] | None


def scope_of(host: str | None, before: str | None, location: str | None, now_ms: int) -> Scope:
    """A site, and from the command line an age ("30d") or a date, and a location. Raises `ConfigError`."""
    return Scope(host, None if before is None else _before_ms(before, now_ms), location)


def _before_ms(text: str, now_ms: int) -> int:
    """In whole hours, as statistics of long ago are kept."""
    try:
        moment = now_ms - length_ms(text)
    except ArgumentTypeError:
        try:
            moment = moment_ms(text)
        except ArgumentTypeError as error:
            raise ConfigError([f'--before: must be an age like "30d", or a moment; a moment {error}']) from None
    if moment > now_ms:
        raise ConfigError(["--before: must not lie in the future"])
    return moment // HOUR_MS * HOUR_MS


class Purge:
    """One run of `--purge`."""

    def __init__(self, config: Config, scope: Scope, clock: Clock, terminal: Terminal) -> None:
        self._config = config
        self._path = config.local_database
        self._location = scope.location
        self._clock = clock
        self._terminal = terminal
        self._never = threading.Event()
        before_ms = clock.now_ms() if scope.before_ms is None else scope.before_ms
        self._request = Request(scope.host, before_ms, forget=scope.before_ms is None)

    def run(self, *, yes: bool) -> int:
        """The exit status. Raises `MonitoringError`."""
        local = self._survey()
        database = self._database()
        try:
            hosts = self._hosts(local)
            parts = database.each(self._config.location) if database else ()
            held = {part: part.held(hosts, self._request.before_ms) for part in parts}
            is_here = local.checks or local.alerts or local.summed_from_ms is not None
            if not is_here and all(found == Held() for found in held.values()):
                self._terminal.say(f"There is nothing of {self._request.host or 'that'} to delete.")
                return 0
            self._announce(hosts, local, held)
            if not self._may(yes=yes):
                self._terminal.say("Nothing was deleted.")
                return 0
            self._delete(hosts, held)
        finally:
            if database:
                database.close()
        self._terminal.say("Deleted.")
        return 0

    # What there is

    def _has_file(self) -> bool:
        """Is there a local file with something of that? It is of the configuration's location."""
        return self._path.exists() and self._location in (None, self._config.location)

    def _survey(self) -> Survey:
        if not self._has_file():
            return Survey()
        with translated(self._path), closing(self._connect()) as connection:
            return purge.survey(connection, self._request)

    def _database(self) -> InfluxPurge | None:
        """The InfluxDB to purge as well; the default one only if it has ever had this file's data."""
        address = database_address(self._config)
        if address.kind == "gateway":
            self._terminal.say("What is behind the gateway stays: purge it there, where the database is.")
        if address.kind != "influxdb":
            return None
        database = InfluxPurge.at(address, CONNECT_TIMEOUT_S, QUESTION_TIMEOUT_S, self._location)
        try:
            knows_us = self._marker() is not None and database.knows(self._marker() or "")
        except StoreError as error:
            database.close()
            if self._config.database is None:
                return None
            raise StoreUnavailable(
                f"{error}; nothing was deleted (--database sqlite: purges the local file alone)"
            ) from error
        if self._config.database is None and not knows_us:
            database.close()
            return None
        return database

    def _marker(self) -> str | None:
        if not self._path.exists():
            return None
        with translated(self._path), closing(self._connect()) as connection:
            row = connection.execute("SELECT value FROM meta WHERE key = 'marker'").fetchone()
            return row and str(row[0])

    def _hosts(self, local: Survey) -> list[str]:
        if self._request.host is not None:
            return [self._request.host]
        return sorted({*local.hosts, *(site.host for site in self._config.sites)})

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None)

    # Asking

    def _announce(self, hosts: list[str], local: Survey, held: Mapping[InfluxPurge, Held]) -> None:
        say = self._terminal.say
        say(f"To be deleted: everything before {_date(self._request.before_ms)} of {_listed(hosts)}")
        if self._has_file():
            say(f"  {self._path}: {_counted(local.checks, local.alerts, local.from_ms)}")
        if local.summed_from_ms is not None:
            say(f"    and what hours and days add up to, from {_date(local.summed_from_ms)} on")
        for database, found in held.items():
            place = ", ".join(filter(None, (database_address(self._config).masked, database.location)))
            say(f"  {place}: {_counted(found.checks, found.alerts, found.from_ms)}")

    def _may(self, *, yes: bool) -> bool:
        if yes:
            return True
        if self._terminal.ask is None:
            raise ConfigError(["--purge: nobody can be asked here; --yes deletes without asking"])
        return self._terminal.ask("Delete it? [y/N] ").strip().lower() in ("y", "yes")

    # Deleting

    def _delete(self, hosts: list[str], held: Mapping[InfluxPurge, Held]) -> None:
        if self._has_file():
            self._delete_locally()
        for database, found in held.items():
            self._delete_points(database, hosts)
            if database.location == self._config.location:
                self._delete_copies(database)
            elif found.checks:
                # Other sites' minutes go with it, which their points tell as well. What nothing else tells must stay.
                database.delete_blocks(None, self._request.before_ms)

    def _delete_points(self, database: InfluxPurge, hosts: list[str]) -> None:
        database.delete(hosts, self._request.before_ms, {} if self._request.forget else database.open_alerts())

    def _delete_copies(self, database: InfluxPurge) -> None:
        """What our own file told besides the points."""
        marker = self._marker()
        if marker and self._request.host is None:
            database.delete_blocks(marker, self._request.before_ms)
            for table in LENGTHS_MS:
                database.delete_rolled(table, marker, self._request.before_ms)
        if marker and database.knows(marker):
            self._clear_copies(database, marker)

    def _delete_locally(self) -> None:
        """Leave the request, and see it done: by the monitor that writes the file, else by this process."""
        with translated(self._path), closing(self._connect()) as connection, transaction(connection):
            number = purge.ask(connection, self._request)
        seen, patience = None, PATIENCE_LOOKS
        while (request := self._look(number)) is not None:
            if not _work(self._path, self._clock):
                self._clock.wait(self._never, LOOK_S)
            patience = patience - 1 if request == seen else PATIENCE_LOOKS
            seen = request
            if not patience:
                raise StoreUnavailable(
                    f"{self._path}: the running monitor has yet to finish this; it will, or its next start"
                )

    def _look(self, number: int) -> Request | None:
        with translated(self._path), closing(self._connect()) as connection:
            return purge.find(connection, number)

    def _clear_copies(self, database: InfluxPurge, marker: str) -> None:
        """What the database has besides the points: pieces of minutes not yet over, and blocks of the others.

        Until its blocks are there, such a minute is read from its points. A monitor that runs sends the blocks by
        itself.
        """
        with translated(self._path), closing(self._connect()) as connection:
            packed_until_ms = position.load(connection).minute_ms
        with closing(open_influx(database_address(self._config), WRITER_TIMEOUT_S, self._config.location)) as remote:
            minutes = [at_ms for at_ms in remote.open_minutes(marker) if at_ms >= packed_until_ms]
            remote.announce(marker, dict.fromkeys(minutes, Told.POINTS), ())
            if not writer_is_alive(self._path):
                database.delete_pieces(marker)
                self._send_blocks(remote)

    def _send_blocks(self, remote: InfluxStore) -> None:
        with closing(LocalStore(self._path)) as local:
            forwarder = Forwarder(local, remote, self._clock)
            while forwarder.step():
                pass
            if forwarder.trouble:
                raise StoreUnavailable(forwarder.trouble)


def _work(path: Path, clock: Clock) -> bool:
    """Do what is asked for, unless a monitor writes the file: then it does."""
    try:
        store = LocalStore(path)
    except StoreError:
        raise
    except MonitoringError:  # it is another's
        return False
    with closing(store):
        while store.purge(clock.now_ms()):
            pass
    return True


def _listed(hosts: list[str]) -> str:
    names = ", ".join(hosts[:SHOWN_HOSTS])
    more = f" and {len(hosts) - SHOWN_HOSTS} more" if len(hosts) > SHOWN_HOSTS else ""
    return f"{len(hosts)} {'site' if len(hosts) == 1 else 'sites'} ({names}{more})"


def _counted(checks: int, alerts: int, from_ms: int | None) -> str:
    since = "" if from_ms is None else f", from {_date(from_ms)} on"
    return f"{checks:,} checks and {alerts:,} alerts and recoveries{since}"


def _date(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1_000, UTC).strftime("%Y-%m-%d %H:%M UTC")
