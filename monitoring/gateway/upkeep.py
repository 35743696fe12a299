"""The work of a gateway beside requests: it follows the configuration, and deletes what `retention` or a purge demands."""

import threading
from collections.abc import Iterator, Sequence
from typing import Self

from monitoring.clock import Clock
from monitoring.config import Config, ConfigWatcher
from monitoring.config.reload import new_config
from monitoring.display.words import too_old_text
from monitoring.gateway import output
from monitoring.gateway.databases import Databases
from monitoring.gateway.refusals import Refusals
from monitoring.models import Site
from monitoring.storage.base import Backend
from monitoring.storage.delivery.upkeep import Steps, Upkeep, delete_older

PAUSE_S = 1.0


def database_upkeep(databases: Databases) -> Upkeep:
    """Deletes old data of all locations, because the whole database belongs to the gateway, and purged data of its file."""
    file = databases.file

    def next_job() -> Steps | None:
        if file is None:
            return None
        if request := file.next_purge():
            return file.purge(request)
        return iter((None,)) if file.unpack() else None

    def retain(checks_before_ms: int, alerts_before_ms: int) -> Steps:
        for database in _everywhere(databases):
            yield from delete_older(database, None, checks_before_ms, alerts_before_ms)

    return Upkeep(next_job, retain)


def _everywhere(databases: Databases) -> Iterator[Backend]:
    file = databases.file
    return map(databases.at, file.locations() if file else databases.at("").locations())


class UpkeepThread:
    """A thread that maintains the database in short steps and reports problems: `with UpkeepThread(…):`."""

    def __init__(
        self,
        databases: Databases,
        config: Config,
        watcher: ConfigWatcher,
        clock: Clock,
        refusals: Refusals | None = None,
    ) -> None:
        self._file = databases.file
        self._upkeep = database_upkeep(databases)
        self._config = config
        self._watcher = watcher
        self._clock = clock
        self._refusals = refusals or Refusals()
        self._reported: str | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.run, name="upkeep", daemon=True)

    def __enter__(self) -> Self:
        self._keep()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def sites(self) -> Sequence[Site]:
        """The sites of the current configuration."""
        return self._config.sites

    def run(self) -> None:
        while not self._clock.wait(self._stop, PAUSE_S):
            try:
                self._report(self.step())
            except Exception as error:  # noqa: BLE001 - upkeep must go on, whatever happens to one round
                self._report(f"{type(error).__name__}: {error}")

    def step(self) -> str | None:
        """Follow the configuration and do all pending work. Returns why the work cannot be done, or None."""
        if config := new_config(self._watcher, output.warn):
            self._follow(config)
        if sentence := self._refusals.news(self._clock.monotonic_ns()):
            output.warn(sentence)
        self._look_at_file()
        while not self._stop.is_set() and self._upkeep.step(self._clock.now_ms()):
            self._look_at_file()
        return self._upkeep.trouble

    def _look_at_file(self) -> None:
        """Look whether the file was moved or replaced. Requests go on meanwhile in their own threads."""
        if self._file:
            self._file.guard.look(self._clock.now_ms(), lambda: None)
            for notice in self._file.guard.notices():
                output.warn(notice)

    def _report(self, trouble: str | None) -> None:
        if trouble and trouble != self._reported:
            output.warn(too_old_text(trouble))
        self._reported = trouble

    def _follow(self, config: Config) -> None:
        before, self._config = self._config, config
        self._keep()
        if (before.database, before.local_database) != (config.database, config.local_database):
            output.warn("another database takes effect at the next start")

    def _keep(self) -> None:
        self._upkeep.set_retention(self._config.check_retention_ms, self._config.alert_retention_ms)
