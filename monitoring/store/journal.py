"""The writer thread: takes checks from everywhere, commits them twice a second, never makes anyone wait."""

import threading
from collections import deque
from collections.abc import Callable

from monitoring.clock import Clock
from monitoring.errors import StoreError
from monitoring.models import Alert, CheckResult
from monitoring.store.local import LocalStore

COMMIT_INTERVAL_S = 0.5
COMMIT_NS = round(COMMIT_INTERVAL_S * 1e9)
RETRY_INTERVAL_S = 1.0
SAVING_S = 60.0
"""How long the end of a run waits for a local file that is being saved."""

TIDY_NS = 100_000_000
MEMORY_LIMIT = 2_000_000
"""How many points are kept in memory while the file cannot be written; beyond that the oldest go, and are counted."""


class Journal:
    """Everything measured goes through here into the local file, in order, and from then on is durable.

    While the file cannot be written (disk full, read-only) points wait in memory, and `trouble` says why.
    """

    def __init__(self, store: LocalStore, clock: Clock, committed: Callable[[], None]) -> None:
        """`committed` is called after every commit, from the writer thread."""
        self._store = store
        self._clock = clock
        self._committed = committed
        self._incoming: deque[CheckResult | Alert] = deque()
        self._taken: list[CheckResult | Alert] = []
        self._lost = 0
        self._closing = False
        self._turn = threading.Condition()
        self._asked = self._served = 0
        self._committed_ns = 0
        self._thread = threading.Thread(target=self.run, name="journal", daemon=True)
        self.trouble: str | None = None

    def start(self) -> None:
        self._thread.start()

    def append(self, point: CheckResult | Alert) -> None:
        """Take one point; never blocks."""
        self._incoming.append(point)

    def waiting(self) -> list[CheckResult | Alert]:
        """What has come and could not be committed yet."""
        incoming = self._incoming.copy()  # first: what the writer takes in between is then here twice, not missing
        return [*self._taken, *incoming]

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything taken before this call is committed; False when that took too long or failed."""
        with self._turn:
            self._asked += 1
            mine = self._asked
            self._turn.notify_all()
            return self._turn.wait_for(lambda: self._served >= mine, timeout_s) and not self.trouble

    def close(self, timeout_s: float) -> bool:
        """Commit what is left and end the thread; False when it could not be committed in time."""
        flushed = self.flush(timeout_s)  # before the thread may end: one that has ended would serve nobody
        with self._turn:
            self._closing = True
            self._turn.notify_all()
        self._thread.join(timeout_s)
        if self._store.guard.is_saving:
            self._thread.join(SAVING_S)
        return flushed and not self.trouble

    def step(self) -> bool:
        """Commit what has come; was something committed?"""
        self._take_incoming()
        if not self._taken:
            return False
        try:
            self._store.append(
                [point for point in self._taken if isinstance(point, CheckResult)],
                [point for point in self._taken if isinstance(point, Alert)],
                self._clock.now_ms(),
            )
        except StoreError as error:
            lost = f", {self._lost} lost" if self._lost else ""
            self.trouble = f"{error}; {len(self._taken)} checks wait in memory{lost}"
            return False
        self.trouble = None
        self._taken = []
        self._committed()
        return True

    def _take_incoming(self) -> None:
        for _ in range(len(self._incoming)):
            self._taken.append(self._incoming.popleft())
        surplus = len(self._taken) - MEMORY_LIMIT
        if surplus > 0:
            del self._taken[:surplus]
            self._lost += surplus

    def run(self) -> None:
        while not self._closing:
            with self._turn:
                pause = RETRY_INTERVAL_S if self.trouble else COMMIT_INTERVAL_S
                self._turn.wait_for(lambda: self._asked > self._served or self._closing, pause)
            self._round()
        self._round()

    def _round(self) -> None:
        try:
            self._commit()
            self._store.guard.look(self._clock.now_ms(), self._commit_in_time)
            if not self.trouble and not self._store.pack(self._clock.now_ms()):
                self._tidy()
        except Exception as error:  # noqa: BLE001 - the writer must live on, whatever happens to one commit
            self.trouble = f"{type(error).__name__}: {error}"

    def _commit(self) -> None:
        asked = self._asked
        try:
            self.step()
        except Exception as error:  # noqa: BLE001 - as above
            self.trouble = f"{type(error).__name__}: {error}"
        self._committed_ns = self._clock.monotonic_ns()
        self._serve(asked)

    def _commit_in_time(self) -> None:
        """While something takes longer, commits go on as usual."""
        is_due = self._clock.monotonic_ns() - self._committed_ns >= COMMIT_NS
        if self._asked > self._served or is_due:
            self._commit()

    def _serve(self, asked: int) -> None:
        with self._turn:
            self._served = asked
            self._turn.notify_all()

    def _tidy(self) -> None:
        """What can wait: steps of some milliseconds each, until a fifth of a round is over."""
        end_ns = self._clock.monotonic_ns() + TIDY_NS
        while self._store.tidy(self._clock.now_ms()) and self._clock.monotonic_ns() < end_ns:
            pass
