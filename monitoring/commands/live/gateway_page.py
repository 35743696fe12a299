"""`-g --web`: the status page at a gateway's address. It shows the gateway's database to those who may read there."""

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from monitoring.clock import Clock
from monitoring.commands.live.web import PageReader
from monitoring.config import Config, ConfigWatcher
from monitoring.config.keys.databases import ListenAddress
from monitoring.config.tokens import Tokens
from monitoring.display.words import plural
from monitoring.errors import StoreError
from monitoring.gateway.databases import Databases
from monitoring.gateway.server import Refused
from monitoring.gateway.tls import Wsgi
from monitoring.models import Window
from monitoring.storage.delivery.words import Condition, Source
from monitoring.storage.notifications import Entry
from monitoring.storage.routing import Readers, readers_of
from monitoring.units import MINUTE_MS
from monitoring.web.application import make_application
from monitoring.web.serve import LIMITS, host_names

END_S = 5.0

OWN = "the database of this gateway"

NOBODY = "no monitor has delivered to this gateway yet"


class OwnDatabaseChoice:
    """Implements `Choice`: the only store is the gateway's database. It reads all locations, or the `wanted` one."""

    def __init__(self, databases: Databases, config: Config, clock: Clock, wanted: str | None = None) -> None:
        self._databases = databases
        self._clock = clock
        self._wanted = wanted
        self._hosts: Collection[str] = ()
        self._unlisted: Collection[str] = ()
        self._counted_ms = 0
        self.follow(config)

    def choose(self) -> tuple[Readers, Source]:
        readers = readers_of(self._databases.at(""), self._wanted, self._databases.at)
        if not readers:
            raise StoreError(NOBODY)
        self._count_unlisted(readers)
        return readers, Source(next(iter(readers.values())).kind, OWN)

    def _count_unlisted(self, readers: Readers) -> None:
        """Count unlisted sites once a minute, because the query is about all sites."""
        now_ms = self._clock.now_ms()
        if now_ms - self._counted_ms >= MINUTE_MS:
            stored = {host for reader in readers.values() for host in reader.last_states(now_ms)}
            self._unlisted, self._counted_ms = stored.difference(self._hosts), now_ms

    def distrust(self, error: StoreError) -> None:
        """Do nothing: there is no other store."""

    def follow(self, config: Config) -> None:
        self._hosts, self._counted_ms = {site.host for site in config.sites}, 0

    @property
    def name(self) -> str:
        return self._databases.at("").name

    def conditions(self) -> Sequence[Condition]:
        if not self._unlisted:
            return ()
        count = plural(len(self._unlisted), "more site")
        text = f"{count} in this database: the gateway's configuration does not list {_them(len(self._unlisted))}"
        return (Condition("unlisted", text, ""),)

    def deliveries(self, window: Window) -> Sequence[Entry]:  # noqa: ARG002 - implements `Choice`
        """Nothing: only the monitors know their notifications."""
        return ()

    def close(self) -> None:
        """Do nothing: the gateway still uses its database."""


def _them(count: int) -> str:
    return "it" if count == 1 else "them"


class GatewayPage:
    """The page of a gateway that has not started yet. The context `page(databases, tokens, refused)` runs it."""

    def __init__(
        self, config: Config, watcher: ConfigWatcher, clock: Clock, address: ListenAddress, location: str | None
    ) -> None:
        self._config = config
        self._watcher = watcher.twin()
        self._clock = clock
        self._address = address
        self._location = location

    @contextmanager
    def __call__(self, databases: Databases, tokens: Tokens, refused: Refused) -> Iterator[Wsgi]:
        stop = threading.Event()
        choice = OwnDatabaseChoice(databases, self._config, self._clock, self._location)
        reader = PageReader(self._config, choice, self._clock, self._watcher, lambda _: None, knows_deliveries=False)
        names = host_names(self._address, tokens)
        thread = threading.Thread(target=partial(reader.run, stop), name="page", daemon=True)
        thread.start()
        try:
            yield make_application(reader.board, tokens, LIMITS, self._clock, names, refused)
        finally:
            stop.set()
            thread.join(END_S)
