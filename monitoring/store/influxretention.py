"""What is older than retention leaves InfluxDB: now and then, a short statement a step, so that delivery goes on between.

Each time something is deleted InfluxDB writes all it has of that week anew, so it happens once a day, unless retention
is short.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Protocol

from monitoring.errors import StoreError
from monitoring.stats import DAY_MS, HOUR_MS
from monitoring.store.influxpurge import InfluxPurge, groups
from monitoring.store.lineprotocol import ALERTS, CHECKS
from monitoring.store.rollups import LENGTHS_MS

ROUNDS = 30
"""What is deleted at once is about this part of what is kept."""

RETRY_MS = 60_000
"""When a step that failed is taken again: a statement that took too long is mostly over by then."""

PATIENCE = 5
"""How often a step may fail before that is trouble."""

Step = Callable[[], None]


class Owner(Protocol):
    """Whose data may be deleted: those of these hosts, and what the local file with this marker sent of minutes."""

    marker: str

    def hosts(self) -> Collection[str]: ...


class InfluxRetention:
    """Keeps `RemoteRetention` for one InfluxDB database. An alert that is still open stays, however old."""

    def __init__(self, database: InfluxPurge, owner: Owner | None = None) -> None:
        """`owner` None: everything in this database is ours."""
        self._database = database
        self._owner = owner
        self._kept_ms: tuple[int, int] | None = None
        self._reached_ms = (0, 0)
        self._steps: deque[Step] = deque()
        self._failures = 0
        self._rest_until_ms = 0
        self.trouble: str | None = None

    def keep(self, checks_ms: int, alerts_ms: int) -> None:
        self._kept_ms = (checks_ms, alerts_ms)

    def step(self, now_ms: int) -> bool:
        if self._kept_ms is None or now_ms < self._rest_until_ms:
            return False
        checks_before_ms, alerts_before_ms = (end_ms(now_ms, kept_ms) for kept_ms in self._kept_ms)
        try:
            more = self._take_next(checks_before_ms, alerts_before_ms)
        except StoreError as error:
            self._failures += 1
            self._rest_until_ms = now_ms + RETRY_MS
            self.trouble = str(error) if self._failures >= PATIENCE else None
            return False
        self._failures, self.trouble = 0, None
        return more

    def close(self) -> None:
        self._database.close()

    def _take_next(self, checks_before_ms: int, alerts_before_ms: int) -> bool:
        if not self._steps:
            if self._reached_ms == (checks_before_ms, alerts_before_ms):
                return False
            self._steps = deque(self._plan(checks_before_ms, alerts_before_ms))
            self._reached_ms = (checks_before_ms, alerts_before_ms)
        if self._steps:
            self._steps[0]()
            self._steps.popleft()
        return bool(self._steps)

    def _plan(self, checks_before_ms: int, alerts_before_ms: int) -> Iterator[Step]:
        for database in self._database.each():
            yield from self._plan_at(database, checks_before_ms, alerts_before_ms)

    def _plan_at(self, database: InfluxPurge, checks_before_ms: int, alerts_before_ms: int) -> Iterator[Step]:
        marker = None if self._owner is None else self._owner.marker
        for hosts in groups(self._ours(database.hosts_before(CHECKS, checks_before_ms))):
            yield partial(database.delete_checks, hosts, checks_before_ms)
        yield partial(database.delete_blocks, marker, checks_before_ms)
        for table in LENGTHS_MS:
            yield partial(database.delete_rolled, table, marker, min(checks_before_ms, alerts_before_ms) // DAY_MS * DAY_MS)
        old = self._ours(database.hosts_before(ALERTS, alerts_before_ms))
        open_since_ms = database.open_alerts() if old else {}
        for hosts in groups(old):
            yield partial(database.delete_alerts, hosts, alerts_before_ms, open_since_ms)

    def _ours(self, hosts: Collection[str]) -> Collection[str]:
        return hosts if self._owner is None else set(hosts) & set(self._owner.hosts())


def end_ms(now_ms: int, kept_ms: int) -> int:
    """Up to when to delete: in whole hours or days, so that it moves seldom."""
    grain_ms = min(DAY_MS, max(HOUR_MS, kept_ms // ROUNDS // HOUR_MS * HOUR_MS))
    return (now_ms - kept_ms) // grain_ms * grain_ms
