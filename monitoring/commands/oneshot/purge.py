"""`--purge`: shows what it would delete, asks, and deletes it from the local file and from the database."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from monitoring.clock import Clock, SystemClock
from monitoring.commands.invocation import Invocation
from monitoring.commands.oneshot.purge_file import LocalFilePurge, step_text
from monitoring.config import Config
from monitoring.config.lookup import hosts_of, site_of
from monitoring.config.parsing.durations import Moment
from monitoring.display.output.outputs import say
from monitoring.display.output.progress import Progress, progress
from monitoring.display.words import plural
from monitoring.errors import ConfigError, StoreError
from monitoring.models import Window
from monitoring.statistics.summary import Span
from monitoring.storage.backends import database_address, open_backend
from monitoring.storage.sqlite.tables.purge import Preview, Request
from monitoring.units import HOUR_MS

if TYPE_CHECKING:
    from monitoring.storage.base import Backend

PROBE_TIMEOUT_S = 2.0
QUESTION_TIMEOUT_S = 120.0
"""A database may need this long to count or delete millions of points."""

SHOWN_HOSTS = 5


def run(invocation: Invocation) -> int:
    """Delete it; returns the exit status. Raises `MonitoringError`."""
    config, _ = invocation.load()
    arguments, clock = invocation.arguments, SystemClock()
    hosts = (None,) if arguments.site is None else hosts_of(arguments.site, config.sites, "--site")
    scopes = [scope_of(host, arguments.before, arguments.location, clock.now_ms()) for host in hosts]
    terminal = Terminal(say=say, ask=input if sys.stdin.isatty() else None)
    return max(Purge(config, scope, clock, terminal).run(yes=arguments.yes) for scope in scopes)


@dataclass(frozen=True, slots=True)
class Scope:
    """What to delete: data of one site (None: all), from before a moment (None: now), of one location (None: all)."""

    host: str | None
    before_ms: int | None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Terminal:
    """The dialogue with the user. `ask` asks a question and returns the answer; None: nobody can answer."""

    say: Callable[[str], None]
    ask: Callable[[str], str] | None


@dataclass(frozen=True, slots=True)
class StoredCounts:
    """How much of the request the database contains for one location."""

    checks: int = 0
    alerts: int = 0
    summarised: int = 0


def scope_of(host: str | None, before: Moment | None, location: str | None, now_ms: int) -> Scope:
    """The scope for a site and a location. Raises `ConfigError`."""
    return Scope(host, None if before is None else _before_ms(before, now_ms), location)


def _before_ms(before: Moment, now_ms: int) -> int:
    """The moment, rounded down to the hour, because older statistics are stored by the hour."""
    before_ms = before.at(now_ms)
    if before_ms > now_ms:
        raise ConfigError(["--before: must not be in the future"])
    return before_ms // HOUR_MS * HOUR_MS


class Purge:
    """One run of `--purge`."""

    def __init__(self, config: Config, scope: Scope, clock: Clock, terminal: Terminal) -> None:
        self._config = config
        self._local = LocalFilePurge(config, scope.location, clock)
        self._database = DatabasePurge(config, scope.location, self._local.has_delivered())
        self._terminal = terminal
        before_ms = clock.now_ms() if scope.before_ms is None else scope.before_ms
        self._request = Request(scope.host, before_ms, forget=scope.before_ms is None)

    def run(self, *, yes: bool) -> int:
        """Returns the exit status. Raises `MonitoringError`."""
        with closing(self._database):
            with progress("counting what would be deleted"):
                local = self._local.preview(self._request)
                hosts = self._hosts(local)
                if self._request.host is None:
                    self._request = replace(self._request, hosts=tuple(hosts))
                held = self._database.held(self._request, hosts, self._terminal.say)
            is_empty = local == Preview(hosts=local.hosts) and all(found == StoredCounts() for found in held.values())
            if is_empty and self._request.host is not None:
                site_of(self._request.host, self._config.sites, "--site")  # neither stored nor configured: mistyped
            if is_empty and not self._is_deferred:
                self._terminal.say(f"There is nothing of {self._request.host or 'that'} to delete.")
                return 0
            self._announce(hosts, local, held)
            if not self._confirmed(yes=yes):
                self._terminal.say("Nothing was deleted.")
                return 0
            with progress("deleting") as shown:
                self._delete(local, held, shown)
            self._terminal.say("Deleted here." if self._is_deferred else "Deleted.")
        return 0

    @property
    def _is_deferred(self) -> bool:
        """Is the deletion in the database left to a monitor that reaches it?"""
        return self._database.unreachable is not None and self._local.is_concerned

    def _hosts(self, local: Preview) -> list[str]:
        if self._request.host is not None:
            return [self._request.host]
        return sorted({*local.hosts, *(site.host for site in self._config.sites)})

    def _announce(self, hosts: list[str], local: Preview, held: Mapping[str, StoredCounts]) -> None:
        say = self._terminal.say
        say(f"To be deleted: everything before {_date(self._request.before_ms)} of {_listed(hosts)}")
        if self._local.is_concerned:
            since = "" if local.from_ms is None else f" (from {_date(local.from_ms)} on)"
            say(f"  {self._config.local_database}: {_counted(local.checks, local.alerts)}{since}")
        if local.summed_from_ms is not None:
            say(f"    and hourly and daily summaries, from {_date(local.summed_from_ms)} on")
        for location, found in held.items():
            place = ", ".join(filter(None, (database_address(self._config).masked, location)))
            say(f"  {place}: {_counted(found.checks, found.alerts)}")
        if self._is_deferred:
            say(f"  {self._database.unreachable}: a monitor of this configuration deletes there once it reaches it")

    def _confirmed(self, *, yes: bool) -> bool:
        if yes:
            return True
        if self._terminal.ask is None:
            raise ConfigError(["--purge: nobody can be asked here; --yes deletes without asking"])
        return self._terminal.ask("Delete it? [y/N] ").strip().lower() in ("y", "yes")

    def _delete(self, local: Preview, held: Mapping[str, StoredCounts], shown: Progress) -> None:
        """Delete from the file and, through its request, from the database at its location; then at the other locations."""
        if self._local.is_concerned:
            self._local.delete(self._request, self._database.own(), shown, local.checks, deferred=self._is_deferred)
        for location in held:
            if location != self._config.location or not self._local.is_concerned:
                self._database.delete(self._request, location, shown)


class DatabasePurge:
    """Deletes from the configuration's database, or from the default one if it ever received this file's data.

    `unreachable` says why it cannot be reached now; None: it can, as far as is known.
    """

    def __init__(self, config: Config, location: str | None, has_delivered: bool) -> None:
        self._address = database_address(config)
        self._kind = self._address.backend
        self._is_expected = config.database is not None or has_delivered
        self._location = location
        self._here = config.location
        self._opened: dict[str, Backend] = {}
        self.unreachable: str | None = None

    def held(self, request: Request, hosts: Sequence[str], say: Callable[[str], None]) -> Mapping[str, StoredCounts]:
        """How much of the request it contains, by location. Nothing if it cannot be reached: `unreachable` says why."""
        if self._kind is None or not self._is_expected:
            return {}
        if not self._kind.is_ours:
            say("Data behind the gateway stays: purge it there, where the database is.")
            return {}
        try:
            with closing(open_backend(self._address, PROBE_TIMEOUT_S, self._here)) as probe:
                locations = (probe.locations() or [self._here]) if probe.is_known() else []
            wanted = [location for location in locations if self._location in (None, location)]
            return {location: _held(self._at(location), request, hosts) for location in wanted}
        except StoreError as error:
            self.unreachable = str(error)
            return {}

    def own(self) -> "Backend | None":
        """The database for the local file's location; None if there is none, or it cannot be reached."""
        if self._kind is None or not self._kind.is_ours or not self._is_expected or self.unreachable:
            return None
        return self._at(self._here)

    def delete(self, request: Request, location: str, shown: Progress) -> None:
        """Delete for a location other than the local file's. Raises `StoreError`."""
        if self._kind:
            database = self._at(location)
            for done, _ in enumerate(database.delete(request.deletion()), start=1):
                shown.tell(f"deleting from {database.name}", step_text(done))

    def _at(self, location: str) -> "Backend":
        if location not in self._opened:
            self._opened[location] = open_backend(self._address, QUESTION_TIMEOUT_S, location)
        return self._opened[location]

    def close(self) -> None:
        for backend in self._opened.values():
            backend.close()


def _held(backend: "Backend", request: Request, hosts: Sequence[str]) -> StoredCounts:
    window, wanted = Window(0, request.before_ms), set(hosts)

    def count(kind: str) -> int:
        return sum(number for (_, host), number in backend.counts(window, kind).items() if host in wanted)

    return StoredCounts(count("checks"), count("alerts"), sum(count(span.kind) for span in Span))


def _listed(hosts: list[str]) -> str:
    names = ", ".join(hosts[:SHOWN_HOSTS])
    more = f" and {len(hosts) - SHOWN_HOSTS} more" if len(hosts) > SHOWN_HOSTS else ""
    return f"{plural(len(hosts), 'site')} ({names}{more})"


def _counted(checks: int, alerts: int) -> str:
    return f"checks: {checks:,}, alerts and recoveries: {alerts:,}"


def _date(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1_000, UTC).strftime("%Y-%m-%d %H:%M UTC")
