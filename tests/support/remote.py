"""A database on the other side of a network that can be made to fail: a local file of its own in the part of InfluxDB."""

from collections.abc import Callable, Sequence
from pathlib import Path

from monitoring.errors import StoreError, StoreRefused, StoreUnavailable
from monitoring.models import Alert, CheckResult, Downtime, Window
from monitoring.store.local import LocalStore

Points = Sequence[CheckResult | Alert]

DOWN = StoreUnavailable("database: connection refused")


class Remote(LocalStore):
    """Keeps `RemoteStore`.

    `trouble` is raised by whatever is asked of it; `lost_answers` that many writes are stored, and then fail all the
    same; points for which `refuses` holds are never taken.
    """

    kind = "influxdb"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.trouble: StoreError | None = None
        self.refuses: Callable[[CheckResult | Alert], bool] = lambda _: False
        self.lost_answers = 0
        self.writes: list[Points] = []
        self.proofs = 0
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
        self._answer()
        points: Points = (*results, *alerts)
        if any(self.refuses(point) for point in points):
            raise StoreRefused("database: field type conflict")
        super().write(results, alerts)
        self.writes.append(points)
        if self.lost_answers:
            self.lost_answers -= 1
            raise StoreUnavailable("database: no answer in time")

    def downtime(self, window: Window) -> dict[str, Downtime]:
        self._answer()
        return dict(super().downtime(window))

    def wipe(self) -> None:
        """It lost its disk and came back empty."""
        self._markers.clear()
        with self._writing() as connection:
            connection.execute("DELETE FROM checks")
            connection.execute("DELETE FROM alerts")

    def _answer(self) -> None:
        if self.trouble:
            raise self.trouble
