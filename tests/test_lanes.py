"""Jobs side by side: none is lost, none goes on when the caller is told of an error."""

import gc
import threading
import weakref
from functools import partial

import pytest

from monitoring.store.lanes import side_by_side

PATIENCE_S = 30.0


def test_as_many_run_at_once_as_there_are_lanes() -> None:
    both_there = threading.Barrier(2, timeout=PATIENCE_S)

    def job(number: int) -> int:
        both_there.wait()  # one alone would wait for ever
        return number

    assert side_by_side([partial(job, number) for number in range(6)], lanes=2) == list(range(6))


def test_one_job_needs_no_other_thread() -> None:
    assert side_by_side([threading.current_thread], lanes=2) == [threading.current_thread()]


def test_no_job_is_no_work() -> None:
    assert side_by_side([], lanes=2) == []


def test_an_error_is_raised_when_the_others_have_ended_and_nothing_is_begun_after_it() -> None:
    failed, begun, ended = threading.Event(), [], []

    def fail() -> None:
        failed.set()
        raise ValueError("no")

    def job(number: int) -> None:
        begun.append(number)
        failed.wait(PATIENCE_S)
        ended.append(number)

    with pytest.raises(ValueError, match="no"):
        side_by_side([partial(job, 0), fail, *(partial(job, number) for number in range(1, 50))], lanes=2)
    assert ended == begun
    assert len(begun) < 5


def test_errors_leave_nothing_behind_for_the_garbage_collector() -> None:
    """They come as often as a database that is away is asked."""

    class Failure(Exception):
        pass

    left: list[weakref.ref[Failure]] = []
    both_there = threading.Barrier(2, timeout=PATIENCE_S)

    def fail() -> None:
        both_there.wait()
        error = Failure()
        left.append(weakref.ref(error))
        try:
            raise error
        finally:
            del error

    gc.disable()
    try:
        with pytest.raises(Failure):
            side_by_side([fail, fail], lanes=2)
        assert [reference() for reference in left] == [None, None]
    finally:
        gc.enable()
