"""Summaries as rows of `minutes`, `hours` and `days`: added up from checks or finer summaries, and late checks added."""

import sqlite3
from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain

from monitoring.fields import CAUSES
from monitoring.models import PHASES, Cause, CheckResult, Window
from monitoring.statistics.summary import FINER, TIMES, Span, Summary, merge, pack_times, unpack_times
from monitoring.storage.sqlite.tables.schema import SITE, SITE_BITS, SUMMARY_COLUMNS, SUMS, Row, first_key, inside, site_of

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
        f"GROUP_CONCAT(status) FILTER (WHERE status NOT IN (0, {USUAL_STATUS}) AND {JUDGED})",
        f"GROUP_CONCAT(cause) {FAILED}",
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
    query = f"SELECT {SITE}, {MARK}, {SUMS_OF_CHECKS}, {REST_OF_CHECKS} FROM {table} WHERE {where} GROUP BY 1, 2"
    found = connection.execute(query, {**values, "width": width_ms})
    for site, mark, *sums, last_failure, usual, statuses, causes, responses in found:
        summary = summary_of((*sums, last_failure, None, None, b""), Span.MINUTE)
        summary.statuses = Counter(_numbers(statuses)) + Counter({USUAL_STATUS: usual})
        summary.causes = Counter(map(CAUSES.__getitem__, _numbers(causes)))
        if responses is not None:
            summary.times = array(TIMES, sorted(_numbers(responses)))
            summary.shortest_us, summary.longest_us = summary.times[0], summary.times[-1]
        yield site, mark, summary


def _numbers(text: str | None) -> Iterable[int]:
    """The numbers that SQL has put together."""
    return map(int, text.split(",")) if text else ()


def of_minute(connection: sqlite3.Connection, start_ms: int, sites: Collection[int]) -> dict[int, Summary]:
    """Summarise the checks of these sites in a minute. A site without checks is missing."""
    where, values = inside(Window(start_ms, start_ms + Span.MINUTE.length_ms), sites)
    found = of_checks(connection, "checks", where, values, Span.MINUTE.length_ms)
    return {site: summary for site, _, summary in found}


def of_finer(connection: sqlite3.Connection, span: Span, start_ms: int, sites: Collection[int]) -> dict[int, Summary]:
    """Add up the finer summaries of these sites in an hour or day."""
    finer = FINER[span]
    parts: defaultdict[int, list[Summary]] = defaultdict(list)
    query = select(finer, "id BETWEEN ? AND ?")
    for at_ms in range(start_ms, start_ms + span.length_ms, finer.length_ms):
        for key, *row in connection.execute(query, (first_key(at_ms) | min(sites), first_key(at_ms) | max(sites))):
            if site_of(key) in sites:
                parts[site_of(key)].append(summary_of(row, finer))
    is_exact = finer is Span.MINUTE  # one sketch of many times is quicker than many sketches of few
    merged = {site: merge(own, exact=is_exact) for site, own in parts.items()}
    return {site: whole.with_sketch() if is_exact else whole for site, whole in merged.items()}


def store(connection: sqlite3.Connection, span: Span, start_ms: int, found: Mapping[int, Summary]) -> None:
    rows = [(first_key(start_ms) | site, *row_of(summary, span)) for site, summary in sorted(found.items())]
    connection.executemany(insert(span), rows)


def add_late(connection: sqlite3.Connection, checks: Mapping[int, CheckResult], until_ms: int) -> list[tuple[Span, int]]:
    """Add new checks to the summaries of spans that ended by `until_ms`; return the spans and keys of these."""
    groups: defaultdict[tuple[Span, int], list[CheckResult]] = defaultdict(list)
    for key, check in checks.items():
        for span in Span:
            start_ms = span.start_of(check.time_ms)
            if start_ms + span.length_ms <= until_ms:
                groups[span, first_key(start_ms) | site_of(key)].append(check)
    for (span, key), late in groups.items():
        stored = connection.execute(select(span, "id = ?"), (key,)).fetchone()
        parts = [Summary.of(late), *([summary_of(stored[1:], span)] if stored else [])]
        merged = merge(parts, exact=span is Span.MINUTE)
        connection.execute(insert(span), (key, *row_of(merged, span)))
    return list(groups)
