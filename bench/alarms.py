"""What notifications cost checks and evaluations: `python -m bench.alarms` runs a monitor without a channel, with one that
works and with one that hangs, in turns, while group after group of its sites fails.

A channel is a web hook by apprise. Each group fails once, so that there is a message every few seconds.
"""

import argparse
import json
import os
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from rich.console import Console

from bench.processes import Core, Monitor, Target, pinned
from bench.sites import INTERVAL_S, LAST_ANSWER_S, REACH_S, SETTLE_S, Spread
from bench.standstill import Standstill
from monitoring.alerts.replay import Replay
from monitoring.config import load_config
from monitoring.models import Alert, AlertType, Window
from monitoring.storage.sqlite.reader import FileReader

CHANNELS = ("none", "works", "hangs")
PERIOD_S, DOWN_S = 8, 12
"""Every so often the next group fails, for so long."""

RULE = {"window": "15s"}
LOOK_S = 0.5


class Servers:
    """The sites that fail, and the web hook: as threads of this process."""

    def __init__(self, groups: int) -> None:
        self.messages = 0
        self.hook_answers = True
        self._groups = groups
        self._began_s: float | None = None
        servers = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(503 if servers.is_down(int(self.path.split("/")[1])) else 200)
                self.end_headers()

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                servers.messages += 1
                if not servers.hook_answers:
                    time.sleep(60)
                with suppress(OSError):
                    self.send_response(200)
                    self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads, self._server.block_on_close = True, False
        self.base = f"127.0.0.1:{self._server.server_port}"
        with pinned(Core.SERVERS):  # what a thread starts stays there
            threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def begin(self) -> None:
        """The first group fails after a period from now."""
        self._began_s, self.messages = time.monotonic(), 0

    def rest(self) -> None:
        self._began_s = None

    def is_down(self, number: int) -> bool:
        if self._began_s is None:
            return False
        since_s = time.monotonic() - self._began_s - PERIOD_S * (1 + number % self._groups)
        return 0 <= since_s < DOWN_S

    def urls(self, sites: int) -> list[str]:
        return [f"http://{self.base}/{number}" for number in range(sites)]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass(frozen=True, slots=True)
class Run:
    """One run. `late` is how long after the check that decided it a state change was recorded, at most an evaluation's
    interval if nothing is late. Memory in kB: of the monitor in the end, and with its children at the most.
    """

    channel: str
    due: int
    done: int
    lag: Spread
    late: Spread
    alerts: int
    messages: int
    cpu_s: float
    memory_kb: int
    tree_kb: int
    longest_s: float


def measure(channel: str, sites: int, failing: int, seconds: int, target: Target, servers: Servers) -> Run:
    servers.hook_answers = channel != "hangs"
    urls = [*target.urls(sites - failing), *servers.urls(failing)]
    hooks = [] if channel == "none" else [f"json://{servers.base}/?rto=60"]
    with tempfile.TemporaryDirectory(prefix="bench-alarms-") as directory:
        config = Path(directory) / "config.json"
        websites = [{"URL": url, "checkInterval": INTERVAL_S} for url in urls]
        settings = {"websites": websites, "database": "sqlite:", "alerting": RULE, "notifications": hooks}
        config.write_text(json.dumps(settings))
        target.report()
        with Monitor(config) as monitor, Standstill() as still:
            with suppress(TimeoutError):
                target.wait_for(sites - failing, REACH_S)
            time.sleep(SETTLE_S)
            servers.begin()
            from_ms, before_s, tree_kb = time.time_ns() // 1_000_000, monitor.cpu_s(), 0
            until_s = time.monotonic() + seconds
            while (left_s := until_s - time.monotonic()) > 0:
                time.sleep(min(LOOK_S, left_s))
                tree_kb = max(tree_kb, monitor.tree_kb())
            used_s, memory_kb = monitor.cpu_s() - before_s, monitor.memory_kb()[0]
            time.sleep(LAST_ANSWER_S)
            servers.rest()
        window = Window(from_ms, from_ms + seconds * 1_000)
        lags, late, alerts = _read(config, window)
    due = sites * seconds // INTERVAL_S
    spread = Spread.of(lags), Spread.of(late)
    return Run(channel, due, len(lags), *spread, alerts, servers.messages, used_s, memory_kb, tree_kb, still.longest_s)


def _read(config: Path, window: Window) -> tuple[Sequence[int], Sequence[int], int]:
    """The lags of the checks (µs), how late state changes were recorded (µs), and how many there were."""
    loaded = {site.host: site for site in load_config(config, os.environ).sites}
    with closing(FileReader(config.with_suffix(".db"))) as reader:
        checks = list(reader.results(Window(0, window.until_ms)))
        alerts = [alert for alert in reader.alerts(window) if alert.type is AlertType.ALERT]
    at_once = {host: Replay(site, 1) for host, site in loaded.items()}  # as if it was evaluated all the time
    for check in checks:
        at_once[check.host].add(check)
    first: Mapping[str, Alert] = {
        change.host: change
        for replay in at_once.values()
        for change in reversed(replay.finish(window.until_ms))
        if change.type is AlertType.ALERT
    }
    late = [1_000 * (alert.time_ms - first[alert.host].time_ms) for alert in alerts if alert.host in first]
    return [check.lag_us for check in checks if check.time_ms >= window.from_ms], late, len(alerts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=300)
    parser.add_argument("--failing", type=int, default=100, help="how many of them fail, group after group")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--turns", type=int, default=2)
    arguments = parser.parse_args()
    console = Console(highlight=False)
    servers = Servers(max(1, (arguments.seconds - DOWN_S) // PERIOD_S))
    with Target() as target:
        for turn in range(arguments.turns):
            order = CHANNELS[turn % 3 :] + CHANNELS[: turn % 3]
            for channel in order:
                found = measure(channel, arguments.sites, arguments.failing, arguments.seconds, target, servers)
                console.print(sentence(found))
    servers.close()


def sentence(run: Run) -> str:
    """A run in one line."""
    lag, late = run.lag, run.late
    return (
        f"channel {run.channel}: {run.done} of {run.due} checks, lag {_ms(lag.median_us)} (p99 {_ms(lag.p99_us)}); "
        f"{run.alerts} alerts, recorded after {_ms(late.median_us)} (p99 {_ms(late.p99_us)}); "
        f"{run.messages} messages; {1e3 * run.cpu_s / max(1, run.done):.2f} ms of CPU a check; "
        f"{run.memory_kb / 1_024:.1f} MB, with its children {run.tree_kb / 1_024:.1f} MB at most; "
        f"the machine stood still for {run.longest_s:.1f} s at most"
    )


def _ms(time_us: int | None) -> str:
    return "—" if time_us is None else f"{time_us / 1_000:.1f} ms"


if __name__ == "__main__":
    main()
