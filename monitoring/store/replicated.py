"""Local first: everything goes into the local file and from there to the database; questions go to whichever can answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from monitoring.clock import Clock, Deadline
from monitoring.errors import StoreError
from monitoring.models import Alert, CheckResult, Window
from monitoring.store.asking import Asker
from monitoring.store.base import AlertReader, Reader
from monitoring.store.forwarder import Forwarder, RemoteRetention, RemoteStore
from monitoring.store.journal import Journal
from monitoring.store.local import LocalStore
from monitoring.store.memory import MemoryReader

FRESH_MS = 5_000
"""A database whose oldest undelivered point is younger than this has received everything that matters."""

SLOW_PENALTY_MS = 30_000
"""How long a database that did not answer a question in time is left alone with questions."""

SETTLE_S = 0.5

DELIVERY_AT_END_S = 1.0
"""How long a monitor that ends goes on delivering; what is left stays in the outbox for the next start."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Source:
    """Which store is read ("influxdb", "local" or "gateway") and the words that say why."""

    kind: str
    why: str


class Deadlines(NamedTuple):
    """Until when the database may take to answer, and until when all of it."""

    database: Deadline
    in_all: Deadline


class ReplicatedStore:
    """The store of a running monitor.

    `remote` receives, `reader` is asked (the same database, with shorter time limits); both None: the local file alone.
    `retention` deletes from that database; None: somebody else sees to it.
    """

    def __init__(
        self,
        local: LocalStore,
        clock: Clock,
        remote: RemoteStore | None = None,
        reader: Reader | None = None,
        remote_name: str = "",
        retention: RemoteRetention | None = None,
    ) -> None:
        self._local = local
        self._clock = clock
        self._remote = remote
        self._reader = reader
        self.name = remote_name
        self._retention = retention
        self._slow_until_ms = 0
        self._forwarder = None if remote is None else Forwarder(local, remote, clock, retention)
        self._journal = Journal(local, clock, self._forwarder.notify if self._forwarder else _nobody)
        self._memory = MemoryReader(local, self._journal)
        self._ask_database, self._ask_file = Asker(remote_name), Asker(str(local.path))

    def start(self) -> None:
        if self._reader:
            self._ask_database.start()
        self._ask_file.start()
        self._journal.start()
        if self._forwarder:
            self._forwarder.start()

    def keep(self, checks_ms: int, alerts_ms: int) -> None:
        """From now on what is older than this leaves the local file and the database, in the background."""
        self._local.keep(checks_ms, alerts_ms)
        if self._retention:
            self._retention.keep(checks_ms, alerts_ms)

    def record(self, point: CheckResult | Alert) -> None:
        """Take a check or an alert for good; never blocks."""
        self._journal.append(point)

    def settle(self, until: Deadlines | None = None) -> None:
        """Let everything recorded so far become readable where the next question will go; half a second at most."""
        within_s = SETTLE_S if until is None else min(SETTLE_S, until.database.left_s())
        deadline = Deadline.after(self._clock, round(within_s * 1_000))
        self._journal.flush(within_s)
        if self._forwarder and self.source().kind != "local":
            self._forwarder.wait_drained(deadline.left_s())

    def ask(self, question: Callable[[Reader], Answer], until: Deadlines | None = None) -> tuple[Answer, Source]:
        """The answer, and who gave it; by the local file when the database has none until its deadline.

        Raises `StoreError` when the local file cannot answer either, or not in time. None: however long it takes.
        """
        source, reader = self.source(), self._reader
        if reader and source.kind != "local":
            try:
                answer = self._ask_database.ask(lambda: question(reader), until and until.database.left_s())
            except StoreError as error:
                self._slow_until_ms = self._clock.now_ms() + SLOW_PENALTY_MS
                source = Source("local", str(error))
            else:
                return answer, source
        own = self.own_reader()
        return self._ask_file.ask(lambda: question(own), until and until.in_all.left_s()), source

    def give_up_questions(self) -> None:
        """Wait for no answer any more: this monitor ends. May be called from a signal handler."""
        self._ask_database.give_up()
        self._ask_file.give_up()

    def own_alerts(self, window: Window) -> Sequence[Alert]:
        """The transitions that this monitor recorded, without asking the database. Raises `StoreError`."""
        return self.own_reader().alerts(window)

    def own_reader(self) -> AlertReader:
        """A reader of everything that this monitor recorded, written or still in memory; it asks no database."""
        return self._memory if self._journal.trouble else self._local

    def commit(self) -> None:
        """Let `own_reader` see everything recorded so far; waits for no database."""
        self._journal.flush(SETTLE_S)

    def source(self) -> Source:
        """Who would be asked now."""
        if self._journal.trouble:
            return Source("local", self._journal.trouble)
        if self._forwarder is None or self._reader is None:
            return Source("local", "as configured")
        if self._forwarder.trouble:
            return Source("local", self._forwarder.trouble)
        waiting, oldest_ms = self._local.pending()
        if oldest_ms is not None and self._clock.now_ms() - oldest_ms > FRESH_MS:
            return Source("local", f"{self.name} has yet to receive {waiting} points")
        if self._clock.now_ms() < self._slow_until_ms:
            return Source("local", f"{self.name} answers too slowly")
        return Source(self._reader.kind, f"{self.name} has received everything so far")

    @property
    def trouble(self) -> str | None:
        """Why checks cannot be written to the local file; None while they can."""
        return self._journal.trouble

    def notices(self) -> Sequence[str]:
        """What has happened to the local file since the last call."""
        return self._local.guard.notices()

    @property
    def has_met_database(self) -> bool:
        """Has the database ever proved itself in this run?"""
        return self._forwarder is not None and self._forwarder.met

    def undelivered(self) -> int:
        """How many points the database has yet to receive."""
        return self._local.pending()[0] if self._forwarder else 0

    def given_up(self) -> int:
        """How many checks grew older than retention before the database had them; 0 while the file cannot tell."""
        return 0 if self._forwarder is None or self._journal.trouble else self._local.given_up()

    @property
    def too_old(self) -> str | None:
        """Why what is older than retention has not left the database for some time."""
        return self._retention.trouble if self._retention else None

    def flush(self, timeout_s: float, deliver_s: float = DELIVERY_AT_END_S) -> bool:
        """End the threads: write everything, deliver what can be in `deliver_s`; False when something was not written."""
        written = self._journal.close(timeout_s)
        if self._forwarder:
            self._forwarder.close(min(timeout_s, deliver_s))
        return written

    def close(self) -> None:
        reader = None if self._ask_database.is_busy else self._reader  # else it would wait for the end of that question
        for part in (reader, self._remote, self._retention, self._local):
            if part is not None:
                part.close()


def _nobody() -> None:
    """Called after a commit when there is nobody to tell."""
