"""Reads once from the best store, for modes that print and end."""

from collections.abc import Callable
from typing import TypeVar

from monitoring.display.output.progress import progress
from monitoring.errors import StoreError
from monitoring.storage.delivery.words import Source
from monitoring.storage.routing import ReaderChoice, Readers

Answer = TypeVar("Answer")

SCRIPT_PATIENCE_S = 60.0
"""How long one query may take in a mode that prints and ends."""


def ask_with_fallback(choice: ReaderChoice, question: Callable[[Readers, Source], Answer], what: str) -> Answer:
    """Query the chosen store, and the next best one if it fails. Raises `StoreError`.

    `what` names what is read, for a person who waits for it.
    """
    with progress(f"reading {what}") as shown:
        chosen = choice.choose()
        try:
            return question(*chosen)
        except StoreError as error:
            choice.distrust(error)
            others = choice.choose()
            if others[0] == chosen[0]:
                raise
            shown.tell(f"{error}; reading {what} elsewhere")
            return question(*others)
