"""The state of each site: stored in table `sites` for the newest summarised minute, advanced by the checks after it."""

import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields, replace
from enum import Enum
from operator import attrgetter

from monitoring.errors import StoreRefused
from monitoring.models import CheckResult, LastState, Window
from monitoring.statistics.status import advance
from monitoring.statistics.summary import Span
from monitoring.storage.sqlite.tables import rows
from monitoring.storage.sqlite.tables.schema import (
    CAUSE,
    CERTIFICATE,
    CHECK_COLUMNS,
    MAINTENANCE,
    SITE,
    SITE_MASK,
    Row,
    check_from_row,
    first_key,
    inside,
    site_of,
    time_of,
)

COLUMNS = "last, last_covers, last_available, last_failure, good_since, failing_since, detail, certificate, last_maintenance"
"""Those of a `LastState`, in the order of its fields."""

_TELLING = ("id", "covers", "cause", "detail", "certificate", "maintenance")
TELLING_COLUMNS = ", ".join(column if column in _TELLING else "NULL" for column in CHECK_COLUMNS.split(", "))
"""`CHECK_COLUMNS` with NULL for what no state needs, which saves a third of the time in which all is read."""

_values = attrgetter(*(one.name for one in fields(LastState)))
NO_STATE = (None,) * len(fields(LastState))


def number(connection: sqlite3.Connection, known: Mapping[str, int], hosts: Iterable[str]) -> Mapping[str, int]:
    """The numbers of all sites, after giving these hosts one. Raises `StoreRefused` when there are too many sites."""
    new = dict.fromkeys(host for host in hosts if host not in known)
    if not new:
        return known
    connection.executemany("INSERT INTO sites (host) VALUES (?)", [(host,) for host in new])
    numbers = dict(connection.execute("SELECT host, id FROM sites"))
    if max(numbers.values()) > SITE_MASK:
        raise StoreRefused(f"more than {SITE_MASK} sites")
    return numbers


def load(connection: sqlite3.Connection, sites: Collection[int] | None = None) -> dict[int, LastState]:
    """The stored states of these sites (None: of all)."""
    ends = (min(sites, default=0), max(sites, default=-1)) if sites is not None else (0, SITE_MASK)
    found = connection.execute(f"SELECT id, {COLUMNS} FROM sites WHERE last IS NOT NULL AND id BETWEEN ? AND ?", ends)
    return {site: _state(values) for site, *values in found if sites is None or site in sites}


def _state(values: Iterable[object]) -> LastState:
    last, covers, available, failed, good, failing, detail, *others = values
    return LastState(last, covers, bool(available), failed, good, failing, detail or "", *others)  # type: ignore[arg-type]


def save(connection: sqlite3.Connection, last_states: Mapping[int, LastState | None]) -> None:
    """Store states; None: the site has no checks."""
    found = [(*(_values(state) if state else NO_STATE), site) for site, state in last_states.items()]
    settings = ", ".join(f"{column} = ?" for column in COLUMNS.split(", "))
    connection.executemany(f"UPDATE sites SET {settings} WHERE id = ?", found)


def newest_ms(connection: sqlite3.Connection) -> int:
    """The time of the newest check that a stored state contains; -1: there is none."""
    return int(connection.execute("SELECT IFNULL(MAX(last), -1) FROM sites").fetchone()[0])


def save_after(connection: sqlite3.Connection, checks: Mapping[int, CheckResult]) -> None:
    """Advance the stored states by these checks, which are stored and in order of their keys. Any of them may be late."""
    known = load(connection, {site_of(key) for key in checks})
    for key, check in checks.items():
        site, state = site_of(key), known.get(site_of(key))
        if state is None or check.time_ms > state.last_ms:
            known[site] = advance(state, check)
        else:
            known[site] = _after_late(connection, site, state, check)
    save(connection, known)


def add_late(connection: sqlite3.Connection, checks: Mapping[int, CheckResult], summarised_ms: int) -> None:
    """As `save_after`, but leave to `newer` what is neither summarised nor older than the state of its site."""
    known = load(connection, {site_of(key) for key in checks})
    reached = {site: state.last_ms + 1 for site, state in known.items() if state.last_ms >= summarised_ms}
    late = {key: check for key, check in checks.items() if check.time_ms < reached.get(site_of(key), summarised_ms)}
    save_after(connection, late)


def newer(connection: sqlite3.Connection, window: Window, sites: Collection[int]) -> dict[int, LastState]:
    """The stored states of these sites after their newer checks in a window; without sites that have none."""
    where, values = inside(window, sites)
    found = connection.execute(f"SELECT {TELLING_COLUMNS} FROM checks WHERE {where} ORDER BY id", values)
    return follow(load(connection, sites), found)


