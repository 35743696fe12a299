"""Threads for what cannot be waited for in the loop: name lookups, and patterns that take their time."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from monitoring.engine.loop import Loop

IDLE_THREADS = 16
"""How many threads are kept for later; more come when needed, and go again."""

STACK_BYTES = 256 * 1024

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Task(Generic[Result]):
    """Something to do in a thread, and what the loop does with its result or with its error."""

    job: Callable[[], Result]
    done: Callable[[Result], None]
    failed: Callable[[Exception], None]


class Workers:
    """As many threads as there are tasks at once. All methods belong to the loop's thread; results arrive there too."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._tasks: SimpleQueue[Task[Any] | None] = SimpleQueue()
        self._idle = 0

    def run(self, task: Task[Result]) -> None:
        """Do this as soon as may be: no task waits for another."""
        self._tasks.put(task)
        if self._idle:
            self._idle -= 1
        else:
            self._start_thread()

    def close(self) -> None:
        """End the threads that wait for work; one that hangs ends with the process."""
        for _ in range(self._idle):
            self._tasks.put(None)

    def _start_thread(self) -> None:
        before = threading.stack_size(STACK_BYTES)
        try:
            threading.Thread(target=self._work, name="worker", daemon=True).start()
        finally:
            threading.stack_size(before)

    def _work(self) -> None:
        """A thread's life: one task after the other."""
        while (task := self._tasks.get()) is not None:
            try:
                then = partial(task.done, task.job())
            except Exception as error:  # noqa: BLE001 - handed to whoever asked
                then = partial(task.failed, error)
            self._loop.call_soon(partial(self._finish, then))

    def _finish(self, then: Callable[[], None]) -> None:
        """The thread of this task is free again, or one too many."""
        if self._idle < IDLE_THREADS:
            self._idle += 1
        else:
            self._tasks.put(None)
        then()
