"""What a gateway does beside answering: its database keeps no more than `retention` says, as the configuration is now."""

import threading

from monitoring.clock import Clock
from monitoring.config import Config, ConfigWatcher, DatabaseAddress
from monitoring.errors import StoreError
from monitoring.following import new_config
from monitoring.gateway import output
from monitoring.gateway.database import Database, FileDatabase
from monitoring.report.words import too_old_text
from monitoring.store.forwarder import RemoteRetention

PAUSE_S = 1.0


class FileRetention:
    """Keeps `RemoteRetention` for a local file, and does the rest that a monitor does to its own: packing and purging."""

    def __init__(self, database: FileDatabase) -> None:
        self._database = database
        self.trouble: str | None = None

    def keep(self, checks_ms: int, alerts_ms: int) -> None:
        self._database.keep(checks_ms, alerts_ms)

    def step(self, now_ms: int) -> bool:
        try:
            more = self._database.pack(now_ms) or self._database.tidy(now_ms)
        except StoreError as error:
            self.trouble = str(error)
            return False
        self.trouble = None
        return more

    def close(self) -> None:
        """The file is its owner's."""


class Upkeep:
    """Works on the database in a thread of its own, in short steps: `with Upkeep(...):`."""

    def __init__(self, retention: RemoteRetention, config: Config, watcher: ConfigWatcher, clock: Clock) -> None:
        """`retention` deletes what is too old; this object closes it."""
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
        self._retention.close()

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


def open_retention(database: Database, address: DatabaseAddress) -> RemoteRetention:
    """What keeps this database, which is at this address, within `retention`: a gateway's is all there is in it."""
    if isinstance(database, FileDatabase):
        return FileRetention(database)
    from monitoring.store import opening

    return opening.open_retention(address, owner=None, location=None)
