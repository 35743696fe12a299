"""The store in InfluxDB 1.x and the databases that speak its language.

Every question is asked for all sites at once, between two explicit bounds, within first, last and `GROUP BY`: so it
stays fast with a thousand sites, and right on every compatible server. Statistics come from blocks (`influxwindow`).
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

from monitoring.errors import StoreDenied, StoreRefused, StoreUnavailable
from monitoring.models import Alert, CheckResult, SiteStats, Streak, Window
from monitoring.names import is_name
from monitoring.stats import is_long
from monitoring.store import influxdelete
from monitoring.store.blocks import MINUTE_MS, MinuteBlock
from monitoring.store.influxblocks import Piece, Told
from monitoring.store.influxminutes import InfluxMinutes, locations, within
from monitoring.store.influxrollups import InfluxLongWindow, InfluxRollups
from monitoring.store.influxrows import Row, alert_of, by_host
from monitoring.store.influxstreaks import InfluxStreaks
from monitoring.store.influxwindow import InfluxWindow
from monitoring.store.lineprotocol import (
    ALERTS,
    CHECKS,
    MINUTES,
    PROOFS,
    RECENT,
    ROLLED,
    Tags,
    alert_line,
    at_location,
    block_line,
    check_line,
    identifier,
    literal,
    of_file,
    piece_line,
    proof_line,
    rolled_line,
    told_line,
)
from monitoring.store.rolledblocks import RolledBlock
from monitoring.trust import Trust

PROOF_TIME_MS = 4_102_444_800_000
"""When the proof's point lies (2100): one fixed moment keeps it one point, and no retention policy ever drops it."""

CONNECT_TIMEOUT_S = 1.0


