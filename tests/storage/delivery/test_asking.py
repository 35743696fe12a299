"""A question is waited for until its deadline, whatever keeps its answer back."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitoring.errors import StoreDenied, StoreUnavailable
from monitoring.storage.delivery.asking import Asker
from tests.support.waiting import eventually

LONG_S = 30.0


@pytest.fixture
def hanging() -> Iterator[threading.Event]:
    """Questions hang until this is set."""
    event = threading.Event()
    yield event
    event.set()


def test_an_answer_comes_from_another_thread() -> None:
    asker = Asker("database")
    assert asker.ask(threading.current_thread, LONG_S) is not threading.current_thread()
    assert [asker.ask(lambda: number, None) for number in range(3)] == [0, 1, 2]  # noqa: B023 - asked at once


def test_an_error_is_that_of_the_question() -> None:
    def denied() -> None:
        raise StoreDenied("not you")

    asker = Asker("database")
    with pytest.raises(StoreDenied, match="not you"):
        asker.ask(denied, LONG_S)
    assert asker.ask(lambda: "next", LONG_S) == "next"


def test_a_late_answer_is_not_waited_for_and_no_answer_to_the_next_question(hanging: threading.Event) -> None:
    """The next question comes after it, and those in between, for which nobody waits any more, are not asked at all."""
    asker = Asker("database")
    asked: list[int] = []
    with pytest.raises(StoreUnavailable, match="database does not answer in time"):
        asker.ask(lambda: hanging.wait(LONG_S) and "late", 0.01)
    eventually(lambda: asker.is_busy)
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="database does not answer in time"):
            asker.ask(lambda: asked.append(1), 0.01)
    threading.Timer(0.05, hanging.set).start()
    assert asker.ask(lambda: "next", LONG_S) == "next"
    assert asked == []
    assert not asker.is_busy


def test_no_time_left_is_no_answer(hanging: threading.Event) -> None:
    with pytest.raises(StoreUnavailable):
        Asker("database").ask(lambda: hanging.wait(LONG_S), 0)


def test_a_question_can_be_given_up_by_whoever_interrupts_it(hanging: threading.Event) -> None:
    asker = Asker("database")
    threading.Timer(0.05, asker.give_up).start()
    with pytest.raises(StoreUnavailable, match="not waited for"):
        asker.ask(lambda: hanging.wait(LONG_S), LONG_S)
    hanging.set()
    eventually(lambda: not asker.is_busy)
    with pytest.raises(StoreUnavailable, match="not waited for"):
        asker.ask(lambda: "later", LONG_S)


def test_a_question_can_ask_whether_anybody_still_waits(hanging: threading.Event) -> None:
    asker = Asker("database")
    heard: list[bool] = []

    def question() -> None:
        heard.append(asker.is_waited_for())
        hanging.wait(LONG_S)
        heard.append(asker.is_waited_for())

    with pytest.raises(StoreUnavailable, match="does not answer in time"):
        asker.ask(question, 0.5)
    hanging.set()
    assert asker.ask(asker.is_waited_for, LONG_S)
    assert heard == [True, False]


OUTLASTED = """
import signal, threading, time
from monitoring.storage.delivery.asking import Asker, TooLate

def outlast(*_):
    begun = time.monotonic()
    while time.monotonic() - begun < 0.2:
        pass

asker = Asker("database")
asker.ask(int, None)
signal.signal(signal.SIGALRM, outlast)
signal.setitimer(signal.ITIMER_REAL, 0.05, 0)
try:
    asker.ask(threading.Event().wait, 0.1)
except TooLate:
    print("too late")
"""


def test_a_signal_handler_may_outlast_the_deadline() -> None:
    """As that of Ctrl-Z does, until `fg`: then it is too late, and not the beginning of a wait for ever."""
    root = Path(__file__).resolve().parents[3]
    ended = subprocess.run([sys.executable, "-c", OUTLASTED], cwd=root, check=True, timeout=60, capture_output=True)
    assert ended.stdout == b"too late\n"
