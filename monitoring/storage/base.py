"""The contracts of storage: what every store answers, and what a database does for a monitor.

There is one kind of local file, so `monitoring.storage.sqlite.store.LocalStore` is its own contract.

A store is opened for one location ("" is the location without a name) and sees nothing of the others.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from monitoring.models import Alert, CheckResult, Downtime, Failure, LastState, SiteStats, Window
from monitoring.statistics.reference import NONE_ENDED, Ended
from monitoring.statistics.summary import SiteSummary, Span, Summary

Ends = Callable[[Window], Mapping[str, Summary]]
"""Adds up the checks at the ends of a window: gives the summary of each host, with all response times."""

Counts = Mapping[tuple[int, str], int]
"""Numbers of points by the start of a span and the host. A span without points is missing."""

KINDS = ("checks", "alerts", *(span.kind for span in Span))
"""Kinds of points, in the order in which they are sent."""

MOST_LOCATIONS = 100
"""A reader reads at most so many at once: each location costs it the same questions again."""

FRESH_MS = 5_000
"""A database that was complete so recently may be asked. Each question checks again whether it is complete."""

SLOW_PENALTY_MS = 30_000
"""A database that was too slow is not asked for so long."""

IsWanted = Callable[[], bool]  # whether anybody still waits for the answer


def always() -> bool:
    """The answer is waited for, however long it takes."""
    return True


class Reader(Protocol):
    """Questions about what is stored.

    - A window is half open, `[from_ms, until_ms)` by the time of the check. No method reads a clock.
    - A host with nothing in the window is missing from the answer. An empty store answers with nothing.
    - Every number equals that of the pure functions in `monitoring.statistics.reference` over the same checks.
    - Methods may be called from any thread.
    - Raises `StoreUnavailable` when there is no answer in time, `StoreDenied` on wrong credentials.
    """

    kind: str
    """As `--format json` names it: "local", "influxdb" or "gateway"."""

    def stats(self, window: Window, *, exact: bool) -> Mapping[str, SiteStats]:
        """Statistics by host, equal to `reference.summarise`. Exact percentiles cost more (see `windows.may_be_exact`)."""

    def results(self, window: Window, hosts: Collection[str] | None = None) -> Iterator[CheckResult]:
        """The checks of these hosts (None: of all) in the window, in order of (time, host)."""

    def alerts(self, window: Window) -> Sequence[Alert]:
        """The state changes decided in the window, in order of (time, host)."""

    def last_alerts(self) -> Mapping[str, Alert]:
        """The newest state change of each host. Where that is an alert, the outage is still open."""

    def last_states(self, before_ms: int) -> Mapping[str, LastState]:
        """The state of each host after its checks before this moment, as `status.advance` computes it."""

    def last_time(self) -> int | None:
        """The newest time of any check or alert of any host. What is stored next must be later."""

    def missing(self, window: Window) -> int:
        """How many checks of the window only summaries know: their points were lost, refused or never sent."""

    def close(self) -> None:
        """Free connections. A second close does nothing."""


class OwnReader(Protocol):
    """What a running monitor asks about its own checks, written or not yet. `stats` and `alerts` are as `Reader`'s."""

    def stats(self, window: Window, *, exact: bool) -> Mapping[str, SiteStats]: ...
    def alerts(self, window: Window) -> Sequence[Alert]: ...

    def downtime(
        self, window: Window, hosts: Collection[str] | None = None, ended: Ended = NONE_ENDED
    ) -> Mapping[str, Downtime]:
        """What the alert rule needs to know of these hosts (None: of all), equal to `reference.downtime`."""

    def failures(self, window: Window, hosts: Collection[str]) -> Mapping[str, Sequence[Failure]]:
        """The failed checks of these hosts in order of time."""


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """How far a local file has delivered, as the database remembers it.

    `delivery` is the newest outbox entry that was ever acknowledged. The two times are water marks (0: none): every check
    and alert up to `newest_ms` has been delivered, and every summary of a span that ended by `summarised_ms`. A mark moves
    back when something older is to be delivered, because it came late or is sent again.
    """

    delivery: int
    newest_ms: int
    summarised_ms: int


