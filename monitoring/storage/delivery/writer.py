"""The writer thread: takes checks and alerts from everywhere, commits them twice a second, never makes anyone wait."""

import threading
from collections import deque
from collections.abc import Callable

from monitoring.clock import Clock
from monitoring.errors import StoreError, StoreOverwritten
from monitoring.models import Alert, CheckResult
from monitoring.storage.base import LocalFile
from monitoring.storage.delivery.words import unwritten_text

COMMIT_INTERVAL_S = 0.5
COMMIT_NS = round(COMMIT_INTERVAL_S * 1e9)
RETRY_INTERVAL_S = 1.0
SAVING_S = 60.0
"""How long the end of a run waits for a local file that is being saved."""

MAINTENANCE_NS = 100_000_000
"""How long steps of maintenance may take between two commits: a fifth of the time."""

LEFT_TO_GUARD = 2
"""So many commits in a row may meet a file that somebody else has written into: by then the guard has gone elsewhere."""

MEMORY_LIMIT = 2_000_000
"""How many points wait in memory while the file cannot be written; beyond that the oldest go, and are counted."""

Point = CheckResult | Alert


class Writer:
    """Everything measured goes through here into the local file, in order, and is durable from then on.

    While the file cannot be written (disk full, read-only) points wait in memory, and `trouble` says why.
    """

    def __init__(self, file: LocalFile, clock: Clock, committed: Callable[[], None]) -> None:
        """`committed` is called after every commit, from the writer thread."""
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
        self._failures = 0  # of commits, one after the other
        self._thread = threading.Thread(target=self.run, name="writer", daemon=True)
        self.trouble: str | None = None
        """Why the file cannot be written."""
        self.is_left_to_guard = False
        """Will that soon be over? The file's guard goes on elsewhere, and says so."""
        self.maintenance_trouble: str | None = None
        """Why it can be written, and yet neither summarised nor tidied."""

    def start(self) -> None:
        self._thread.start()

    def append(self, point: Point) -> None:
        """Take one point; never blocks."""
        self._incoming.append(point)

    def unwritten(self) -> list[Point]:
        """What has come and is not committed yet."""
        incoming = self._incoming.copy()  # first: what the writer takes in between is then here twice, not missing
        return [*self._unwritten, *incoming]

    def commit(self, timeout_s: float) -> bool:
        """Wait until everything taken before this call is durable; False when that took too long or failed."""
        with self._wake:
            self._asked += 1
            mine = self._asked
            self._wake.notify_all()
            return self._wake.wait_for(lambda: self._served >= mine, timeout_s) and not self.trouble

    def close(self, timeout_s: float) -> bool:
        """Commit what is left and end the thread; False when it could not be committed in time."""
        committed = self.commit(timeout_s)  # before the thread may end: one that has ended would serve nobody
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
        """Commit what has come, see that the file is still under its name, then do some maintenance."""
        self._commit()
        try:
            self._file.guard.look(self._clock.now_ms(), self._commit_if_due)
            if not self.trouble:
                self._maintain()
            self.maintenance_trouble = None
        except Exception as error:  # noqa: BLE001 - the writer must live on, whatever happens to one round
            self.maintenance_trouble = _words(error)

    def _commit_if_due(self) -> None:
        """While something takes longer, commits go on as usual."""
        if self._asked > self._served or self._clock.monotonic_ns() - self._committed_ns >= COMMIT_NS:
            self._commit()

    def _commit(self) -> None:
        """Commit what has come, and let those who wait for it go on."""
        asked = self._asked
        try:
            self._write()
        except Exception as error:  # noqa: BLE001 - as above
            self._failures += 1
            self.trouble = unwritten_text(_words(error), len(self._unwritten), self._dropped)
            self.is_left_to_guard = isinstance(error, StoreOverwritten) and self._failures <= LEFT_TO_GUARD
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
        """Steps of some milliseconds each; what is left waits for the next commit."""
        end_ns = self._clock.monotonic_ns() + MAINTENANCE_NS
        while self._file.maintain(self._clock.now_ms()) and self._clock.monotonic_ns() < end_ns:
            pass


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, StoreError) else f"{type(error).__name__}: {error}"
