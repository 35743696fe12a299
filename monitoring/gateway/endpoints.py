"""What all versions of the gateway's interface share: endpoints, and the way to the database."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from monitoring.clock import Clock
from monitoring.errors import StoreUnavailable
from monitoring.gateway.access import Role
from monitoring.gateway.databases import Databases
from monitoring.gateway.limits import Limits, SiteLimiter
from monitoring.gateway.metrics import Metrics
from monitoring.storage.base import Backend, Points


class Json(bytes):
    """An answer that is JSON already."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`role` is whose token it takes; None: nobody's is needed."""

    method: str
    path: str
    role: Role | None
    answer: Callable[[], Any]


class Desk:
    """Lets requests use the database, so many at a time, and counts what is written."""

    def __init__(self, databases: Databases, limits: Limits, clock: Clock, metrics: Metrics) -> None:
        self.databases = databases
        self.limits = limits
        self.clock = clock
        self.metrics = metrics
        self._sites = SiteLimiter(limits.sites)
        self._turns = threading.BoundedSemaphore(limits.busy)

    @contextmanager
    def turn(self, location: str = "") -> Iterator[Backend]:
        """A place among those that use the database, as this location sees it.

        Raises `StoreUnavailable` when none becomes free, and `StoreRefused` where there can be no such location.
        """
        if not self._turns.acquire(timeout=self.limits.patience_s):
            raise StoreUnavailable("the gateway is waiting for its database")
        try:
            yield self.databases.at(location)
        finally:
            self._turns.release()

    def write(self, location: str, points: Points) -> None:
        """Raises `StoreError`."""
        every: Iterable[Any] = (*points.checks, *points.alerts, *points.summaries)
        self._sites.admit(location, {point.host for point in every})
        with self.turn(location) as database:
            database.write(points)
        for kind, count in (
            ("check", len(points.checks)),
            ("alert", len(points.alerts)),
            ("summary", len(points.summaries)),
        ):
            if count:
                self.metrics.took(kind, count)
