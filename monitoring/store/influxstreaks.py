"""When each site was checked last, when it failed last and since when it is good, by all that InfluxDB holds.

Exact, and quick for any length of it.

The field `cause` is there of failed checks only, so that the last of them is found without reading the others.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from monitoring.models import Streak
from monitoring.store.lineprotocol import CHECKS, at_location, literal

if TYPE_CHECKING:
    from monitoring.store.influxclient import InfluxClient, Series  # at run time later: it takes 0.2 s

STATEMENTS_AT_ONCE = 100
"""Each takes InfluxDB some tenths of a millisecond."""


class InfluxStreaks:
    """Asks one database about one location, and remembers what became of each site after its last failure.

    Raises `StoreError`.
    """

    def __init__(self, client: "InfluxClient", location: str) -> None:
        self._client = client
        self._checks = f"FROM {CHECKS} WHERE {at_location(location)}"
        self._after: dict[str, tuple[int, int]] = {}  # the last failure, and the first check after it

    def before(self, end_ms: int) -> dict[str, Streak]:
        """By host, of checks before this moment."""
        firsts, lasts = self._each("first(available)", end_ms), self._each("last(available)", end_ms)
        failures = self._each("last(cause)", end_ms)
        self._look_up({host: failed_ms for host, failed_ms in failures.items() if not self._knows(host, failed_ms)})
        return {
            host: replace(self._streak(host, failures.get(host), first_ms, end_ms), last_ms=lasts.get(host))
            for host, first_ms in firsts.items()
        }

    def _each(self, choice: str, end_ms: int) -> dict[str, int]:
        """The times of these checks, by host."""
        series = self._client.query(f"SELECT {choice} {self._checks} AND time < {end_ms}ms GROUP BY host")
        return {one["tags"]["host"]: time_of(one) for one in series}

    def _look_up(self, failures: Mapping[str, int]) -> None:
        """The first checks after these failures."""
        hosts = sorted(failures)
        for place in range(0, len(hosts), STATEMENTS_AT_ONCE):
            some = hosts[place : place + STATEMENTS_AT_ONCE]
            answers = self._client.query_each([self._first_after(host, failures[host]) for host in some])
            found = zip(some, answers, strict=True)
            self._after.update((host, (failures[host], time_of(series))) for host, answer in found for series in answer)

    def _first_after(self, host: str, time_ms: int) -> str:
        return f"SELECT first(available) {self._checks} AND host = {literal(host)} AND time > {time_ms}ms"

    def _knows(self, host: str, failed_ms: int) -> bool:
        return self._after.get(host, (None, 0))[0] == failed_ms

    def _streak(self, host: str, failed_ms: int | None, first_ms: int, end_ms: int) -> Streak:
        if failed_ms is None:
            return Streak(None, first_ms)
        since_ms = self._after[host][1] if self._knows(host, failed_ms) else end_ms
        return Streak(failed_ms, since_ms if since_ms < end_ms else None)


def time_of(series: "Series") -> int:
    """When the one check of this answer was."""
    time_ms: int = series["values"][0][0]
    return time_ms
