"""What `--purge` asked for, done by the one process that writes the local file, in steps of a few milliseconds.

The request is a row of table `purges`, written by another process in one short transaction. So one writer stays the
only one: whatever it keeps in memory (site numbers, a minute packed by half) it changes itself. A process that ends
in between goes on at the next start. Nothing that was purged comes back: what was undelivered is gone from where the
outbox finds it, and blocks that the database may have are sent to it again without it.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from monitoring.models import History
from monitoring.store import due, histories, outbox, packing, retention, rolledblocks, rollups
from monitoring.store.blocks import MINUTE_MS, PART_SITES, PackedChecks, SiteColumns, encode
from monitoring.store.schema import INSERT_MINUTE, SINGLE_CHECKS, SITE_BITS, SITE_MASK, first_key

LOOK_MS = 6 * 3_600_000
"""How much of a site that was seldom checked is looked through in one step."""

SITES_AT_ONCE = 20
"""Of how many sites the hour and the day that the moment cuts are added up anew in one step."""

INSIDE = "id >= :first AND id < :last"

OLDEST_KEY = "SELECT IFNULL(MIN(id), ?) FROM (SELECT MIN(id) AS id FROM blocks UNION ALL SELECT MIN(id) FROM hours)"

ASKED, PURGED = 0, 1
"""The states of a request; when nothing of it can be on its way to the database any more, the row goes."""


@dataclass(frozen=True, slots=True)
class Request:
    """Delete what lies before a moment: of one site (None: of all).

    `forget`: everything known of the site goes, an open alert too. `reached`: blocks with smaller keys are done; from
    the moment's own first key on, the hours and days of so many sites.
    """

    host: str | None
    before_ms: int
    forget: bool
    reached: int | None = None
    state: int = ASKED
    id: int = 0


@dataclass(frozen=True, slots=True)
class Survey:
    """What a request would delete: about how many checks, how many alerts, of which hosts, from when until when.

    `summed_from_ms`: since when hours tell of checks, which themselves may be gone (None: there are none).
    """

    checks: int = 0
    alerts: int = 0
    hosts: tuple[str, ...] = ()
    from_ms: int | None = None
    until_ms: int | None = None
    summed_from_ms: int | None = None


def survey(connection: sqlite3.Connection, request: Request) -> Survey:
    """Reads counts only; the minute that the request's moment lies in is counted whole."""
    cut = _Cut(request, _site(connection, request.host), 0, 0)
    if request.host is not None and cut.site is None:
        return Survey()
    packed = _packed(connection, cut)
    found = " UNION ALL ".join(f"SELECT id FROM {table} WHERE {cut.condition()}" for table in SINGLE_CHECKS)
    loose = connection.execute(f"SELECT COUNT(*), MIN(id), MAX(id) FROM ({found})").fetchone()
    still_open = "" if request.forget else f"AND id NOT IN ({retention.OPEN_ALERTS})"
    alerts = connection.execute(
        f"SELECT COUNT(*), MIN(id), MAX(id) FROM alerts WHERE {cut.condition()} {still_open}"
    ).fetchone()
    hosts = connection.execute("SELECT host FROM sites WHERE ?1 IS NULL OR id = ?1 ORDER BY id", (cut.site,))
    keys = [key for _, *both in (packed, loose, alerts) for key in both if key is not None]
    return Survey(
        checks=packed[0] + loose[0],
        alerts=alerts[0],
        hosts=tuple(host for (host,) in hosts),
        from_ms=min(keys) >> SITE_BITS if keys else None,
        until_ms=max(keys) >> SITE_BITS if keys else None,
        summed_from_ms=rollups.oldest_ms(connection, cut.site, request.before_ms),
    )


def _packed(connection: sqlite3.Connection, cut: "_Cut") -> tuple[int, int | None, int | None]:
    """How many packed checks there are, and the keys of their first and last minute."""
    query = "SELECT IFNULL(SUM(checks), 0), MIN(id), MAX(id) FROM blocks INDEXED BY block_sizes WHERE id < ?"
    if cut.site is not None:
        place = cut.site % PART_SITES
        query = f"""
            SELECT IFNULL(SUM(minutes.checks), 0), MIN(minutes.id), MAX(minutes.id)
            FROM blocks INDEXED BY block_sizes CROSS JOIN minutes ON minutes.id = blocks.id + {place}
            WHERE blocks.id < ? AND blocks.id & {SITE_MASK} = {cut.site - place}
        """
    count, first, last = connection.execute(query, (cut.end,)).fetchone()
    return count, first, last


