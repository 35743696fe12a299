"""The store on the other side of a gateway: `./monitoringApp.py -g` on the machine that has the database."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from monitoring.config.databases import DatabaseAddress
from monitoring.config.tokens import client_token
from monitoring.models import Alert, CheckResult, SiteStats, Streak, Window
from monitoring.store import wire
from monitoring.store.blocks import MinuteBlock
from monitoring.store.influxblocks import Piece, Told, data_text
from monitoring.store.packing import counts
from monitoring.store.rolledblocks import RolledBlock
from monitoring.trust import Trust

if TYPE_CHECKING:
    from monitoring.store.gatewayclient import Parameters  # at run time later: `requests` takes a while

SMALLEST_WINDOW_MS = 2
"""A shorter window cannot be halved."""


class GatewayStore:
    """Keeps `RemoteStore` (see `forwarder`) and `StreakReader` through a gateway's HTTP interface, at one location.

    Several threads may use it at once. A long history of checks comes in several answers, each of its own moment.
    """

    kind = "gateway"

    def __init__(
        self,
        *,
        host: str,
        port: int,
        tls: Trust | None = None,
        token: str | None = None,
        location: str = "",
        connect_timeout: float = 2.0,
        read_timeout: float = 5.0,
    ) -> None:
        """Make the store without connecting. `tls` None: plain HTTP; else whom to trust."""
        from monitoring.store.gatewayclient import GatewayClient  # late: `requests` takes a while

        timeout = (connect_timeout, read_timeout)
        self._client = GatewayClient(host=host, port=port, tls=tls, token=token, timeout=timeout)
        self._here = {"location": location} if location else {}

    # The writer

    def write(self, results: Sequence[CheckResult], alerts: Sequence[Alert]) -> None:
        content = {"checks": list(map(wire.check_json, results)), "alerts": list(map(wire.alert_json, alerts))}
        self._post("/api/v1/results", content)

    def knows(self, marker: str) -> bool:
        """Has the database behind the gateway seen this file's data? Raises `StoreError`."""
        return self._proof(marker, prove=False)

    def prove(self, marker: str) -> bool:
        """Let the gateway write a point of this name and read it back; was it known before? Raises `StoreError`."""
        return self._proof(marker, prove=True)

    def open_minutes(self, marker: str) -> dict[int, Told]:
        answer = self._get("/api/v1/minutes", {"file": marker})
        with self._client.understood():
            return {minute["minuteMs"]: Told(minute["told"]) for minute in answer["minutes"]}

    def announce(
        self, marker: str, told: Mapping[int, Told], pieces: Sequence[Piece], checks: Sequence[CheckResult] = ()
    ) -> None:
        minutes = [{"minuteMs": minute_ms, "told": int(state)} for minute_ms, state in told.items()]
        content = {"file": marker, "told": minutes, "pieces": list(map(_piece_json, pieces))}
        if told or pieces:
            self._post("/api/v1/minutes/announcements", content)
        if checks:
            self.write(checks, ())

    def write_blocks(self, marker: str, blocks: Sequence[MinuteBlock]) -> None:
        """Sums stay here: the gateway adds up the checks itself."""
        self._post("/api/v1/minutes", {"file": marker, "blocks": list(map(_block_json, blocks))})

    def write_rollups(self, marker: str, blocks: Sequence[RolledBlock]) -> None:
        self._post("/api/v1/rollups", {"file": marker, "blocks": list(map(rolled_json, blocks))})

    def seal(self, marker: str, minutes: Collection[int]) -> None:
        self._post("/api/v1/minutes/seals", {"file": marker, "minutes": list(minutes)})

    # The reader

    def stats(self, window: Window) -> Mapping[str, SiteStats]:
        answer = self._get("/api/v1/stats", wire.window_query(window))
        with self._client.understood():
            return {site.host: site for site in map(wire.read_stats, answer["sites"])}

    def results(self, window: Window) -> list[CheckResult]:
        return list(self._results(window))

    def alerts(self, window: Window) -> list[Alert]:
        answer = self._get("/api/v1/alerts", wire.window_query(window))
        with self._client.understood():
            return list(map(wire.read_alert, answer["alerts"]))

    def last_alerts(self) -> dict[str, Alert]:
        answer = self._get("/api/v1/alerts/latest", {})
        with self._client.understood():
            return {alert.host: alert for alert in map(wire.read_alert, answer["alerts"])}

    def last_time(self) -> int | None:
        answer = self._get("/api/v1/last-time", {})
        with self._client.understood():
            found: int | None = answer["timeMs"]
            return found

    def streaks(self, before_ms: int) -> dict[str, Streak]:
        answer = self._get("/api/v1/streaks", {"until": before_ms})
        with self._client.understood():
            return {site["host"]: wire.read_streak(site) for site in answer["sites"]}

    def is_known(self) -> bool:
        """Has any monitor proved the database behind the gateway? Raises `StoreError`."""
        answer = self._client.get("/api/v1/known")
        with self._client.understood():
            return bool(answer["known"])

    def locations(self) -> list[str]:
        """The locations that have points behind the gateway, in order, "" first if there is one. Raises `StoreError`."""
        answer = self._client.get("/api/v1/locations")
        with self._client.understood():
            return [str(location) for location in answer["locations"]]

    def ping(self) -> None:
        """Return when the gateway reaches its database; raises `StoreUnavailable`."""
        self._client.get("/healthz")

    def close(self) -> None:
        self._client.close()

    def _get(self, path: str, parameters: "Parameters") -> Any:
        return self._client.get(path, {**parameters, **self._here})

    def _post(self, path: str, content: wire.Record) -> Any:
        return self._client.post(path, {**content, **self._here})

    def _proof(self, marker: str, *, prove: bool) -> bool:
        answer = self._post("/api/v1/proof", {"file": marker, "prove": prove})
        with self._client.understood():
            return bool(answer["known"])

    def _results(self, window: Window) -> Iterator[CheckResult]:
        """The checks of the window, by halves of it while there are too many for one answer."""
        from monitoring.store.gatewayclient import TooLong

        try:
            answer = self._get("/api/v1/results", wire.window_query(window))
        except TooLong:
            if window.length_ms < SMALLEST_WINDOW_MS:
                raise
            middle_ms = window.from_ms + window.length_ms // 2
            yield from self._results(Window(window.from_ms, middle_ms))
            yield from self._results(Window(middle_ms, window.until_ms))
            return
        with self._client.understood():
            found = list(map(wire.read_check, answer["checks"]))
        yield from found


