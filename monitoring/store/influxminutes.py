"""Questions to InfluxDB about minutes: an outline of what there is, cheap to ask, and then whatever of it is wanted."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from monitoring.models import CheckResult, Window
from monitoring.names import LONGEST_LOCATION, is_name
from monitoring.store.blocks import MINUTE_MS
from monitoring.store.influxblocks import Told, read_data, read_hosts, read_sums
from monitoring.store.influxrows import WHOLE_CHECK, Row, check_of
from monitoring.store.lineprotocol import ALERTS, CHECKS, MINUTES, RECENT, at_location, literal

if TYPE_CHECKING:
    from monitoring.store.influxclient import InfluxClient  # at run time later: it takes 0.2 s

ROWS_AT_ONCE = 500
TEXTS_AT_ONCE = 4
"""So many rows are parsed at once: about a hundred kilobytes, a millisecond."""

NAMED_HOSTS = 100
"""Up to so many hosts are named in a question; for more, the answer is sifted here, which is quicker then."""

MOST_LOCATIONS = 100
"""So many are told; each one more costs a reader as many questions as the first."""

Part = tuple[str, str]
"""The marker of a file, and the number of a part of its sites."""

PackedId = tuple[str, str, int]
"""A block or a piece: the marker of its file, its part (or RECENT), its time."""


@dataclass(slots=True)
class Outline:
    """What there is of one minute: where its checks are, by file, and the versions of its blocks and pieces."""

    told: dict[str, Told] = field(default_factory=dict)
    blocks: dict[PackedId, int] = field(default_factory=dict)
    pieces: dict[PackedId, int] = field(default_factory=dict)

    @property
    def is_packed(self) -> bool:
        """Do blocks and pieces hold all checks of all files?"""
        files = {file for file, *_ in (*self.blocks, *self.pieces)}
        return bool(self.told) and files <= self.told.keys() and max(self.told.values()) < Told.POINTS

    @property
    def is_sealed(self) -> bool:
        """Do the blocks alone?"""
        return self.is_packed and max(self.told.values()) is Told.BLOCKS


@dataclass(frozen=True, slots=True)
class Sums:
    """The sums of a part in one minute: `MinuteBlock.sums`, and the hosts by place."""

    minute_ms: int
    part: Part
    hosts: list[str]
    rows: Iterator[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Packed:
    """A block or a piece: its checks, and their hosts by place."""

    minute_ms: int
    id: PackedId
    version: int
    hosts: list[str]
    data: bytes

    @property
    def part(self) -> Part:
        return self.id[:2]


class InfluxMinutes:
    """Asks one database about one location; answers that can be long come piece by piece. Raises `StoreError`."""

    def __init__(self, client: "InfluxClient", location: str) -> None:
        self._client = client
        self._here = at_location(location)

    def outline(self, window: Window) -> Mapping[int, Outline]:
        """What there is of each minute that begins in the window; one of which nothing was said is missing."""
        found: dict[int, Outline] = {}
        for tags, row in self._read("told, version", window, "", ROWS_AT_ONCE):
            minute = found.setdefault(row["time"] // MINUTE_MS * MINUTE_MS, Outline())
            if not tags["part"]:
                minute.told[tags["file"]] = Told(row["told"])
                continue
            versions = minute.pieces if tags["part"] == RECENT else minute.blocks
            versions[(tags["file"], tags["part"], row["time"])] = row["version"]
        return found

    def sums(self, window: Window) -> Iterator[Sums]:
        """What the blocks of these minutes add up to."""
        for tags, row in self._read("sums", window, "", TEXTS_AT_ONCE):
            yield Sums(row["time"], (tags["file"], tags["part"]), *read_sums(row["sums"]))

    def blocks(self, window: Window) -> Iterator[Packed]:
        for tags, row in self._read("version, sums, checks", window, f"part != '{RECENT}'", TEXTS_AT_ONCE):
            if row["checks"]:
                yield _packed(tags, row, read_sums(row["sums"])[0])

    def pieces(self, window: Window) -> Iterator[Packed]:
        for tags, row in self._read("version, hosts, checks", window, f"part = '{RECENT}'", TEXTS_AT_ONCE):
            yield _packed(tags, row, read_hosts(row["hosts"]))

    def points(self, window: Window, hosts: Collection[str] | None = None) -> Iterator[CheckResult]:
        """The checks themselves, of these hosts (None: of all), in order of time."""
        where = " AND ".join((self._here, within(window), *named(hosts)))
        statement = f"SELECT host, {WHOLE_CHECK} FROM {CHECKS} WHERE {where}"
        for series in self._client.stream(statement, ROWS_AT_ONCE):
            for values in series["values"]:
                row = dict(zip(series["columns"], values, strict=True))
                host = row["host"] or ""
                if hosts is None or host in hosts:
                    yield check_of(host, row)

    def hosts(self) -> set[str]:
        """Every host that ever had a point."""
        statement = f"SHOW TAG VALUES FROM {CHECKS} WITH KEY = host WHERE {self._here}"
        found = self._client.stream(statement, ROWS_AT_ONCE)
        return {host for series in found for _, host in series["values"]}

    def _read(self, fields: str, window: Window, condition: str, rows: int) -> Iterator[tuple[Mapping[str, str], Row]]:
        """Tags and values of the points of `MINUTES` that have one of these fields."""
        where = " AND ".join(filter(None, (self._here, within(window), condition)))
        statement = f"SELECT {fields} FROM {MINUTES} WHERE {where} GROUP BY file, part"
        for series in self._client.stream(statement, rows):
            for values in series["values"]:
                yield series["tags"], dict(zip(series["columns"], values, strict=True))


def locations(client: "InfluxClient") -> list[str]:
    """The locations that have points, in order, "" first if there is one. Quick, however much there is.

    What another writer gave a name that no monitor can have is passed over: nobody could ask for it.
    """
    measured = f"FROM {CHECKS}, {ALERTS}"
    named = client.query(f"SHOW TAG VALUES {measured} WITH KEY = location LIMIT {MOST_LOCATIONS}")
    names = {name for series in named for _, name in series["values"] if is_name(name, LONGEST_LOCATION)}
    nameless = client.query(f"SHOW SERIES {measured} WHERE {at_location('')} LIMIT 1")
    return sorted(names | ({""} if nameless else set()))


def within(window: Window) -> str:
    return f"time >= {window.from_ms}ms AND time < {window.until_ms}ms"


def among(hosts: Collection[str]) -> str:
    """The condition that a point is of one of these hosts; what can be no tag has none."""
    names = [literal(host) for host in sorted(hosts) if is_name(host)]
    return "(" + " OR ".join(f"host = {name}" for name in names or ["''"]) + ")"


def named(hosts: Collection[str] | None) -> tuple[str, ...]:
    """The condition that names these hosts, unless there are too many."""
    return () if hosts is None or len(hosts) > NAMED_HOSTS else (among(hosts),)


def _packed(tags: Mapping[str, str], row: Row, hosts: list[str]) -> Packed:
    time_ms = row["time"]
    identity = (tags["file"], tags["part"], time_ms)
    return Packed(time_ms // MINUTE_MS * MINUTE_MS, identity, row["version"], hosts, read_data(row["checks"]))
