"""Puts outages together from alert records."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from monitoring.display.words import outage_ms
from monitoring.models import Alert, AlertType, Cause, Window


@dataclass(frozen=True, slots=True)
class Incident:
    """One outage of a site, seen from one location: the alert, the recovery, or both.

    Without `recovery` it is still open. Without `alert` that record has been deleted.
    """

    host: str
    location: str
    start_ms: int
    alert: Alert | None = None
    recovery: Alert | None = None

    @property
    def key(self) -> tuple[str, str]:
        """The site and the location."""
        return self.host, self.location

    @property
    def is_open(self) -> bool:
        return self.recovery is None

    @property
    def last(self) -> Alert:
        """The latest record."""
        found = self.recovery or self.alert
        assert found is not None  # noqa: S101 - every incident has a record
        return found

    @property
    def cause(self) -> Cause | None:
        return self.last.cause

    @property
    def detail(self) -> str:
        """The reason, in the server's own words."""
        return (self.alert.detail if self.alert else "") or self.last.detail

    @property
    def end_ms(self) -> int | None:
        """The first good check, or when the site was removed from the configuration. None: it is open."""
        return None if self.recovery is None else self.recovery.outage_end_ms

    def lasted_ms(self, now_ms: int) -> int:
        """The time from the first failed check to the end, or to now."""
        return max(0, now_ms - self.start_ms) if self.recovery is None else outage_ms(self.recovery)

    def overlap_ms(self, window: Window, measured_until_ms: int | None = None) -> int:
        """How much of it lies in this window, which is over.

        `measured_until_ms` is the end of an open one, if its site is no longer measured.
        """
        end_ms = measured_until_ms if self.end_ms is None else self.end_ms
        end_ms = window.until_ms if end_ms is None else min(end_ms, window.until_ms)
        return max(0, end_ms - max(self.start_ms, window.from_ms))


Overlap = tuple[int, Cause | None]
"""How long an outage lasted within a window, and its cause."""


def overlaps(
    found: Iterable[Incident], window: Window, unmeasured: Mapping[tuple[str, str], int]
) -> Mapping[tuple[str, str], Sequence[Overlap]]:
    """The outages that touch this window, which is over, by the site as its location saw it.

    `unmeasured` are the sites that are no longer measured, each with the end of its last check.
    """
    lasted: dict[tuple[str, str], list[Overlap]] = {}
    for incident in found:
        if overlap_ms := incident.overlap_ms(window, unmeasured.get(incident.key)):
            lasted.setdefault(incident.key, []).append((overlap_ms, incident.cause))
    return lasted


def lengths_by_cause(outages: Iterable[Overlap]) -> Mapping[Cause, int]:
    """How long they lasted together, by cause, the longest first."""
    by_cause: Counter[Cause] = Counter()
    for length_ms, cause in outages:
        by_cause[cause or Cause.ERROR] += length_ms
    return dict(by_cause.most_common())


def incidents(alerts: Iterable[Alert]) -> Sequence[Incident]:
    """The outages of these records, newest first. The records are in order of time."""
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
