"""A database that monitors in several places share: the others saw the same sites in the same milliseconds otherwise."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from monitoring.models import Alert, AlertType, Cause, CheckResult
from monitoring.store.base import Store
from tests.support.results import ODD_HOSTS, START_MS

LATER_MS = 1


class Crowded:
    """Keeps `Store`: what is written to it is also written to its neighbours, each point as something else."""

    def __init__(self, store: Store, neighbours: Sequence[Store]) -> None:
        self._store = store
        self._neighbours = neighbours
        host = ODD_HOSTS[0]
        check = CheckResult(host, START_MS, 2_000, 7, 0, cause=Cause.DNS)
        self._write_elsewhere([check], [Alert(AlertType.ALERT, host, START_MS, START_MS - 5, None, 3.25, Cause.DNS)])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def write(self, results: Sequence[CheckResult], alerts: Sequence[Alert]) -> None:
        self._store.write(results, alerts)
        self._write_elsewhere(results, alerts)

    def _write_elsewhere(self, results: Sequence[CheckResult], alerts: Sequence[Alert]) -> None:
        checks = [seen_otherwise(check) for check in results]
        transitions = [decided_otherwise(alert) for alert in alerts]
        for neighbour in self._neighbours:
            neighbour.write(
                [*checks, *(replace(check, time_ms=check.time_ms + LATER_MS) for check in checks)],
                [*transitions, *(replace(alert, time_ms=alert.time_ms + LATER_MS) for alert in transitions)],
            )


def seen_otherwise(check: CheckResult) -> CheckResult:
    """The same site in the same millisecond: down where it was up, up where it was down."""
    other = None if check.cause else Cause.SLOW
    return replace(check, covers_ms=check.covers_ms % 9 + 1, status=299, response_us=77_777, cause=other)


def decided_otherwise(alert: Alert) -> Alert:
    other = AlertType.RECOVERY if alert.type is AlertType.ALERT else AlertType.ALERT
    end_ms = alert.time_ms if other is AlertType.RECOVERY else None
    return replace(alert, type=other, end_ms=end_ms, availability=55.5, cause=Cause.SLOW)