def follow(known: Mapping[int, LastState], checks: Iterable[Row]) -> dict[int, LastState]:
    """The states after these rows (`TELLING_COLUMNS`, in order of time). Rows older than a known state are skipped."""
    after = {site: first_key(state.last_ms + 1) for site, state in known.items()}
    telling: dict[int, list[Row]] = {}
    for row in checks:
        site = site_of(row[0])
        if row[0] >= after.get(site, 0):
            _add_telling(telling.setdefault(site, []), row)
    found: dict[int, LastState] = {}
    for site, own in telling.items():
        for row in own:
            found[site] = advance(found.get(site, known.get(site)), _check(row))
    return found


def _add_telling(rows: list[Row], row: Row) -> None:
    """Add a row, in place of the last one if that changed nothing: it lies within a run and saw no certificate.

    So of the tens of thousands of checks since the last summary only a few are in memory.
    """
    if len(rows) > 1 and rows[-1][CERTIFICATE] is None and _kind(rows[-2]) == _kind(rows[-1]) == _kind(row):
        rows[-1] = row
    else:
        rows.append(row)


def _kind(row: Row) -> tuple[bool, bool]:
    """What all checks of a run have in common."""
    return row[CAUSE] is None, row[MAINTENANCE] is None


def _check(row: Row) -> CheckResult:
    """The check of a row, without the site's name."""
    return check_from_row(row, {site_of(row[0]): ""})


def before(
    connection: sqlite3.Connection, before_ms: int, sites: Collection[int], summarised_ms: int | None
) -> dict[int, LastState]:
    """The states of these sites after their checks before a moment.

    The stored states are those at `summarised_ms`, or at the end of the minute that is being summarised; None: the newest.
    """
    known = {site: state for site, state in load(connection).items() if site in sites}
    if summarised_ms is not None and before_ms > summarised_ms:
        query = f"SELECT {TELLING_COLUMNS} FROM checks WHERE id >= ? AND id < ? ORDER BY id"
        known |= follow(known, connection.execute(query, (first_key(summarised_ms), first_key(before_ms))))
    past = {site for site, state in known.items() if state.last_ms >= before_ms}
    found = {site: Past(connection, site, summarised_ms).state(before_ms) for site in past}
    return {site: state for site, state in (known | found).items() if state is not None}


def _after_late(connection: sqlite3.Connection, site: int, known: LastState, check: CheckResult) -> LastState:
    """The state with a late check, which may change where the latest runs of good and of failed checks begin.

    `own` is the beginning of the latest run of checks like the late one, `other` that of the opposite ones.
    """
    time_ms, is_good = check.time_ms, check.available
    if check.maintenance:
        known = replace(known, last_maintenance_ms=max(time_ms, known.last_maintenance_ms or 0))
    own_ms, other_ms = known.good_since_ms, known.failing_since_ms
    if not is_good:
        own_ms, other_ms = other_ms, own_ms
        if not check.maintenance and (known.last_failure_ms is None or time_ms > known.last_failure_ms):
            known = replace(known, last_failure_ms=time_ms, detail=check.detail)
    if own_ms is None or time_ms < own_ms:  # it may lengthen its own run, or cut the other one in two
        next_ms = _first_after(connection, site, time_ms, own_ms, is_good=not is_good)
        if other_ms is not None and next_ms is not None and other_ms < time_ms:
            other_ms = next_ms
        own_ms = time_ms if own_ms is None or next_ms is None else own_ms
    elif other_ms is not None and own_ms < other_ms < time_ms:  # it cuts the present run in two
        own_ms, other_ms = time_ms, _first_after(connection, site, time_ms, None, is_good=not is_good)
    good_ms, failing_ms = (own_ms, other_ms) if is_good else (other_ms, own_ms)
    certificate_s = check.certificate_s if known.certificate_s is None else known.certificate_s
    return replace(known, good_since_ms=good_ms, failing_since_ms=failing_ms, certificate_s=certificate_s)


def _first_after(
    connection: sqlite3.Connection, site: int, after_ms: int, before_ms: int | None, *, is_good: bool
) -> int | None:
    """The time of the first good or failed check between two moments (`before_ms` None: to the end)."""
    span = Window(after_ms + 1, rows.ends(connection)[1] + 1 if before_ms is None else before_ms)
    wanted = Wanted.GOOD if is_good else Wanted.FAILED
    found = _checks_in(connection, span, site, wanted, limit=1)
    return time_of(found[0][0]) if found else None


