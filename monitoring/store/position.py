"""How far the file is packed."""

import json
import sqlite3
from dataclasses import asdict, dataclass

from monitoring.store.blocks import MINUTE_MS, block_key
from monitoring.store.schema import first_key


@dataclass(frozen=True, slots=True)
class Position:
    """All minutes before `minute_ms` are packed, and of this one all sites before `site`.

    `batch` is the last commit that was there when this minute was begun. Later ones stay loose: their outbox entries
    must find them.
    """

    minute_ms: int = 0
    site: int = 0
    batch: int = 0

    @property
    def key(self) -> int:
        """The key of the first block that is not packed yet."""
        return first_key(self.minute_ms) | self.site

    @property
    def untouched_ms(self) -> int:
        """The start of the first minute of which nothing is packed yet."""
        return self.minute_ms + MINUTE_MS if self.site else self.minute_ms

    def is_past(self, key: int) -> bool:
        """Is the part that the check with this key belongs to packed?"""
        return block_key(key) < self.key

    def may_be_past(self, oldest: int) -> bool:
        """Can checks from this key on be of packed parts? Mostly they cannot: a quick no for a whole commit."""
        return oldest < first_key(self.minute_ms + MINUTE_MS)


def load(connection: sqlite3.Connection) -> Position:
    row = connection.execute("SELECT value FROM meta WHERE key = 'packed until'").fetchone()
    return Position(**json.loads(row[0])) if row else Position()


def save(connection: sqlite3.Connection, position: Position) -> None:
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('packed until', ?)", (json.dumps(asdict(position)),))
