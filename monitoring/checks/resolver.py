"""Looks names up, for checkers that can wait no longer than their check may take.

The system's resolver cannot be interrupted, so it is asked in threads of its own. libcurl would do that too, but with at
most 20 threads for all transfers of a multi handle, a limit that its Python binding cannot raise: twenty names whose
servers hang, and every other site would seem to be down.
"""

import socket
import threading
from dataclasses import dataclass, field
from queue import SimpleQueue

from monitoring import process
from monitoring.clock import Clock

LOOKUPS_A_NAME = 2
"""More than this at once for the same name, and the next ones wait for those: a name whose server hangs does not
take one more thread with every check."""

IDLE_THREADS = 16
"""How many threads are kept for later; more come when needed, and go again."""

NS_PER_US = 1_000


@dataclass(frozen=True, slots=True)
class LookupResult:
    """What a lookup brought: addresses, or none and why (in few words). `timed_out`: nobody answered in time."""

    addresses: tuple[str, ...] = ()
    took_us: int = 0
    reason: str = ""
    timed_out: bool = False


class Resolver:
    """Finds the addresses of names; asked by many threads at once, which share an answer to the same name."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()  # guards what follows
        self._questions: dict[str, _Question] = {}
        self._idle = 0
        self._is_closed = False
        self._names: SimpleQueue[str | None] = SimpleQueue()

    def look_up(self, name: str, limit_us: int) -> LookupResult:
        """Wait for the addresses of a name, at most so many microseconds."""
        began_ns = self._clock.monotonic_ns()
        asker = _Asker()
        with self._lock:
            question = self._questions.setdefault(name, _Question())
            question.askers.append(asker)
            if is_new := question.lookups < LOOKUPS_A_NAME:
                question.lookups += 1
        if is_new:
            self._begin(name)
        if not asker.answered.acquire(timeout=max(0, limit_us) / 1e6):
            self._give_up(name, asker)
        took_us = (self._clock.monotonic_ns() - began_ns) // NS_PER_US
        if asker.answer is None:
            return LookupResult(took_us=took_us, timed_out=True)
        addresses, reason = asker.answer
        return LookupResult(addresses, took_us, reason)

    def close(self) -> None:
        """End the threads that wait for work, and let nobody wait any longer; a lookup that hangs ends with the process."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, 0
            for question in self._questions.values():
                _tell(question, None)
        for _ in range(idle):
            self._names.put(None)

    def _begin(self, name: str) -> None:
        """Look up in a thread that waits for work, or in a new one."""
        with self._lock:
            if is_idle := self._idle > 0:
                self._idle -= 1
        if is_idle:
            self._names.put(name)
            return
        thread = threading.Thread(target=self._work, args=(name,), name="lookup", daemon=True)
        try:
            process.start_small(thread)
        except (RuntimeError, MemoryError):  # no thread is to be had: better late than never
            self._look_up(name)

    def _give_up(self, name: str, asker: "_Asker") -> None:
        with self._lock:
            question = self._questions.get(name)
            if question and asker in question.askers:
                question.askers.remove(asker)

    def _work(self, name: str | None) -> None:
        """A thread's life: one lookup after the other."""
        while name is not None:
            self._look_up(name)
            with self._lock:
                if self._is_closed or self._idle >= IDLE_THREADS:
                    return
                self._idle += 1
            name = self._names.get()

    def _look_up(self, name: str) -> None:
        answer = _addresses(name)
        with self._lock:
            question = self._questions[name]
            question.lookups -= 1
            if not question.lookups:
                del self._questions[name]
            _tell(question, answer)


_Answer = tuple[tuple[str, ...], str]
"""The addresses of a name, or none and why."""


class _Asker:
    """A checker that waits for an answer."""

    __slots__ = ("answer", "answered")

    def __init__(self) -> None:
        self.answer: _Answer | None = None
        self.answered = threading.Lock()
        self.answered.acquire()


@dataclass(slots=True)
class _Question:
    """Who waits for a name, and how many lookups of it are under way."""

    askers: list[_Asker] = field(default_factory=list)
    lookups: int = 0


def _tell(question: _Question, answer: _Answer | None) -> None:
    for asker in question.askers:
        asker.answer = answer
        asker.answered.release()
    question.askers.clear()


def _addresses(name: str) -> _Answer:
    """As the machine resolves it."""
    try:
        entries = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return (), str(getattr(error, "strerror", None) or error)
    except Exception as error:  # noqa: BLE001 - whoever waits must hear of it
        return (), type(error).__name__
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in entries)), ""
