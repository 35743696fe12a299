"""Which website fails when and how, drawn from a seed. Pure."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

WELL_S, ILL_S, LEAST_ILL_S = 180.0, 20.0, 2.0
"""How long a site is well and then ill, on average; and at least."""

CALM_S, STORM_S = 600.0, 30.0
"""How long it takes on average until a third of all sites fail in the same instant, and for how long they do."""

SHARE_IN_A_STORM = 1 / 3


class Fault(StrEnum):
    """What an ill site does with a request."""

    REFUSE = "refuse"  # nobody listens
    HANG = "hang"  # never answers
    RESET = "reset"  # answers in part, then resets the connection
    DRIP = "drip"  # answers a byte now and then, without end
    ERROR = "error"  # answers 500
    CUT = "cut"  # closes before the end it has announced
    LATE = "late"  # answers well, but later than its next check is due


@dataclass(frozen=True, slots=True)
class Spell:
    """One site is ill `[from_s, until_s)` after the beginning."""

    from_s: float
    until_s: float
    fault: Fault

    def overlaps(self, other: "Spell") -> bool:
        return self.from_s < other.until_s and other.from_s < self.until_s


def plan(sites: int, seconds: float, seed: int, pace: float = 1.0) -> list[list[Spell]]:
    """The spells of each site, in order of time; all are over after `seconds`.

    `pace`: how many times more often than usual sites fail, for runs that are short.
    """
    chance = random.Random(seed)
    plans = [_own_spells(chance, seconds, pace) for _ in range(sites)]
    for storm in _spells(chance, seconds, CALM_S / pace, STORM_S):
        for number in chance.sample(range(sites), max(1, int(sites * SHARE_IN_A_STORM))):
            plans[number] = [spell for spell in plans[number] if not spell.overlaps(storm)] + [storm]
    return [sorted(spells, key=lambda spell: spell.from_s) for spells in plans]


def _own_spells(chance: random.Random, seconds: float, pace: float) -> list[Spell]:
    return _spells(chance, seconds, WELL_S / pace, ILL_S)


def _spells(chance: random.Random, seconds: float, well_s: float, ill_s: float) -> list[Spell]:
    found: list[Spell] = []
    at_s = chance.expovariate(1 / well_s)
    while at_s < seconds:
        end_s = at_s + LEAST_ILL_S + chance.expovariate(1 / ill_s)
        found.append(Spell(at_s, min(end_s, seconds), chance.choice(tuple(Fault))))
        at_s = end_s + chance.expovariate(1 / well_s)
    return found


def spells_of(plans: Sequence[Sequence[Spell]]) -> dict[Fault, int]:
    """How often each fault is planned."""
    return {fault: sum(spell.fault is fault for spells in plans for spell in spells) for fault in Fault}
