"""What was read of a database's minutes, as tables of a local file of our own: there the same SQL answers."""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby

from monitoring.models import CheckResult, SiteStats, Window
from monitoring.storage.sqlite.connection import transaction
from monitoring.store import rollups, schema, windows
from monitoring.store.blocks import MINUTE_MS, PART_SITES, PackedChecks, encode_checks
from monitoring.store.schema import SITE_BITS, SITE_MASK, Row, first_key

FIRST_STRANGER = 1 << (SITE_BITS - 1)
"""Sites that no block has named yet are numbered from here."""

PUT_CHECK = f"""
INSERT OR IGNORE INTO checks ({schema.RESULT_COLUMNS}, batch) VALUES ({", ".join("?" * len(schema.Columns._fields))}, 0)
"""
PUT_BLOCK = "INSERT OR REPLACE INTO blocks VALUES (?, ?, ?)"

Part = tuple[str, str]
"""The marker of a file, and the number of a part of its sites."""


class SiteNumbers:
    """Numbers for the sites of many files: those of a part stand in a hundred of their own, by place.

    So a block can be kept as it is. A site that several files have keeps its first number, and is renumbered only when
    a block names it for the first time.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._firsts: dict[Part, int] = {}
        self._strangers = 0

    def __getitem__(self, host: str) -> int:
        if host not in self._numbers:
            self._numbers[host] = FIRST_STRANGER + self._strangers
            self._strangers += 1
        return self._numbers[host]

    def of_part(self, part: Part, hosts: Sequence[str]) -> tuple[list[int], bool]:
        """The numbers of a part's sites by place; has one of them got another number than it had?"""
        first = self._firsts.setdefault(part, len(self._firsts) * PART_SITES)
        renumbered = False
        for place, host in enumerate(hosts):
            if host and self._numbers.setdefault(host, first + place) >= FIRST_STRANGER:
                self._numbers[host] = first + place
                renumbered = True
        return [self._numbers.get(host, first + place) for place, host in enumerate(hosts)], renumbered

    def all(self) -> list[tuple[int, str]]:
        return [(number, host) for host, number in self._numbers.items()]


class Scratch:
    """Minutes that were read, each in one of two forms: sums with blocks, or single checks.

    The file is a temporary one without a name, which SQLite keeps in memory as long as it is small: an hour of a thousand
    sites takes 14 MB, and most of it is read once a minute. Raises SQLite's errors when there is no room for it.
    """

    def __init__(self) -> None:
        self._sites = SiteNumbers()
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = MEMORY")
        self._connection.executescript(schema.SCHEMA)
        self._connection.execute("DROP INDEX failed_checks")  # nobody asks for failures here

    def stats(self, window: Window, told: Sequence[Window] = ()) -> Mapping[str, SiteStats]:
        """`told` as `windows.stats` has it."""
        self._name_sites()
        return windows.stats(self._connection, window, told)

    def _name_sites(self) -> None:
        self._connection.execute("DELETE FROM sites")
        self._connection.executemany("INSERT INTO sites (id, host) VALUES (?, ?)", self._sites.all())

    @contextmanager
    def passing(self) -> Iterator[None]:
        """What is put inside is gone afterwards."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        self._connection.close()

    def drop(self, minute_ms: int) -> None:
        """Forget all of this minute."""
        for table in ("minutes", "blocks", "checks"):
            self._delete(table, minute_ms)

    def drop_blocks(self, minute_ms: int) -> None:
        """Forget its blocks, but not its sums."""
        self._delete("blocks", minute_ms)

    def _delete(self, table: str, minute_ms: int) -> None:
        bounds = (first_key(minute_ms), first_key(minute_ms + MINUTE_MS))
        self._connection.execute(f"DELETE FROM {table} WHERE id >= ? AND id < ?", bounds)

    def number(self, part: Part, hosts: Sequence[str]) -> bool:
        """Hear the names of a part's sites; True when single checks kept here bear numbers that are no longer right."""
        return self._sites.of_part(part, hosts)[1]

    def put_sums(self, minute_ms: int, part: Part, hosts: Sequence[str], sums: Iterable[Row]) -> None:
        """Sums of a part whose sites no other part of this minute has."""
        numbers, _ = self._sites.of_part(part, hosts)
        first = first_key(minute_ms)
        rows = [(first | numbers[place], *values) for place, *values in sums]
        with transaction(self._connection):
            self._connection.executemany(schema.INSERT_MINUTE, rows)

    def put_rolled(self, table: str, start_ms: int, part: Part, hosts: Sequence[str], rows: Iterable[Row]) -> None:
        """An hour or a day of a part; a site that several files have is added up."""
        numbers, _ = self._sites.of_part(part, hosts)
        first = first_key(start_ms)
        with transaction(self._connection):
            rollups.put(self._connection, table, [(first | numbers[place], *values) for place, *values in rows])

    def put_blocks(self, minute_ms: int, blocks: Collection[tuple[Part, Sequence[str], bytes]]) -> None:
        """All blocks of a minute, for windows that cut it."""
        if all(self._is_in_place(part, hosts) for part, hosts, _ in blocks):
            rows = [(self._first_key(minute_ms, part, hosts), 0, data) for part, hosts, data in blocks]
        else:
            rows = self._regrouped(minute_ms, blocks)
        with transaction(self._connection):
            self._connection.executemany(PUT_BLOCK, rows)

    def put_packed(self, minute_ms: int, hosts: Sequence[str], data: bytes) -> None:
        """The checks of a block or piece one by one; those that are here already are passed over."""
        numbers = [self._sites[host] for host in hosts]
        with transaction(self._connection):
            self._connection.executemany(PUT_CHECK, PackedChecks(data).rows(minute_ms, 0, numbers))

    def put_checks(self, checks: Iterable[CheckResult]) -> None:
        """Checks one by one, within `passing`."""
        rows = (schema.result_row(check, self._sites[check.host], 0)[:-1] for check in checks)
        self._connection.executemany(PUT_CHECK, rows)

    def _is_in_place(self, part: Part, hosts: Sequence[str]) -> bool:
        numbers, _ = self._sites.of_part(part, hosts)
        return numbers == list(range(numbers[0], numbers[0] + len(numbers))) and numbers[0] % PART_SITES == 0

    def _first_key(self, minute_ms: int, part: Part, hosts: Sequence[str]) -> int:
        return first_key(minute_ms) | self._sites.of_part(part, hosts)[0][0]

    def _regrouped(self, minute_ms: int, blocks: Collection[tuple[Part, Sequence[str], bytes]]) -> list[Row]:
        """Blocks of sites as they are numbered here: two files share some of them, in another order."""
        numbered = ((self._sites.of_part(part, hosts)[0], data) for part, hosts, data in blocks)
        rows = [row for numbers, data in numbered for row in PackedChecks(data).rows(minute_ms, 0, numbers)]
        rows.sort(key=_part_of)
        return [
            (first_key(minute_ms) | first_site, 0, encode_checks(_moved(row, -first_site) for row in group))
            for first_site, group in groupby(rows, key=_part_of)
        ]


def _moved(row: Row, by: int) -> Row:
    return (row[0] + by, *row[1:])


def _part_of(row: Row) -> int:
    site = int(row[0]) & SITE_MASK
    return site - site % PART_SITES
