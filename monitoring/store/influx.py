"""The store in InfluxDB 1.x and the databases that speak its language.

Every question is asked for all sites at once, between two explicit bounds, within count, sum, mean, min, max, last,
percentile and `GROUP BY host`: so it stays fast with a thousand sites, and right on every compatible server.
"""

import uuid
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

from monitoring.errors import StoreDenied, StoreRefused, StoreUnavailable
from monitoring.models import PHASES, Alert, CheckResult, Downtime, Failure, SiteStats, Window
from monitoring.stats import bucket_width_ms
from monitoring.store.influxrows import Row, alert_of, check_of, downtime_of, failure_of, site_stats
from monitoring.store.lineprotocol import (
    ALERTS,
    CHECKS,
    PROOFS,
    alert_line,
    check_line,
    identifier,
    is_taggable,
    literal,
    proof_line,
)

PROOF_TIME_MS = 4_102_444_800_000
"""When the proof's point lies (2100): one fixed moment keeps it one point, and no retention policy ever drops it."""

NAMED_HOSTS = 20
"""Up to so many hosts are named in a query; for more, the answer is sifted here (a URL must stay short)."""

GOOD = "available = 1"
FAILED = "available = 0"

COUNTS = (
    "count(available) AS checks, sum(covers) AS covers, mean(responseTime) AS mean, "
    "min(status) AS low, max(status) AS high, " + ", ".join(f"mean({phase}) AS {phase}" for phase in PHASES)
)
SPREAD = (
    "min(responseTime) AS min, max(responseTime) AS max, percentile(responseTime, 50) AS p50, "
    "percentile(responseTime, 95) AS p95, percentile(responseTime, 99) AS p99"
)
WHOLE_CHECK = "available, status, covers, lag, cause, responseTime, " + ", ".join(PHASES)


