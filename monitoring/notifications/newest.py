"""The newest records of the hosts that a channel knows to be down."""

from collections.abc import Callable, Mapping
from contextlib import suppress

from monitoring.errors import StoreError
from monitoring.models import Alert, AlertType, Window
from monitoring.storage.base import OwnReader
from monitoring.units import MINUTE_MS

OVERLAP_MS = MINUTE_MS
"""A record may appear this long after its time."""


class NewestRecords:
    """Follows the records of these hosts. It reads the past once: an outage may have begun or ended months ago."""

    def __init__(self, reader: Callable[[], OwnReader]) -> None:
        self._reader = reader
        self._known: dict[str, Alert] = {}
        self._read_ms = 0

    def of(self, reported: Mapping[str, Alert], now_ms: int) -> Mapping[str, Alert]:
        """What was `reported` of each host; if it is that the host is down, its newest record since."""
        known: dict[str, Alert] = {}
        from_ms = min(self._read_ms, now_ms) - OVERLAP_MS
        for host, alert in reported.items():
            if alert.type is AlertType.ALERT:
                former = self._known.get(host)
                is_new = former is None or former.time_ms < alert.time_ms
                known[host] = alert if former is None or is_new else former
                from_ms = min(from_ms, alert.time_ms) if is_new else from_ms
        if known:
            with suppress(StoreError):  # then what is known has to do
                for change in self._reader().alerts(Window(from_ms, now_ms + 1)):
                    if change.host in known and change.time_ms > known[change.host].time_ms:
                        known[change.host] = change
                self._known, self._read_ms = known, now_ms
        return {**reported, **known}
