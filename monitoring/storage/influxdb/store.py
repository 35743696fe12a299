"""InfluxDB 1.x, and the databases that speak its language, as a backend.

Every question is about all sites at once, has explicit bounds, and uses only count, sum, first, last and `GROUP BY`. So it
is fast with a thousand sites, and right on every compatible server.
"""

import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain, groupby
from typing import TypeVar

from monitoring.config.keys.databases import DatabaseAddress
from monitoring.errors import StoreDenied, StoreRefused, StoreUnavailable, untraced
from monitoring.models import Alert, CheckResult, LastState, SiteStats, Window
from monitoring.names import LONGEST_LOCATION, is_name
from monitoring.statistics.summary import Span
from monitoring.statistics.windows import may_be_exact
from monitoring.storage.base import Counts, Deletion, DeliveryRecord, Ends, IsWanted, Points, always
from monitoring.storage.influxdb.client import InfluxClient
from monitoring.storage.influxdb.delete import deletion_steps
from monitoring.storage.influxdb.points import (
    ALERT_FIELDS,
    ALERTS,
    CHECKS,
    RECORD_FIELDS,
    RECORD_TIME_MS,
    RECORDS,
    SUMMARIES,
    WHOLE_CHECK,
    PointWriter,
    Row,
    alert_from,
    check_from,
    record_line,
)
from monitoring.storage.influxdb.questions import at_location, by_host, identifier, literal, named, of_file, selected, within
from monitoring.storage.influxdb.states import StateReader
from monitoring.storage.influxdb.window import WindowReader

CONNECT_TIMEOUT_S = 1.0
READ_TIMEOUT_S = 5.0

COUNTED: Mapping[str, tuple[str, str]] = {
    "checks": ("count(available)", CHECKS),
    "alerts": ("count(type)", ALERTS),
    **{span.kind: ("sum(checks::integer)", source) for span, source in SUMMARIES.items()},
}
"""How points of each kind are counted, and in which measurement."""

Point = TypeVar("Point")


