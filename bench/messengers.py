"""What memory a message takes: `python -m bench.messengers` (`--channels`) watches a monitor and the processes that send.

A monitor of 10 sites has that many web hooks; a site fails and comes back. Proportional set size, every 10 ms.
"""

import argparse
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.alarms import DOWN_S, PERIOD_S, RULE, Servers
from bench.processes import Monitor

SITES, INTERVAL_S = 10, 2
LOOK_S, SETTLE_S, RECOVERED_S = 0.01, 8.0, 25.0


@dataclass(slots=True)
class Peaks:
    """The most that was seen, in kB."""

    monitor: int = 0
    sending: int = 0
    together: int = 0

    def look(self, process: psutil.Process) -> None:
        monitor, sending = pss_kb(process), sum(map(pss_kb, process.children(recursive=True)))
        self.monitor = max(self.monitor, monitor)
        self.sending = max(self.sending, sending)
        self.together = max(self.together, monitor + sending)


def pss_kb(process: psutil.Process) -> int:
    """The memory of one process; 0: it has just ended."""
    try:
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def measure(channels: int) -> tuple[int, Peaks, int]:
    """Memory before the first message (kB), the peaks, and how many messages came."""
    servers = Servers(1)
    with tempfile.TemporaryDirectory(prefix="bench-messengers-") as directory:
        config = Path(directory) / "config.json"
        websites = [{"URL": url, "checkInterval": INTERVAL_S} for url in servers.urls(SITES)]
        hooks = [f"json://{servers.base}/{number}" for number in range(channels)]
        settings = {"websites": websites, "database": "sqlite:", "alerting": RULE, "notifications": hooks}
        config.write_text(json.dumps(settings))
        with Monitor(config) as monitor:
            time.sleep(SETTLE_S)
            process, peaks = psutil.Process(monitor.pid), Peaks()
            before_kb = pss_kb(process)
            servers.begin()
            until_s = time.monotonic() + PERIOD_S + DOWN_S + RECOVERED_S
            while time.monotonic() < until_s:
                peaks.look(process)
                time.sleep(LOOK_S)
        servers.close()
    return before_kb, peaks, servers.messages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--channels", type=int, default=1)
    channels = parser.parse_args().channels
    before_kb, peaks, messages = measure(channels)
    print(
        f"{channels} web hooks, {messages} messages: the monitor {before_kb / 1_024:.1f} MB before, at most "
        f"{peaks.monitor / 1_024:.1f} MB; the processes that send {peaks.sending / 1_024:.1f} MB; "
        f"all together {peaks.together / 1_024:.1f} MB"
    )


if __name__ == "__main__":
    main()
