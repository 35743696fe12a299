"""Where each site stands by all the checks that InfluxDB holds of it: exact, and quick for any number of them.

The field `cause` is there of failed checks only, so that the last of them is found without reading the others. Fields are
asked one a statement: a second one beside `last()` makes InfluxDB read every point.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from monitoring.models import LastState
from monitoring.storage.influxdb.points import CHECKS
from monitoring.storage.influxdb.questions import groups, literal
from monitoring.units import DAY_MS, HOUR_MS

if TYPE_CHECKING:
    from monitoring.storage.influxdb.client import InfluxClient  # at run time later: it takes 0.2 s

LOOKED_BACK_MS = (HOUR_MS, DAY_MS, None)
"""How far the last good check is looked for, in steps (None: to the beginning), for every check on the way is read."""

Seen = tuple[int, Any]
"""A time, and the field that was chosen."""

Since = tuple[int | None, int | None]
"""Where the latest runs of good and of failed checks begin; None: there was none."""


class StateReader:
    """Asks one database about one location, and remembers where runs begin that no further check can change.

    Raises `StoreError`.
    """

    def __init__(self, client: "InfluxClient", here: str) -> None:
        """`here`: the condition that a point is from that location."""
        self._client = client
        self._checks = f"FROM {CHECKS} WHERE {here}"
        self._known: dict[str, tuple[int, Since]] = {}  # by host: its last failure, and what is known after it

    def before(self, end_ms: int) -> dict[str, LastState]:
        """By host, of checks before this moment."""
        lasts = self._each("last(available)", end_ms)
        covers, firsts = self._each("last(covers)", end_ms), self._each("first(available)", end_ms)
        failures, details = self._each("last(cause)", end_ms), self._each("last(detail)", end_ms)
        certificates = self._each("last(certificate)", end_ms)
        since = self._since({host: last for host, last in lasts.items() if host in failures}, failures, firsts)
        found = {}
        for host, (last_ms, available) in lasts.items():
            failed_ms, _ = failures.get(host, (None, ""))
            detail_ms, detail = details.get(host, (None, ""))
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
            )
        return found

    def _since(
        self, lasts: Mapping[str, Seen], failures: Mapping[str, Seen], firsts: Mapping[str, Seen]
    ) -> Mapping[str, Since]:
        """Of the sites that have failed."""
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

    def _each(self, choice: str, end_ms: int) -> dict[str, Seen]:
        """This check of every host."""
        series = self._client.query(f"SELECT {choice} {self._checks} AND time < {end_ms}ms GROUP BY host")
        return {one["tags"]["host"]: (one["values"][0][0], one["values"][0][1]) for one in series}

    def _last_good(self, before: Mapping[str, int]) -> dict[str, int]:
        """When the last good check was before these moments; a host without any is missing."""
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
        """The time of the check that this statement finds of each of these hosts, from its moment on."""
        found: dict[str, int] = {}
        for some in groups(moments):
            asked = [f"{statement(moments[host])} AND host = {literal(host)}" for host in some]
            answers = zip(some, self._client.query_each(asked), strict=True)
            found.update((host, series[0]["values"][0][0]) for host, series in answers if series)
        return found