class InfluxStore:
    """Keeps `Backend` in an InfluxDB database, for one location.

    Several threads may use it at once. An answer takes several statements, and only the later ones see what is written
    between them. So ask about windows that are over.
    """

    kind = "influxdb"

    def __init__(self, address: DatabaseAddress, location: str = "", read_timeout: float = READ_TIMEOUT_S) -> None:
        """Does not connect yet. `read_timeout`: seconds for each statement. `location` must be a name."""
        self._database = address.database
        self._client = InfluxClient(address, (CONNECT_TIMEOUT_S, read_timeout))
        self.name = self._client.name
        self._here = at_location(location)
        self._lines = PointWriter(location)
        self._states = StateReader(self._client, self._here)
        self._missing: tuple[Window | None, int] = None, 0  # of the window whose statistics were read last

    # The database itself

    def ping(self) -> None:
        self._client.ping()

    def verify(self, marker: str) -> DeliveryRecord | None:
        """As the contract has it. Creates a missing database."""
        self._client.ping()
        with suppress(StoreDenied):  # only administrators may, and the record shows whether it exists
            self._client.query(f"CREATE DATABASE {identifier(self._database)}")
        _, *numbers = self._record_of(marker)
        proof = uuid.uuid4().hex
        self._client.write([record_line(marker, proof=proof)])
        if self._record_of(marker)[0] != proof:
            raise StoreUnavailable(f"{self.name} did not return what was written to it")
        return None if None in numbers else DeliveryRecord(*numbers)

    def record(self, marker: str, record: DeliveryRecord) -> None:
        self._client.write([record_line(marker, record=record)])

    def is_known(self) -> bool:
        """As the contract has it. Quick, however much the database holds."""
        return self.database_exists() and bool(self._client.query(f"SELECT last(proof) FROM {RECORDS}"))

    def locations(self) -> Sequence[str]:
        """As the contract has it, without names that no monitor can have. Quick, however much the database holds."""
        measured = f"FROM {', '.join((CHECKS, ALERTS, *SUMMARIES.values()))}"
        named = self._client.query(f"SHOW TAG VALUES {measured} WITH KEY = location")
        names = {name for series in named for _, name in series.values if is_name(name, LONGEST_LOCATION)}
        nameless = self._client.query(f"SHOW SERIES {measured} WHERE {at_location('')} LIMIT 1")
        return sorted(names | ({""} if nameless else set()))

    # For the self-test, which creates a database of its own (by `verify`) and leaves nothing behind

    def database_exists(self) -> bool:
        """Whether the database is there (and these credentials may know it)."""
        return any([self._database] in series.values for series in self._client.query("SHOW DATABASES"))

    def drop_database(self) -> None:
        self._client.query(f"DROP DATABASE {identifier(self._database)}")

    def drop_host(self, host: str) -> None:
        """Delete everything of one host, in every location."""
        if is_name(host):
            sources = ", ".join((CHECKS, ALERTS, *SUMMARIES.values()))
            self._client.query(f"DROP SERIES FROM {sources} WHERE host = {literal(host)}")

    def drop_record(self, marker: str) -> None:
        self._client.query(f"DROP SERIES FROM {RECORDS} WHERE {of_file(marker)}")

    # The writer

    def write(self, points: Points) -> None:
        refusals: list[StoreRefused] = []
        lines = [
            *_written(self._lines.check, points.checks, refusals),
            *_written(self._lines.alert, points.alerts, refusals),
            *_written(self._lines.summary, points.summaries, refusals),
        ]
        try:
            self._client.write(lines)
        except StoreRefused as refusal:
            refusals.append(untraced(refusal))
        if refusals:
            raise StoreRefused.all_of(refusals)

    def delete(self, deletion: Deletion) -> Iterator[None]:
        return deletion_steps(self._client, self._here, deletion)

    # The reader

    def stats(
        self, window: Window, *, exact: bool, ends: Ends | None = None, is_wanted: IsWanted = always
    ) -> Mapping[str, SiteStats]:
        reader = WindowReader(self._client, self._here, is_wanted)
        found = reader.stats(window, exact=exact, ends=ends)
        self._missing = window, reader.missing
        return found

    def missing(self, window: Window) -> int:
        """As the contract has it, for whole minutes. Where hours and days answer, only the ends of the window count.

        Quick right after the statistics of the same window.
        """
        known, missing = self._missing
        if known == window:
            return missing
        reader = WindowReader(self._client, self._here)
        reader.stats(window, exact=may_be_exact(window, len(reader.hosts())), ends=None)
        return reader.missing

    def results(self, window: Window, hosts: Collection[str] | None = None) -> Iterator[CheckResult]:
        wanted = None if hosts is None else set(filter(is_name, hosts))  # others were never written
        if wanted is not None and not wanted:
            return
        where = " AND ".join((self._here, within(window), *named(wanted)))
        found = self._client.stream(f"SELECT host, {WHOLE_CHECK} FROM {CHECKS} WHERE {where}")
        rows = chain.from_iterable(series.values for series in found)
        for _, same_time in groupby(rows, lambda row: row[0]):
            for time_ms, host, *fields in sorted(same_time, key=lambda row: row[1] or ""):
                if (wanted is None or host in wanted) and (check := check_from(host, (time_ms, *fields))):
                    yield check

    def alerts(self, window: Window) -> Sequence[Alert]:
        found = self._ask(", ".join(ALERT_FIELDS), ALERTS, within(window))
        alerts = [alert for host, rows in found for row in rows if (alert := alert_from(host, row))]
        return sorted(alerts, key=lambda alert: (alert.time_ms, alert.host))

    def last_alerts(self) -> Mapping[str, Alert]:
        kind, *others = ALERT_FIELDS
        found = self._ask(", ".join((f"last({kind})", *others)), ALERTS)
        return {host: alert for host, rows in found for row in rows if (alert := alert_from(host, row))}

    def last_states(self, before_ms: int) -> Mapping[str, LastState]:
        return self._states.before(before_ms)

    def last_time(self) -> int | None:
        newest = (self._ask("last(available)", CHECKS), self._ask("last(type)", ALERTS))
        return max((row[0] for found in newest for _, rows in found for row in rows), default=None)

    def counts(self, window: Window, kind: str = "checks", each: Span | None = None) -> Counts:
        found = self._ask(*COUNTED[kind], within(window), each=each)
        return {(row[0] if each else window.from_ms, host): row[1] for host, rows in found for row in rows}

    def close(self) -> None:
        self._client.close()

    # How it writes and asks

    def _ask(
        self, fields: str, source: str, *conditions: str, each: Span | None = None
    ) -> Iterator[tuple[str, Iterator[Row]]]:
        return by_host(self._client.stream(selected(fields, source, (self._here, *conditions), each)))

    def _record_of(self, marker: str) -> Row:
        """The fields of the record of a file, None where absent."""
        condition = f"{of_file(marker)} AND time = {RECORD_TIME_MS}ms"
        series = self._client.query(f"SELECT {', '.join(RECORD_FIELDS)} FROM {RECORDS} WHERE {condition}")
        return series[0].values[0][1:] if series else [None] * len(RECORD_FIELDS)


def _written(write: Callable[[Point], str], some: Iterable[Point], refusals: list[StoreRefused]) -> Iterator[str]:
    """The lines of these points. Adds a refusal for each host that cannot be a tag."""
    for point in some:
        try:
            yield write(point)
        except StoreRefused as refusal:
            refusals.append(untraced(refusal))
