"""What checkers sleep on until their slots are due."""

import heapq
from collections import deque
from collections.abc import Callable
from itertools import count

from monitoring.checks.readiness import open_bell
from monitoring.clock import Clock

RINGS_A_TURN = 8
"""How many checkers are woken before the thread looks at sockets again; after a stall many are due at once."""


class Alarm:
    """What one checker sleeps on: the network thread wakes it when its slot is due, and any thread may set it.

    Time-outs of a thousand sleeping threads would work, too. But after a stall, or while another thread computes, they would
    all ask for the interpreter's lock in every switch interval, and leave no time for anything else.
    """

    def __init__(self, slots: "Slots", clock: Clock) -> None:
        self._slots = slots
        self._clock = clock
        self._is_set = False
        self._bell = open_bell()
        self.due_ns: int | None = None

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        self.ring()

    def clear(self) -> None:
        self._is_set = False

    def wait(self, timeout: float) -> bool:
        """Sleep until it is set (True) or `timeout` seconds are over (False). Sometimes it wakes too early."""
        if not self._is_set:
            self.due_ns = self._clock.monotonic_ns() + int(timeout * 1e9)
            self._slots.add(self.due_ns, self)
            self._bell.wait()
        return self._is_set

    def ring(self) -> None:
        self.due_ns = None
        self._bell.ring()


class Slots:
    """Which alarm is due when. When the network thread crashes, the next one continues with these."""

    def __init__(self) -> None:
        self._order = count()
        self._added: deque[tuple[int, int, Alarm]] = deque()
        self._due: list[tuple[int, int, Alarm]] = []
        self.wakes_ns: int | None = None
        """When the network thread will look at the alarms next, unless something wakes it."""
        self.wake: Callable[[], None] = lambda: None

    def add(self, due_ns: int, alarm: Alarm) -> None:
        """May be called from any thread."""
        self._added.append((due_ns, next(self._order), alarm))
        if self.wakes_ns is None or due_ns < self.wakes_ns:
            self.wake()

    @property
    def has_news(self) -> bool:
        return bool(self._added)

    def next_ns(self) -> int | None:
        """When the first alarm is due. Only the network thread may call this and `ring_due`."""
        while self._added:
            heapq.heappush(self._due, self._added.popleft())
        return self._due[0][0] if self._due else None

    def ring_due(self, now_ns: int) -> None:
        """Wake some of the checkers that are due; each may run before the next one is woken."""
        due, rung = self._due, 0
        while due and due[0][0] <= now_ns and rung < RINGS_A_TURN:
            due_ns, _, alarm = heapq.heappop(due)
            if alarm.due_ns == due_ns:  # otherwise it was set meanwhile
                alarm.ring()
                rung += 1
