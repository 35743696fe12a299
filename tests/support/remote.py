"""A database on the other side of a network that can be made to fail: a local file of its own in the part of InfluxDB."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from monitoring.errors import StoreError, StoreRefused, StoreUnavailable
from monitoring.models import Alert, CheckResult, SiteStats, Window
from monitoring.store.blocks import MinuteBlock
from monitoring.store.influxblocks import Piece, Told
from monitoring.store.local import LocalStore

Points = Sequence[CheckResult | Alert]

DOWN = StoreUnavailable("database: connection refused")


class Remote(LocalStore):
    """Keeps `RemoteStore`.

    `trouble` is raised by whatever is asked of it; `lost_answers` that many writes are stored, and then fail all the
    same; points, blocks and pieces for which `refuses` holds are never taken. `told`, `blocks` and `pieces` are by
    minute, part and number what was last sent of them.
    """

    kind = "influxdb"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.trouble: StoreError | None = None
        self.refuses: Callable[[Any], bool] = lambda _: False
        self.lost_answers = 0
        self.writes: list[Points] = []
        self.requests = 0
        self.proofs = 0
        self.told: dict[int, Told] = {}
        self.blocks: dict[tuple[int, int], MinuteBlock] = {}
        self.pieces: dict[tuple[int, int], Piece] = {}
        self._markers: set[str] = set()

    def knows(self, marker: str) -> bool:
        self._answer()
        return marker in self._markers

    def prove(self, marker: str) -> bool:
        known = self.knows(marker)
        self.proofs += 1
        self._markers.add(marker)
        return known

    def write(self, results: Sequence[CheckResult], alerts: Sequence[Alert]) -> None:
        self._take((*results, *alerts))
        self._keep(results, alerts)

    def open_minutes(self, marker: str) -> Mapping[int, Told]:
        self._answer()
        return {minute_ms: told for minute_ms, told in self.told.items() if told is not Told.BLOCKS}

    def announce(
        self, marker: str, told: Mapping[int, Told], pieces: Sequence[Piece], checks: Sequence[CheckResult] = ()
    ) -> None:
        self._take((*pieces, *checks))
        self.told.update(told)
        self.pieces.update({(piece.minute_ms, piece.number): piece for piece in pieces})
        if checks:
            self._keep(checks, ())

    def write_blocks(self, marker: str, blocks: Sequence[MinuteBlock]) -> None:
        self._take(blocks)
        self.blocks.update({(block.minute_ms, block.part): block for block in blocks})

    def seal(self, marker: str, minutes: Collection[int]) -> None:
        self._answer()
        self.told.update(dict.fromkeys(minutes, Told.BLOCKS))
        self.pieces = {key: piece for key, piece in self.pieces.items() if piece.minute_ms not in minutes}

    def stats(self, window: Window) -> Mapping[str, SiteStats]:
        self._answer()
        return super().stats(window)

    def wipe(self) -> None:
        """It lost its disk and came back empty."""
        self._markers.clear()
        self.told.clear()
        self.blocks.clear()
        self.pieces.clear()
        with self._writing() as connection:
            connection.execute("DELETE FROM checks")
            connection.execute("DELETE FROM alerts")

    def _take(self, points: Sequence[CheckResult | Alert | MinuteBlock | Piece]) -> None:
        self._answer()
        if any(self.refuses(point) for point in points):
            raise StoreRefused("database: field type conflict")

    def _keep(self, results: Sequence[CheckResult], alerts: Sequence[Alert]) -> None:
        super().write(results, alerts)
        self.writes.append((*results, *alerts))
        if self.lost_answers:
            self.lost_answers -= 1
            raise StoreUnavailable("database: no answer in time")

    def _answer(self) -> None:
        self.requests += 1
        if self.trouble:
            raise self.trouble
