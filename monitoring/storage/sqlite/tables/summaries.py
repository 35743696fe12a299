"""Summaries as rows of `minutes`, `hours` and `days`: added up from checks or finer summaries, and late checks added."""

import sqlite3
from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from monitoring.fields import CAUSES
from monitoring.models import PHASES, Cause, CheckResult
from monitoring.statistics.summary import FINER, TIMES, Span, Summary, merge, pack_times, unpack_times
from monitoring.storage.sqlite.tables.schema import SITE, SITE_BITS, SUMMARY_COLUMNS, SUMS, Row, first_key, site_of

INSIDE = "id >= :first AND id < :last"
MARK = f"(id >> {SITE_BITS}) / :width"
JUDGED = "maintenance IS NULL"
GOOD = f"FILTER (WHERE cause IS NULL AND {JUDGED})"
FAILED = f"FILTER (WHERE cause IS NOT NULL AND {JUDGED})"

SUMS_OF_CHECKS = ", ".join(
    (
        *("COUNT(*)", f"COUNT(*) {GOOD}", "SUM(covers)", f"IFNULL(SUM(covers) {GOOD}, 0)"),
        *(f"COUNT({time}) {GOOD}, IFNULL(SUM({time}) {GOOD}, 0)" for time in ("response", *PHASES)),
        *("COUNT(maintenance)", "IFNULL(SUM(covers) FILTER (WHERE maintenance IS NOT NULL), 0)"),
    )
)
"""The values of the columns `schema.SUMS`, from checks."""

USUAL_STATUS = 200
"""The status of nearly all checks is counted with the sums."""

REST_OF_CHECKS = ", ".join(
    (
        f"MAX(id) {FAILED} >> {SITE_BITS}",
        f"COUNT(*) FILTER (WHERE status = {USUAL_STATUS} AND {JUDGED})",
        f"GROUP_CONCAT(response) {GOOD}",
    )
)

LAST_FAILURE, STATUSES, CAUSES_TEXT = range(len(SUMS), len(SUMS) + 3)


def select(span: Span, where: str) -> str:
    """A query for the keys and `SUMMARY_COLUMNS` of summaries."""
    return f"SELECT id, {', '.join(SUMMARY_COLUMNS[span])} FROM {span.kind} WHERE {where}"


def insert(span: Span) -> str:
    columns = ("id", *SUMMARY_COLUMNS[span])
    return f"INSERT OR REPLACE INTO {span.kind} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


# Rows


def row_of(summary: Summary, span: Span) -> Row:
    """The values of `SUMMARY_COLUMNS`."""
    phases = chain.from_iterable(zip(summary.phase_counts, summary.phases_us, strict=True))
    good = summary.judged - summary.failures
    good_ms = summary.covers_ms - summary.down_ms - summary.maintenance_ms
    summed = (
        *(summary.checks, good, summary.covers_ms, good_ms),
        *(summary.responses, summary.responses_us, *phases, summary.maintenance, summary.maintenance_ms),
        *(summary.last_failure_ms, counted(summary.statuses), counted(summary.causes)),
    )
    if span is Span.MINUTE:
        return (*summed, pack_times(summary.times))
    from monitoring.statistics import sketch

    return (*summed, summary.shortest_us, summary.longest_us, sketch.pack(summary.sketch))


def summary_of(row: Sequence[object], span: Span) -> Summary:
    """From the values of `SUMMARY_COLUMNS`."""
    summed: tuple[int, ...] = tuple(row[: len(SUMS)])  # type: ignore[arg-type]
    checks, good, covers, good_covers, responses, responses_us, *phases, maintenance, maintenance_ms = summed
    found = Summary(
        checks=checks,
        failures=checks - good - maintenance,
        covers_ms=covers,
        down_ms=covers - good_covers - maintenance_ms,
        responses=responses,
        responses_us=responses_us,
        phase_counts=tuple(phases[::2]),
        phases_us=tuple(phases[1::2]),
        last_failure_ms=row[LAST_FAILURE],  # type: ignore[arg-type]
        statuses=statuses_of([row[STATUSES]]),
        causes=causes_of([row[CAUSES_TEXT]]),
        maintenance=maintenance,
        maintenance_ms=maintenance_ms,
    )
    if span is Span.MINUTE:
        found.times = unpack_times(row[-1])  # type: ignore[arg-type]
        if found.times:
            found.shortest_us, found.longest_us = found.times[0], found.times[-1]
        return found
    from monitoring.statistics import sketch

    *_, found.shortest_us, found.longest_us, packed = row  # type: ignore[assignment]
    found.sketch = sketch.unpack(packed)  # type: ignore[arg-type]
    return found


def counted(counts: Mapping[int, int] | Mapping[Cause, int]) -> str | None:
    return ",".join(f"{value}:{count}" for value, count in counts.items()) or None


def statuses_of(texts: Iterable[object]) -> dict[int, int]:
    return {int(status): count for status, count in _counts(texts).items()}


def causes_of(texts: Iterable[object]) -> dict[Cause, int]:
    return {Cause(cause): count for cause, count in _counts(texts).items()}


def _counts(texts: Iterable[object]) -> Mapping[str, int]:
    """The sums of texts that `counted` gave; None is an empty one."""
    known = [str(text) for text in texts if text]
    if len(known) == 1 and "," not in known[0]:  # nearly always
        value, _, count = known[0].partition(":")
        return {value: int(count)}
    found: Counter[str] = Counter()
    for pair, times in Counter(",".join(known).split(",")).items():
        value, _, count = pair.partition(":")
        if value:
            found[value] += int(count) * times
    return found


# Adding up


