"""Windows of checks, answered from a database's minutes. What was read once is kept, and read again when it has changed."""

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from monitoring.errors import StoreUnavailable
from monitoring.models import SiteStats, Window
from monitoring.stats import LONG_MARK_MS, bucket_width_ms
from monitoring.storage.sqlite.connection import translated
from monitoring.store.blocks import MINUTE_MS
from monitoring.store.influxminutes import NAMED_HOSTS, InfluxMinutes, Outline, Packed, PackedId, Sums
from monitoring.store.scratch import Scratch
from monitoring.store.windows import whole_and_cut

KEPT_MS = 3_600_000
"""Minutes that lie longer before the end of a window are forgotten after it."""

ATTEMPTS = 3

RESTLESS = "the database changes faster than it can be read"

MOST_CUT = 4
"""A monitor asks about two minutes, ten and an hour in turn: the minute that each of them begins in is cut."""

LONGEST_SPAN_MS = 600_000
"""What one statement asks for: its answer is in memory at once."""


@dataclass(slots=True)
class Minute:
    """What is kept of one minute: sums (and blocks, when a window cuts it), or all checks one by one."""

    outline: Outline
    is_summed: bool
    hosts: set[str]
    has_blocks: bool = False
    loaded: dict[PackedId, int] = field(default_factory=dict)


class InfluxWindow:
    """Answers windows from blocks and pieces where the database says that they hold everything, else from the points.

    Each question begins with the outline: a few bytes for each block, among them its version. So what is kept here is
    never trusted, only spared. Several threads may ask; they take turns.
    """

    def __init__(self, source: InfluxMinutes) -> None:
        self._source = source
        self._turn = threading.Lock()
        self._scratch = Scratch()
        self._minutes: dict[int, Minute] = {}
        self._cut: list[int] = []  # minutes that the last windows cut, newest window first

    def stats(self, window: Window) -> Mapping[str, SiteStats]:
        """Statistics by host. Raises `StoreError`."""
        with self._asking():
            packed = self._load(window)
            self._load_blocks(window, divisible=bucket_width_ms(window) % LONG_MARK_MS == 0)
            with self._scratch.passing():
                for span, hosts in self._missing(window, packed):
                    self._scratch.put_checks(self._source.points(span, hosts))
                return self._scratch.stats(window)

    def close(self) -> None:
        with self._turn:
            self._forget()

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """One question at a time; what one that fails has read by half is not kept."""
        with self._turn, translated("temporary file"):
            try:
                yield
            except BaseException:
                self._forget()
                raise

    def _load(self, window: Window) -> list[int]:
        """Keep all that blocks and pieces tell of the window; returns the minutes of which they tell everything.

        Pieces may be gone, and blocks be there, between the outline and the reading: then it begins again.
        """
        for _ in range(ATTEMPTS):
            outlines = self._source.outline(_touched(window))
            packed = {at_ms: outline for at_ms, outline in sorted(outlines.items()) if outline.is_packed}
            self._drop([at_ms for at_ms, minute in self._minutes.items() if self._is_stale(at_ms, minute, packed, window)])
            self._load_sums(packed)
            if self._load_checks(packed):
                return list(packed)
        raise StoreUnavailable(RESTLESS)

    def _is_stale(self, at_ms: int, minute: Minute, packed: Mapping[int, Outline], window: Window) -> bool:
        """Is something kept of this minute that is there no more, or that nobody will ask for again?"""
        if at_ms in packed:
            return not minute.loaded.items() <= (packed[at_ms].blocks | packed[at_ms].pieces).items()
        oldest_ms = window.until_ms - max(KEPT_MS, window.length_ms)
        return not oldest_ms <= at_ms < _touched(window).from_ms

    def _forget(self) -> None:
        self._scratch.close()
        self._scratch = Scratch()
        self._minutes = {}
        self._cut = []

    def _drop(self, minutes: Iterable[int]) -> None:
        for at_ms in list(minutes):
            self._scratch.drop(at_ms)
            self._minutes.pop(at_ms, None)

    # Sums

    def _load_sums(self, outlines: Mapping[int, Outline]) -> None:
        """Read the blocks' sums of minutes that have changed, and decide how each of these minutes is kept."""
        while changed := [at_ms for at_ms, outline in outlines.items() if self._has_changed(at_ms, outline)]:
            for span in _spans(changed):
                self._load_span(span, outlines)

    def _load_span(self, span: Window, outlines: Mapping[int, Outline]) -> None:
        found: dict[int, list[Sums]] = {at_ms: [] for at_ms in _minutes_in(span)}
        renumbered = False
        for sums in self._source.sums(span):
            found[sums.minute_ms].append(sums)
            renumbered |= self._scratch.number(sums.part, sums.hosts)
        if renumbered:
            self._drop([at_ms for at_ms, minute in self._minutes.items() if not minute.is_summed])
        for at_ms, parts in found.items():
            self._keep(at_ms, outlines[at_ms], parts)

    def _has_changed(self, at_ms: int, outline: Outline) -> bool:
        minute = self._minutes.get(at_ms)
        if minute is None or minute.is_summed:
            return minute is None or minute.outline != outline
        return (minute.outline.told, minute.outline.blocks) != (outline.told, outline.blocks)

    def _keep(self, at_ms: int, outline: Outline, parts: list[Sums]) -> None:
        names = [host for sums in parts for host in sums.hosts if host]  # a site that was purged has none
        hosts = set(names)
        is_summed = outline.is_sealed and len(hosts) == len(names)
        before = self._minutes.get(at_ms)
        if before is None or before.is_summed or is_summed:
            self._drop([at_ms])
            before = None
        kept = self._minutes[at_ms] = before or Minute(outline, is_summed, set())
        kept.outline = outline
        kept.hosts |= hosts
        if is_summed:
            for sums in parts:
                self._scratch.put_sums(at_ms, sums.part, sums.hosts, sums.rows)

    # Checks

    def _load_checks(self, outlines: Mapping[int, Outline]) -> bool:
        """Read the blocks and pieces that are new of minutes kept check by check; were all of them there?"""
        minutes = {at_ms: outline for at_ms, outline in outlines.items() if not self._minutes[at_ms].is_summed}
        blocks = [at_ms for at_ms, outline in minutes.items() if self._lacks(at_ms, outline.blocks)]
        for span in _spans(blocks):
            self._put(self._source.blocks(span))
        pieces = [time for at_ms, outline in minutes.items() for *_, time in self._lacks(at_ms, outline.pieces)]
        if pieces:
            self._put(self._source.pieces(Window(min(pieces), max(pieces) + 1)))
        return not any(self._lacks(at_ms, outline.blocks | outline.pieces) for at_ms, outline in minutes.items())

    def _lacks(self, at_ms: int, versions: Mapping[PackedId, int]) -> list[PackedId]:
        loaded = self._minutes[at_ms].loaded
        return [identity for identity, version in versions.items() if loaded.get(identity) != version]

    def _put(self, found: Iterable[Packed]) -> None:
        for packed in found:
            minute = self._minutes.get(packed.minute_ms)
            if minute is not None and not minute.is_summed and minute.loaded.get(packed.id) != packed.version:
                self._scratch.put_packed(packed.minute_ms, packed.hosts, packed.data)
                minute.hosts.update(packed.hosts)
                minute.loaded[packed.id] = packed.version

    def _load_blocks(self, window: Window, *, divisible: bool = True) -> None:
        """Of minutes kept as sums, have the checks of those that the window cuts; of no others for long: they take room."""
        _, cut = whole_and_cut(window, divisible=divisible)
        wanted = {at_ms for span in cut for at_ms in _minutes_in(span) if at_ms in self._minutes}
        before = [at_ms for at_ms in self._cut if at_ms not in wanted]
        self._cut = [*wanted, *before[: max(0, MOST_CUT - len(wanted))]]
        for at_ms, minute in self._minutes.items():
            if minute.has_blocks and at_ms not in self._cut:
                self._scratch.drop_blocks(at_ms)
                minute.has_blocks = False
        summed = {at_ms for at_ms, minute in self._minutes.items() if minute.is_summed and not minute.has_blocks}
        lacking = sorted(wanted & summed)
        for span in _spans(lacking):
            self._read_blocks(span)

    def _read_blocks(self, span: Window) -> None:
        found: dict[int, list[Packed]] = {at_ms: [] for at_ms in _minutes_in(span)}
        for packed in self._source.blocks(span):
            found[packed.minute_ms].append(packed)
        for at_ms, blocks in found.items():
            self._scratch.put_blocks(at_ms, [(one.part, one.hosts, one.data) for one in blocks])
            self._minutes[at_ms].has_blocks = True

    # Points

    def _missing(self, window: Window, packed: list[int]) -> Iterator[tuple[Window, set[str] | None]]:
        """Spans of which only the points tell: of all hosts (None), or of these, whom no block had named until then.

        No moment of a host is in two of them.
        """
        for span in _gaps(window, packed):
            yield span, None
        known: set[str] = set()
        for place, at_ms in enumerate(packed):
            new = self._minutes[at_ms].hosts - known
            known |= new
            for some in named_groups(new if place else ()):
                yield from ((span, some) for span in _parts(window, packed[:place]))
        for some in named_groups(self._source.hosts() - known if packed else ()):
            yield from ((span, some) for span in _parts(window, packed))