def ask(connection: sqlite3.Connection, request: Request) -> int:
    """Leave a request; returns its number."""
    insert = "INSERT INTO purges (host, before_ms, forget, state) VALUES (?, ?, ?, ?)"
    cursor = connection.execute(insert, (request.host, request.before_ms, request.forget, ASKED))
    return int(cursor.lastrowid or 0)


def find(connection: sqlite3.Connection, number: int | None = None) -> Request | None:
    """The request of this number (None: the oldest with work to do); None when there is none, or none any more."""
    query = "SELECT host, before_ms, forget, reached, state, id FROM purges WHERE ? IN (id, 0) ORDER BY state, id LIMIT 1"
    row = connection.execute(query, (number or 0,)).fetchone()
    return Request(row[0], row[1], bool(row[2]), *row[3:]) if row else None


def end(connection: sqlite3.Connection, request: Request) -> None:
    connection.execute("DELETE FROM purges WHERE id = ?", (request.id,))


def step(connection: sqlite3.Connection, request: Request, now_ms: int, handed_out: int) -> bool:
    """Take the next step; False when this was the last one. Blocks up to the key `handed_out` may be on their way."""
    site = _site(connection, request.host)
    if request.host is None or site is not None:
        cut = _Cut(request, site, now_ms, handed_out)
        if _take_step(connection, cut):
            return True
        outbox.recount(connection)
        _forget_sites(connection, cut)
    connection.execute("UPDATE purges SET state = ? WHERE id = ?", (PURGED, request.id))
    return False


@dataclass(frozen=True, slots=True)
class _Cut:
    """A request with the number of its site (None: all sites), and what else a step must know."""

    request: Request
    site: int | None
    now_ms: int
    handed_out: int

    @property
    def end(self) -> int:
        """The first key that stays."""
        return first_key(self.request.before_ms)

    def takes(self, key: int) -> bool:
        return key < self.end and self.site in (None, key & SITE_MASK)

    def condition(self) -> str:
        """The same in SQL."""
        return f"id < {self.end}" + ("" if self.site is None else f" AND id & {SITE_MASK} = {self.site}")


def _site(connection: sqlite3.Connection, host: str | None) -> int | None:
    row = connection.execute("SELECT id FROM sites WHERE host = ?", (host,)).fetchone()
    return int(row[0]) if row else None


