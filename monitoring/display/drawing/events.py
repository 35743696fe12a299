"""The newest outages as lines: each once, open ones marked, those of a flapping site merged. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text

from monitoring.display.drawing.brief import brief_duration, minute_text
from monitoring.display.drawing.grid import fit, fit_name
from monitoring.display.text.feed import merged
from monitoring.display.view_model.incidents import Incident, incidents
from monitoring.display.view_model.values import SiteKey, View
from monitoring.display.words import cause_text, duration_text, label, local_time, percent_text
from monitoring.models import Cause

LEAST_NAME, MOST_NAME = 8, 32
NAME_SHARE = 0.2
WIDE = 76
"""From this width on, a line has the availability and the note."""

WITH_REASON = 110
"""From this width on, a line has the reason after the cause."""

CAUSE_WIDTH = 9
PREMISE = " if all pass"
LAST = "last "


@dataclass(frozen=True, slots=True)
class Event:
    """One outage, or several of a site that are close together, oldest first. `note` is a remark for people."""

    outages: Sequence[Incident]
    note: str = ""

    @property
    def last(self) -> Incident:
        return self.outages[-1]

    @property
    def is_open(self) -> bool:
        return self.last.is_open


def events(view: View, forecast: Callable[[SiteKey], str] = lambda _: "") -> Sequence[Event]:
    """The outages of a view, open ones first, then newest first. `forecast` returns a remark on an open one."""
    known = sorted({*view.alerts, *view.ongoing}, key=lambda alert: (alert.time_ms, alert.host, alert.location))
    still_open = {(alert.host, alert.location) for alert in view.ongoing}
    return events_of([outage for outage in incidents(known) if _is_consistent(outage, still_open)], forecast)


def events_of(outages: Sequence[Incident], forecast: Callable[[SiteKey], str] = lambda _: "") -> Sequence[Event]:
    """Events from outages in order, newest first. Open events come first, then the newest."""
    found = [Event(group, _note(group, forecast)) for group in merged(reversed(outages))]
    return sorted(found, key=lambda event: (not event.is_open, -event.last.start_ms))


def _is_consistent(outage: Incident, still_open: Iterable[SiteKey]) -> bool:
    """An outage without an end is only open if it is one of the open alerts."""
    return not outage.is_open or outage.key in still_open


def _note(group: Sequence[Incident], forecast: Callable[[SiteKey], str]) -> str:
    last = group[-1]
    flaps = ""
    if len(group) > 1 and last.end_ms is not None:
        flaps = f"{len(group)} times in {duration_text(last.end_ms - group[0].start_ms)}, merged"
    elif len(group) > 1:
        flaps = f"{len(group)} times, merged"
    return ", ".join(filter(None, (flaps, forecast(last.key) if last.is_open else "")))


def unmeasured_note(measured_until_ms: int, now_ms: int) -> str:
    """The remark on an outage if nobody knows whether it goes on."""
    return f"{LAST}measured {brief_duration(now_ms - measured_until_ms)} ago"


def counts_text(found: Sequence[Event], now_ms: int) -> str:
    """ "2 open, 3 today"; "none today"."""
    today = local_time(now_ms).date()
    outages = [outage for event in found for outage in event.outages]
    still_open = sum(outage.is_open for outage in outages)
    begun = sum(local_time(outage.start_ms).date() == today for outage in outages)
    return ", ".join([*([f"{still_open} open"] if still_open else []), f"{begun or 'none'} today"])


def event_lines(
    found: Sequence[Event], names: Mapping[str, str | None], now_ms: int, width: int, unmeasured: Mapping[SiteKey, int]
) -> Sequence[Text]:
    """One line for each event, of at most `width` cells.

    `unmeasured` are the sites that are no longer measured, each with the end of its last check.
    """
    return [_line(event, names, now_ms, width, _lasted(event, unmeasured.get(event.last.key, now_ms))) for event in found]


def _lasted(event: Event, known_ms: int) -> str:
    return brief_duration(sum(outage.lasted_ms(known_ms) for outage in event.outages))


def _line(event: Event, names: Mapping[str, str | None], now_ms: int, width: int, lasted: str) -> Text:
    last, first = event.last, event.outages[0]
    why = "no longer watched" if last.last.is_unwatched else cause_text(last.cause, last.detail)
    if WIDE <= width < WITH_REASON and last.cause and not last.last.is_unwatched:
        why = cause_text(last.cause, last.detail if last.cause is Cause.STATUS else "").removeprefix("status ")
    line = Text.assemble(
        " ",
        ("✖" if event.is_open else "✔", "state.down" if event.is_open else "good"),
        f" {_span(first.start_ms, last.end_ms, now_ms):<12}{lasted:>5}  ",
        fit_name(label(last.host, names.get(last.host), last.location), _name_width(width)),
        "  ",
    )
    if width < WIDE:
        line.append_text(fit(Text(why), max(1, width - line.cell_len)))
        return line
    room = max(CAUSE_WIDTH, (width - line.cell_len) // 3) if width >= WITH_REASON else CAUSE_WIDTH
    percent = percent_text(min((outage.alert or outage.last).availability for outage in event.outages), 1)
    line.append_text(fit(Text(why), room))
    line.append(f"  {percent:>5} %")
    if event.note:
        fits = line.cell_len + 2 + len(event.note) <= width
        line.append(f"  {event.note if fits else event.note.removesuffix(PREMISE).removeprefix(LAST)}", "weak")
    return line


def _name_width(width: int) -> int:
    return min(MOST_NAME, max(LEAST_NAME, int(width * NAME_SHARE)))


def _span(start_ms: int, end_ms: int | None, now_ms: int) -> str:
    """ "18:12-18:14", "18:12-"; if it did not begin today, the day and the time of its beginning: "28 Nov 18:12"."""
    start, now = local_time(start_ms), local_time(now_ms)
    if start.date() != now.date():
        return f"{start:%d %b %H:%M}"
    return f"{minute_text(start_ms)}-{'' if end_ms is None else minute_text(end_ms)}"
