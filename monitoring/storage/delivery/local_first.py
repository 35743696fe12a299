"""Local first: everything goes into the local file and from there to the database; questions go to whichever can answer."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from monitoring.clock import Clock
from monitoring.errors import StoreDenied, StoreError
from monitoring.models import Alert, CheckResult, SiteStats, Window
from monitoring.storage.base import Backend, LocalFile, OwnReader, Pending
from monitoring.storage.delivery import words
from monitoring.storage.delivery.asking import Asker, Deadlines
from monitoring.storage.delivery.comparison import overlaps
from monitoring.storage.delivery.forwarder import Forwarder
from monitoring.storage.delivery.pace import Backlog
from monitoring.storage.delivery.unwritten import UnwrittenReader
from monitoring.storage.delivery.words import Condition, Source
from monitoring.storage.delivery.writer import Writer

FRESH_MS = 5_000
"""A database that held everything so short a time ago is asked; each question makes sure for itself."""

SLOW_PENALTY_MS = 30_000
LONGEST_PENALTY_MS = 600_000
"""How long a database is not asked about windows of a length for which it was too slow: each time twice as long."""

COMMIT_S = 0.5
DELIVERY_S = 0.5
"""How long a question waits until the database has what was committed before it."""

DELIVERY_AT_END_S = 1.0
"""How long a monitor that ends goes on delivering; what is left stays in the outbox for the next start."""


class Penalty(NamedTuple):
    """For how long a database is not asked, until when, and why."""

    length_ms: int
    until_ms: int
    why: str


NO_PENALTY = Penalty(0, 0, "")


class LocalFirstStore:
    """The store of a running monitor.

    `backend` receives, `reader` is asked (the same database, with shorter time limits); both None: the local file alone.
    `is_named`: the configuration names this database, so that it is missed when it is not there.
    """

    def __init__(
        self,
        file: LocalFile,
        clock: Clock,
        backend: Backend | None = None,
        reader: Backend | None = None,
        *,
        is_named: bool = True,
        is_ours: bool = False,
    ) -> None:
        self._file = file
        self._clock = clock
        self._backend = backend
        self._reader = reader
        self._is_named = is_named
        self._slow: dict[int, Penalty] = {}
        self._backlog = Backlog()
        self._forwarder = Forwarder(file, backend, clock, is_ours=is_ours) if backend else None
        self._writer = Writer(file, clock, self._forwarder.notify if self._forwarder else _nobody)
        self._unwritten = UnwrittenReader(file, self._writer.unwritten)
        self._pending, self._expired = Pending(), 0
        self._of_delivery: Sequence[Condition] = ()
        self._ask_database, self._ask_file = Asker(self.name), Asker(str(file.path))

    def start(self) -> None:
        if self._reader:
            self._ask_database.start()
        self._ask_file.start()
        self._writer.start()
        if self._forwarder:
            self._forwarder.start()

    def set_retention(self, checks_ms: int, alerts_ms: int) -> None:
        """From now on what is older than this leaves the local file and the database, in the background."""
        self._file.set_retention(checks_ms, alerts_ms)
        if self._forwarder:
            self._forwarder.set_retention(checks_ms, alerts_ms)

    # What is measured

    def record(self, point: CheckResult | Alert) -> None:
        """Take a check or an alert for good; never blocks."""
        self._writer.append(point)

    def commit(self) -> None:
        """Let `own_reader` see everything recorded so far; waits for no database."""
        self._writer.commit(COMMIT_S)

    # Questions

    def own_reader(self) -> OwnReader:
        """A reader of everything that this monitor recorded, written or still in memory; it asks no database."""
        return self._unwritten if self._writer.trouble else self._file

    def unwritten_alerts(self) -> Sequence[Alert]:
        """The alert records that the local file does not hold yet."""
        return [point for point in self._writer.unwritten() if isinstance(point, Alert)]

    def stats(
        self, window: Window, *, exact: bool, until: Deadlines | None = None
    ) -> tuple[Mapping[str, SiteStats], Source]:
        """The statistics of a window that is over, and who gave them (see `Reader.stats`).

        The database is asked while it provably holds everything recorded so far, the newest included; else, and when it
        has not answered by its deadline, the local file. Raises `StoreError` when that cannot answer either, or not in
        time. `until` None: however long it takes.
        """
        self._writer.commit(_within(COMMIT_S, until))
        source, reader = self._source_for(window, until), self._reader
        if reader and source.kind != "local":
            is_wanted = self._ask_database.is_waited_for
            asked = partial(reader.stats, window, exact=exact, ends=self._file.summaries, is_wanted=is_wanted)
            try:
                found = self._ask_database.ask(asked, until and until.database.left_s())
            except StoreError as error:
                self._penalise(window, error)
                source = Source("local", str(error))
            else:
                self._slow[window.length_ms] = NO_PENALTY
                return found, self.source()
        asked = partial(self.own_reader().stats, window, exact=exact)
        return self._ask_file.ask(asked, until and until.in_all.left_s()), source

    def give_up_questions(self) -> None:
        """Wait for no answer any more: this monitor ends. May be called from a signal handler."""
        self._ask_database.give_up()
        self._ask_file.give_up()

    def _source_for(self, window: Window, until: Deadlines | None) -> Source:
        """Whom to ask about a window, once the database has what was committed so far."""
        source = self._known_source()
        if self._forwarder is None or source.kind == "local":
            return source
        penalty = self._slow.get(window.length_ms, NO_PENALTY)
        if self._clock.now_ms() < penalty.until_ms:
            return Source("local", penalty.why)
        if not self._forwarder.wait_complete(_within(DELIVERY_S, until)):
            return Source("local", self._forwarder.trouble or words.behind_text(self.name, self.pending()))
        if absent := self._absent(window):
            return Source("local", words.lacking_text(self.name, absent))
        return source

    def _penalise(self, window: Window, error: StoreError) -> None:
        """It did not answer about this window: leave it alone with such for a while. (Other windows may be quicker.)"""
        why = str(error) if isinstance(error, StoreDenied) else words.slow_text(self.name)
        last_ms = self._slow.get(window.length_ms, NO_PENALTY).length_ms
        length_ms = min(LONGEST_PENALTY_MS, last_ms * 2 or SLOW_PENALTY_MS)
        self._slow[window.length_ms] = Penalty(length_ms, self._clock.now_ms() + length_ms, why)

    def _absent(self, window: Window) -> int:
        """At most how many checks of the window the database does not have because it refused them."""
        inside = (it for it in self._file.refusals() if it.kind == "checks" and overlaps(it, window))
        return sum(refusal.count for refusal in inside)

    # The state of storage, in words

    def source(self) -> Source:
        """Who is asked, and why; where some windows are too slow for the database, it says which.

        A window counts as slow until the database has answered about one as long.
        """
        source = self._known_source()
        slow = {length_ms: penalty for length_ms, penalty in self._slow.items() if penalty.length_ms}
        if source.kind == "local" or not slow:
            return source
        if len(slow) == len(self._slow):
            return Source("local", next(iter(slow.values())).why)
        return Source(source.kind, f"{source.why}, {words.slow_windows_text(sorted(slow))}")

    def _known_source(self) -> Source:
        """By how far delivery is."""
        if self._writer.trouble:
            return Source("local", self._writer.trouble)
        if self._forwarder is None or self._reader is None:
            return Source("local", words.AS_CONFIGURED)
        if self._forwarder.trouble:
            return Source("local", self._forwarder.trouble if self.awaits_database else self._stored_text())
        if self._clock.now_ms() - self._forwarder.complete_ms > FRESH_MS:
            pending = self.pending()
            pace = self._backlog.pace(self._clock.monotonic_ns(), pending.points)
            return Source("local", words.behind_text(self.name, pending, pace))
        return Source(self._reader.kind, words.complete_text(self.name))

    def conditions(self) -> list[Condition]:
        """What a person should know of storage now, beside `source`: for the header, and to be told once each."""
        found = []
        if self._writer.trouble and not self._writer.is_left_to_guard:
            found.append(words.unwritten(self._writer.trouble))
        if self._writer.maintenance_trouble:
            found.append(words.not_maintained(self._writer.maintenance_trouble))
        if self._forwarder and self.awaits_database and not self._writer.trouble:
            if self._forwarder.trouble and self._forwarder.trouble != words.NOT_ASKED_YET:
                found.append(words.unreachable(self.name, self._forwarder.trouble, self.pending()))
            with suppress(StoreError):
                self._of_delivery = self._forwarder.conditions()
            found += self._of_delivery
        return found

    def expired(self) -> int:
        """How many checks grew older than retention before the database had them, as far as the file could last tell."""
        with suppress(StoreError):
            self._expired = self._file.expired()
        return self._expired if self.awaits_database else 0

    def left_behind(self) -> tuple[str, ...]:
        """What is to be known at the end: points that wait for the database, and what it would not take."""
        waiting = self.pending().points
        away = self._file.path if self._file.guard.is_away else None
        refusals = [condition.text for condition in self.conditions() if not condition.is_why]
        return (*([words.undelivered_text(waiting, away)] if waiting else []), *refusals)

    def stored_in(self) -> str:
        """Where everything lies, at the end; "" if it could not be written."""
        if self._writer.trouble:
            return ""
        has_all = self.awaits_database and not self.pending().points and not self.conditions()
        return words.kept_text(self._file.path, self.name if has_all else "")

    def notices(self) -> Sequence[str]:
        """What has happened to the local file since the last call."""
        return self._file.guard.notices()

    @property
    def name(self) -> str:
        """What people call the database; "" when there is none."""
        return self._backend.name if self._backend else ""

    @property
    def awaits_database(self) -> bool:
        """Is there one that is to have everything? The default one counts once it has been there."""
        return self._forwarder is not None and (self._is_named or self._forwarder.has_met)

    @property
    def trouble(self) -> str | None:
        """Why checks cannot be written to the local file; None while they can."""
        return self._writer.trouble

    def pending(self) -> Pending:
        """What the database has yet to receive, as far as the file could last tell; nothing when there is none."""
        with suppress(StoreError):
            self._pending = self._file.pending()
        return self._pending if self.awaits_database else Pending()

    def _stored_text(self) -> str:
        return words.stored_text(self._file.path.name)

    # The end

    def finish(self, timeout_s: float, deliver_s: float = DELIVERY_AT_END_S) -> bool:
        """End the threads: write everything, deliver what can be in `deliver_s`; False when something was not written."""
        written = self._writer.close(timeout_s)
        if self._forwarder:
            self._forwarder.close(min(timeout_s, deliver_s))
        return written

    def close(self) -> None:
        reader = None if self._ask_database.is_busy else self._reader  # else it would wait for the end of that question
        for part in (reader, self._backend, self._file):
            if part is not None:
                part.close()


def _within(most_s: float, until: Deadlines | None) -> float:
    return most_s if until is None else min(most_s, until.database.left_s())


def _nobody() -> None:
    """Called after a commit when there is nobody to tell."""
