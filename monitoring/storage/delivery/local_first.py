"""Local first: everything is stored in the local file and delivered to the database. Whichever is complete answers."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from monitoring.clock import Clock, Deadline
from monitoring.display.words import window_text
from monitoring.errors import StoreDenied, StoreError
from monitoring.models import Alert, CheckResult, LastState, SiteStats, Window
from monitoring.storage.base import FRESH_MS, SLOW_PENALTY_MS, Backend, Deletion, OwnReader, Pending, Refusal
from monitoring.storage.delivery import words
from monitoring.storage.delivery.asking import Asker, Deadlines
from monitoring.storage.delivery.comparison import overlaps
from monitoring.storage.delivery.forwarder import Forwarder
from monitoring.storage.delivery.pace import Backlog
from monitoring.storage.delivery.unwritten import UnwrittenReader
from monitoring.storage.delivery.words import Condition, Source
from monitoring.storage.delivery.writer import Writer
from monitoring.storage.sqlite.store import LocalStore
from monitoring.units import SECOND_MS

LONGEST_PENALTY_MS = 600_000
"""A database that was too slow for a window is not asked about windows of that length for `SLOW_PENALTY_MS`, then for twice
as long, and at most for so long."""

LARGE_BACKLOG = 10_000
"""Points of which it is worth a line that they are yet to be delivered: that takes more than some seconds."""

COMMIT_S = 0.5
DELIVERY_S = 0.5
"""How long a question waits for what came before it: to be committed, and to be delivered."""

DELIVERY_AT_END_S = 1.0
"""How long a monitor that ends still delivers. The rest stays in the outbox for the next start."""


class Answered(NamedTuple):
    """How the database fared with the newest question about a length of window.

    `absent`: how many checks of it the database had refused, so that it was not asked. `rest_ms`: how long it is not asked
    because it was too slow (0: it answered), until when, and why.
    """

    absent: int = 0
    rest_ms: int = 0
    until_ms: int = 0
    why: str = ""


WELL = Answered()


class LocalFirstStore:
    """The store of a running monitor.

    It writes to `backend` and asks `reader`, which is the same database with shorter time limits. Both are None where there
    is the local file alone. `is_named`: the configuration names the database, so people must know when it is away.
    `is_ours`: see `monitor_upkeep`.
    """

    def __init__(
        self,
        file: LocalStore,
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
        self._answered: dict[int, Answered] = {}
        self._backlog, self._unconverted = Backlog(), Backlog()
        self._has_backlog = False
        self._forwarder = Forwarder(file, backend, clock, is_ours=is_ours) if backend else None
        self._writer = Writer(file, clock, self._forwarder.notify if self._forwarder else lambda: None)
        self._unwritten = UnwrittenReader(file, self._writer.unwritten)
        self._pending, self._expired = Pending(), 0
        self._refusals: Sequence[Refusal] = ()
        self._ask_database, self._ask_file = Asker(self.name), Asker(str(file.path))

    def start(self) -> None:
        if self._reader:
            self._ask_database.start()
        self._ask_file.start()
        self._writer.start()
        if self._forwarder:
            self._forwarder.start()

    def set_retention(self, checks_ms: int, alerts_ms: int) -> None:
        """From now on delete what is older than this from the local file and the database, in the background."""
        self._file.set_retention(checks_ms, alerts_ms)
        if self._forwarder:
            self._forwarder.upkeep.set_retention(checks_ms, alerts_ms)

    # What is measured

    def record(self, point: CheckResult | Alert) -> None:
        """Store a check or an alert. Never blocks."""
        self._writer.append(point)

    def commit(self) -> None:
        """Wait until `own_reader` sees everything recorded so far, which takes no database."""
        self._writer.commit(COMMIT_S)

    @property
    def purged(self) -> Sequence[Deletion]:
        """What purges have deleted from the local file in this run, in order."""
        return self._file.purged

    # Questions

    def last_states(self, before_ms: int) -> Mapping[str, LastState]:
        """As `Reader.last_states`, from the local file."""
        return self._file.last_states(before_ms)

    def own_reader(self) -> OwnReader:
        """A reader of everything that this monitor has recorded, in its file or still in memory. It asks no database."""
        return self._unwritten if self._writer.trouble else self._file

    def maintenance_by_hand(self) -> Mapping[str, Window]:
        """The newest maintenance of each host that was begun by hand. Raises `StoreError`."""
        return self._file.maintenance_by_hand()

    def unwritten_alerts(self) -> Sequence[Alert]:
        """The alerts that are not in the local file yet."""
        return [point for point in self._writer.unwritten() if isinstance(point, Alert)]

    def stats(
        self, window: Window, *, exact: bool, until: Deadlines | None = None
    ) -> tuple[Mapping[str, SiteStats], Source]:
        """The statistics of a window that is over (see `Reader.stats`), and which store gave them.

        The database is asked if it provably has everything recorded so far. If it has not, or misses its deadline, the
        local file is asked. Raises `StoreError` when that cannot answer either, or not in time. `until` None: no deadline.
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
                self._answered[window.length_ms] = WELL
                return found, self.source()
        asked = partial(self.own_reader().stats, window, exact=exact)
        return self._ask_file.ask(asked, until and until.in_all.left_s()), source

    def availability(self, window: Window, until: Deadline) -> Mapping[str, SiteStats]:
        """How available each site was in a long window, and nothing else, from the local file. Raises `StoreError`."""
        found = self._ask_file.ask(partial(self.own_reader().downtime, window), until.left_s())
        return {
            host: SiteStats(
                host,
                seen.checks,
                seen.checks - seen.failures,
                covered_ms=seen.covered_ms,
                available_ms=seen.covered_ms - seen.down_ms,
            )
            for host, seen in found.items()
        }

    def give_up_questions(self) -> None:
        """Stop waiting for answers, because this monitor ends. May be called from a signal handler."""
        self._ask_database.give_up()
        self._ask_file.give_up()

    def _source_for(self, window: Window, until: Deadlines | None) -> Source:
        """The store to ask about a window. Waits a moment for the database to get what was committed so far."""
        source = self._known_source()
        if self._forwarder is None or source.kind == "local":
            return source
        before = self._answered.get(window.length_ms, WELL)
        if self._clock.now_ms() < before.until_ms:
            return Source("local", before.why)
        if not self._forwarder.wait_complete(_within(DELIVERY_S, until)):
            return Source("local", self._forwarder.trouble or words.behind_text(self.name, self.pending()))
        absent = self._absent(window)
        self._answered[window.length_ms] = before._replace(absent=absent)
        return Source("local", words.lacking_text(self.name, absent)) if absent else source

    def _penalise(self, window: Window, error: StoreError) -> None:
        """The database did not answer about this window: ask it nothing about windows of this length for a while."""
        why = str(error) if isinstance(error, StoreDenied) else words.slow_text(self.name)
        last_ms = self._answered.get(window.length_ms, WELL).rest_ms
        rest_ms = min(LONGEST_PENALTY_MS, last_ms * 2 or SLOW_PENALTY_MS)
        self._answered[window.length_ms] = Answered(0, rest_ms, self._clock.now_ms() + rest_ms, why)

    def _absent(self, window: Window) -> int:
        """How many checks of the window the database has refused, at most."""
        inside = (it for it in self._file.refusals() if it.kind == "checks" and overlaps(it, window))
        return sum(refusal.count for refusal in inside)

    # The state of storage, in words. A trouble is read once: another thread may end it a moment later.

    def source(self) -> Source:
        """The store that is asked, and why; also for which windows the database is too slow or has not all points.

        A length of window is too slow until the database has answered about one. It lacks what the newest one lacked.
        """
        source = self._known_source()
        lacking = [length_ms for length_ms, seen in self._answered.items() if seen.absent]
        slow = [length_ms for length_ms, seen in self._answered.items() if seen.rest_ms]
        if source.kind == "local" or not (slow or lacking):
            return source
        is_asked = WELL in self._answered.values()
        if lacking:
            longest_ms = max(lacking)
            why = words.lacking_text(self.name, self._answered[longest_ms].absent, f"the {window_text(longest_ms)}")
            return Source(source.kind, f"{why}: from the local file") if is_asked else Source("local", why)
        if is_asked:
            return Source(source.kind, f"{source.why}, {words.slow_windows_text(sorted(slow))}")
        return Source("local", self._answered[slow[0]].why)

    def _known_source(self) -> Source:
        """The store that is asked as far as delivery decides that, and why."""
        if trouble := self._writer.trouble:
            return Source("local", trouble)
        if self._forwarder is None or self._reader is None:
            return Source("local", words.AS_CONFIGURED)
        if trouble := self._forwarder.trouble:
            return Source("local", trouble if self.awaits_database else words.stored_text(self._file.path.name))
        if self._clock.now_ms() - self._forwarder.complete_ms > FRESH_MS:
            pending = self.pending()
            pace = self._backlog.pace(self._clock.monotonic_ns(), pending.points)
            return Source("local", words.behind_text(self.name, pending, pace))
        return Source(self._reader.kind, words.complete_text(self.name))

    def conditions(self) -> list[Condition]:
        """What a person should know about storage now, beside `source`. The header shows it, and stderr says it once."""
        return [*self._passing(), *self._lasting()]

    def _passing(self) -> Iterator[Condition]:
        """What ends by itself, also after the next start."""
        if left_ms := self._file.unconverted_ms:
            pace = self._unconverted.pace(self._clock.monotonic_ns(), left_ms // SECOND_MS)
            yield words.unconverted(left_ms, pace)
        source = self._known_source()
        if source.kind != "local":
            self._has_backlog = False
        elif self._forwarder and not self._forwarder.trouble and not self._writer.trouble:
            self._has_backlog |= self.pending().points >= LARGE_BACKLOG
        if self._has_backlog:
            yield words.backlog(self.name, source.why)

    def _lasting(self) -> list[Condition]:
        found = []
        unwritten = self._writer.trouble
        if unwritten and not self._writer.is_left_to_guard:
            found.append(words.unwritten(unwritten))
        if trouble := self._writer.maintenance_trouble:
            found.append(words.not_maintained(trouble))
        if self._forwarder and self.awaits_database and not unwritten:
            if (trouble := self._forwarder.trouble) and trouble != words.NOT_ASKED_YET:
                found.append(words.unreachable(self.name, trouble, self.pending()))
            with suppress(StoreError):
                self._refusals = self._file.refusals()
            found += words.refused(self.name, self._refusals)
            if trouble := self._forwarder.upkeep.trouble:
                found.append(words.not_deleted(trouble))
        return found

    def expired(self) -> int:
        """How many checks expired before the database had them, when the file could last be read."""
        with suppress(StoreError):
            self._expired = self._file.expired()
        return self._expired if self.awaits_database else 0

    def left_behind(self) -> tuple[str, ...]:
        """What a person should know at the end: the points that wait for the database, and what it refused."""
        waiting = self.pending().points
        refusals = [condition.text for condition in self._lasting() if not condition.is_why]
        return (*([words.undelivered_text(waiting, self._file.guard.away)] if waiting else []), *refusals)

    def stored_in(self) -> str:
        """Where everything is stored, at the end; "" if it could not be written."""
        if self._writer.trouble:
            return ""
        has_all = self.awaits_database and not self.pending().points and not self._lasting()
        return words.kept_text(self._file.guard.away or self._file.path, self.name if has_all else "")

    def notices(self) -> Sequence[str]:
        """What has happened to the local file since the last call."""
        return self._file.guard.notices()

    @property
    def name(self) -> str:
        """The database's name for people; "" when there is none."""
        return self._backend.name if self._backend else ""

    @property
    def awaits_database(self) -> bool:
        """Whether people expect the database to have everything. They expect it of the default one once it has answered."""
        return self._forwarder is not None and (self._is_named or self._forwarder.has_met)

    @property
    def trouble(self) -> str | None:
        """Why checks cannot be written to the local file; None while they can."""
        return self._writer.trouble

    def pending(self) -> Pending:
        """What the database has yet to receive, when the file could last be read; nothing without a database."""
        with suppress(StoreError):
            self._pending = self._file.pending()
        return self._pending if self.awaits_database else Pending()

    # The end

    def finish(self, timeout_s: float, deliver_s: float = DELIVERY_AT_END_S) -> bool:
        """Write everything, deliver for `deliver_s` and end the threads. False: something could not be written."""
        written = self._writer.close(timeout_s)
        if self._forwarder:
            self._forwarder.close(min(timeout_s, deliver_s))
        return written

    def close(self) -> None:
        reader = None if self._ask_database.is_busy else self._reader  # else closing waits for the question to end
        for part in (reader, self._backend, self._file):
            if part is not None:
                part.close()


def _within(most_s: float, until: Deadlines | None) -> float:
    return most_s if until is None else min(most_s, until.database.left_s())
