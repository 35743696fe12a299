"""The contracts of storage: what may be asked of every store, and what a database does for a monitor.

A store is opened for one location ("" is the one without a name). What was measured elsewhere is not there for it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from monitoring.models import Alert, CheckResult, Downtime, Failure, LastState, SiteStats, Window
from monitoring.statistics.reference import NONE_ENDED, Ended
from monitoring.statistics.summary import SiteSummary, Span, Summary

Ends = Callable[[Window], Mapping[str, Summary]]
"""What the checks of a window of some minutes add up to, by host, with all their response times."""

Counts = Mapping[tuple[int, str], int]
"""How many there are, by the start of a span of time and by host; what has none is missing."""

KINDS = ("checks", "alerts", *(span.kind for span in Span))
"""Kinds of points, in the order in which they are sent."""

MOST_LOCATIONS = 100
"""So many are read at once; each one more costs a reader as many questions as the first."""

IsWanted = Callable[[], bool]
"""Does anybody still wait for the answer?"""


def always() -> bool:
    """Whoever asked waits for the answer, however long it takes."""
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
        """Statistics by host, equal to `reference.summarise`. `exact` percentiles cost more (see `windows.may_be_exact`)."""

    def results(self, window: Window, hosts: Collection[str] | None = None) -> Iterator[CheckResult]:
        """The checks of the window, of these hosts (None: of all), in order of (time, host)."""

    def alerts(self, window: Window) -> Sequence[Alert]:
        """The state changes decided in the window, in order of (time, host)."""

    def last_alerts(self) -> Mapping[str, Alert]:
        """The newest state change of each host: an outage is open where it is an alert."""

    def last_states(self, before_ms: int) -> Mapping[str, LastState]:
        """Where each host stands by its checks before this moment, as `status.advance` leads there."""

    def last_time(self) -> int | None:
        """The newest time stored, of any check or alert of any host: what comes next must be later."""

    def missing(self, window: Window) -> int:
        """How many checks of the window are known by summaries only: their points were lost, refused or never came."""

    def close(self) -> None:
        """Free connections. A second close does nothing."""


class OwnReader(Protocol):
    """What a running monitor asks about its own checks, also while they cannot be written to the local file."""

    def stats(self, window: Window, *, exact: bool) -> Mapping[str, SiteStats]:
        """As `Reader.stats`."""

    def alerts(self, window: Window) -> Sequence[Alert]:
        """As `Reader.alerts`."""

    def downtime(
        self, window: Window, hosts: Collection[str] | None = None, ended: Ended = NONE_ENDED
    ) -> Mapping[str, Downtime]:
        """What the alert rule needs of these hosts (None: of all), by host: equals `reference.downtime`."""

    def failures(self, window: Window, hosts: Collection[str]) -> Mapping[str, Sequence[Failure]]:
        """The failed checks of these hosts in order of time."""


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """What a database has on record of a local file after its last acknowledged delivery.

    `delivery` is the number of the newest outbox entry that was ever acknowledged. The two times are water marks; 0: none.
    Every check and alert up to `newest_ms` that was there has been delivered, and every summary of a span that ended up
    to `summarised_ms`: while older ones wait (put into the outbox again, or late), the marks lie before those.
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
    """What is to be deleted: everything of these hosts (None: of all) before `before_ms`.

    `spans`: the summaries of which lengths, those that begin before it. `open_alerts_of`: the newest alert record of these
    hosts (None: of all) stays if it has no recovery. `former`: what version 1.1.0 sent in its own form of the local file
    with this marker.
    """

    hosts: Collection[str] | None
    before_ms: int
    checks: bool = True
    spans: Collection[Span] = tuple(Span)
    alerts: bool = True
    open_alerts_of: Collection[str] | None = None
    former: str = ""


class Backend(Reader, Protocol):
    """A database on the other side of a network. The contract suite is the acceptance of a new one."""

    name: str
    """For people, without credentials: "InfluxDB at localhost:8086"."""

    def stats(
        self, window: Window, *, exact: bool, ends: Ends | None = None, is_wanted: IsWanted = always
    ) -> Mapping[str, SiteStats]:
        """As `Reader.stats`. `ends` may answer for the minute that the window's beginning cuts, and for what is not
        summarised yet, in place of the points here: a running monitor's own file does, whose copy this database is.
        When `is_wanted` says no, the answer may end with `StoreUnavailable`: what it has read is free at once.
        """

    def ping(self) -> None:
        """Return when it answers at all. Raises `StoreError`."""

    def verify(self, marker: str) -> DeliveryRecord | None:
        """Prove that what is written can be read: write a point named after this local file, read it back equal.

        Returns what the database has on record of that file; None: nothing, the database is new or has lost its disk.
        Raises `StoreError`.
        """

    def record(self, marker: str, record: DeliveryRecord) -> None:
        """Tell the database how far this file has delivered. Never in the request of the delivery itself."""

    def write(self, points: Points) -> None:
        """Store these; when it returns they are durable. The same point written twice is one point.

        A rewritten summary replaces the former one whole. Raises `StoreUnavailable` or `StoreDenied` when nothing may
        have been stored (try again with the same points), `StoreRefused` when some of these will not be taken: it says
        how many were dropped, as far as the database says so; the others have been stored.
        """

    def counts(self, window: Window, kind: str = "checks", each: Span | None = None) -> Counts:
        """How many points of a kind there are: of summaries, how many checks those that begin in the window tell of.

        By host in each minute, hour or day of the window, of which it may cut some; `each` None: in the window as one span.
        """

    def locations(self) -> Sequence[str]:
        """The locations that have checks, alerts or whole days of summaries, in order, "" first if there is one."""

    def delete(self, deletion: Deletion) -> Iterator[None]:
        """Delete in short steps, one each time the iterator is advanced. Raises `StoreError`."""

    def is_known(self) -> bool:
        """Has any monitor written here?"""