@dataclass(frozen=True, slots=True)
class Points:
    """What goes to a database in one request."""

    checks: Sequence[CheckResult] = ()
    alerts: Sequence[Alert] = ()
    summaries: Sequence[SiteSummary] = ()

    def __len__(self) -> int:
        return len(self.checks) + len(self.alerts) + len(self.summaries)


@dataclass(frozen=True, slots=True)
class Deletion:
    """Delete what these hosts (None: all) have before `before_ms`.

    `spans` says which summaries go: those of these lengths that begin before that moment. Open alerts stay for the hosts in
    `open_alerts_of` (None: for all). `former` is the marker of a local file: what version 1.1.0 sent of that file, in a
    form of its own, goes as well.
    """

    hosts: Collection[str] | None
    before_ms: int
    checks: bool = True
    spans: Collection[Span] = tuple(Span)
    alerts: bool = True
    open_alerts_of: Collection[str] | None = None
    former: str = ""

    def takes(self, alert: Alert) -> bool:
        """Whether this record goes, unless it is that of an open alert which stays."""
        return alert.time_ms < self.before_ms and (self.hosts is None or alert.host in self.hosts)


class Backend(Reader, Protocol):
    """A database that monitors deliver to. A new one is accepted when it passes the contract suite."""

    name: str
    """For people, without credentials: "InfluxDB at localhost:8086"."""

    def stats(
        self, window: Window, *, exact: bool, ends: Ends | None = None, is_wanted: IsWanted = always
    ) -> Mapping[str, SiteStats]:
        """As `Reader.stats`. `ends` answers, in place of the points here, for the minute that the window's beginning cuts
        and for what is not summarised yet: a running monitor has these checks in its own file.

        Once `is_wanted` says no, this may raise `StoreUnavailable`, which frees what has been read.
        """

    def ping(self) -> None:
        """Return when the database answers. Raises `StoreError`."""

    def verify(self, marker: str) -> DeliveryRecord | None:
        """Write a point named after this local file and read it back, to prove that writing and reading work.

        Returns the record of that file; None when there is none, because the database is new or has lost its data. Raises
        `StoreError`.
        """

    def record(self, marker: str, record: DeliveryRecord) -> None:
        """Let the database remember how far this file has delivered. Never part of the request that delivers."""

    def write(self, points: Points) -> None:
        """Store these durably. The same point written twice is one point; a summary replaces the former one whole.

        Raises `StoreUnavailable` or `StoreDenied` when perhaps nothing was stored: try again with the same points. Raises
        `StoreRefused` when the database dropped some of them for good, with their number if it says so; it has stored
        the others.
        """

    def counts(self, window: Window, kind: str = "checks", each: Span | None = None) -> Counts:
        """How many points of a kind the window has. For summaries: how many checks those that begin in the window sum up.

        By host, in each minute, hour or day (of which the window may cut the first and the last); `each` None: in all of it.
        """

    def locations(self) -> Sequence[str]:
        """The locations that have checks, alerts or summaries of days, in order; "" is the first."""

    def delete(self, deletion: Deletion) -> Iterator[None]:
        """Delete in short steps, one for each advance of the iterator. Raises `StoreError`."""

    def is_known(self) -> bool:
        """Whether any monitor has written here."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The oldest points of the outbox, and the entries that they belong to."""

    points: Points
    last_entry: int
    last_key: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Points of one kind (see `KINDS`) and host that a database did not take, from `first_ms` to `last_ms`.

    `field` is the field that it objected to ("": it names none). `by_age`: it keeps nothing that old, so no retry.
    """

    kind: str
    host: str
    first_ms: int
    last_ms: int
    count: int
    field: str
    reason: str
    by_age: bool = False


@dataclass(frozen=True, slots=True)
class Pending:
    """How many checks and alerts (`points`) and summaries wait for delivery, the oldest since `oldest_ms` (None: none)."""

    points: int = 0
    summaries: int = 0
    oldest_ms: int | None = None
