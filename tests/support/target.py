"""Websites that keep their own log of every check they were asked for, apart from all that the monitor stores."""

import time
from collections import Counter, defaultdict
from collections.abc import Collection
from itertools import pairwise
from urllib.parse import urlsplit

from monitoring.models import CheckResult
from tests.support.servers import OK, HttpServer, Request, response

DOWN = response(503, b"down")


def now_ms() -> int:
    """The wall clock, which this test and the monitor share."""
    return time.time_ns() // 1_000_000


class Target(HttpServer):
    """One site a path; each answers 200, or 503 while it is down."""

    def __init__(self) -> None:
        super().__init__(self._page)
        self._asked: defaultdict[str, list[int]] = defaultdict(list)
        self._down: set[str] = set()

    def go_down(self, path: str) -> None:
        self._down.add(path)

    def come_back(self, path: str) -> None:
        self._down.remove(path)

    def asked(self, path: str) -> list[int]:
        """When this site was asked (UTC milliseconds), in order."""
        return sorted(self._asked[path])

    def counts(self, until_ms: int | None = None) -> Counter[str]:
        """How often each site was asked (before `until_ms`)."""
        return Counter({path: sum(until_ms is None or at < until_ms for at in self.asked(path)) for path in [*self._asked]})

    def longest_gap_ms(self) -> int:
        """The longest time between two requests of one site."""
        return max(later - earlier for path in self._asked for earlier, later in pairwise(self.asked(path)))

    def _page(self, request: Request) -> bytes:
        self._asked[request.target].append(now_ms())
        return DOWN if request.target in self._down else OK


def by_path(checks: Collection[CheckResult]) -> Counter[str]:
    """How many checks each path had."""
    return Counter(urlsplit(check.host).path or "/" for check in checks)


def assert_holds_all_asked(checks: Collection[CheckResult], target: Target, runs: int = 1) -> None:
    """These are the checks that the target was asked for; a run that ends may cut one check of a site short."""
    stored = by_path(checks)
    for path, asked in target.counts().items():
        assert 0 <= asked - stored[path] <= runs, path
