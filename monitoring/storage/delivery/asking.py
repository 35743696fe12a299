"""Questions with a deadline: whoever asks goes on then, whatever keeps the answer back."""

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

from monitoring.clock import Deadline
from monitoring.errors import StoreUnavailable

Answer = TypeVar("Answer")


class Deadlines(NamedTuple):
    """How long the database may take, and how long the answer may take in all."""

    database: Deadline
    in_all: Deadline


class TooLate(StoreUnavailable):
    """There was no answer before the deadline."""


class Outcome(NamedTuple):
    """How a question ended: with an answer, or with an error."""

    answer: Any
    error: BaseException | None


class Asker:
    """Asks questions one by one in a thread of its own, so that nobody waits for an answer beyond a deadline.

    A read time-out would not do: an answer takes many statements, each of them many reads, and the lookup of a server's
    name has no time-out at all. A question that nobody waits for any more runs on until it asks `is_waited_for`, or to
    its end (its statements have time limits of their own). Used by one thread.
    """

    def __init__(self, name: str) -> None:
        """`name`: whom it asks, for people."""
        self._name = name
        self._questions: SimpleQueue[tuple[Callable[[], Any], SimpleQueue[Outcome]] | None] = SimpleQueue()
        self._outcome: SimpleQueue[Outcome] = SimpleQueue()
        self._answered: SimpleQueue[Outcome] | None = None
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
        outcome: SimpleQueue[Outcome] = SimpleQueue()
        self._outcome = outcome  # a late answer goes into one that nobody looks into any more
        if self._given_up:
            raise StoreUnavailable(f"{self._name} is not waited for any more")
        self._questions.put((question, outcome))
        try:
            found = outcome.get(timeout=within_s)
        except Empty:
            self._outcome = SimpleQueue()
            raise TooLate(f"{self._name} does not answer in time") from None
        try:
            if found.error:
                raise found.error
            answer: Answer = found.answer
            return answer
        finally:
            del found  # an error keeps the frames that it passed, and they must not keep it

    def is_waited_for(self) -> bool:
        """Does anybody still wait for the answer to the question under way? To be asked by that question."""
        return self._answered is self._outcome

    def give_up(self) -> None:
        """Wait for no answer any more, now or later. May be called from a signal handler and from any thread."""
        self._given_up = True
        waiting, self._outcome = self._outcome, SimpleQueue()
        waiting.put(Outcome(None, StoreUnavailable(f"{self._name} is not waited for any more")))

    def end(self) -> None:
        """Let the thread end once it has answered what it was asked."""
        self._questions.put(None)

    def _run(self) -> None:
        while asked := self._questions.get():
            question, outcome = asked
            if outcome is self._outcome:  # else nobody waits for it any more
                self._answered, self.is_busy = outcome, True
                found = _outcome(question)
                self.is_busy = False
                outcome.put(found)
                del found  # an answer of megabytes is not kept until the next question
            del asked, question, outcome


def _outcome(question: Callable[[], Any]) -> Outcome:
    try:
        return Outcome(question(), None)
    except BaseException as error:  # noqa: BLE001 - raised again by `ask`
        return Outcome(None, error)
