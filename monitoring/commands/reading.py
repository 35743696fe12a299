"""Questions to the store that knows most, asked once."""

from collections.abc import Callable
from typing import TypeVar

from monitoring.display.output.progress import progress
from monitoring.errors import StoreError
from monitoring.storage.delivery.words import Source
from monitoring.storage.routing import ReaderChoice, Readers

Answer = TypeVar("Answer")

SCRIPT_PATIENCE_S = 60.0
"""How long one question may take for who asks once."""


def ask_anywhere(choice: ReaderChoice, question: Callable[[Readers, Source], Answer], what: str) -> Answer:
    """Ask the database, or the local file if the database does not answer. Raises `StoreError`.

    `what` is read then; a person who waits for it is told.
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
