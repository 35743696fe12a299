"""The monitor of many sites, alone and while three viewers (`-p`), the status page and a browser look at it, in turns.

python -m bench.web --sites 1000 --seconds 20 --turns 2

Beside it: what the overview costs the page's process and when a browser can use it, what an update sends, and what the
page's process uses while nobody asks. The monitor has a core to itself; all others share the second one.
"""

import argparse
import fcntl
import gzip
import os
import pty
import statistics
import struct
import subprocess
import sys
import termios
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from bench.places import prepared
from bench.processes import APP, ROOT, Core, Monitor, cpu_s, pinned
from bench.queries import fill
from bench.sites import LAST_ANSWER_S, REACH_S, SETTLE_S, Spread, Task
from monitoring.config import site_host
from monitoring.models import Window
from monitoring.storage.sqlite.store import LocalStore
from tests.support.browser import Browser, browser
from tests.support.influxd import free_port

VIEWERS = 3
ROWS, COLUMNS = 45, 160
FIRST_S = 180.0
"""So long the page may take until it shows all sites."""

READ_S = 15.0
"""So long it has for its further readings before anything of it is measured."""

ASKED = 7
UPDATES, EVERY_S = 3, 10.0

TIMES = """(() => {
  const page = performance.getEntriesByType('navigation')[0];
  const paint = performance.getEntriesByType('paint').find(it => it.name === 'first-contentful-paint');
  return {server: page.responseStart - page.requestStart, received: page.responseEnd,
          painted: paint ? paint.startTime : null, usable: page.loadEventEnd,
          rows: document.querySelectorAll('.row:not(.titles)').length};
})()"""


@dataclass(frozen=True, slots=True)
class Share:
    """The monitor in one span of time: its CPU in milliseconds a check, its lag, how many checks were due and were made."""

    window: Window
    cpu_s: float
    lag: Spread = field(default_factory=lambda: Spread(None, None))
    due: int = 0
    done: int = 0

    @property
    def cpu_ms(self) -> float:
        return 1_000 * self.cpu_s / max(1, self.done)


class Started:
    """A program that reads what the monitor stores: `with started(...) as one: one.cpu_s()`."""

    def __init__(self, config: Path, *options: str, on_terminal: bool) -> None:
        screen, terminal = pty.openpty() if on_terminal else (None, subprocess.DEVNULL)
        if screen is not None:
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        command = [sys.executable, str(APP), *options, "-c", str(config)]
        environ = {**os.environ, "TERM": "xterm-256color"}
        errors = terminal if on_terminal else None  # the viewer draws on stderr
        with pinned(Core.SERVERS):
            self.process = psutil.Popen(command, cwd=ROOT, env=environ, stdin=terminal, stdout=terminal, stderr=errors)
        if screen is not None:
            os.close(terminal)
            threading.Thread(target=self._read, args=(screen,), daemon=True).start()

    @staticmethod
    def _read(screen: int) -> None:
        with suppress(OSError):  # EIO: nobody has this terminal any more
            while os.read(screen, 65_536):
                pass

    def cpu_s(self) -> float:
        return cpu_s(self.process)

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(30)


@contextmanager
def started(config: Path, *options: str, on_terminal: bool) -> Iterator[Started]:
    one = Started(config, *options, on_terminal=on_terminal)
    try:
        yield one
    finally:
        one.end()


def measured(monitor: Monitor, seconds: int) -> Share:
    """The monitor over so many seconds from now."""
    from_ms, before_s = time.time_ns() // 1_000_000, monitor.cpu_s()
    time.sleep(seconds)
    return Share(Window(from_ms, from_ms + 1_000 * seconds), monitor.cpu_s() - before_s)


def with_checks(task: Task, share: Share, interval_s: int) -> Share:
    """The same with what the monitor's file says of that time."""
    found = task.results(share.window)
    due = len(task.urls) * share.window.length_ms // (interval_s * 1_000)
    return replace(share, lag=Spread.of([it.lag_us for it in found]), due=due, done=len(found))


def asked(url: str, path: str) -> tuple[float, bytes]:
    """Seconds until the answer had come, and its body as it was sent."""
    request = urllib.request.Request(url + path, headers={"Accept-Encoding": "gzip"})
    began = time.perf_counter()
    with urllib.request.urlopen(request, timeout=60) as answer:
        body: bytes = answer.read()
    return time.perf_counter() - began, body


def unpacked(body: bytes) -> bytes:
    return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body


def wait_until_shown(url: str, sites: int) -> float:
    """Seconds until the page shows all sites. Raises TimeoutError."""
    began = time.monotonic()
    while time.monotonic() - began < FIRST_S:
        with suppress(OSError):  # it does not listen yet
            if unpacked(asked(url, "")[1]).count(b'.state">') >= sites:
                return time.monotonic() - began
        time.sleep(0.2)
    raise TimeoutError(f"the page does not show {sites} sites within {FIRST_S:.0f} s")


