"""The state of each site by all its checks in InfluxDB: exact, and quick however many there are.

Only failed checks have the field `cause`, so the last failure is found without reading other checks. Each statement asks for
one field, because with a second one beside `last()` InfluxDB reads every point.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from monitoring.models import LastState
from monitoring.storage.influxdb.client import InfluxClient
from monitoring.storage.influxdb.points import CHECKS
from monitoring.storage.influxdb.questions import groups, literal
from monitoring.units import DAY_MS, HOUR_MS

LOOKED_BACK_MS = (HOUR_MS, DAY_MS, None)
"""How far back the last good check is looked for, step by step (None: to the beginning): InfluxDB reads all of that."""

CHOICES = (
    *("last(available)", "last(covers)", "first(available)"),
    *("last(cause)", "last(detail)", "last(certificate)", "last(maintenance)"),
)
"""What is asked of every site."""

Seen = tuple[int, Any]
"""The time of a check, and one of its fields."""

LONGEST_PAGE = 5_000
"""How many failed checks of a site are read at once, at most."""

Since = tuple[int | None, int | None]
"""When the latest runs of good and of failed checks began; None: there was none."""


class StateReader:
    """Reads the states of one location. Remembers the beginnings of runs that no new check can change.

    Raises `StoreError`.
    """

    def __init__(self, client: InfluxClient, here: str) -> None:
        """`here`: the condition that a point is of the location."""
        self._client = client
        self._checks = f"FROM {CHECKS} WHERE {here}"
        self._known: dict[str, tuple[int, Since]] = {}  # by host: its last failure, and its runs after that

    def before(self, end_ms: int) -> dict[str, LastState]:
        """The states after the checks before a moment, by host."""
        lasts, covers, firsts, failures, details, certificates, maintained = self._each(CHOICES, end_ms)
        since = self._since({host: last for host, last in lasts.items() if host in failures}, failures, firsts)
        outside = self._outside_maintenance(failures, maintained)
        found = {}
        for host, (last_ms, available) in lasts.items():
            failed_ms, _ = failures.get(host, (None, ""))
            detail_ms, detail = details.get(host, (None, ""))
            if host in outside:
                failed_ms, detail = outside[host]
                detail_ms = failed_ms
            good_since_ms, failing_since_ms = since.get(host, (firsts[host][0], None))
            found[host] = LastState(
                last_ms=last_ms,
                last_covers_ms=covers.get(host, (0, 0))[1],
                last_available=bool(available),
                last_failure_ms=failed_ms,
                good_since_ms=good_since_ms,
                failing_since_ms=failing_since_ms,
                detail=detail if detail_ms == failed_ms else "",
                certificate_s=certificates.get(host, (0, None))[1],
                last_maintenance_ms=maintained.get(host, (None, 0))[0],
            )
        return found

    def _outside_maintenance(
        self, failures: Mapping[str, Seen], maintained: Mapping[str, Seen]
    ) -> Mapping[str, tuple[int | None, str]]:
        """The last failure outside of maintenance (None: there is none) and its reason, of hosts that were maintained since.

        InfluxDB cannot be asked for points without a field, so failed checks are read backwards until one has none.
        """
        left = {host: seen[0] for host, seen in failures.items() if host in maintained and maintained[host][0] >= seen[0]}
        found: dict[str, tuple[int | None, str]] = {}
        length = 1
        while left:
            for some in groups(left):
                asked = [self._failures_back(host, left[host], length) for host in some]
                answers = {some[number]: series.values for number, series in self._client.stream_each(asked)}
                for host in some:
                    rows = answers.get(host, [])
                    outside = [(row[0], row[2] or "") for row in rows if row[3] is None]
                    if outside or len(rows) < length:
                        found[host] = outside[0] if outside else (None, "")
                        del left[host]
                    else:
                        left[host] = rows[-1][0] - 1
            length = min(LONGEST_PAGE, 30 * length)
        return found

    def _failures_back(self, host: str, from_ms: int, length: int) -> str:
        where = f"available = 0 AND time <= {from_ms}ms AND host = {literal(host)}"
        return f"SELECT cause, detail, maintenance {self._checks} AND {where} ORDER BY time DESC LIMIT {length}"

    def _since(
        self, lasts: Mapping[str, Seen], failures: Mapping[str, Seen], firsts: Mapping[str, Seen]
    ) -> Mapping[str, Since]:
        """The runs of the sites that have failed."""
        found = {host: known for host in lasts if (known := self._remembered(host, lasts[host], failures[host][0]))}
        asked = {host: failures[host][0] for host in lasts.keys() - found.keys()}
        good = self._last_good(asked)
        failing_since = self._first_after(good)
        down = {host for host in asked if not lasts[host][1]}
        earlier = self._last_failure_before({host: good[host] for host in down & good.keys()})
        recovered = self._first_after({host: asked[host] for host in asked.keys() - down} | earlier)
        for host, failed_ms in asked.items():
            first_ms = firsts[host][0]
            good_since_ms = recovered.get(host, first_ms if host in good else None)
            found[host] = (good_since_ms, failing_since.get(host, first_ms))
            if host not in down:
                self._known[host] = (failed_ms, found[host])
        return found

    def _remembered(self, host: str, last: Seen, failed_ms: int) -> Since | None:
        known_ms, since = self._known.get(host, (None, None))
        return since if last[1] and known_ms == failed_ms else None

    # What is asked

    def _each(self, choices: Sequence[str], end_ms: int) -> list[dict[str, Seen]]:
        """For each of `choices` the field that it selects, of every host: in one request, as a database may be far away."""
        found: list[dict[str, Seen]] = [{} for _ in choices]
        asked = [f"SELECT {choice} {self._checks} AND time < {end_ms}ms GROUP BY host" for choice in choices]
        for number, one in self._client.stream_each(asked):
            found[number][one.host] = one.values[0]
        return found

    def _last_good(self, before: Mapping[str, int]) -> dict[str, int]:
        """The time of each host's last good check before its moment. A host without one is missing."""
        found: dict[str, int] = {}
        for length_ms in LOOKED_BACK_MS:
            left = {host: time_ms for host, time_ms in before.items() if host not in found}
            found |= self._look_up(left, partial(self._good_before, length_ms))
        return found

    def _good_before(self, length_ms: int | None, time_ms: int) -> str:
        back = "" if length_ms is None else f" AND time >= {time_ms - length_ms}ms"
        return f"SELECT last(available) {self._checks} AND available = 1 AND time < {time_ms}ms{back}"

    def _last_failure_before(self, before: Mapping[str, int]) -> dict[str, int]:
        return self._look_up(before, lambda time_ms: f"SELECT last(cause) {self._checks} AND time < {time_ms}ms")

    def _first_after(self, after: Mapping[str, int]) -> dict[str, int]:
        return self._look_up(after, lambda time_ms: f"SELECT first(available) {self._checks} AND time > {time_ms}ms")

    def _look_up(self, moments: Mapping[str, int], statement: Callable[[int], str]) -> dict[str, int]:
        """The time of the check that `statement`, made for a host's moment, finds of each host."""
        found: dict[str, int] = {}
        for some in groups(moments):
            asked = [f"{statement(moments[host])} AND host = {literal(host)}" for host in some]
            found.update((some[number], series.values[0][0]) for number, series in self._client.stream_each(asked))
        return found
