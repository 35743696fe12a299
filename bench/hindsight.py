"""How long `--explain` and `--replay` take: `python -m bench.hindsight`. It fills a day of 100 sites and a month of 10.

One site of each fails 15 % of its checks at random, so that no hour of the month can be passed over; the others fail for a
minute now and then.
"""

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench.processes import APP, ROOT
from monitoring.alerts.replay import Replay
from monitoring.models import Cause, CheckResult, Site
from monitoring.storage.sqlite.store import LocalStore
from monitoring.units import DAY_MS, HOUR_MS, MINUTE_MS

FILL_MS = 2 * MINUTE_MS
EVALUATED_MS = 2_000
PHASES_US = (1_000, 2_000, None, 40_000, 4_000)
TURNS = 5


@dataclass(frozen=True, slots=True)
class History:
    """So many sites, checked every `interval_ms` for `length_ms` until now."""

    sites: int
    interval_ms: int
    length_ms: int

    def checks(self, from_ms: int, until_ms: int, dice: random.Random) -> Iterator[CheckResult]:
        for slot_ms in range(from_ms, until_ms, self.interval_ms):
            for number in range(self.sites):
                hour, rest_ms = divmod(slot_ms, HOUR_MS)
                failed = dice.random() < 0.15 if number == 0 else hour % 11 == number % 11 and rest_ms < MINUTE_MS
                yield CheckResult(
                    *(host_of(number), slot_ms + number, self.interval_ms, 100, 503 if failed else 200, 47_000, PHASES_US),
                    cause=Cause.STATUS if failed else None,
                    detail="status 503" if failed else "",
                )

    def fill(self, config: Path) -> None:
        """Write configuration and local file, with the alerts that the shipped rule raises."""
        websites = [{"URL": host_of(number), "name": f"site {number}"} for number in range(self.sites)]
        interval_s = self.interval_ms / 1_000
        config.write_text(json.dumps({"websites": websites, "database": "sqlite:", "defaultCheckInterval": interval_s}))
        until_ms, dice = time.time_ns() // 1_000_000, random.Random(1)
        hosts = [host_of(number) for number in range(self.sites)]
        replays = {host: Replay(Site(host, host, interval_ms=self.interval_ms), EVALUATED_MS) for host in hosts}
        with closing(LocalStore(config.with_suffix(".db"))) as local:
            for from_ms in range(until_ms - self.length_ms, until_ms, FILL_MS):
                checks = list(self.checks(from_ms, min(from_ms + FILL_MS, until_ms), dice))
                for check in checks:
                    replays[check.host].add(check)
                local.append(checks, [], from_ms)
            local.append([], [alert for one in replays.values() for alert in one.finish(until_ms)], until_ms)
            while local.maintain(until_ms):
                pass


def host_of(number: int) -> str:
    return f"http://host-{number}.example"


def measure(what: str, config: Path, *arguments: str) -> None:
    """Print the shortest of some runs, in seconds by the wall clock, and its processor time."""
    found = []
    for _ in range(TURNS):
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        command = [sys.executable, str(APP), *arguments, "-c", str(config)]
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
        took_s, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append((took_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    took_s, used_s = min(found)
    print(f"{what}: {took_s:.2f} s, {used_s:.2f} s of processor time")


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        day, month = Path(directory) / "day.json", Path(directory) / "month.json"
        History(100, 2_000, DAY_MS).fill(day)
        measure("--explain, a day of 100 sites", day, "--explain", "site 0")
        History(10, 15_000, 30 * DAY_MS).fill(month)
        measure("--replay, a month of 10 sites", month, "--replay", "--since", "30d", "--threshold", "90")
        arguments = ("--replay", "--since", "30d", "--threshold", "90", "--site", "site 1")
        measure("--replay, the same month, one site that fails seldom", month, *arguments)


if __name__ == "__main__":
    main()