class NamedDatabase(Backend, Protocol):
    """A database that a server has under a name, beside others: of the kinds whose addresses end with one.

    The self-test makes one of its own (`verify` does), and leaves nothing behind. All raise `StoreError`.
    """

    def database_exists(self) -> bool:
        """Whether the database is there (and these credentials may know it)."""

    def drop_database(self) -> None:
        """Delete the database with all its data."""

    def drop_host(self, host: str) -> None:
        """Delete everything of one host, in every location."""

    def drop_record(self, marker: str) -> None:
        """Delete the record of a local file."""


# The local file as delivery sees it


@dataclass(frozen=True, slots=True)
class Delivery:
    """The oldest part of the outbox: the points to send, and which entries they are of."""

    points: Points
    last_entry: int
    last_key: int
    newest_ms: int
    summarised_ms: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Points of one kind and host that a database would not take, from `first_ms` to `last_ms`.

    `kind` is "checks", "alerts", "minutes", "hours" or "days"; `field` is the field it objected to ("" if unsaid).
    `by_age`: they are older than what it keeps, and are never tried again.
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
    """What waits for delivery: points (checks and alerts), summaries, and since when the oldest does (None: nothing)."""

    points: int = 0
    summaries: int = 0
    oldest_ms: int | None = None


class Outbox(Protocol):
    """What the local file still owes a database. Deliveries are taken and acknowledged by one thread."""

    marker: str
    """The name of this file, by which a database knows whether it has seen this file's points."""

    def next_delivery(self, limit: int) -> Delivery | None:
        """The oldest undelivered points, about `limit` of them; None when all is delivered.

        A delivery stays in flight until it is acknowledged or postponed: a purge of its points waits for that.
        """

    def acknowledge(self, delivery: Delivery, refused: Iterable[Refusal] = ()) -> None:
        """It has arrived, but for what was refused, which is kept as ranges."""

    def postpone(self) -> None:
        """It has not arrived: it will be the next one again."""

    def requeue(self, from_ms: int, until_ms: int) -> int:
        """Put all checks and alerts of this time into the outbox again, and the summaries of all spans that overlap it.

        Returns the number of checks and alerts. Until they are delivered, `pending` and `delivered` treat them as new.
        """

    def requeue_alerts(self) -> None:
        """Put all alerts into the outbox again, and nothing else."""

    def counts(self, window: Window, kind: str = "checks", each: Span | None = None) -> Counts:
        """What `Backend.counts` answers when all has been delivered."""

    def renew_marker(self) -> None:
        """Take another marker: this file was put back from a copy, and is another one to the database from now on."""

    def pending(self) -> Pending: ...

    def refusals(self) -> Sequence[Refusal]: ...

    def refused_sample(self, kind: str, limit: int) -> Points:
        """The newest point of each refusal of this kind (not by age), up to `limit` of them: would they be taken now?"""

    def retry_refused(self, kind: str) -> None:
        """Put what was refused of this kind (not by age) into the outbox again, and forget the refusals."""

    def delivered(self) -> DeliveryRecord:
        """How far this file has delivered."""


class Guard(Protocol):
    """Sees to it that what a monitor writes lies under the name where it is looked for."""

    is_saving: bool
    """Is something under way that must not be interrupted?"""

    @property
    def is_away(self) -> bool:
        """Is what is written now another file than the one that the next start opens?"""

    def look(self, now_ms: int, between: Callable[[], None]) -> None:
        """Put right what is wrong with the file. Where that takes long, `between` is called now and then, and writes."""

    def notices(self) -> Sequence[str]:
        """What has happened since the last call, for people; from any thread."""


class LocalFile(Reader, OwnReader, Outbox, Protocol):
    """The local file of a running monitor. One thread writes it, another one delivers it; anyone may read.

    Another file may take its place while it is open: then `path` and `marker` change.
    """

    path: Path

    @property
    def guard(self) -> Guard: ...

    def summaries(self, window: Window) -> Mapping[str, Summary]:
        """Keeps `Ends`."""

    def append(self, checks: Sequence[CheckResult], alerts: Sequence[Alert], now_ms: int) -> None:
        """Commit these with their outbox entries: durable when it returns. Raises `StoreError`; nothing is stored then."""

    def take_over(self, alerts: Sequence[Alert]) -> None:
        """Keep alerts that a database has already."""

    def maintain(self, now_ms: int) -> bool:
        """Take the next short step of what is due (summaries, purges, retention) after a commit; was there one?"""

    def set_retention(self, checks_ms: int, alerts_ms: int) -> None:
        """From now on `maintain` deletes what is older than this; before the first call nothing is too old."""

    def hosts(self) -> Collection[str]:
        """Every host that has something here, or had."""

    def expired(self) -> int:
        """How many checks grew older than retention before any database had them."""

    def next_deletion(self) -> Deletion | None:
        """What is to be deleted in the database: the oldest purge that was carried out here, then what 1.1.0 sent.

        None: nothing, or what has to be delivered before is not. The same one is returned until it is done.
        """

    def deletion_done(self, deletion: Deletion) -> None:
        """This was carried out in the database."""
