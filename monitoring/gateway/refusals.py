"""Counts the requests that a gateway refuses, for Prometheus, and reports them to its owner in bursts."""

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
"""The refusals by HTTP status. A missing path (404, 405) or an unavailable database (503) is not a refusal."""

QUIET_MS = 60_000
"""A burst is over when nothing was refused for this long."""


class Refusals(Collector):
    """Any thread may call its methods."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[int] = Counter()
        self._reported: Counter[int] = Counter()
        self._last_address = ""
        self._burst = BurstCounter(QUIET_MS)

    def note(self, status: int, address: str) -> None:
        """Count an answer with this status to this address."""
        if status in WORDS:
            with self._lock:
                self._counts[status] += 1
                self._last_address = address

    def news(self, now_ns: int) -> str | None:
        """A sentence soon after the beginning of a burst, another one about the rest at its end, otherwise None."""
        with self._lock:
            if not self._burst.step(self._counts.total(), now_ns):
                return None
            new, self._reported = self._counts - self._reported, self._counts.copy()
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
