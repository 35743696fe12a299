"""Work beside the caller's, in threads that never keep the program from ending."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import TypeVar

Result = TypeVar("Result")


def in_background(job: Callable[[], Result], name: str) -> "Future[Result]":
    """Do this in a daemon thread of its own, or here where no thread can be had.

    (An executor's threads are waited for when the program ends.)
    """
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(job())
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
            future.set_exception(error)

    try:
        threading.Thread(target=run, name=name, daemon=True).start()
    except RuntimeError:
        run()
    return future


def in_parallel(jobs: Sequence[Callable[[], Result]], most: int, name: str) -> list[Result]:
    """Do these, up to `most` at once; returns their results in order, or raises the first error when all have ended.

    After an error no other is begun.
    """
    results: list[Result] = []
    for first in range(0, len(jobs), most):
        own, *others = jobs[first : first + most]
        futures = [in_background(job, name) for job in others]
        try:
            results.append(own())
        finally:
            wait(futures)
        results += [future.result() for future in futures]
    return results
