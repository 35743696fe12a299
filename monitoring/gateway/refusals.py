"""What a gateway refuses: counted for Prometheus, and told to its owner once a burst."""

import threading
from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from monitoring.display.words import plural
from monitoring.names import printable
from monitoring.service.health import BurstCounter

WORDS = {
    400: "not understood",
    401: "no token, or an unknown one",
    403: "a token for something else",
    413: "too long",
    415: "not JSON",
    422: "a wrong value",
    429: "too many requests",
    431: "headers too long",
}
"""The refusals, by HTTP status. What is merely not there (404, 405) or away (503) is none."""

QUIET_MS = 60_000
"""A burst is over when so long nothing was refused."""


class Refusals(Collector):
    """May be told from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[int] = Counter()
        self._told: Counter[int] = Counter()
        self._last_address = ""
        self._burst = BurstCounter(QUIET_MS)

    def note(self, status: int, address: str) -> None:
        """An answer with this status went to this address."""
        if status in WORDS:
            with self._lock:
                self._counts[status] += 1
                self._last_address = address

    def news(self, now_ns: int) -> str | None:
        """A sentence soon after a burst has begun, and another about its rest when it is over; else None."""
        with self._lock:
            if not self._burst.step(self._counts.total(), now_ns):
                return None
            new, self._told = self._counts - self._told, self._counts.copy()
            parts = ", ".join(f"{count} with {status} ({WORDS[status]})" for status, count in sorted(new.items()))
            return (
                f"refused {plural(new.total(), 'request')}: {parts}; the last one came from {printable(self._last_address)}"
            )

    def collect(self) -> Iterator[Metric]:
        found = CounterMetricFamily("monitoring_gateway_refusals", "Requests that were refused.", labels=["status"])
        with self._lock:
            for status in sorted(WORDS):
                found.add_metric([str(status)], self._counts[status])
        yield found
