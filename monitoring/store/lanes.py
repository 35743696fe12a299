"""Several requests on their way at once: while a database takes one, the next is put into words."""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Result = TypeVar("Result")


def side_by_side(jobs: Sequence[Callable[[], Result]], lanes: int) -> list[Result]:
    """Do these, up to `lanes` at once, one lane being the caller's own; returns their results in order.

    When one raises, no other is begun; the first error is raised once all that were begun have ended.
    """
    road = _Road(jobs)
    threads = [threading.Thread(target=road.run, name="lane", daemon=True) for _ in range(min(lanes, len(jobs)) - 1)]
    for thread in threads:
        thread.start()
    road.run()
    for thread in threads:
        thread.join()
    return road.results()


class _Road(Generic[Result]):
    """What is still to be done, and what became of the rest."""

    def __init__(self, jobs: Sequence[Callable[[], Result]]) -> None:
        self._jobs = jobs
        self._left = iter(range(len(jobs)))  # one for all lanes: each takes the next place
        self._results: dict[int, Result] = {}
        self._errors: list[Exception] = []

    def run(self) -> None:
        """One lane."""
        for place in self._left:
            if self._errors:
                return
            try:
                self._results[place] = self._jobs[place]()
            except Exception as error:  # noqa: BLE001 - raised by `results`
                self._errors.append(error)

    def results(self) -> list[Result]:
        """Of all jobs; raises the first error."""
        try:
            if self._errors:
                raise self._errors[0]
        finally:
            self._errors.clear()  # an error keeps the frames it went through, and so this list: a circle
        return [self._results[place] for place in range(len(self._jobs))]
