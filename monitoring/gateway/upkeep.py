"""What a gateway does beside answering: its database keeps no more than `retention` says, as the configuration is now."""

import threading
from collections.abc import Collection, Iterator

from monitoring.clock import Clock
from monitoring.config import Config, ConfigWatcher
from monitoring.errors import StoreError
from monitoring.following import new_config
from monitoring.gateway import output
from monitoring.gateway.databases import Databases
from monitoring.report.words import too_old_text
from monitoring.storage.delivery.upkeep import PATIENCE, RETRY_MS, end_ms, retention_deletions
from monitoring.storage.sqlite.database import SharedFile

PAUSE_S = 1.0


class Retention:
    """Deletes from a gateway's database what is too old, of all locations, and what was purged from its file.

    All that is in the database is the gateway's to delete. A step is short; one that fails is taken again later.
    """

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._kept_ms: tuple[int, int] | None = None
        self._reached_ms = (0, 0)
        self._steps: Iterator[None] = iter(())
        self._failures = 0
        self._rest_until_ms = 0
        self.trouble: str | None = None
        """Why that has not been possible for some time."""

    def keep(self, checks_ms: int, alerts_ms: int) -> None:
        """From now on delete what is older than this; before the first call nothing is deleted."""
        self._kept_ms, self._reached_ms = (checks_ms, alerts_ms), (0, 0)

    def step(self, now_ms: int) -> bool:
        """Take the next short step; was there one?"""
        if now_ms < self._rest_until_ms:
            return False
        try:
            went_on = self._advance(now_ms)
        except StoreError as error:
            self._steps = iter(())
            self._failures += 1
            self._rest_until_ms = now_ms + RETRY_MS
            self.trouble = str(error) if self._failures >= PATIENCE else None
            return False
        if not went_on:
            self._failures, self.trouble = 0, None
        return went_on

    def _advance(self, now_ms: int) -> bool:
        for _ in self._steps:
            return True
        file = self._databases.file
        if file is not None and file.next_purge():
            self._steps = self._purge(file)
            return True
        if file is not None and file.unpack():
            return True
        if self._kept_ms is None:
            return False
        ends_ms = (end_ms(now_ms, self._kept_ms[0]), end_ms(now_ms, self._kept_ms[1]))
        if ends_ms == self._reached_ms:
            return False
        self._steps = self._retain(*ends_ms)
        return True

    def _purge(self, file: SharedFile) -> Iterator[None]:
        request = file.next_purge()
        if request is None:
            return
        for location in self._locations():
            yield from self._databases.at(location).delete(request.deletion())
        file.purge_done(request)

    def _retain(self, checks_before_ms: int, alerts_before_ms: int) -> Iterator[None]:
        for location in self._locations():
            database = self._databases.at(location)
            for deletion in retention_deletions(None, checks_before_ms, alerts_before_ms):
                yield from database.delete(deletion)
        self._reached_ms = (checks_before_ms, alerts_before_ms)

    def _locations(self) -> Collection[str]:
        file = self._databases.file
        return file.locations() if file else self._databases.at("").locations()


class Upkeep:
    """Works on the database in a thread of its own, in short steps: `with Upkeep(...):`."""

    def __init__(self, retention: Retention, config: Config, watcher: ConfigWatcher, clock: Clock) -> None:
        self._retention = retention
        self._config = config
        self._watcher = watcher
        self._clock = clock
        self._told: str | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.run, name="upkeep", daemon=True)

    def __enter__(self) -> None:
        self._keep()
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def run(self) -> None:
        while not self._clock.wait(self._stop, PAUSE_S):
            try:
                self._tell(self.step())
            except Exception as error:  # noqa: BLE001 - upkeep must go on, whatever happens to one round
                self._tell(f"{type(error).__name__}: {error}")

    def step(self) -> str | None:
        """Follow the configuration, and do what there is to do; returns why that cannot be done."""
        if config := new_config(self._watcher, output.warn):
            self._follow(config)
        while not self._stop.is_set() and self._retention.step(self._clock.now_ms()):
            pass
        return self._retention.trouble

    def _tell(self, trouble: str | None) -> None:
        if trouble and trouble != self._told:
            output.warn(too_old_text(trouble))
        self._told = trouble

    def _follow(self, config: Config) -> None:
        before, self._config = self._config, config
        self._keep()
        if (before.database, before.local_database) != (config.database, config.local_database):
            output.warn("another database takes effect at the next start")

    def _keep(self) -> None:
        self._retention.keep(self._config.check_retention_ms, self._config.alert_retention_ms)