def measure_page(url: str, page: Started) -> None:
    """The overview from the server's and from the browser's side, then some updates as the browser asks for them."""
    took_s, cost_s = [], []
    for _ in range(ASKED):
        before_s = page.cpu_s()
        elapsed_s, body = asked(url, "")
        took_s.append(elapsed_s)
        cost_s.append(page.cpu_s() - before_s)
        time.sleep(1)
    say("overview, the whole answer", f"{1_000 * statistics.median(took_s):.0f} ms, at most {1_000 * max(took_s):.0f} ms")
    say("  CPU of the page's process meanwhile", f"{1_000 * statistics.median(cost_s):.0f} ms")
    say("  bytes, as sent and unpacked", f"{len(body):,} / {len(unpacked(body)):,}")
    version = int(unpacked(body).split(b'data-version="')[1].split(b'"')[0])
    for _ in range(UPDATES):
        time.sleep(EVERY_S)
        _, update = asked(url, f"updates?since={version}")
        text = unpacked(update)
        version = int(text.split(b'"version":')[1].split(b",")[0])
        say(
            "update after 10 s, as sent and unpacked",
            f"{len(update):,} / {len(text):,} bytes, {text.count(b'.now')} of .now",
        )
    before_s = page.cpu_s()
    time.sleep(30)
    say("page's process while nobody asks", f"{100 * (page.cpu_s() - before_s) / 30:.1f} % of a core")
    say("  memory", f"{page.process.memory_info().rss / 2**20:.0f} MB")


def measure_browser(window: Browser, url: str) -> None:
    found = []
    for _ in range(ASKED):
        window.open(url)
        window.until("performance.getEntriesByType('navigation')[0].loadEventEnd")
        found.append(window.ask(TIMES))
    for name in ("server", "received", "painted", "usable"):
        values = [it[name] for it in found if it[name] is not None]
        say(f"browser: {name}", f"{statistics.median(values):.0f} ms, at most {max(values):.0f} ms")
    say("  rows", str(found[-1]["rows"]))


def say(what: str, value: str) -> None:
    print(f"  {what:<44}{value}", flush=True)


def tell(name: str, shares: Sequence[Share]) -> None:
    cpu = ", ".join(f"{it.cpu_ms:.3f}" for it in shares)
    lag = ", ".join(f"{(it.lag.median_us or 0) / 1_000:.2f}/{(it.lag.p99_us or 0) / 1_000:.1f}" for it in shares)
    done = ", ".join(f"{it.done}/{it.due}" for it in shares)
    say(f"monitor {name}: CPU a check, ms", cpu)
    say("  lag median/p99, ms", lag)
    say("  checks done/due", done)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=1_000)
    parser.add_argument("--interval", type=int, default=2, help="seconds between two checks of a site")
    parser.add_argument("--seconds", type=int, default=20, help="how long the monitor is measured at a time")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--minutes", type=int, default=60, help="how much history its file has")
    asked_for = parser.parse_args()
    with prepared(with_influxdb=False) as place, ExitStack() as stack:
        urls = place.target.urls(asked_for.sites)
        task = Task(place.directory, urls, "sqlite:", "sqlite")
        with closing(LocalStore(place.directory / "config.db")) as local:
            fill([local], [site_host(url) for url in urls], time.time_ns() // 1_000_000, asked_for.minutes * 60_000)
        monitor = stack.enter_context(task.monitor())
        place.target.wait_for(asked_for.sites, REACH_S)
        time.sleep(SETTLE_S)
        print(f"{asked_for.sites} sites, load {os.getloadavg()[0]:.1f}")
        alone, watched = [], []
        config, url = place.directory / "config.json", ""
        for turn in range(asked_for.turns):
            alone.append(measured(monitor, asked_for.seconds))
            with ExitStack() as viewers:
                port = free_port()
                url = f"http://127.0.0.1:{port}/"
                page = viewers.enter_context(started(config, "-w", "--listen", f"127.0.0.1:{port}", on_terminal=False))
                for _ in range(VIEWERS):
                    viewers.enter_context(started(config, "-p", on_terminal=True))
                with pinned(Core.SERVERS):
                    window = viewers.enter_context(browser())
                say("page: seconds until it shows all sites", f"{wait_until_shown(url, asked_for.sites):.1f}")
                time.sleep(READ_S)
                window.open(url)
                watched.append(measured(monitor, asked_for.seconds))
                if turn == asked_for.turns - 1:
                    measure_page(url, page)
                    measure_browser(window, url)
        time.sleep(LAST_ANSWER_S)
        for name, shares in (("alone", alone), ("while all look", watched)):
            tell(name, [with_checks(task, it, asked_for.interval) for it in shares])


if __name__ == "__main__":
    main()
