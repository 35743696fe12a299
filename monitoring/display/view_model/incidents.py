"""Outages, from the alert records that say when each began and ended."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from monitoring.display.words import outage_ms
from monitoring.models import Alert, AlertType, Cause


@dataclass(frozen=True, slots=True)
class Incident:
    """One outage of a site as one location saw it: the record that raised it, the one that ended it, or both.

    Without `recovery` it is still open; without `alert` the record of its begin is no longer kept.
    """

    host: str
    location: str
    start_ms: int
    alert: Alert | None = None
    recovery: Alert | None = None

    @property
    def key(self) -> tuple[str, str]:
        """The site, as the location saw it."""
        return self.host, self.location

    @property
    def is_open(self) -> bool:
        return self.recovery is None

    @property
    def last(self) -> Alert:
        """The record that knows most."""
        found = self.recovery or self.alert
        assert found is not None  # noqa: S101 - an incident is made from a record
        return found

    @property
    def cause(self) -> Cause | None:
        return self.last.cause

    @property
    def detail(self) -> str:
        """Why, in the server's own words."""
        return (self.alert.detail if self.alert else "") or self.last.detail

    @property
    def end_ms(self) -> int | None:
        """The first good check after it; of a site that left the configuration, when that was. None: it is open."""
        return None if self.recovery is None else self.recovery.outage_end_ms

    def lasted_ms(self, now_ms: int) -> int:
        """From its first failed check to its end, or to now."""
        return max(0, now_ms - self.start_ms) if self.recovery is None else outage_ms(self.recovery)

    def overlap_ms(self, from_ms: int, until_ms: int) -> int:
        """How much of it lies between these two moments; `until_ms` is no later than now."""
        end_ms = until_ms if self.end_ms is None else min(self.end_ms, until_ms)
        return max(0, end_ms - max(self.start_ms, from_ms))


def incidents(alerts: Iterable[Alert]) -> Sequence[Incident]:
    """The outages that these records tell of, the newest first. Records come in order of time."""
    open_ones: dict[tuple[str, str], Incident] = {}
    found: list[Incident] = []
    for alert in alerts:
        key = alert.host, alert.location
        if alert.type is AlertType.ALERT:
            open_ones.setdefault(key, Incident(*key, alert.start_ms, alert=alert))
            continue
        begun = open_ones.pop(key, None)
        found.append(Incident(*key, alert.start_ms, alert=begun.alert if begun else None, recovery=alert))
    return sorted([*found, *open_ones.values()], key=lambda it: (it.start_ms, it.host, it.location), reverse=True)