def _checks_in(connection: sqlite3.Connection, span: Window, site: int, wanted: "Wanted", limit: int = -1) -> list[Row]:
    where = f"id >= ? AND id < ? AND {SITE} = ? AND {wanted.of_checks}"
    query = f"SELECT {CHECK_COLUMNS} FROM {rows.source(connection, [span])} WHERE {where} ORDER BY id LIMIT ?"
    return connection.execute(query, (first_key(span.from_ms), first_key(span.until_ms), site, limit)).fetchall()


class Past:
    """Finds the state of one site at a moment in the past. Summaries say in which minutes to look."""

    def __init__(self, connection: sqlite3.Connection, site: int, summarised_ms: int | None) -> None:
        """Until `summarised_ms` a span without a summary has no checks. None: it may have some, at any time."""
        self._connection = connection
        self._site = site
        self._summarised_ms = summarised_ms
        self._oldest_ms, self._newest_ms = rows.ends(connection)

    def state(self, before_ms: int) -> LastState | None:
        """The state before a moment; None without checks before it."""
        last = self._newest(before_ms, Wanted.ANY)
        if last is None:
            return None
        is_good = last[CAUSE] is None
        same, opposite = (Wanted.GOOD, Wanted.FAILED) if is_good else (Wanted.FAILED, Wanted.GOOD)
        other = self._newest(time_of(last[0]), opposite)
        start = self._first_after(other, same)
        other_start = self._first_after(self._newest(time_of(other[0]), same), opposite) if other else None
        failed, good, failing = (other, start, other_start) if is_good else (last, other_start, start)
        if failed and failed[MAINTENANCE]:
            failed = self._newest(time_of(failed[0]), Wanted.COUNTED)
        maintained = last if last[MAINTENANCE] else self._newest(time_of(last[0]), Wanted.MAINTAINED)
        return LastState(
            last_ms=time_of(last[0]),
            last_covers_ms=_check(last).covers_ms,
            last_available=is_good,
            last_failure_ms=_time(failed),
            good_since_ms=_time(good),
            failing_since_ms=_time(failing),
            detail=_check(failed).detail if failed else "",
            last_maintenance_ms=_time(maintained),
        )

    def _first_after(self, check: Row | None, wanted: "Wanted") -> Row | None:
        """The first such check after this one (None: of all)."""
        return self._search(self._oldest_ms if check is None else time_of(check[0]) + 1, wanted, is_back=False)

    def _newest(self, before_ms: int, wanted: "Wanted") -> Row | None:
        """The last such check before this moment."""
        return self._search(min(before_ms, self._newest_ms + 1), wanted, is_back=True)

    def _search(self, at_ms: int, wanted: "Wanted", *, is_back: bool) -> Row | None:
        """The first such check from a moment on or, if `is_back`, the last one before it."""
        while self._oldest_ms < at_ms if is_back else at_ms <= self._newest_ms:
            for span in (Span.DAY, Span.HOUR, Span.MINUTE):
                start_ms = at_ms - span.length_ms if is_back else at_ms
                if at_ms % span.length_ms == 0 and not self._may_have(span, start_ms, wanted):
                    at_ms += -span.length_ms if is_back else span.length_ms
                    break
            else:
                minute_ms = Span.MINUTE.start_of(at_ms - 1 if is_back else at_ms)
                part = Window(minute_ms, at_ms) if is_back else Window(at_ms, minute_ms + Span.MINUTE.length_ms)
                if found := _checks_in(self._connection, part, self._site, wanted):
                    return found[-1 if is_back else 0]
                at_ms = part.from_ms if is_back else part.until_ms
        return None

    def _may_have(self, span: Span, start_ms: int, wanted: "Wanted") -> bool:
        if self._summarised_ms is not None and start_ms + span.length_ms > self._summarised_ms:
            return True
        query = f"SELECT {wanted.of_summaries} FROM {span.kind} WHERE id = ?"
        found = self._connection.execute(query, (first_key(start_ms) | self._site,)).fetchone()
        return bool(found[0]) if found else self._summarised_ms is None


class Wanted(Enum):
    """Which checks to look for: the condition on a check, and on a summary that contains such a check."""

    ANY = ("1", "checks > 0")
    GOOD = ("cause IS NULL", "good + maintenance > 0")
    FAILED = ("cause IS NOT NULL", "good < checks")
    COUNTED = ("cause IS NOT NULL AND maintenance IS NULL", "good + maintenance < checks")  # failed outside of maintenance
    MAINTAINED = ("maintenance IS NOT NULL", "maintenance > 0")

    def __init__(self, of_checks: str, of_summaries: str) -> None:
        self.of_checks = of_checks
        self.of_summaries = of_summaries


def _time(row: Row | None) -> int | None:
    return None if row is None else time_of(row[0])
