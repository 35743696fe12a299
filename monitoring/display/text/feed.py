"""The history of alerts for people: one line for each incident, or for several of a flapping site."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from monitoring.display.view_model.incidents import Incident, incidents
from monitoring.display.words import cause_text, duration_text, label, last_measured_text, local_time, percent_text
from monitoring.models import Alert
from monitoring.units import MINUTE_MS

FLAP_MS = 30 * MINUTE_MS
"""Outages of a site that are less than this apart are merged into one line."""

Ongoing = Mapping[Alert, int | None]
"""The open outages, the oldest first, by the record that raised each; until when the site was measured, if it is not now."""

LASTED_WIDTH = len("ongoing, 59 min 59 s")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the history. `records` are those of the outage or, if several are merged, of the last one."""

    day: str
    text: str
    is_open: bool
    records: Sequence[Alert]


class IncidentFeed:
    """Turns new alert records into lines. An outage that was shown as open is shown again when it is over."""

    def __init__(self, names: Mapping[str, str | None], limit: int | None) -> None:
        """`limit` is the number of lines of the history, newest ones (None: all). Later records are not limited."""
        self._names = names
        self._limit = limit
        self._open: list[Alert] = []
        self._is_history = True

    def lines(self, new: Sequence[Alert], now_ms: int, ongoing: Ongoing) -> Sequence[Line]:
        """The lines of new records, oldest first. The first call is the history, whose flaps are merged."""
        found = list(reversed(incidents(sorted([*self._open, *new], key=lambda alert: alert.time_ms))))
        self._open = [one.alert for one in found if one.is_open and one.alert]
        touched = [one for one in found if one.alert in new or one.recovery in new]
        groups = merged(touched) if self._is_history else [[one] for one in touched]
        if self._is_history and self._limit is not None:
            groups = groups[-self._limit :]
        self._is_history = self._is_history and not new
        return [self._line(group, now_ms, ongoing.get(group[-1].last)) for group in groups]

    def _line(self, group: Sequence[Incident], now_ms: int, measured_until_ms: int | None) -> Line:
        first, last = group[0], group[-1]
        start = local_time(first.start_ms)
        known_ms = now_ms if measured_until_ms is None else measured_until_ms
        lasted = duration_text(sum(one.lasted_ms(known_ms) for one in group))
        if last.is_open:
            lasted = f"ongoing, {lasted}" if measured_until_ms is None else f"at least {lasted}"
        why = "no longer watched" if last.last.is_unwatched else cause_text(last.cause, last.detail)
        name = label(last.host, self._names.get(last.host), last.location)
        percent = percent_text(min((one.alert or one.last).availability for one in group))
        mark, what = "✖" if last.is_open else "✔", lasted.ljust(LASTED_WIDTH)
        text = f"{start:%Y-%m-%d %H:%M:%S}  {what}  {mark}  {name}  {why}  {percent} %"
        if len(group) > 1:
            until_ms = now_ms if last.end_ms is None else last.end_ms
            text += f"  {len(group)} times in {duration_text(until_ms - first.start_ms)}, merged"
        if measured_until_ms is not None:
            text += f"  {last_measured_text(measured_until_ms, now_ms)}"
        return Line(f"{start:%Y-%m-%d}", text, last.is_open, [it for it in (last.alert, last.recovery) if it])


def merged(found: Iterable[Incident]) -> list[list[Incident]]:
    """Group the incidents of a site that are close together. A group is at the place of its first incident."""
    groups: list[list[Incident]] = []
    newest: dict[tuple[str, str], list[Incident]] = {}
    for one in found:
        group = newest.get(one.key)
        if group and (end_ms := group[-1].end_ms) is not None and one.start_ms - end_ms < FLAP_MS:
            group.append(one)
        else:
            groups.append([one])
            newest[one.host, one.location] = groups[-1]
    return groups
