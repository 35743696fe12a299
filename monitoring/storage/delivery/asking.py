"""Questions with a deadline: whoever asks goes on then, whatever keeps the answer back."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar, cast

from monitoring.clock import Deadline, StopSignal
from monitoring.errors import StoreUnavailable

Answer = TypeVar("Answer")


class Deadlines(NamedTuple):
    """How long the database may take, and how long the answer may take in all."""

    database: Deadline
    in_all: Deadline


class TooLate(StoreUnavailable):
    """There was no answer before the deadline."""


class Reply:
    """Where one thread waits for an answer or an error; later ones are ignored. A signal handler may put one, too."""

    def __init__(self) -> None:
        self._found: tuple[Any, BaseException | None] | None = None
        self._is_there = StopSignal()

    def put(self, answer: Any, error: BaseException | None) -> None:
        if self._found is None:
            self._found = answer, error
        self._is_there.set()

    def take(self, within_s: float | None) -> tuple[Any, BaseException | None] | None:
        """What was put; None when there is nothing within this time."""
        self._is_there.wait(None if within_s is None else max(0.0, within_s))
        found, self._found = self._found, None
        return found


class Asker:
    """Asks questions one by one in a thread of its own, so that nobody waits for an answer beyond a deadline.

    A read time-out would not do: an answer takes many statements, each of them many reads, and the lookup of a server's
    name has no time-out at all. A question that nobody waits for any more runs on until it asks `is_waited_for`, or to
    its end (its statements have time limits of their own). Used by one thread.
    """

    def __init__(self, name: str) -> None:
        """`name`: whom it asks, for people."""
        self._name = name
        self._questions: SimpleQueue[tuple[Callable[[], Any], Reply] | None] = SimpleQueue()
        self._reply = Reply()
        self._answered: Reply | None = None
        self._given_up = False
        self._thread: threading.Thread | None = None
        self.is_busy = False

    def start(self) -> None:
        """Begin now rather than with the first question: later there may be no thread to be had."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"asks {self._name}", daemon=True)
            self._thread.start()

    def ask(self, question: Callable[[], Answer], within_s: float | None) -> Answer:
        """The answer; None: however long it takes. Raises what `question` raises, and `StoreUnavailable` when it is late."""
        self.start()
        reply = self._reply = Reply()  # a late answer goes into one that nobody looks into any more
        if self._given_up:
            raise StoreUnavailable(f"{self._name} is not waited for any more")
        self._questions.put((question, reply))
        found = reply.take(within_s)
        if found is None:
            self._reply = Reply()
            raise TooLate(f"{self._name} does not answer in time")
        answer, error = found
        try:
            if error:
                raise error
            return cast("Answer", answer)
        finally:
            del found, error  # an error keeps the frames that it passed, and they must not keep it

    def is_waited_for(self) -> bool:
        """Does anybody still wait for the answer to the question under way? To be asked by that question."""
        return self._answered is self._reply

    def give_up(self) -> None:
        """Wait for no answer any more, now or later. May be called from a signal handler and from any thread."""
        self._given_up = True
        waiting, self._reply = self._reply, Reply()
        waiting.put(None, StoreUnavailable(f"{self._name} is not waited for any more"))

    def end(self) -> None:
        """Let the thread end once it has answered what it was asked."""
        self._questions.put(None)

    def _run(self) -> None:
        while asked := self._questions.get():
            question, reply = asked
            if reply is self._reply:  # else nobody waits for it any more
                self._answered, self.is_busy = reply, True
                answer, error = None, None
                try:
                    answer = question()
                except BaseException as raised:  # noqa: BLE001 - raised again by `ask`
                    error = raised
                self.is_busy = False
                reply.put(answer, error)
                del answer, error  # an answer of megabytes is not kept until the next question
            del asked, question, reply
