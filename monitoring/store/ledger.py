"""What the database was told of this file's minutes: where it can read the checks of each."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from monitoring.errors import StoreRefused
from monitoring.models import CheckResult
from monitoring.store.blocks import MINUTE_MS
from monitoring.store.influxblocks import Piece, Told
from monitoring.store.outbox import Delivery
from monitoring.store.packing import LARGEST_TIME_US


class MinuteStore(Protocol):
    """The part of a database that keeps what is told of minutes; `marker` names the local file."""

    def open_minutes(self, marker: str) -> Mapping[int, Told]:
        """The minutes of this file that are not in blocks alone, by their start. Raises `StoreError`."""

    def announce(
        self, marker: str, told: Mapping[int, Told], pieces: Sequence[Piece], checks: Sequence[CheckResult] = ()
    ) -> None:
        """Say where the checks of these minutes are, and store these pieces and checks. Raises as `Store.write` does."""

    def seal(self, marker: str, minutes: Collection[int]) -> None:
        """The blocks hold all of these minutes; their pieces may go. Raises `StoreError`."""


class Ledger:
    """Announces what is about to be delivered, so that no reader ever takes a part of a minute for all of it.

    Fresh points are delivered in pieces as well: those are read a hundred times quicker. What is sent again, or late
    because the database was away, is in the points only, until the blocks follow.
    """

    def __init__(self, marker: str, store: MinuteStore) -> None:
        self._marker = marker
        self._store = store
        self._open: dict[int, Told] = {}

    def load(self) -> None:
        """Ask the database what it was told before."""
        self._open = dict(self._store.open_minutes(self._marker))

    def deliver(self, delivery: Delivery) -> None:
        """Announce this delivery and write its checks, all in one request. Raises `StoreRefused` when some are not taken.

        A reader that sees one line of it before another takes the minute for what it was a moment ago.
        """
        self._announce(*self._say(delivery), delivery.results)

    def announce(self, delivery: Delivery) -> None:
        """Before the points of this delivery are written."""
        told, pieces = self._say(delivery)
        try:
            self._announce(told, pieces)
        except StoreRefused:
            self._announce({minute: max(Told.POINTS, state) for minute, state in told.items()}, ())

    def spoil(self, minutes: Collection[int]) -> None:
        """A block of each of these minutes will never be taken."""
        self._announce(dict.fromkeys(minutes, Told.POINTS_FOR_GOOD), ())

    def seal(self, until_ms: int) -> None:
        """All blocks of the minutes before this moment are delivered."""
        minutes = [at_ms for at_ms, told in self._open.items() if at_ms < until_ms and told < Told.POINTS_FOR_GOOD]
        if minutes:
            self._store.seal(self._marker, minutes)
        for minute in minutes:
            del self._open[minute]

    def _say(self, delivery: Delivery) -> tuple[dict[int, Told], list[Piece]]:
        """Where the checks of this delivery can be read once it is there, and those that go in pieces."""
        is_fresh = delivery.until is None
        checks = _by_minute(delivery.results)
        told = {minute: self._told(minute, found, is_fresh) for minute, found in checks.items()}
        pieces = [
            Piece.of(minute, delivery.entries[0], found) for minute, found in checks.items() if told[minute] is Told.PIECES
        ]
        return told, pieces

    def _told(self, minute: int, checks: Sequence[CheckResult], is_fresh: bool) -> Told:
        known = self._open.get(minute, Told.BLOCKS)
        if any((check.response_us or 0) > LARGEST_TIME_US for check in checks):
            return Told.POINTS_FOR_GOOD
        return max(known, Told.PIECES if is_fresh else Told.POINTS)

    def _announce(self, told: Mapping[int, Told], pieces: Sequence[Piece], checks: Sequence[CheckResult] = ()) -> None:
        new = {minute: state for minute, state in told.items() if self._open.get(minute) is not state}
        if new or pieces or checks:
            self._store.announce(self._marker, new, pieces, checks)
            self._open.update(new)


def _by_minute(checks: Sequence[CheckResult]) -> dict[int, list[CheckResult]]:
    found: dict[int, list[CheckResult]] = {}
    for check in checks:
        found.setdefault(check.time_ms // MINUTE_MS * MINUTE_MS, []).append(check)
    return found
