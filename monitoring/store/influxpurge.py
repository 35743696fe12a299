"""Deleting from InfluxDB: what `--purge` asked for, and what is older than retention.

No retention policy is made or changed: that takes an administrator, and would delete the data of everybody who writes
to the same database. Only points of our own sites and blocks of our own file are deleted.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitoring.config import DatabaseAddress
from monitoring.errors import StoreUnavailable
from monitoring.models import AlertType
from monitoring.names import is_name
from monitoring.store import influxdelete
from monitoring.store.blocks import MINUTE_MS
from monitoring.store.influxminutes import among, locations
from monitoring.store.lineprotocol import ALERTS, CHECKS, MINUTES, PROOFS, RECENT, ROLLED, at_location, of_file
from monitoring.store.rollups import LENGTHS_MS

if TYPE_CHECKING:
    from monitoring.store.influxclient import InfluxClient  # at run time later: it takes 0.2 s

HOSTS_AT_ONCE = 100
"""How many hosts a statement names: deleting an hour of so many takes InfluxDB some tenths of a second."""

COUNTED = {CHECKS: "available", ALERTS: "type"}
"""A field that every point has."""

ATTEMPTS = 3
"""What a monitor was sending while something was deleted may come after it."""


@dataclass(frozen=True, slots=True)
class Held:
    """How many checks and alerts a database holds, and when the oldest was."""

    checks: int = 0
    alerts: int = 0
    from_ms: int | None = None

    def __add__(self, other: "Held") -> "Held":
        known = [moment for moment in (self.from_ms, other.from_ms) if moment is not None]
        return Held(self.checks + other.checks, self.alerts + other.alerts, min(known, default=None))


class InfluxPurge:
    """Asks and deletes, of one location or of all; statements name hosts or a file, and a time. Raises `StoreError`."""

    def __init__(self, client: "InfluxClient", location: str | None = None) -> None:
        """`location` None: in all of them."""
        self._client = client
        self.location = location
        self._here = () if location is None else (at_location(location),)

    @classmethod
    def at(
        cls, address: DatabaseAddress, connect_timeout_s: float, read_timeout_s: float, location: str | None = None
    ) -> "InfluxPurge":
        """Of the InfluxDB at this address; nothing is sent yet."""
        from monitoring.store.influxclient import InfluxClient

        client = InfluxClient(
            host=address.host,
            port=address.port,
            database=address.database,
            username=address.username,
            password=address.password,
            tls=address.tls,
            timeout=(connect_timeout_s, read_timeout_s),
        )
        return cls(client, location)

    def each(self, *more: str) -> Sequence["InfluxPurge"]:
        """The same for each location that there is (and for these), apart: a site may be down in one of them only.

        Of all: none while there is no database, for no monitor has written to it yet.
        """
        if self.location is not None:
            return [self]
        if not self._client.database_exists():
            return []
        return [InfluxPurge(self._client, location) for location in sorted({*locations(self._client), *more})]

    def knows(self, marker: str) -> bool:
        """Has this database ever had anything of the local file with this marker?"""
        return bool(self._client.query(f"SELECT proof FROM {PROOFS} WHERE {of_file(marker)}"))

    def hosts_before(self, source: str, before_ms: int) -> set[str]:
        """The hosts that have something in this measurement before this moment. Quick, however much it holds."""
        where = self._where(f"time < {before_ms}ms")
        first = f"SELECT first({COUNTED[source]}) FROM {source} WHERE {where} GROUP BY host"
        return {series["tags"]["host"] for series in self._client.query(first)}

    def open_alerts(self) -> Mapping[str, int]:
        """When the alerts were that no recovery has followed, by host, in this one location."""
        found = self._client.query(f"SELECT last(type) FROM {ALERTS} WHERE {self._where('time > 0')} GROUP BY host")
        newest = {one["tags"]["host"]: one["values"][0] for one in found}
        return {host: time_ms for host, (time_ms, kind) in newest.items() if kind == AlertType.ALERT}

    def held(self, hosts: Collection[str], before_ms: int) -> Held:
        """What there is of these hosts before this moment."""
        found = Held()
        for some in groups(hosts):
            checks, first_check = self._count(CHECKS, some, before_ms)
            alerts, first_alert = self._count(ALERTS, some, before_ms)
            found += Held(checks, alerts) + Held(from_ms=first_check) + Held(from_ms=first_alert)
        return found

    def delete(self, hosts: Collection[str], before_ms: int, open_since_ms: Mapping[str, int]) -> None:
        """Delete their points before this moment; the open alerts of some of them, at these moments, stay."""
        for _ in range(ATTEMPTS):
            self.delete_checks(hosts, before_ms)
            self.delete_alerts(hosts, before_ms, open_since_ms)
            if not self.held(hosts, before_ms).checks:
                return
        raise StoreUnavailable(f"{self._client.name} still holds some of it: something goes on writing it")

    def delete_checks(self, hosts: Collection[str], before_ms: int) -> None:
        for some in groups(hosts):
            self._delete(CHECKS, [among(some)], before_ms)

    def delete_alerts(self, hosts: Collection[str], before_ms: int, open_since_ms: Mapping[str, int]) -> None:
        """Open alerts stay: a monitor that starts on another machine must know that they were announced."""
        for some in groups(set(hosts) - open_since_ms.keys()):
            self._delete(ALERTS, [among(some)], before_ms)
        for host in set(hosts) & open_since_ms.keys():
            for some in groups([host]):
                self._delete(ALERTS, [among(some)], min(before_ms, open_since_ms[host]))

    def delete_blocks(self, marker: str | None, before_ms: int) -> None:
        """Delete what blocks of this file (None: of all files) tell of whole minutes before this moment."""
        self._delete(MINUTES, _of_file(marker), before_ms // MINUTE_MS * MINUTE_MS)

    def delete_rolled(self, table: str, marker: str | None, before_ms: int) -> None:
        """Delete the hours, or days, of this file (None: of all files) that were over at this moment."""
        self._delete(ROLLED[table], _of_file(marker), before_ms // LENGTHS_MS[table] * LENGTHS_MS[table])

    def delete_pieces(self, marker: str) -> None:
        """Delete what this file sent of minutes that are not over; nobody may be sending more."""
        self._client.execute(f"DELETE FROM {MINUTES} WHERE {of_file(marker)} AND part = '{RECENT}'")

    def close(self) -> None:
        self._client.close()

    def _count(self, source: str, hosts: Sequence[str], before_ms: int) -> tuple[int, int | None]:
        field, condition = COUNTED[source], self._where(among(hosts), f"time < {before_ms}ms")
        counted = self._client.query(f"SELECT count({field}) FROM {source} WHERE {condition}")
        if not counted:
            return 0, None
        first = self._client.query(f"SELECT first({field}) FROM {source} WHERE {condition}")
        return counted[0]["values"][0][1], first[0]["values"][0][0] if first else None

    def _delete(self, source: str, whose: Sequence[str], before_ms: int) -> None:
        influxdelete.delete(self._client, source, (*self._here, *whose), [influxdelete.before(before_ms)])

    def _where(self, *conditions: str) -> str:
        return " AND ".join((*self._here, *conditions))


def _of_file(marker: str | None) -> Sequence[str]:
    """The condition that the local file with this marker has told it; None: any file."""
    return () if marker is None else (of_file(marker),)


def groups(hosts: Collection[str]) -> Iterator[list[str]]:
    """Hosts that fit into one statement; what can be no tag was never sent."""
    names = sorted(filter(is_name, hosts))
    return (names[place : place + HOSTS_AT_ONCE] for place in range(0, len(names), HOSTS_AT_ONCE))
