"""How much anybody may ask of a gateway."""

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
    """A thousand sites with a day's backlog stay far below all of them.

    A client's address may send `requests_per_s`, and `burst` at once. `busy` requests use the database at a time, and
    others wait `patience_s` for their turn: so there is always a thread left that says how things stand.
    """

    body_bytes: int = LONGEST_BODY
    sites: int = 50_000  # names of sites, each in each location, since the gateway started
    locations: int = 100  # of which the gateway keeps at a time what spares it questions
    answer_checks: int = 25_000  # of one answer that tells all of each check
    exact_checks: int = 10_000_000  # whose response times lie in memory for percentiles of a window longer than a day
    requests_per_s: int = 500
    burst: int = 2_000
    addresses: int = 10_000  # clients that are remembered
    threads: int = 16
    busy: int = 12
    patience_s: float = 2.0
    connections: int = 500
    address_connections: int = 100  # of one client's address: others find a place
    request_s: int = 60  # in which a request must have come whole

    def behind_front(self) -> "Limits":
        """Those of a server that all clients reach through a front on this machine, which has counted them."""
        return replace(self, address_connections=self.connections)


class RateLimiter:
    """A bucket of tokens for each address: it fills steadily, and a request takes one."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, int]] = OrderedDict()  # what is left, and when that was

    def admit(self, address: str) -> None:
        """Let a request of this address in. Raises `TooManyRequests`."""
        if wait_s := self.take(address):
            raise TooManyRequests("too many requests from this address", retry_after=math.ceil(wait_s))

    def take(self, address: str) -> float:
        """Seconds until this address may ask again; 0: it may now, and has done so."""
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
    """Counts the names of sites in each location: each new one costs the database memory for ever."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._known: set[tuple[str, str]] = set()

    def admit(self, location: str, hosts: Iterable[str]) -> None:
        """Remember these names. Raises `StoreRefused` when there would be too many, and remembers none then."""
        with self._lock:
            new = {(location, host) for host in hosts} - self._known
            if len(self._known) + len(new) > self._most:
                raise StoreRefused(f"this gateway takes {self._most} sites at most")
            self._known |= new
