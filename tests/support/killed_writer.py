"""A process that writes a local file until it is killed: `python -m tests.support.killed_writer FILE FIRST_COMMIT`.

Each commit is made from its number alone, so that whoever reads the file afterwards knows what should be in it. The
process says the number of each commit once it is durable.
"""

import sys
from pathlib import Path

from monitoring.models import Alert, AlertType, Cause, CheckResult
from monitoring.storage.sqlite.store import LocalStore
from monitoring.storage.sqlite.tables.purge import Request
from tests.support.forwarded import ask_purge

START_MS = 1_767_221_940_000  # 2025-12-31 22:59 UTC: an hour and then a day end
COMMIT_MS = 7_000
SITES = 5
PURGED = "https://gone/"


def now_of(number: int) -> int:
    return START_MS + (number + 1) * COMMIT_MS


def commit(number: int) -> tuple[list[CheckResult], list[Alert]]:
    """Five sites each seven seconds, all down for a while in every minute, and one whose checks come when it is over."""
    begin_ms = START_MS + number * COMMIT_MS
    checks = [check(f"https://{site}/", begin_ms + 1_000 * site, number + site) for site in range(SITES)]
    if number >= 15:
        checks.append(check("https://late/", begin_ms - 15 * COMMIT_MS, number))
    alerts = (
        [Alert(AlertType.ALERT, "https://3/", begin_ms, begin_ms - 9, None, 70.0, Cause.DNS)] if number % 20 == 7 else []
    )
    return checks, alerts


def check(host: str, time_ms: int, number: int) -> CheckResult:
    if time_ms // 10_000 % 6 == 3:
        return CheckResult(host, time_ms, COMMIT_MS, 3, 0, None, (5, None, None, None, None), Cause.DNS, "no such name")
    return CheckResult(host, time_ms, COMMIT_MS, 3, 200, 900 + number % 50, (100, 200, None, 600 + number % 50, 0))


def main() -> None:
    path, first = Path(sys.argv[1]), int(sys.argv[2])
    store = LocalStore(path)
    if first == 0:
        store.append([check(PURGED, START_MS - COMMIT_MS, 1)], [], START_MS)
        ask_purge(store, Request(PURGED, START_MS + 10**9, forget=True))
    for number in range(first, 10**6):
        checks, alerts = commit(number)
        store.append(checks, alerts, now_of(number))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        while store.maintain(now_of(number)):
            pass
        if number % 3 == 0 and (delivery := store.next_delivery(20)) is not None:
            store.acknowledge(delivery)


if __name__ == "__main__":
    main()
