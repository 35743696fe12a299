"""What a monitor says on stderr of troubles that are not its own. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

EXPECTED: Mapping[str, re.Pattern[str]] = {
    "starts without a past": re.compile(r"of the past could be taken over from the database"),
    "InfluxDB is away": re.compile(r"InfluxDB at \S+ (does not|is in trouble|answered|refused: ).*in the local file$"),
    "InfluxDB has lost points": re.compile(r"InfluxDB at \S+ has lost points that it had; "),
    "InfluxDB is there again": re.compile(r"InfluxDB at \S+ is there again$"),
    "points are refused": re.compile(r"InfluxDB at \S+ refused: .*to be tried again every hour$"),
    "points are taken again": re.compile(r"InfluxDB at \S+ takes again what it refused$"),
    "the local file is saved": re.compile(r".* was deleted or moved away; it is back .* with everything that it held$"),
    "checks were not made": re.compile(r"\d+ checks? (was|were) not made"),
}


@dataclass(frozen=True, slots=True)
class Said:
    """How many lines there were of each kind, and those that are of none."""

    counts: Mapping[str, int]
    strange: list[str]


def sort_out(lines: Iterable[str]) -> Said:
    counts: Counter[str] = Counter()
    strange = []
    for line in lines:
        kind = next((kind for kind, pattern in EXPECTED.items() if pattern.match(line)), None)
        if kind is None:
            strange.append(line)
        else:
            counts[kind] += 1
    return Said(counts, strange)
