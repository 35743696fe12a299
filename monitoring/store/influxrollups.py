"""Windows longer than a day, from the hours and days in a database, and from minutes where those do not tell all."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitoring.models import SiteStats, Window
from monitoring.stats import HOUR_MS, bucket_width_ms
from monitoring.store.influxminutes import InfluxMinutes, Outline, Part, within
from monitoring.store.influxwindow import InfluxWindow, Minute, named_groups
from monitoring.store.lineprotocol import MINUTES, ROLLED, at_location
from monitoring.store.rolledtext import read_rolled
from monitoring.store.rollups import Spans
from monitoring.store.schema import Row

if TYPE_CHECKING:
    from monitoring.store.influxclient import InfluxClient  # at run time later: it takes 0.2 s

TEXTS_AT_ONCE = 20
"""So many are parsed at once: some hundred kilobytes, some milliseconds."""


@dataclass(frozen=True, slots=True)
class Rolled:
    """An hour or a day of a part: rows as of `RolledBlock`, and the hosts by place."""

    table: str
    start_ms: int
    part: Part
    hosts: list[str]
    rows: Iterator[Row]


class InfluxRollups:
    """Asks one database about hours and days of one location. Raises `StoreError`."""

    def __init__(self, client: "InfluxClient", location: str) -> None:
        self._client = client
        self._here = at_location(location)

    def told(self, window: Window) -> list[Window]:
        """The spans of the window, whole hours, of which hours and days tell all that was measured.

        Of each file that are the hours up to its newest one, and those after its newest minute. The day in which its
        hours end was not over for it, and was not sent: two spans meet there, so that this day is read as hours. What is
        older than anything that any file told of can only be in the points.
        """
        whole = Window(window.from_ms, window.until_ms // HOUR_MS * HOUR_MS)
        oldest, newest = (self._picked(f"{pick}(version)", ROLLED["hours"], whole) for pick in ("first", "last"))
        first_told, last_told = (self._picked(f"{pick}(told)", MINUTES, window) for pick in ("first", "last"))
        begin_ms = min([*oldest.values(), *first_told.values()], default=whole.until_ms)
        begins = first_told | {file: start_ms + HOUR_MS for file, start_ms in newest.items()}
        untold = [_hours(at_ms, max(at_ms, last_told.get(file, 0) + 1)) for file, at_ms in begins.items()]
        return _without(Window(begin_ms // HOUR_MS * HOUR_MS, whole.until_ms), untold)

    def read(self, table: str, span: Window) -> Iterator[Rolled]:
        """Those that begin in this span."""
        statement = f"SELECT sums FROM {ROLLED[table]} WHERE {self._here} AND {within(span)} GROUP BY file, part"
        for series in self._client.stream(statement, TEXTS_AT_ONCE):
            for start_ms, text in series["values"]:
                yield Rolled(table, start_ms, (series["tags"]["file"], series["tags"]["part"]), *read_rolled(text))

    def _picked(self, field: str, source: str, window: Window) -> dict[str, int]:
        """The time of the first or last value of each file."""
        series = self._client.query(f"SELECT {field} FROM {source} WHERE {self._here} AND {within(window)} GROUP BY file")
        return {one["tags"]["file"]: one["values"][0][0] for one in series}


def _hours(from_ms: int, until_ms: int) -> Window:
    """Those that have a moment in this span."""
    return Window(from_ms // HOUR_MS * HOUR_MS, -(-until_ms // HOUR_MS) * HOUR_MS)


def _without(span: Window, holes: Iterable[Window]) -> list[Window]:
    """What is left of a span, in parts; a hole without length divides it, too."""
    left, begin_ms = [], span.from_ms
    for hole in sorted(holes, key=lambda hole: hole.from_ms):
        left.append(Window(begin_ms, min(hole.from_ms, span.until_ms)))
        begin_ms = max(begin_ms, hole.until_ms)
    left.append(Window(begin_ms, span.until_ms))
    return [part for part in left if part.length_ms > 0]


class InfluxLongWindow(InfluxWindow):
    """Nothing is kept between two questions. Several threads may ask; they take turns."""

    def __init__(self, source: InfluxMinutes, rollups: InfluxRollups) -> None:
        super().__init__(source)
        self._rollups = rollups

    def stats(self, window: Window) -> Mapping[str, SiteStats]:
        """Statistics by host. Raises `StoreError`."""
        with self._asking():
            try:
                return self._stats(window)
            finally:
                self._forget()

    def _stats(self, window: Window) -> Mapping[str, SiteStats]:
        spans = Spans.of(window, self._rollups.told(window))
        strangers = self._source.hosts() - self._load_rolled(spans, bucket_width_ms(window))
        missing: list[tuple[Window, set[str] | None]] = []
        missing += ((span, some) for some in named_groups(strangers) for span in spans.rolled)
        for span in spans.rest:
            missing += self._missing(span, self._load(span))
        self._load_blocks(window)
        with self._scratch.passing():
            for span, hosts in missing:
                self._scratch.put_checks(self._source.points(span, hosts))
            return self._scratch.stats(window, spans.rolled)

    def _load_rolled(self, spans: Spans, width_ms: int) -> set[str]:
        """Keep what hours and days tell; returns whom they name."""
        named: set[str] = set()
        marks = spans.mark_parts(width_ms)
        days = [part for part in spans.parts() if part[0] == "days" and part not in marks]
        for table, span in (*marks, *days):
            for rolled in self._rollups.read(table, span):
                self._scratch.put_rolled(rolled.table, rolled.start_ms, rolled.part, rolled.hosts, rolled.rows)
                named.update(rolled.hosts)
        return named - {""}

    def _is_stale(self, at_ms: int, minute: Minute, packed: Mapping[int, Outline], window: Window) -> bool:
        """Minutes of several spans are kept until the question is answered."""
        return at_ms in packed and super()._is_stale(at_ms, minute, packed, window)