class InfluxStore:
    """Keeps `monitoring.store.base.Store` in one InfluxDB database.

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
        tls: bool = False,
        connect_timeout: float = 2.0,
        read_timeout: float = 5.0,
    ) -> None:
        """Make the store without connecting; the time-outs are seconds of each statement."""
        from monitoring.store.influxclient import InfluxClient  # late: it takes 0.2 s

        self._database = database
        self._client = InfluxClient(
            host=host,
            port=port,
            database=database,
            username=username,
            password=password,
            tls=tls,
            timeout=(connect_timeout, read_timeout),
        )

    # The writer

    def write(self, results: Sequence[CheckResult], alerts: Sequence[Alert]) -> None:
        """Store these; a point that cannot be written at all is refused after the others are stored."""
        lines, refusals = _lines(results, alerts)
        if lines:
            self._client.write(lines)
        if refusals:
            raise refusals[0]

    # The reader

    def stats(self, window: Window) -> dict[str, SiteStats]:
        # Two statements where one would do, since each has its own time-out: these are the costly ones.
        good = {host: rows[0] for host, rows in self._ask(COUNTS, CHECKS, _within(window), GOOD).items()}
        spread = {host: rows[0] for host, rows in self._ask(SPREAD, CHECKS, _within(window), GOOD).items()}
        failed = self._ask("covers, cause, status", CHECKS, _within(window), FAILED)
        statuses = self._good_statuses(window, good)
        trends = self._mean_trends(window)
        return {
            host: site_stats(
                host,
                window,
                good={**good.get(host, {}), **spread.get(host, {})},
                failed=failed.get(host, ()),
                good_statuses=statuses.get(host, {}),
                means=trends.get(host, ()),
            )
            for host in good.keys() | failed.keys()
        }

    def downtime(self, window: Window) -> dict[str, Downtime]:
        fields = "count(available) AS checks, sum(covers) AS covers"
        failed = self._ask(fields, CHECKS, _within(window), FAILED)  # first: what comes in meanwhile adds no downtime
        return {
            host: downtime_of(row, failed.get(host, [{}])[0])
            for host, (row, *_) in self._ask(fields, CHECKS, _within(window)).items()
        }

    def failures(self, window: Window, hosts: Collection[str]) -> dict[str, list[Failure]]:
        wanted = {host for host in hosts if is_taggable(host)}
        if not wanted:
            return {}
        conditions = [_within(window), FAILED]
        if len(wanted) <= NAMED_HOSTS:
            conditions.append("(" + " OR ".join(f"host = {literal(host)}" for host in sorted(wanted)) + ")")
        found = self._ask("covers, cause", CHECKS, *conditions)
        return {host: [failure_of(row) for row in rows] for host, rows in found.items() if host in wanted}

    def results(self, window: Window) -> list[CheckResult]:
        found = self._ask(WHOLE_CHECK, CHECKS, _within(window))
        checks = [check_of(host, row) for host, rows in found.items() for row in rows]
        return sorted(checks, key=lambda check: (check.time_ms, check.host))

    def alerts(self, window: Window) -> list[Alert]:
        found = self._ask("type, startDate, endDate, availability, cause", ALERTS, _within(window))
        alerts = [alert for host, rows in found.items() for row in rows if (alert := alert_of(host, row))]
        return sorted(alerts, key=lambda alert: (alert.time_ms, alert.host))

    def last_alerts(self) -> dict[str, Alert]:
        found = self._ask("last(type) AS type, startDate, endDate, availability, cause", ALERTS)
        return {host: alert for host, rows in found.items() if (alert := alert_of(host, rows[0]))}

    def last_time(self) -> int | None:
        newest = (self._ask("last(covers)", CHECKS), self._ask("last(type)", ALERTS))
        return max((rows[0]["time"] for found in newest for rows in found.values()), default=None)

    def close(self) -> None:
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

    def is_known(self) -> bool:
        """Has any monitor proved this database? Quick, however much it holds."""
        return bool(self._client.query(f"SELECT last(proof) FROM {PROOFS}"))

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
        return any([self._database] in series.get("values", ()) for series in self._client.query("SHOW DATABASES"))

    def drop_database(self) -> None:
        """Delete the database with all its data."""
        self._client.execute(f"DROP DATABASE {identifier(self._database)}")

    def drop_host(self, host: str) -> None:
        """Delete all checks and alerts of one host."""
        if is_taggable(host):
            self._client.execute(f"DROP SERIES FROM {CHECKS}, {ALERTS} WHERE host = {literal(host)}")

    # How it asks

    def _ask(self, fields: str, source: str, *conditions: str, by: str = "host") -> dict[str, list[Row]]:
        """Answer rows (column to value) by host, in order of time."""
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        series = self._client.query(f"SELECT {fields} FROM {source}{where} GROUP BY {by}")
        return {
            one["tags"]["host"]: [dict(zip(one["columns"], values, strict=True)) for values in one["values"]]
            for one in series
        }

    def _good_statuses(self, window: Window, good: Mapping[str, Row]) -> dict[str, Counter[int]]:
        """How often each status was answered in available checks, by host.

        A site that always gives the same answer needs no further question. For the others the lowest and highest
        statuses are counted and set aside, until nothing is left between them.
        """
        counts = {host: Counter({row["low"]: row["checks"]}) for host, row in good.items() if row["low"] == row["high"]}
        ends = {row[end] for host, row in good.items() if host not in counts for end in ("low", "high")}
        done: set[int] = set()
        while ends:
            for status in ends:
                for host, checks in self._count_status(window, status).items():
                    counts.setdefault(host, Counter())[status] = checks
            done |= ends
            ends = self._status_ends(window, done)
        return counts

    def _count_status(self, window: Window, status: int) -> dict[str, int]:
        found = self._ask("count(status) AS checks", CHECKS, _within(window), GOOD, f"status = {status}")
        return {host: rows[0]["checks"] for host, rows in found.items()}

    def _status_ends(self, window: Window, but: Collection[int]) -> set[int]:
        """The lowest and highest statuses of the available checks of each site, leaving out some."""
        others = [f"status != {status}" for status in sorted(but)]
        found = self._ask("min(status) AS low, max(status) AS high", CHECKS, _within(window), GOOD, *others)
        return {row[end] for rows in found.values() for row in rows for end in ("low", "high")}

    def _mean_trends(self, window: Window) -> dict[str, list[Row]]:
        width = bucket_width_ms(window)
        by = f"host, time({width}ms) fill(none)"
        return self._ask("mean(responseTime) AS mean", CHECKS, _within(window), GOOD, by=by)

    def _create_database(self) -> None:
        with suppress(StoreDenied):  # for administrators only; the proof tells whether it exists
            self._client.execute(f"CREATE DATABASE {identifier(self._database)}")

    def _proof(self, marker: str) -> str | None:
        condition = f"file = {literal(marker)} AND time = {PROOF_TIME_MS}ms"
        series = self._client.query(f"SELECT proof FROM {PROOFS} WHERE {condition}")
        return str(series[0]["values"][0][1]) if series else None


def _within(window: Window) -> str:
    return f"time >= {window.from_ms}ms AND time < {window.until_ms}ms"


def _lines(results: Sequence[CheckResult], alerts: Sequence[Alert]) -> tuple[list[str], list[StoreRefused]]:
    """The lines of these points, and the refusals of those that can have none."""
    lines: list[str] = []
    refusals: list[StoreRefused] = []
    points: tuple[CheckResult | Alert, ...] = (*results, *alerts)
    for point in points:
        try:
            lines.append(check_line(point) if isinstance(point, CheckResult) else alert_line(point))
        except StoreRefused as refusal:
            refusals.append(refusal)
    return lines, refusals
