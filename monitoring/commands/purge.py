"""`--purge`: says what would be deleted, asks, deletes it from the local file and from the database, and reports."""

import sqlite3
import sys
import threading
from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from monitoring.clock import Clock, SystemClock
from monitoring.commands.invocation import Invocation
from monitoring.config import Config
from monitoring.config.durations import length_ms, moment_ms
from monitoring.config.lookup import hosts_of
from monitoring.display.outputs import say
from monitoring.errors import ConfigError, MonitoringError, StoreError, StoreUnavailable
from monitoring.models import Window
from monitoring.statistics.summary import Span
from monitoring.storage.backends import database_address, open_backend
from monitoring.storage.delivery.upkeep import monitor_upkeep
from monitoring.storage.sqlite import purge
from monitoring.storage.sqlite.connection import BUSY_TIMEOUT_S, transaction, translated
from monitoring.storage.sqlite.lock import writer_is_alive
from monitoring.storage.sqlite.purge import Request, Survey
from monitoring.storage.sqlite.reader import FileReader
from monitoring.storage.sqlite.store import LocalStore
from monitoring.units import HOUR_MS

if TYPE_CHECKING:
    from monitoring.storage.base import Backend

PROBE_TIMEOUT_S = 2.0
QUESTION_TIMEOUT_S = 120.0
"""Counting and deleting millions of points takes a database a while."""

LOOK_S = 0.2
PATIENCE_LOOKS = 300
"""How often a running monitor is looked at without any progress."""

SHOWN_HOSTS = 5


def run(invocation: Invocation) -> int:
    """The exit status. Raises `MonitoringError`."""
    config, _ = invocation.load()
    arguments, clock = invocation.arguments, SystemClock()
    hosts = (None,) if arguments.site is None else hosts_of(arguments.site, config.sites, "--site")
    scopes = [scope_of(host, arguments.before, arguments.location, clock.now_ms()) for host in hosts]
    terminal = Terminal(say=say, ask=input if sys.stdin.isatty() else None)
    return max(Purge(config, scope, clock, terminal).run(yes=arguments.yes) for scope in scopes)


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


@dataclass(frozen=True, slots=True)
class Held:
    """What there is of it in one location of the database."""

    checks: int = 0
    alerts: int = 0
    summarised: int = 0


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
        self._local = LocalPart(config, scope.location, clock)
        self._database = DatabasePart(config, scope.location, self._local.has_delivered())
        self._terminal = terminal
        before_ms = clock.now_ms() if scope.before_ms is None else scope.before_ms
        self._request = Request(scope.host, before_ms, forget=scope.before_ms is None)

    def run(self, *, yes: bool) -> int:
        """The exit status. Raises `MonitoringError`."""
        with closing(self._database):
            local = self._local.survey(self._request)
            hosts = self._hosts(local)
            if self._request.host is None:
                self._request = replace(self._request, hosts=tuple(hosts))
            held = self._database.held(self._request, hosts, self._terminal.say)
            if local == Survey(hosts=local.hosts) and all(found == Held() for found in held.values()) and not self._waits:
                self._terminal.say(f"There is nothing of {self._request.host or 'that'} to delete.")
                return 0
            self._announce(hosts, local, held)
            if not self._may(yes=yes):
                self._terminal.say("Nothing was deleted.")
                return 0
            self._delete(held)
        return 0

    @property
    def _waits(self) -> bool:
        """Does what the database holds wait for a monitor that reaches it?"""
        return self._database.away is not None and self._local.is_there

    def _hosts(self, local: Survey) -> list[str]:
        if self._request.host is not None:
            return [self._request.host]
        return sorted({*local.hosts, *(site.host for site in self._config.sites)})

    def _announce(self, hosts: list[str], local: Survey, held: Mapping[str, Held]) -> None:
        say = self._terminal.say
        say(f"To be deleted: everything before {_date(self._request.before_ms)} of {_listed(hosts)}")
        if self._local.is_there:
            since = "" if local.from_ms is None else f", from {_date(local.from_ms)} on"
            say(f"  {self._config.local_database}: {_counted(local.checks, local.alerts)}{since}")
        if local.summed_from_ms is not None:
            say(f"    and what hours and days add up to, from {_date(local.summed_from_ms)} on")
        for location, found in held.items():
            place = ", ".join(filter(None, (database_address(self._config).masked, location)))
            say(f"  {place}: {_counted(found.checks, found.alerts)}")
        if self._waits:
            say(f"  {self._database.away}: what it holds goes when a monitor of this configuration reaches it")

    def _may(self, *, yes: bool) -> bool:
        if yes:
            return True
        if self._terminal.ask is None:
            raise ConfigError(["--purge: nobody can be asked here; --yes deletes without asking"])
        return self._terminal.ask("Delete it? [y/N] ").strip().lower() in ("y", "yes")

    def _delete(self, held: Mapping[str, Held]) -> None:
        """From the file, and by the file's request from the database at its own location; then at the others."""
        if self._local.is_there:
            self._local.delete(self._request, self._database.own(), waits=self._waits)
        for location in held:
            if location != self._config.location or not self._local.is_there:
                self._database.delete(self._request, location)
        self._terminal.say("Deleted here." if self._waits else "Deleted.")


