"""The limits of a gateway: requests, sites, sizes and times."""

import math
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from werkzeug.exceptions import TooManyRequests

from monitoring.clock import Clock
from monitoring.errors import StoreRefused
from monitoring.storage.gateway.interface import LONGEST_BODY

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """A thousand sites with a backlog of a day stay far below each of these limits.

    The address of a client may send `requests_per_s`, and `burst` at once. Up to `busy` requests use the database at a time,
    and others wait `patience_s` for it. So there is always a free thread, which can answer that the gateway is busy.
    """

    body_bytes: int = LONGEST_BODY
    sites: int = 50_000  # different pairs of site and location since the gateway started
    locations: int = 100  # stores that are open at the same time
    answer_checks: int = 25_000  # in an answer with all fields of each check
    exact_checks: int = 10_000_000  # with response times in memory, for exact percentiles of more than a day
    requests_per_s: int = 500
    burst: int = 2_000
    addresses: int = 10_000  # clients whose rates are remembered
    threads: int = 16
    busy: int = 12
    patience_s: float = 2.0
    connections: int = 500
    address_connections: int = 100  # from one address, so that a client cannot take all places
    request_s: int = 60  # for the arrival of a complete request

    def behind_front(self) -> "Limits":
        """The limits of the server behind the TLS front, which counts connections by address itself."""
        return replace(self, address_connections=self.connections)


class RateLimiter:
    """A token bucket for each address: it fills steadily, and each request takes one token."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, int]] = OrderedDict()  # what is left, and when that was

    def admit(self, address: str) -> None:
        """Admit a request from this address. Raises `TooManyRequests`."""
        if wait_s := self.take(address):
            raise TooManyRequests("too many requests from this address", retry_after=math.ceil(wait_s))

    def take(self, address: str) -> float:
        """Take a token; returns 0, or the seconds until the next one if there is none."""
        with self._lock:
            now_ns = self._clock.monotonic_ns()
            left, then_ns = self._buckets.pop(address, (float(self._limits.burst), now_ns))
            left = min(self._limits.burst, left + (now_ns - then_ns) * self._limits.requests_per_s / NS_PER_S)
            allowed = left >= 1
            self._buckets[address] = (left - allowed, now_ns)
            if len(self._buckets) > self._limits.addresses:
                self._buckets.popitem(last=False)
            return 0.0 if allowed else (1 - left) / self._limits.requests_per_s


class SiteLimiter:
    """Limits the number of sites over all locations, because each new one costs the database memory for ever."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._known: set[tuple[str, str]] = set()

    def admit(self, location: str, hosts: Iterable[str]) -> None:
        """Remember these names. Raises `StoreRefused`, and remembers none of them, if there would be too many."""
        with self._lock:
            new = {(location, host) for host in hosts} - self._known
            if len(self._known) + len(new) > self._most:
                raise StoreRefused(f"this gateway takes {self._most} sites at most")
            self._known |= new