def open_gateway(
    address: DatabaseAddress,
    connect_timeout_s: float,
    read_timeout_s: float,
    location: str = "",
    environ: Mapping[str, str] = os.environ,
) -> GatewayStore:
    """The store at this address, with the token of the environment. Raises `ConfigError` when that is not readable."""
    return GatewayStore(
        host=address.host,
        port=address.port,
        tls=address.tls,
        token=client_token(environ),
        location=location,
        connect_timeout=connect_timeout_s,
        read_timeout=read_timeout_s,
    )


def _piece_json(piece: Piece) -> wire.Record:
    return {"minuteMs": piece.minute_ms, "number": piece.number, "hosts": piece.hosts, "checks": data_text(piece.data)}


def _block_json(block: MinuteBlock) -> wire.Record:
    return {"minuteMs": block.minute_ms, "part": block.part, "hosts": block.hosts, "checks": data_text(block.data)}


def rolled_json(block: RolledBlock) -> wire.Record:
    """As the gateway takes it."""
    sites = [_site_json(*row) for row in block.rows]
    return {"table": block.table, "startMs": block.start_ms, "part": block.part, "hosts": block.hosts, "sites": sites}


def _site_json(place: int, *values: Any) -> wire.Record:
    *sums, last_failure, statuses, causes, shortest, longest, sketch = values
    return {
        "place": place,
        "sums": sums,
        "lastFailureMs": last_failure,
        "statuses": counts([statuses] if statuses else []),
        "causes": counts([causes] if causes else []),
        "shortestUs": shortest,
        "longestUs": longest,
        "sketch": data_text(sketch),
    }