class LocalPart:
    """The local file, if it is of the location that is purged: the monitor that writes it does the work, or this process."""

    def __init__(self, config: Config, location: str | None, clock: Clock) -> None:
        self._path: Path = config.local_database
        self._clock = clock
        self._never = threading.Event()
        self.is_there = self._path.exists() and location in (None, config.location)

    def has_delivered(self) -> bool:
        """Has this file ever delivered anything to a database?"""
        if not self._path.exists():
            return False
        with closing(FileReader(self._path)) as reader:
            return reader.delivered().delivery > 0

    def survey(self, request: Request) -> Survey:
        if not self.is_there:
            return Survey()
        with closing(FileReader(self._path)) as reader:
            return reader.survey(request)

    def delete(self, request: Request, backend: "Backend | None", *, waits: bool) -> None:
        """Leave the request and see it done, in the database as well.

        `backend` is None when there is none, or none that can be reached now: then the request `waits` for that.
        """
        with translated(self._path), closing(self._connect()) as connection, transaction(connection):
            number = purge.ask(connection, request)
        seen, patience = None, PATIENCE_LOOKS
        while (found := self._look(number)) is not None:
            if found.stage is purge.Stage.DONE and backend is None:
                if not waits:
                    self._settle(found)
                return
            if not self._work(backend):
                self._clock.wait(self._never, LOOK_S)
            patience = patience - 1 if found == seen else PATIENCE_LOOKS
            seen = found
            if not patience:
                left = "the running monitor has yet to finish this; it will, or its next start"
                raise StoreUnavailable(f"{self._path}: {left}")

    def _settle(self, request: Request) -> None:
        """There is no database that this should be deleted in."""
        with translated(self._path), closing(self._connect()) as connection, transaction(connection):
            purge.settle(connection, request.deletion())

    def _look(self, number: int) -> Request | None:
        with translated(self._path), closing(self._connect()) as connection:
            return purge.find(connection, "id = ?", number)

    def _work(self, backend: "Backend | None") -> bool:
        """Do what is asked for, unless a monitor writes the file: then it does."""
        if writer_is_alive(self._path):
            return False
        try:
            store = LocalStore(self._path)
        except StoreError:
            raise
        except MonitoringError:  # a monitor has begun just now
            return False
        with closing(store):
            while store.maintain(self._clock.now_ms()):
                pass
            if backend is not None:
                _finish(store, backend, self._clock.now_ms())
        return True

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None)


def _finish(store: LocalStore, backend: "Backend", now_ms: int) -> None:
    """Carry out in the database what was purged here. Raises `StoreUnavailable` when it leaves off."""
    upkeep = monitor_upkeep(store, backend, is_ours=True)
    while upkeep.step(now_ms):
        pass
    if store.next_deletion() is not None:
        raise StoreUnavailable(f"{backend.name} has left off; the next start of the monitor deletes what it still holds")


class DatabasePart:
    """The database of the configuration, at the locations that are purged; the default one if it ever had this file's data.

    `away`: why it cannot be reached now.
    """

    def __init__(self, config: Config, location: str | None, has_delivered: bool) -> None:
        self._address = database_address(config)
        self._kind = self._address.backend
        self._is_expected = config.database is not None or has_delivered
        self._location = location
        self._here = config.location
        self._opened: dict[str, Backend] = {}
        self.away: str | None = None

    def held(self, request: Request, hosts: Sequence[str], say: Callable[[str], None]) -> Mapping[str, Held]:
        """What there is of it, by location; nothing when it cannot be reached: then `away` says why."""
        if self._kind is None or not self._is_expected:
            return {}
        if not self._kind.is_ours:
            say("What is behind the gateway stays: purge it there, where the database is.")
            return {}
        try:
            with closing(open_backend(self._address, PROBE_TIMEOUT_S, self._here)) as probe:
                locations = (probe.locations() or [self._here]) if probe.is_known() else []
            wanted = [location for location in locations if self._location in (None, location)]
            return {location: _held(self._at(location), request, hosts) for location in wanted}
        except StoreError as error:
            self.away = str(error)
            return {}

    def own(self) -> "Backend | None":
        """The database at the location of the local file; None when there is none, or none in reach."""
        if self._kind is None or not self._kind.is_ours or not self._is_expected or self.away:
            return None
        return self._at(self._here)

    def delete(self, request: Request, location: str) -> None:
        """Delete it at a location that the local file is not of. Raises `StoreError`."""
        if self._kind:
            for _ in self._at(location).delete(request.deletion()):
                pass

    def _at(self, location: str) -> "Backend":
        if location not in self._opened:
            self._opened[location] = open_backend(self._address, QUESTION_TIMEOUT_S, location)
        return self._opened[location]

    def close(self) -> None:
        for backend in self._opened.values():
            backend.close()


def _held(backend: "Backend", request: Request, hosts: Sequence[str]) -> Held:
    window, wanted = Window(0, request.before_ms), set(hosts)
    summaries = (backend.check_counts(window, span) for span in Span)
    return Held(
        checks=sum(count for host, count in backend.check_counts(window).items() if host in wanted),
        alerts=sum(alert.host in wanted for alert in backend.alerts(window)),
        summarised=sum(count for counts in summaries for host, count in counts.items() if host in wanted),
    )


def _listed(hosts: list[str]) -> str:
    names = ", ".join(hosts[:SHOWN_HOSTS])
    more = f" and {len(hosts) - SHOWN_HOSTS} more" if len(hosts) > SHOWN_HOSTS else ""
    return f"{len(hosts)} {'site' if len(hosts) == 1 else 'sites'} ({names}{more})"


def _counted(checks: int, alerts: int) -> str:
    return f"{checks:,} checks and {alerts:,} alerts and recoveries"


def _date(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1_000, UTC).strftime("%Y-%m-%d %H:%M UTC")
