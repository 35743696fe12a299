"""Questions to the store that knows most, asked once."""

from collections.abc import Callable
from typing import TypeVar

from monitoring.clock import Clock
from monitoring.display import time_text
from monitoring.errors import ConfigError, StoreError
from monitoring.storage.delivery.words import Source
from monitoring.storage.routing import ReaderChoice, Readers

Answer = TypeVar("Answer")

DELAY_MS = 2_000
"""Windows end this long ago. A monitor commits twice a second and delivers at once, so their last checks have arrived."""

SCRIPT_PATIENCE_S = 60.0
"""How long one question may take for who asks once."""


def ask_anywhere(choice: ReaderChoice, question: Callable[[Readers, Source], Answer]) -> Answer:
    """Ask the database, or the local file if the database does not answer. Raises `StoreError`."""
    chosen = choice.choose()
    try:
        return question(*chosen)
    except StoreError as error:
        choice.distrust(error)
        others = choice.choose()
        if others[0] == chosen[0]:
            raise
        return question(*others)


def last_time(readers: Readers) -> int:
    """The newest time that any of them knows, in milliseconds; 0 when they are empty."""
    return max((reader.last_time() or 0 for reader in readers.values()), default=0)


def moment_to_show(readers: Readers, clock: Clock, at_ms: int | None) -> int:
    """The end of what is shown: `at_ms`, or without it as late as everything has arrived.

    Raises `StoreError`, and `ConfigError` for a time in the future.
    """
    now_ms = max(clock.now_ms(), last_time(readers) + 1)
    if at_ms is not None and at_ms > now_ms:
        raise ConfigError([f"--at: {time_text(at_ms)} is yet to come"])
    return now_ms - DELAY_MS if at_ms is None else at_ms