def _touched(window: Window) -> Window:
    """The minutes that have a moment in the window."""
    if window.length_ms <= 0:
        return Window(window.from_ms, window.from_ms)
    return Window(window.from_ms // MINUTE_MS * MINUTE_MS, -(-window.until_ms // MINUTE_MS) * MINUTE_MS)


def _minutes_in(span: Window) -> range:
    """The starts of the minutes that have a moment in this span."""
    touched = _touched(span)
    return range(touched.from_ms, touched.until_ms, MINUTE_MS)


def _spans(minutes: Iterable[int], longest_ms: int = LONGEST_SPAN_MS) -> list[Window]:
    """These minutes, which are in order of time, with neighbours joined."""
    spans: list[Window] = []
    for at_ms in minutes:
        if spans and spans[-1].until_ms == at_ms and spans[-1].length_ms < longest_ms:
            spans[-1] = Window(spans[-1].from_ms, at_ms + MINUTE_MS)
        else:
            spans.append(Window(at_ms, at_ms + MINUTE_MS))
    return spans


def named_groups(hosts: Collection[str]) -> Iterator[set[str]]:
    """As many as a question names: most have no points there, and to sift those of all others would take much longer."""
    names = sorted(hosts)
    return (set(names[place : place + NAMED_HOSTS]) for place in range(0, len(names), NAMED_HOSTS))


def _parts(window: Window, minutes: Collection[int]) -> Iterator[Window]:
    """The parts of a window that lie in these minutes, which are in order of time and have a moment in it."""
    for span in _spans(minutes, window.length_ms):
        yield Window(max(window.from_ms, span.from_ms), min(window.until_ms, span.until_ms))


def _gaps(window: Window, minutes: Iterable[int]) -> Iterator[Window]:
    """The parts of a window that lie outside of these minutes, which are in order of time."""
    begin = window.from_ms
    for span in _spans(minutes):
        if begin < span.from_ms:
            yield Window(begin, span.from_ms)
        begin = max(begin, span.until_ms)
    if begin < window.until_ms:
        yield Window(begin, window.until_ms)
