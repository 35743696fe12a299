"""What of the local file may be on its way to the database: read, and not yet known to have arrived."""

from collections.abc import Sequence
from threading import Lock

from monitoring.store import due
from monitoring.store.blocks import MinuteBlock

ANY_KEY = 2**63 - 2


class UnderWay:
    """Deliveries of one thread: when it asks for the next one, the one before is over, whatever became of it."""

    def __init__(self, writing: Lock) -> None:
        """`writing` is held in every transaction that writes."""
        self._writing = writing
        self._turn = 0
        self._is_busy = False
        self._purged_in_turn = 0
        self.last_block = 0
        """The largest key of the blocks that may be on their way."""

    def begin_turn(self) -> None:
        """Points, or hours and days, are about to be read."""
        self._turn += 1
        self._is_busy = True

    def begin_blocks(self) -> None:
        """Blocks are about to be read: which ones a check that comes late from now on does not know."""
        with self._writing:
            self.last_block = ANY_KEY
        self._is_busy = True

    def took_blocks(self, blocks: Sequence[MinuteBlock]) -> None:
        self.last_block = max(map(due.key_of, blocks), default=0)
        self._is_busy = bool(blocks)

    def took(self, *, something: bool) -> None:
        self._is_busy = something

    def purged(self) -> None:
        """Something was deleted just now; what was read before may still hold it."""
        self._purged_in_turn = self._turn

    @property
    def is_clear_of_purged(self) -> bool:
        """Has everything arrived, or failed, that was read before?"""
        return not self._is_busy or self._turn > self._purged_in_turn