class InfluxStore:
    """Keeps `Store` and `StreakReader` (`monitoring.store.base`) in one InfluxDB database, of one location.

    What others measured is not there for it.

    Several threads may use it at once. An answer takes several statements; what is written between them can show in
    the later ones only, so ask about windows that are over.
    """

    kind = "influxdb"

    def __init__(
        self,
        *,
        host: str,
        port: int,
        database: str,
        username: str = "",
        password: str = "",
        tls: Trust | None = None,
        location: str = "",
        read_timeout: float = 5.0,
    ) -> None:
        """Make the store without connecting; `read_timeout` is seconds of each statement. `location` fits a tag.

        `tls` None: plain HTTP; else whom to trust.
        """
        from monitoring.store.influxclient import InfluxClient  # late: it takes 0.2 s

        self._database = database
        self._client = InfluxClient(
            host=host,
            port=port,
            database=database,
            username=username,
            password=password,
            tls=tls,
            timeout=(CONNECT_TIMEOUT_S, read_timeout),
        )
        self._here = at_location(location)
        self._tags = Tags(location)
        self._minutes = InfluxMinutes(self._client, location)
        self._window = InfluxWindow(self._minutes)
        self._long_window = InfluxLongWindow(self._minutes, InfluxRollups(self._client, location))
        self._streaks = InfluxStreaks(self._client, location)

    # The writer

    def write(self, results: Sequence[CheckResult], alerts: Sequence[Alert]) -> None:
        """Store these; a point that cannot be written at all is refused after the others are stored."""
        self._write([], results, alerts)

    def open_minutes(self, marker: str) -> dict[int, Told]:
        condition = f"{self._of_file(marker)} AND told > 0"
        series = self._client.query(f"SELECT told FROM {MINUTES} WHERE {condition}")
        return {time_ms: Told(told) for one in series for time_ms, told in one["values"]}

    def announce(
        self, marker: str, told: Mapping[int, Told], pieces: Sequence[Piece], checks: Sequence[CheckResult] = ()
    ) -> None:
        lines = [told_line(self._tags, marker, minute_ms, state) for minute_ms, state in told.items()]
        lines += [piece_line(self._tags, marker, piece) for piece in pieces]
        self._write(lines, checks, ())

    def write_blocks(self, marker: str, blocks: Sequence[MinuteBlock]) -> None:
        self._client.write([block_line(self._tags, marker, block) for block in blocks])

    def write_rollups(self, marker: str, blocks: Sequence[RolledBlock]) -> None:
        self._client.write([rolled_line(self._tags, marker, block) for block in blocks])

    def seal(self, marker: str, minutes: Collection[int]) -> None:
        self._client.write([told_line(self._tags, marker, minute_ms, Told.BLOCKS) for minute_ms in minutes])
        spans = [Window(minute_ms, minute_ms + MINUTE_MS) for minute_ms in sorted(minutes)]
        influxdelete.delete(self._client, MINUTES, (self._of_file(marker), f"part = '{RECENT}'"), spans)

    # The reader

    def stats(self, window: Window) -> Mapping[str, SiteStats]:
        return (self._long_window if is_long(window) else self._window).stats(window)

    def results(self, window: Window) -> list[CheckResult]:
        return sorted(self._minutes.points(window), key=lambda check: (check.time_ms, check.host))

    def alerts(self, window: Window) -> list[Alert]:
        found = self._ask("type, startDate, endDate, availability, cause", ALERTS, within(window))
        alerts = [alert for host, rows in found.items() for row in rows if (alert := alert_of(host, row))]
        return sorted(alerts, key=lambda alert: (alert.time_ms, alert.host))

    def last_alerts(self) -> dict[str, Alert]:
        found = self._ask("last(type) AS type, startDate, endDate, availability, cause", ALERTS)
        return {host: alert for host, rows in found.items() if (alert := alert_of(host, rows[0]))}

    def streaks(self, before_ms: int) -> Mapping[str, Streak]:
        return self._streaks.before(before_ms)

    def last_time(self) -> int | None:
        newest = (self._ask("last(covers)", CHECKS), self._ask("last(type)", ALERTS))
        return max((rows[0]["time"] for found in newest for rows in found.values()), default=None)

    def close(self) -> None:
        self._window.close()
        self._long_window.close()
        self._client.close()

    # The database itself

    def ping(self) -> None:
        """Return when the server answers at all; raises `StoreUnavailable` or `StoreDenied`."""
        self._client.ping()

    def knows(self, marker: str) -> bool:
        """Has the database this marker? Creates the database when it is missing. Raises StoreError."""
        self._client.ping()
        self._create_database()
        return self._proof(marker) is not None

    def locations(self) -> list[str]:
        """The locations that have points here, in order, "" first if there is one. Quick, however much it holds."""
        return locations(self._client)

    def is_known(self) -> bool:
        """Has any monitor proved this database? Quick, however much it holds."""
        return self.database_exists() and bool(self._client.query(f"SELECT last(proof) FROM {PROOFS}"))

    def prove(self, marker: str) -> bool:
        """Prove that the database is usable, creating it when it is missing.

        A point named `marker` is written and read back. True: the database had that marker before, it has seen this
        monitor's data; False: it is new to it (fresh, or emptied). Raises StoreError when it cannot be used.
        """
        proof = uuid.uuid4().hex
        known = self.knows(marker)
        self._client.write([proof_line(marker, proof, PROOF_TIME_MS)])
        if self._proof(marker) != proof:
            raise StoreUnavailable(f"{self._client.name} did not return what was written to it")
        return known

    def database_exists(self) -> bool:
        """Whether the database is there (and these credentials may know it)."""
        return self._client.database_exists()

    def drop_database(self) -> None:
        """Delete the database with all its data."""
        self._client.execute(f"DROP DATABASE {identifier(self._database)}")

    def drop_file(self, marker: str) -> None:
        """Delete all blocks, pieces, hours and days that one local file sent, and that it was ever here."""
        sources = ", ".join((MINUTES, *ROLLED.values(), PROOFS))
        self._client.execute(f"DROP SERIES FROM {sources} WHERE {of_file(marker)}")

    def drop_host(self, host: str) -> None:
        """Delete all checks and alerts of one host; what blocks tell of it goes with `drop_file`."""
        if is_name(host):
            self._client.execute(f"DROP SERIES FROM {CHECKS}, {ALERTS} WHERE host = {literal(host)}")

    # How it writes and asks

    def _write(self, before: Sequence[str], results: Sequence[CheckResult], alerts: Sequence[Alert]) -> None:
        """In one request: these lines and those of the points."""
        lines, refusals = _lines(results, alerts, self._tags)
        if before or lines:
            self._client.write([*before, *lines])
        if refusals:
            raise refusals[0]

    def _ask(self, fields: str, source: str, *conditions: str, by: str = "host") -> dict[str, list[Row]]:
        """Answer rows (column to value) by host, in order of time."""
        where = " AND ".join((self._here, *conditions))
        return by_host(self._client.query(f"SELECT {fields} FROM {source} WHERE {where} GROUP BY {by}"))

    def _of_file(self, marker: str) -> str:
        """The condition that a point was told by this local file, here: one may have moved."""
        return f"{of_file(marker)} AND {self._here}"

    def _create_database(self) -> None:
        with suppress(StoreDenied):  # for administrators only; the proof tells whether it exists
            self._client.execute(f"CREATE DATABASE {identifier(self._database)}")

    def _proof(self, marker: str) -> str | None:
        condition = f"{of_file(marker)} AND time = {PROOF_TIME_MS}ms"
        series = self._client.query(f"SELECT proof FROM {PROOFS} WHERE {condition}")
        return str(series[0]["values"][0][1]) if series else None


def _lines(results: Sequence[CheckResult], alerts: Sequence[Alert], tags: Tags) -> tuple[list[str], list[StoreRefused]]:
    """The lines of these points, and the refusals of those that can have none."""
    lines: list[str] = []
    refusals: list[StoreRefused] = []
    points: tuple[CheckResult | Alert, ...] = (*results, *alerts)
    for point in points:
        try:
            lines.append(check_line(point, tags) if isinstance(point, CheckResult) else alert_line(point, tags))
        except StoreRefused as refusal:
            refusals.append(refusal)
    return lines, refusals
