"""Where a site stands by its rows alone, and after checks that came in any order."""

import sqlite3
from collections.abc import Sequence

from monitoring.models import CheckResult, History
from monitoring.statistics.status import advance
from monitoring.storage.sqlite import schema
from monitoring.storage.sqlite.schema import CHECK_COLUMNS, SITE_BITS, first_key
from monitoring.storage.sqlite.summaries import SITE


def after(connection: sqlite3.Connection, site: int, known: History | None, new: Sequence[CheckResult]) -> History | None:
    """Where a site stands after these checks, in order of time, which are stored already."""
    is_late = False
    for check in new:
        if known is None or check.time_ms > known.last_ms:
            known = advance(known, check)
        else:
            since_ms = known.good_since_ms if known.last_available else known.failing_since_ms
            goes_on = check.available == known.last_available and since_ms is not None and check.time_ms > since_ms
            is_late = is_late or not goes_on
    return history(connection, site, known.last_ms + 1) if known and is_late else known


def history(connection: sqlite3.Connection, site: int, before_ms: int) -> History | None:
    """Where a site stood at a moment, by all that is stored; None when there is no check before it."""
    of_site = f"FROM checks WHERE {SITE} = {site} AND id"

    def newest(before: int, condition: str) -> schema.Row | None:
        query = f"SELECT {CHECK_COLUMNS} {of_site} < ? AND {condition} ORDER BY id DESC LIMIT 1"
        return connection.execute(query, (before,)).fetchone()  # type: ignore[no-any-return]

    def first_after(row: schema.Row | None, condition: str) -> int | None:
        query = f"SELECT id {of_site} > ? AND {condition} ORDER BY id LIMIT 1"
        found = connection.execute(query, (row[0] if row else -1,)).fetchone()
        return None if found is None else int(found[0] >> SITE_BITS)

    last = newest(first_key(before_ms), "1")
    if last is None:
        return None
    is_good = last[schema.CAUSE] is None
    same, opposite = ("cause IS NULL", "cause IS NOT NULL") if is_good else ("cause IS NOT NULL", "cause IS NULL")
    other = newest(last[0], opposite)
    since_ms = first_after(other, same)
    other_since_ms = first_after(newest(other[0], same), opposite) if other else None
    failed = other if is_good else last
    check = schema.check_from_row(last, {site: ""})
    return History(
        last_ms=check.time_ms,
        last_covers_ms=check.covers_ms,
        last_available=is_good,
        last_failure_ms=failed[0] >> SITE_BITS if failed else None,
        good_since_ms=since_ms if is_good else other_since_ms,
        failing_since_ms=other_since_ms if is_good else since_ms,
        detail=schema.check_from_row(failed, {site: ""}).detail if failed else "",
    )
