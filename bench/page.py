"""The status page of many sites: what each address costs the server, and how much it sends.

python -m bench.page --sites 1000
"""

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import cycle

from werkzeug.test import Client

from monitoring.display.view_model.overview import slug
from monitoring.display.view_model.series import Mark
from monitoring.display.view_model.values import SiteKey
from monitoring.models import SiteStatus, State
from monitoring.web.application import make_application
from monitoring.web.serve import LIMITS
from tests.support.gateway import NO_TOKENS
from tests.support.page import NOW_MS, Shown, sites_named

ROUNDS = 7
PACKED = {"Accept-Encoding": "gzip"}


def cpu_ms(action: Callable[[], object]) -> float:
    """The least CPU of some rounds: what else the machine does adds to the others."""
    took = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        action()
        took.append(1_000 * (time.process_time() - begun))
    return min(took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=1_000)
    sites = parser.parse_args().sites
    shown = Shown(sites_named([f"site {number}" for number in range(sites)]))
    shown.publish()
    days = shown.board.latest().overview.days
    limits = replace(LIMITS, burst=10**6, requests_per_s=10**6)
    client = Client(make_application(shown.board, NO_TOKENS, limits, shown.clock, None))

    def with_news(known: Mapping[SiteKey, Sequence[Mark]] = days) -> None:
        """One site changes."""
        failing = shown.states.pop(shown.sites[0].host, None)
        if failing is None:
            shown.states[shown.sites[0].host] = SiteStatus(State.FAILING, NOW_MS)
        shown.publish(known)

    print(f"{sites} sites, CPU of one answer, bytes as sent")
    publishing_ms = cpu_ms(with_news)

    def asked_after_news() -> None:
        with_news()
        client.get("/")

    anew_ms = cpu_ms(asked_after_news) - publishing_ms
    print(f"  {'/, after a site has changed':<34}{anew_ms:8.1f} ms")

    turns = cycle([days, {key: list(marks) for key, marks in days.items()}])

    def asked_after_a_minute() -> None:
        with_news(next(turns))
        client.get("/")

    print(f"  {'/, after all days were read':<34}{cpu_ms(asked_after_a_minute) - publishing_ms:8.1f} ms")
    for path in ("/", "/updates?since=1", f"/site/{slug(shown.sites[1].host)}", "/incidents", "/report", "/metrics"):
        length = len(client.get(path, headers=PACKED).data)
        print(f"  {path:<34}{cpu_ms(lambda path=path: client.get(path, headers=PACKED)):8.1f} ms {length:>10,}")  # type: ignore[misc]


if __name__ == "__main__":
    main()
