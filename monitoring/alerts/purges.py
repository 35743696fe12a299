"""Lets a running monitor go on after a purge as it would after a restart: with what its file still has."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Protocol

from monitoring.alerts.evaluator import Evaluator
from monitoring.clock import Clock
from monitoring.errors import StoreError
from monitoring.models import Alert, LastState
from monitoring.statistics.status import outage_is_open
from monitoring.statistics.tracker import StatusTracker
from monitoring.storage.base import Deletion


class PurgedStore(Protocol):
    """What is asked of the store of a running monitor."""

    @property
    def purged(self) -> Sequence[Deletion]:
        """What purges have deleted in this run, in order."""

    @property
    def trouble(self) -> str | None:
        """Why checks cannot be written; None while they can."""

    def commit(self) -> None:
        """Make everything recorded so far readable."""

    def last_states(self, before_ms: int) -> Mapping[str, LastState]:
        """As `Reader.last_states`. Raises `StoreError`."""


class PurgeFollower:
    """Lets evaluator and tracker forget what purges have deleted. Used by the main loop."""

    def __init__(self, store: PurgedStore, evaluator: Evaluator, tracker: StatusTracker, clock: Clock) -> None:
        self._store = store
        self._evaluator = evaluator
        self._tracker = tracker
        self._clock = clock
        self._seen = 0
        self._to_restore: dict[str, int] = {}
        """Hosts whose state is yet to be restored, and before which moment everything of them is gone."""

    def step(self) -> Sequence[Deletion]:
        """Forget what was purged since the last call, and return that."""
        purges = self._store.purged[self._seen :]
        self._seen += len(purges)
        for purge in purges:
            self._evaluator.forget(partial(takes, purge))
            hosts = list(self._tracker.last_states) if purge.hosts is None else purge.hosts
            self._to_restore.update((host, max(purge.before_ms, self._to_restore.get(host, 0))) for host in hosts)
        if self._to_restore and not self._store.trouble:
            self._to_restore = dict(self._restored())
        return purges

    def _restored(self) -> Mapping[str, int]:
        """Restore the states from the file; returns those for which it is too early."""
        self._tracker.remember()
        try:
            self._store.commit()
            return self._tracker.restore(self._store.last_states(self._clock.now_ms() + 1), self._to_restore)
        except StoreError:
            return self._to_restore


def takes(purge: Deletion, newest: Alert) -> bool:
    """Whether a purge deletes this record, the newest one of its site."""
    is_kept = purge.open_alerts_of is None or newest.host in purge.open_alerts_of
    return purge.takes(newest) and not (is_kept and outage_is_open(newest))
