"""Orders sites, counts states, and summarises the sites that are not shown."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from monitoring.display.view_model.incidents import incidents
from monitoring.display.view_model.values import ClosingRow, SiteRow
from monitoring.display.words import percent_text
from monitoring.models import Alert, State

WORST_FIRST = (
    *(State.DOWN, State.RECOVERING, State.FAILING, State.UNKNOWN),
    *(State.MAINTENANCE, State.UP, State.PAUSED),
)
RANKS: Mapping[State, int] = {state: place for place, state in enumerate(WORST_FIRST)}
HEALTHY = frozenset({State.UP, State.MAINTENANCE, State.PAUSED})


def closing_shown_and_rest(rows: Sequence[ClosingRow], room: int) -> tuple[Sequence[ClosingRow], Sequence[ClosingRow]]:
    """The sites of a run that fit into `room` lines, and those that do not.

    If all fit, they keep their order. Otherwise the lowest availability comes first, then the most incidents.
    """
    if len(rows) <= room:
        return rows, ()
    ordered = sorted(rows, key=lambda row: (_share(row.available_ms, row.judged_ms), -row.incidents))
    return ordered[:room], ordered[room:]


def closing_rest_text(rest: Sequence[ClosingRow]) -> str:
    """One line for the sites not shown: "993 more, lowest availability 99.12 %"."""
    return ", ".join([f"{len(rest)} more", *_lowest(rest)])


def state_counts(rows: Iterable[SiteRow]) -> list[tuple[State, int]]:
    """The number of sites in each state that occurs, worst state first.

    A site that several locations see counts once, with the worst of its states.
    """
    worst: dict[str, State] = {}
    for row in rows:
        state = row.status.state
        if RANKS[state] < RANKS[worst.get(row.host, State.PAUSED)] or row.host not in worst:
            worst[row.host] = state
    return by_state(worst.values())


def states_text(counts: Sequence[tuple[State, int]]) -> str:
    """The states of sites that are not shown, to follow their number: ", all up"; ": 1 failing, 11 up"."""
    if len(counts) == 1:
        return f", all {counts[0][0]}"
    return f": {', '.join(f'{count} {state}' for state, count in counts)}"


def by_state(states: Iterable[State]) -> list[tuple[State, int]]:
    """How often each state occurs, worst state first."""
    counts = Counter(states)
    return [(state, counts[state]) for state in WORST_FIRST if counts[state]]


def longest_outages(alerts: Iterable[Alert], ended_ms: int) -> dict[str, int]:
    """The longest outage of each host in milliseconds. An open one lasts until `ended_ms`."""
    longest: dict[str, int] = {}
    for incident in incidents(alerts):
        longest[incident.host] = max(longest.get(incident.host, 0), incident.lasted_ms(ended_ms))
    return longest


def badness(row: SiteRow) -> tuple[int, float]:
    """The sort key that puts the worst site first."""
    return RANKS[row.status.state], _share(row.stats.available_ms, row.stats.judged_ms)


def _share(available_ms: int, judged_ms: int) -> float:
    # Floats sort about thirty times faster than fractions, and only the order depends on them.
    return available_ms / judged_ms if judged_ms else math.inf


def _lowest(rows: Sequence[ClosingRow]) -> list[str]:
    known = [availability for row in rows if (availability := row.availability) is not None]
    return [f"lowest availability {percent_text(min(known))} %"] if known else []