def of_checks(
    connection: sqlite3.Connection, table: str, where: str, values: Mapping[str, object], width_ms: int
) -> Iterator[tuple[int, int, Summary]]:
    """Summarise the checks that meet a condition. Yields site, number of the span of this width, and summary."""
    values = {**values, "width": width_ms}
    unusual = _unusual(connection, table, where, values)
    query = f"SELECT {SITE}, {MARK}, {SUMS_OF_CHECKS}, {REST_OF_CHECKS} FROM {table} WHERE {where} GROUP BY 1, 2"
    for site, mark, *sums, last_failure, usual, responses in connection.execute(query, values):
        found = summary_of((*sums, last_failure, None, None, b""), Span.MINUTE)
        found.statuses = {USUAL_STATUS: usual} if usual else {}
        if (site, mark) in unusual:
            own = unusual[site, mark]
            found.statuses, found.causes = {**found.statuses, **own.statuses}, dict(own.causes)
        if responses is not None:
            found.times = array(TIMES, sorted(map(int, responses.split(","))))
            found.shortest_us, found.longest_us = found.times[0], found.times[-1]
        yield site, mark, found


@dataclass(frozen=True, slots=True)
class Unusual:
    """How many checks had a status other than the usual one, and how many failed, by cause."""

    statuses: Counter[int] = field(default_factory=Counter)
    causes: Counter[Cause] = field(default_factory=Counter)


def _unusual(
    connection: sqlite3.Connection, table: str, where: str, values: Mapping[str, object]
) -> Mapping[tuple[int, int], Unusual]:
    """By site and span. Such checks are few, and to group all checks by status would take longer than to add them up."""
    condition = f"{where} AND {JUDGED} AND (cause IS NOT NULL OR status NOT IN (0, {USUAL_STATUS}))"
    query = f"SELECT {SITE}, {MARK}, status, cause, COUNT(*) FROM {table} WHERE {condition} GROUP BY 1, 2, 3, 4"
    found: defaultdict[tuple[int, int], Unusual] = defaultdict(Unusual)
    for site, mark, status, cause, count in connection.execute(query, values):
        own = found[site, mark]
        if status not in (0, USUAL_STATUS):
            own.statuses[status] += count
        if cause is not None:
            own.causes[CAUSES[cause]] += count
    return found


def of_minute(connection: sqlite3.Connection, start_ms: int, sites: Collection[int]) -> dict[int, Summary]:
    """Summarise the checks of these sites in a minute. A site without checks is missing."""
    where, values = in_minute(start_ms, sites)
    found = of_checks(connection, "checks", where, values, Span.MINUTE.length_ms)
    return {site: summary for site, _, summary in found if site in sites}


def in_minute(start_ms: int, sites: Collection[int]) -> tuple[str, dict[str, int]]:
    """A condition on keys, with its parameters: of a minute, and of all sites from the first to the last of these."""
    ends = {"first": first_key(start_ms), "last": first_key(start_ms + Span.MINUTE.length_ms)}
    condition = f"{INSIDE} AND {SITE} BETWEEN :first_site AND :last_site"
    return condition, ends | {"first_site": min(sites, default=0), "last_site": max(sites, default=-1)}


def of_finer(
    connection: sqlite3.Connection,
    span: Span,
    start_ms: int,
    sites: Iterable[int],
    newest: Mapping[int, Summary] | None = None,
) -> dict[int, Summary]:
    """Add up the finer summaries of these sites in an hour or day. `newest` are finer ones that are not stored yet."""
    finer, chosen = FINER[span], sorted(sites)
    parts: defaultdict[int, list[Summary]] = defaultdict(list)
    if chosen:
        wanted = set(chosen)
        query = select(finer, "id BETWEEN ? AND ?")
        for at_ms in range(start_ms, start_ms + span.length_ms, finer.length_ms):
            for key, *row in connection.execute(query, (first_key(at_ms) | chosen[0], first_key(at_ms) | chosen[-1])):
                if site_of(key) in wanted:
                    parts[site_of(key)].append(summary_of(row, finer))
        for site in wanted & (newest or {}).keys():
            parts[site].append((newest or {})[site])
    is_exact = finer is Span.MINUTE  # one sketch of many times is quicker than many sketches of few
    merged = {site: merge(own, exact=is_exact) for site, own in parts.items()}
    return {site: whole.with_sketch() if is_exact else whole for site, whole in merged.items()}


def store(connection: sqlite3.Connection, span: Span, start_ms: int, found: Mapping[int, Summary]) -> None:
    rows = [(first_key(start_ms) | site, *row_of(summary, span)) for site, summary in sorted(found.items())]
    connection.executemany(insert(span), rows)


def add_late(
    connection: sqlite3.Connection, checks: Sequence[tuple[int, CheckResult]], summarised_ms: int
) -> list[tuple[Span, int]]:
    """Add new checks (with the numbers of their sites) to their summaries; return the spans and keys of these.

    Only spans that were over at `summarised_ms` have summaries.
    """
    groups: defaultdict[tuple[Span, int], list[CheckResult]] = defaultdict(list)
    for site, check in checks:
        for span in Span:
            start_ms = span.start_of(check.time_ms)
            if start_ms + span.length_ms <= summarised_ms:
                groups[span, first_key(start_ms) | site].append(check)
    for (span, key), late in groups.items():
        stored = connection.execute(select(span, "id = ?"), (key,)).fetchone()
        parts = [Summary.of(late), *([summary_of(stored[1:], span)] if stored else [])]
        merged = merge(parts, exact=span is Span.MINUTE)
        connection.execute(insert(span), (key, *row_of(merged, span)))
    return list(groups)