def _take_step(connection: sqlite3.Connection, cut: _Cut) -> bool:
    if cut.request.reached is None:
        _delete_loose(connection, cut)
        _reach(connection, cut, min(cut.end, connection.execute(OLDEST_KEY, (cut.end,)).fetchone()[0]))
        return True
    before_ms, reached = cut.request.before_ms, cut.request.reached
    whole = first_key(before_ms // MINUTE_MS * MINUTE_MS)
    if cut.site is None and (retention.delete_some(connection, whole) or rolledblocks.delete_some(connection, before_ms)):
        return True
    return _rewrite_next(connection, cut, reached) or _add_up_next(connection, cut, reached)


def _reach(connection: sqlite3.Connection, cut: _Cut, key: int) -> None:
    connection.execute("UPDATE purges SET reached = ? WHERE id = ?", (key, cut.request.id))


def _delete_loose(connection: sqlite3.Connection, cut: _Cut) -> None:
    """What is not packed, and alerts. Of blocks that are to go whole none is delivered any more."""
    for table in SINGLE_CHECKS:
        connection.execute(f"DELETE FROM {table} WHERE {cut.condition()}")
    still_open = "" if cut.request.forget else f"AND id NOT IN ({retention.OPEN_ALERTS})"
    connection.execute(f"DELETE FROM alerts WHERE {cut.condition()} {still_open}")
    letters = "DELETE FROM dead_letters WHERE time_ms < ? AND IFNULL(? = host, 1)"
    connection.execute(letters, (cut.request.before_ms, cut.request.host))
    if cut.site is None:
        due.give_up(connection, first_key(cut.request.before_ms // MINUTE_MS * MINUTE_MS))


def _rewrite_next(connection: sqlite3.Connection, cut: _Cut, reached: int) -> bool:
    """Take the checks out of the next block that has some; False when there is none left."""
    if reached >= cut.end:
        return False
    until = min(cut.end, reached + first_key(LOOK_MS))
    key = _next_block(connection, cut.site, {"first": reached, "last": until})
    if key is not None:
        _rewrite(connection, key, cut.takes)
        due.add_changed(connection, [key], cut.now_ms, cut.handed_out)
    done = until if key is None else key + 1
    if cut.site is not None:
        gone = rollups.delete_of(connection, cut.site, reached >> SITE_BITS, done >> SITE_BITS)
        rolledblocks.add(connection, gone, cut.now_ms)
    _reach(connection, cut, done)
    return True


def _add_up_next(connection: sqlite3.Connection, cut: _Cut, reached: int) -> bool:
    """Add up the hour and the day that the moment cuts, of the next sites; False when there is none left."""
    last_site = connection.execute("SELECT IFNULL(MAX(id), 0) FROM sites").fetchone()[0]
    sites = range(last_site + 1) if cut.site is None else range(cut.site, cut.site + 1)
    some = sites[max(0, reached - cut.end - sites.start) :][:SITES_AT_ONCE]
    if not some:
        return False
    rolledblocks.add(connection, rollups.add_up_anew(connection, some, cut.request.before_ms), cut.now_ms)
    _reach(connection, cut, cut.end + some.stop)
    return True


def _next_block(connection: sqlite3.Connection, site: int | None, span: dict[str, int]) -> int | None:
    query = f"SELECT id FROM blocks INDEXED BY block_sizes WHERE {INSIDE}"
    if site is not None:
        place = site % PART_SITES
        has_it = f"EXISTS (SELECT 1 FROM minutes WHERE minutes.id = blocks.id + {place})"
        query += f" AND id & {SITE_MASK} = {site - place} AND {has_it}"
    row = connection.execute(f"{query} ORDER BY id LIMIT 1", span).fetchone()
    return int(row[0]) if row else None


def _rewrite(connection: sqlite3.Connection, key: int, takes: Callable[[int], bool]) -> None:
    """Write a block and its rows of `minutes` anew without these checks."""
    minute_ms, first_site = key >> SITE_BITS, key & SITE_MASK
    (data,) = connection.execute("SELECT data FROM blocks WHERE id = ?", (key,)).fetchone()
    rows = PackedChecks(data).rows(minute_ms, first_site)
    kept = [row for row in rows if not takes(row[0])]
    touched = {row[0] & SITE_MASK for row in rows if takes(row[0])}
    connection.executemany("DELETE FROM minutes WHERE id = ?", [(first_key(minute_ms) | site,) for site in touched])
    left = [row for row in kept if row[0] & SITE_MASK in touched]
    if left:
        sums = packing.add_up_sites(minute_ms, SiteColumns.of(left))
        connection.executemany(INSERT_MINUTE, [(first_key(minute_ms) | site, *values) for site, *values in sums])
    if kept:
        packed = encode(SiteColumns.of(kept), first_site)
        connection.execute("UPDATE blocks SET checks = ?, data = ? WHERE id = ?", (len(kept), packed, key))
    else:
        due.shrink(connection, key, key + 1)
        connection.execute("DELETE FROM blocks WHERE id = ?", (key,))


def _forget_sites(connection: sqlite3.Connection, cut: _Cut) -> None:
    """A site of which nothing is left loses its number; of the others what they were before the cut is forgotten."""
    known = histories.load(connection)
    busy = {site for table in (*SINGLE_CHECKS, "alerts") for site in _sites_in(connection, table)}
    sites = connection.execute("SELECT id FROM sites WHERE ?1 IS NULL OR id = ?1", (cut.site,)).fetchall()
    for (site,) in sites:
        history = _after(known.get(site), cut.request)
        if history is None and site not in busy and not rollups.has_some(connection, site, cut.request.before_ms):
            connection.execute("DELETE FROM sites WHERE id = ?", (site,))
        else:
            text = None if history is None else json.dumps(histories.VALUES(history))
            connection.execute("UPDATE sites SET history = ? WHERE id = ?", (text, site))


def _sites_in(connection: sqlite3.Connection, table: str) -> Iterable[int]:
    return (site for (site,) in connection.execute(f"SELECT DISTINCT id & {SITE_MASK} FROM {table}"))


def _after(history: History | None, request: Request) -> History | None:
    """What stays of where a site stood; None when all of it was before."""
    before_ms = request.before_ms
    if history is None or history.last_ms < before_ms:
        return None
    if not request.forget:
        return history
    failed_ms = history.last_failure_ms
    return replace(
        history,
        last_failure_ms=failed_ms if failed_ms is not None and failed_ms >= before_ms else None,
        good_since_ms=history.good_since_ms and max(history.good_since_ms, before_ms),
        failing_since_ms=history.failing_since_ms and max(history.failing_since_ms, before_ms),
    )
