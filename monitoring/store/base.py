"""The contract of every store. One test-suite (`tests/test_store_contract.py`) holds each of them to it.

A store is of one location ("" is the one without a name). A local file belongs to one monitor, and so to one location; a
database that monitors in several places share is opened for one of them, and what the others measured is not there then.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol, runtime_checkable

from monitoring.models import Alert, CheckResult, Downtime, Failure, History, SiteStats, Streak, Window


class Reader(Protocol):
    """Questions about stored checks and alerts.

    - A window is half open, `[from_ms, until_ms)` by the time of the check; no method reads a clock.
    - A host with nothing in the window is missing from the answer. An empty store answers with nothing.
    - Every number equals that of the pure functions in `monitoring.stats` over the same results.
    - Methods may be called from any thread; each answer is a consistent view of one moment.
    - Raises `StoreUnavailable` when there is no answer in time, `StoreDenied` on wrong credentials.
    """

    kind: str
    """"influxdb", "local" or "gateway", as `--format json` names it."""

    def stats(self, window: Window) -> Mapping[str, SiteStats]:
        """Statistics by host: equals `stats.summarise`."""

    def results(self, window: Window) -> Sequence[CheckResult]:
        """The checks of the window, whole, in order of (time, host). `detail` is kept by the local store only."""

    def alerts(self, window: Window) -> Sequence[Alert]:
        """The transitions decided in the window, in order of (time, host)."""

    def last_alerts(self) -> Mapping[str, Alert]:
        """The newest transition of each host: an outage is open where it is an alert."""

    def last_time(self) -> int | None:
        """The newest time stored, of any check or alert of any host: what comes next must be later."""

    def close(self) -> None:
        """Free connections. The store must not be used afterwards; a second close does nothing."""


class Store(Reader, Protocol):
    """A reader that also takes checks and alerts."""

    def write(self, results: Sequence[CheckResult], alerts: Sequence[Alert]) -> None:
        """Store these; when it returns they are durable. The same point written twice is one point.

        Raises `StoreUnavailable` or `StoreDenied` when nothing may have been stored (try again with the same data) and
        `StoreRefused` when some of these will never be accepted; others of the same call may have been stored.
        """


class AlertReader(Reader, Protocol):
    """A reader that alerts are decided by: the monitor's own file, and what still waits in memory. No database is one.

    A monitor whose file is new sees the checks that it took over from a database here, and nowhere else.
    """

    def downtime(self, window: Window, hosts: Collection[str] | None = None) -> Mapping[str, Downtime]:
        """What the alert rule needs of these hosts (None: of all), by host: equals `stats.downtime`."""

    def failures(self, window: Window, hosts: Collection[str]) -> Mapping[str, Sequence[Failure]]:
        """The failed checks of these hosts in order of time: equals `stats.failures`."""


Readers = Mapping[str, Reader]
"""A reader for each location that is to be told of, by its name."""


@runtime_checkable
class HistoryReader(Reader, Protocol):
    """A reader that also knows where each site stands: what a monitor needs when it starts, and what `-p` shows.

    `-p` finds out with `isinstance`; of other readers it asks what every `Reader` answers (`store.standing`).
    """

    def histories(self) -> Mapping[str, History]:
        """Where each host stands by its newest checks."""


@runtime_checkable
class StreakReader(Reader, Protocol):
    """A reader that can look back as far as its checks go, at little cost. `-p` finds out with `isinstance`."""

    def streaks(self, before_ms: int) -> Mapping[str, Streak]:
        """By host, of the checks before a moment; a host of which that is not known is missing."""
