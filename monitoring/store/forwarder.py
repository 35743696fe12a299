"""The delivery thread: sends the outbox to the database in order, then minutes that are over, and never gives up."""

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import Protocol, TypeVar

from monitoring.clock import Clock, Deadline
from monitoring.errors import StoreError, StoreRefused
from monitoring.models import Alert, CheckResult
from monitoring.store.base import Store
from monitoring.store.blocks import MinuteBlock
from monitoring.store.lanes import side_by_side
from monitoring.store.ledger import Ledger, MinuteStore
from monitoring.store.local import LocalStore
from monitoring.store.outbox import DeadLetter, Delivery
from monitoring.store.rolledblocks import RolledBlock

Point = TypeVar("Point", CheckResult, Alert, MinuteBlock, RolledBlock)

PART_POINTS = 2_500
"""A batch is written in parts of so many checks, `LANES` of them at once: so a database need not wait for the next one."""

LANES = 2
BATCH_POINTS = LANES * PART_POINTS
"""A part for each lane. With these memory was measured to stay flat; twice as many were delivered only 2 % sooner."""

BATCH_BLOCKS = 10
BATCH_ROLLUPS = 50
IDLE_S = 1.0
FIRST_BACKOFF_S = 1.0
MAX_BACKOFF_S = 30.0


class RemoteStore(Store, MinuteStore, Protocol):
    """A store on the other side of a network."""

    def knows(self, marker: str) -> bool:
        """Has this database seen the data of the local file with this marker? Raises `StoreError`."""

    def prove(self, marker: str) -> bool:
        """Write a point named `marker` and read it back; was it known before? Raises `StoreError`."""

    def write_blocks(self, marker: str, blocks: Sequence[MinuteBlock]) -> None:
        """Store these in the place of what was there of their parts and minutes. Raises as `Store.write` does."""

    def write_rollups(self, marker: str, blocks: Sequence[RolledBlock]) -> None:
        """The same of hours and days."""


class RemoteRetention(Protocol):
    """Deletes from a database what is older than retention."""

    trouble: str | None
    """Why that has not been possible for some time."""

    def keep(self, checks_ms: int, alerts_ms: int) -> None:
        """From now on delete what is older than this; before the first call nothing is deleted. From any thread."""

    def step(self, now_ms: int) -> bool:
        """Take the next short step; are there more at once? One that fails is taken again later."""

    def close(self) -> None:
        """Free connections."""


