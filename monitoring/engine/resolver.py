"""Looks names up in threads of its own.

libcurl would do that too, but with at most 20 threads for all transfers of a multi handle, a limit that its Python
binding cannot raise: twenty names whose servers hang, and every other site would seem to be down.
"""

import socket
import threading
from collections import Counter
from collections.abc import Callable
from queue import SimpleQueue

from monitoring.clock import Clock
from monitoring.engine.loop import Job, Loop
from monitoring.steps import Found, Lookup

IDLE_THREADS = 16
"""How many threads are kept for later; more come when needed, and go again."""

LOOKUPS_A_NAME = 2
"""More than this at once for the same name, and the next ones wait for those: a name whose server hangs does not
take one more thread with every check."""

STACK_BYTES = 256 * 1024
NS_PER_US = 1_000


class Resolver:
    """Finds the addresses of names. All methods belong to the loop's thread; answers arrive there too."""

    def __init__(self, loop: Loop, clock: Clock) -> None:
        self._loop = loop
        self._clock = clock
        self._asked: dict[str, list[_Asker]] = {}
        self._running: Counter[str] = Counter()
        self._names: SimpleQueue[str | None] = SimpleQueue()
        self._idle = 0

    def find(self, lookup: Lookup, found: Callable[[Found], None]) -> None:
        """Look a name up; `found` is called once, in time."""
        asker = _Asker(lookup, found, self._clock)
        self._asked.setdefault(lookup.name, []).append(asker)
        self._loop.call_at(asker.until_ns, lambda: self._give_up(asker))
        if self._running[lookup.name] < LOOKUPS_A_NAME:
            self._running[lookup.name] += 1
            self._names.put(lookup.name)
            self._take_thread()

    def close(self) -> None:
        """End the threads that wait for work; one that hangs in a lookup ends with the process."""
        for _ in range(self._idle):
            self._names.put(None)
        self._asked.clear()

    def _give_up(self, asker: "_Asker") -> None:
        waiting = self._asked.get(asker.lookup.name, [])
        if asker in waiting:
            waiting.remove(asker)
            asker.answer(Found(timed_out=True))

    def _take_thread(self) -> None:
        if self._idle:
            self._idle -= 1
            return
        before = threading.stack_size(STACK_BYTES)
        try:
            threading.Thread(target=self._work, name="resolver", daemon=True).start()
        finally:
            threading.stack_size(before)

    def _work(self) -> None:
        """A thread's life: one name after the other."""
        while (name := self._names.get()) is not None:
            self._loop.call_soon(self._answered(name, *_look_up(name)))

    def _answered(self, name: str, addresses: tuple[str, ...], trouble: str) -> Job:
        def answer() -> None:
            self._running[name] -= 1
            if not self._running[name]:
                del self._running[name]
            for asker in self._asked.pop(name, ()):
                asker.answer(Found(addresses, trouble=trouble))
            self._keep_thread()

        return answer

    def _keep_thread(self) -> None:
        """The thread that has answered is free again, or one too many."""
        if self._idle < IDLE_THREADS:
            self._idle += 1
        else:
            self._names.put(None)


class _Asker:
    """One check that waits for a name."""

    def __init__(self, lookup: Lookup, found: Callable[[Found], None], clock: Clock) -> None:
        self.lookup = lookup
        self._found = found
        self._clock = clock
        self._since_ns = clock.monotonic_ns()

    @property
    def until_ns(self) -> int:
        return self._since_ns + self.lookup.limit_us * NS_PER_US

    def answer(self, found: Found) -> None:
        took_us = (self._clock.monotonic_ns() - self._since_ns) // NS_PER_US
        self._found(Found(found.addresses, took_us, found.trouble, found.timed_out))


def _look_up(name: str) -> tuple[tuple[str, ...], str]:
    """The addresses of a name as the machine resolves it, or none and why."""
    try:
        entries = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return (), str(getattr(error, "strerror", None) or error)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in entries)), ""
