"""The writer thread: commits checks and alerts to the local file twice a second. Nobody who records one has to wait."""

import threading
from collections import deque
from collections.abc import Callable

from monitoring.clock import Clock
from monitoring.errors import StoreDamaged, StoreError, StoreOverwritten
from monitoring.models import Alert, CheckResult
from monitoring.storage.delivery.words import unwritten_text
from monitoring.storage.sqlite.store import LocalStore

COMMIT_INTERVAL_S = 0.5
COMMIT_NS = round(COMMIT_INTERVAL_S * 1e9)
RETRY_INTERVAL_S = 1.0
SAVING_S = 60.0
"""How long a monitor that ends waits while the guard saves its file."""

MAINTENANCE_NS = 100_000_000
"""How long maintenance may take between two commits: a fifth of the time."""

LEFT_TO_GUARD = 2
"""After so many failed commits to an overwritten or damaged file, the guard should have moved to another file."""

MEMORY_LIMIT = 2_000_000
"""So many points are kept in memory while the file cannot be written. Beyond that the oldest are dropped and counted."""

Point = CheckResult | Alert


class Writer:
    """Commits points to the local file in the order in which they came.

    While the file cannot be written (disk full, read-only), they wait in memory, and `trouble` says why.
    """

    def __init__(self, file: LocalStore, clock: Clock, committed: Callable[[], None]) -> None:
        """Calls `committed` after every commit, in the writer thread."""
        self._file = file
        self._clock = clock
        self._committed = committed
        self._incoming: deque[Point] = deque()
        self._unwritten: list[Point] = []
        self._dropped = 0
        self._ending = False
        self._wake = threading.Condition()
        self._asked = self._served = 0
        self._committed_ns = 0
        self._failures = 0  # commits that failed since the last good one
        self._thread = threading.Thread(target=self.run, name="writer", daemon=True)
        self.trouble: str | None = None
        """Why the file cannot be written."""
        self.is_left_to_guard = False
        """The guard is about to move to another file, and will say so: the trouble need not be said."""
        self.maintenance_trouble: str | None = None
        """Why the file can be written, but neither summarised nor tidied."""

    def start(self) -> None:
        self._thread.start()

    def append(self, point: Point) -> None:
        """Take one point. Never blocks."""
        self._incoming.append(point)

    def unwritten(self) -> list[Point]:
        """The points that are not committed yet."""
        incoming = self._incoming.copy()  # first: what the writer takes in between is then listed twice, and not missing
        return [*self._unwritten, *incoming]

    def commit(self, timeout_s: float) -> bool:
        """Wait until everything taken before this call is committed. False when that took too long or failed."""
        with self._wake:
            self._asked += 1
            mine = self._asked
            self._wake.notify_all()
            return self._wake.wait_for(lambda: self._served >= mine, timeout_s) and not self.trouble

    def close(self, timeout_s: float) -> bool:
        """Commit what is left and end the thread. False when it could not be committed in time."""
        committed = self.commit(timeout_s)  # before `_ending`, after which the thread may not commit again
        with self._wake:
            self._ending = True
            self._wake.notify_all()
        self._thread.join(timeout_s)
        if self._file.guard.is_saving:
            self._thread.join(SAVING_S)
        return committed and not self.trouble

    def run(self) -> None:
        while not self._ending:
            with self._wake:
                pause = RETRY_INTERVAL_S if self.trouble else COMMIT_INTERVAL_S
                self._wake.wait_for(lambda: self._asked > self._served or self._ending, pause)
            self.step()
        self.step()

    def step(self) -> None:
        """Commit what has come, let the guard look at the file, then do some maintenance."""
        self._commit()
        try:
            self._file.guard.look(self._clock.now_ms(), self._commit_if_due)
            if not self.trouble:
                self._maintain()
            self.maintenance_trouble = None
        except Exception as error:  # noqa: BLE001 - no error may end the writer
            self.maintenance_trouble = _words(error)

    def _commit_if_due(self) -> None:
        """Commits go on while the guard takes long."""
        if self._asked > self._served or self._clock.monotonic_ns() - self._committed_ns >= COMMIT_NS:
            self._commit()

    def _commit(self) -> None:
        """Commit what has come, and wake those who wait for that."""
        asked = self._asked
        try:
            self._write()
        except Exception as error:  # noqa: BLE001 - as above
            self._failures += 1
            self.trouble = unwritten_text(_words(error), len(self._unwritten), self._dropped)
            self.is_left_to_guard = isinstance(error, StoreOverwritten | StoreDamaged) and self._failures <= LEFT_TO_GUARD
        self._committed_ns = self._clock.monotonic_ns()
        with self._wake:
            self._served = asked
            self._wake.notify_all()

    def _write(self) -> None:
        self._take_incoming()
        if not self._unwritten:
            return
        checks = [point for point in self._unwritten if isinstance(point, CheckResult)]
        alerts = [point for point in self._unwritten if isinstance(point, Alert)]
        self._file.append(checks, alerts, self._clock.now_ms())
        self._unwritten, self.trouble, self._failures = [], None, 0
        self._committed()

    def _take_incoming(self) -> None:
        for _ in range(len(self._incoming)):
            self._unwritten.append(self._incoming.popleft())
        surplus = len(self._unwritten) - MEMORY_LIMIT
        if surplus > 0:
            del self._unwritten[:surplus]
            self._dropped += surplus

    def _maintain(self) -> None:
        """Take steps of some milliseconds each until it is time for the next commit."""
        end_ns = self._clock.monotonic_ns() + MAINTENANCE_NS
        while self._file.maintain(self._clock.now_ms()) and self._clock.monotonic_ns() < end_ns:
            pass


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, StoreError) else f"{type(error).__name__}: {error}"