class Forwarder:
    """Delivers the outbox of `local` to `remote`: everything, in order, at least once; the same point twice is one point.

    It goes batch by batch: only when all of one has arrived (or failed) is the next one read.

    When no point waits, the blocks of minutes that are over follow, then hours and days. Before any point is written, or
    with it, the ledger announces where the checks of its minute can be read.

    When nothing waits at all, it is time for `retention`, a step after each look at the outbox.

    After any failure the database must prove itself again before it is trusted. When it does not know this file's
    marker (it is new, or has lost its disk), everything stored here is sent to it again.
    """

    def __init__(
        self, local: LocalStore, remote: RemoteStore, clock: Clock, retention: RemoteRetention | None = None
    ) -> None:
        self._local = local
        self._remote = remote
        self._retention = retention
        self._clock = clock
        self._marker = local.marker
        self._ledger = Ledger(self._marker, remote)
        self._stop = threading.Event()
        self._work = threading.Event()
        self._drained = threading.Event()
        self._turn = threading.Lock()  # `notify` and the finding that nothing is left exclude each other
        self._backoff_s = 0.0
        self._thread = threading.Thread(target=self.run, name="forwarder", daemon=True)
        self.proven = False
        self.met = False  # has it ever been proven?
        self.trouble: str | None = "the database has not been asked yet"

    def start(self) -> None:
        self._thread.start()

    def notify(self) -> None:
        """There is something new in the outbox."""
        with self._turn:
            self._drained.clear()
            self._work.set()

    def wait_drained(self, timeout_s: float) -> bool:
        """Wait until no point and no block is left; at once False when the database is not in reach."""
        return self.proven and self._drained.wait(timeout_s)

    def close(self, timeout_s: float) -> None:
        """Deliver what can be delivered in this time, then end; the rest stays in the outbox."""
        deadline = Deadline.after(self._clock, round(timeout_s * 1_000))
        self.wait_drained(timeout_s)
        self._stop.set()
        self._work.set()
        self._thread.join(deadline.left_s())

    def run(self) -> None:
        while not self._stop.is_set():
            try:
                busy = self.step()
            except Exception as error:  # noqa: BLE001 - delivery must go on, whatever happens to one round
                self._fail(f"{type(error).__name__}: {error}")
                busy = False
            if self._backoff_s:
                self._clock.wait(self._stop, self._backoff_s)
            elif not busy:
                self._work.wait(IDLE_S)

    def step(self) -> bool:
        """Deliver one batch; is there more to do at once?"""
        self._work.clear()
        try:
            if not self.proven or self._marker != self._local.marker:  # another file may have taken its place
                self._prove()
            busy = self._deliver_points() or self._deliver_blocks() or self._deliver_rollups()
        except StoreError as error:
            self._fail(str(error))
            return False
        self._backoff_s = 0.0  # not before: a database may prove itself each time and yet never take the points
        if busy:
            return True
        self._found_nothing()
        return self._retention is not None and self._retention.step(self._clock.now_ms())

    def _deliver_points(self) -> bool:
        delivery = self._local.next_delivery(BATCH_POINTS)
        if delivery is None:
            return False
        self._deliver(delivery)
        self._local.acknowledge(delivery)
        return True

    def _deliver_blocks(self) -> bool:
        packed_until_ms = self._local.packed_until_ms()  # first: what is packed meanwhile may have blocks unseen here
        blocks = self._local.next_blocks(BATCH_BLOCKS)
        if not blocks:
            self._ledger.seal(packed_until_ms)
            return False
        refused = _refused(lambda part: self._remote.write_blocks(self._local.marker, part), blocks)
        self._ledger.spoil({block.minute_ms for block, _ in refused})
        self._local.acknowledge_blocks(blocks)
        return True

    def _deliver_rollups(self) -> bool:
        blocks = self._local.next_rollups(BATCH_ROLLUPS)
        if blocks:
            _refused(lambda part: self._remote.write_rollups(self._local.marker, part), blocks)
            self._local.acknowledge_rollups(blocks)
        return bool(blocks)

    def _found_nothing(self) -> None:
        with self._turn:
            if not self._work.is_set():
                self._drained.set()

    def _prove(self) -> None:
        if not self._remote.knows(self._local.marker):
            self._local.requeue()  # before the marker stands there: a kill in between must not lose this
        self._remote.prove(self._local.marker)
        if self._marker != self._local.marker:
            self._marker = self._local.marker
            self._ledger = Ledger(self._marker, self._remote)
        self._ledger.load()
        self.proven, self.met, self.trouble = True, True, None

    def _fail(self, reason: str) -> None:
        self.proven = False
        self.trouble = reason
        self._backoff_s = min(MAX_BACKOFF_S, self._backoff_s * 2 or FIRST_BACKOFF_S)

    def _deliver(self, delivery: Delivery) -> None:
        bad_checks = self._deliver_checks(delivery)
        bad_alerts = _refused(lambda part: self._remote.write((), part), delivery.alerts)
        letters = [_dead_letter(*bad) for bad in bad_checks] + [_dead_letter(*bad) for bad in bad_alerts]
        if letters:
            self._local.bury(letters, self._clock.now_ms())

    def _deliver_checks(self, delivery: Delivery) -> Iterable[tuple[CheckResult, str]]:
        """Returns those that will never be taken, with the reasons."""
        checks = delivery.results
        if len(checks) <= PART_POINTS:
            with suppress(StoreRefused):
                self._ledger.deliver(delivery)
                return ()
        self._ledger.announce(delivery)
        parts = [checks[first : first + PART_POINTS] for first in range(0, len(checks), PART_POINTS)]
        return chain.from_iterable(side_by_side([partial(self._write_checks, part) for part in parts], LANES))

    def _write_checks(self, checks: Sequence[CheckResult]) -> list[tuple[CheckResult, str]]:
        return _refused(lambda part: self._remote.write(part, ()), checks)


def _refused(write: Callable[[Sequence[Point]], None], points: Sequence[Point]) -> list[tuple[Point, str]]:
    """Write the points; halve what is refused until only the bad points are left, and return those with the reasons."""
    if not points:
        return []
    try:
        write(points)
    except StoreRefused as error:
        if len(points) == 1:
            return [(points[0], str(error))]
        middle = len(points) // 2
        return _refused(write, points[:middle]) + _refused(write, points[middle:])
    return []


def _dead_letter(point: CheckResult | Alert, reason: str) -> DeadLetter:
    kind = "check" if isinstance(point, CheckResult) else "alert"
    return DeadLetter(kind, point.host, point.time_ms, reason)
