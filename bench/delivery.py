"""Waiting until a monitor's local file is delivered to its database."""

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from bench.processes import Monitor, write_config
from monitoring.storage.base import Pending
from monitoring.storage.sqlite.reader import FileReader

POLL_S = 0.02
NOBODY = "http://127.0.0.1:9/"
SELDOM_S = 3_600


def undelivered(file: Path) -> int:
    """How many points and summaries the database has yet to receive."""
    with closing(FileReader(file)) as reader:
        return _count(reader.pending())


def _count(pending: Pending) -> int:
    return pending.points + pending.summaries


def wait_until_pending(file: Path, enough: Callable[[int, int | None], bool], limit_s: float) -> bool:
    """Wait until `enough` is true of how many points wait and since when the oldest does; False: that took too long."""
    deadline_s = time.monotonic() + limit_s
    with closing(FileReader(file)) as reader:
        while not enough(_count(pending := reader.pending()), pending.oldest_ms):
            if time.monotonic() > deadline_s:
                return False
            time.sleep(POLL_S)
    return True


def wait_until_delivered(file: Path, limit_s: float) -> bool:
    """Wait until nothing waits, if only for a moment."""
    return wait_until_pending(file, lambda points, _oldest_ms: points == 0, limit_s)


def wait_until_settled(file: Path, limit_s: float) -> bool:
    """Wait until nothing waits and nothing is refused; False: that took too long."""
    deadline_s = time.monotonic() + limit_s
    with closing(FileReader(file)) as reader:
        while _count(reader.pending()) or reader.refusals():
            if time.monotonic() > deadline_s:
                return False
            time.sleep(POLL_S)
    return True


def deliver_the_rest(directory: Path, database: str, limit_s: float) -> None:
    """What a monitor does not deliver in the second that its end takes, its next start delivers: one without our sites."""
    config = write_config(directory, [NOBODY], SELDOM_S, database)
    if undelivered(config.with_suffix(".db")):
        with Monitor(config):
            wait_until_delivered(config.with_suffix(".db"), limit_s)
