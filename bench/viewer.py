"""`python -m bench.viewer`: the viewer of many sites on a terminal, while a monitor writes: memory, CPU, first paint, keys.

The real program on a pseudo-terminal that answers as a terminal does, with a local file of 1000 sites checked every 2 s: an
hour of them, and a writer that goes on. Exit status 1 when a promise was broken. Wall times want a quiet machine.
"""

import argparse
import fcntl
import json
import os
import pty
import select
import statistics
import struct
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil
from rich.console import Console

from bench.processes import cpu_s
from bench.promises import Promise, at_most, conclude, facts_table
from bench.queries import fill
from monitoring.config import site_host
from monitoring.models import Cause, CheckResult
from monitoring.storage.sqlite.store import LocalStore
from monitoring.units import MINUTE_MS

ROOT = Path(__file__).resolve().parent.parent
SIZE = (160, 45)
INTERVAL_MS = 2_000
STARTS = 3
MEMORY_MB, CPU_PERCENT, FIRST_PAINT_S, KEY_MS = 80.0, 6.0, 0.8, 50.0
KEYS = (b"j", b"G", b"k", b"g", b"s", b"r", b"2", b"1", b"!", b"!", b"\r", b"\x1b", b"?", b"?", b"a", b"a")
"""Each changes something on the screen, if the cursor is on the first site when they begin: what changes nothing would be
answered by whatever is drawn next, seconds later."""
TOP = b"g"
ANSWERS = {b"\x1b[c": b"\x1b]11;rgb:0000/2b2b/3636\x1b\\\x1b[?62;22c"}
"""What a terminal answers when it is asked for its ground, and for what it can do."""


class Screen:
    """The program on a pseudo-terminal. Notes when it draws what."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", SIZE[1], SIZE[0], 0, 0))
        environ = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or each start would compile all modules anew, as only the first does
        environ.pop("SSL_CERT_FILE", None)  # most machines have none; to look into it takes OpenSSL, 5 MB and 40 ms
        self.began = time.perf_counter()
        self.process = psutil.Popen(
            [sys.executable, str(ROOT / "monitoringApp.py"), *arguments],
            env=environ,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)

    def read(self, seconds: float) -> bytes:
        """What comes within this time, as soon as anything does."""
        if not select.select([self._master], [], [], seconds)[0]:
            return b""
        data = os.read(self._master, 1 << 16)
        for asked, answer in ANSWERS.items():
            if asked in data:
                os.write(self._master, answer)
        return data

    def wait_for(self, holds: Callable[[bytes], bool], seconds: float) -> float:
        """Until what came since holds; the time it took."""
        began, seen = time.perf_counter(), b""
        while time.perf_counter() - began < seconds:
            seen += self.read(0.05)
            if holds(seen):
                return time.perf_counter() - began
        raise TimeoutError(f"it did not come in {seconds} s: {seen[-500:]!r}")

    def idle(self, seconds: float) -> int:
        """Read on for so long; how many bytes came."""
        until, count = time.perf_counter() + seconds, 0
        while (left := until - time.perf_counter()) > 0:
            count += len(self.read(left))
        return count

    def press(self, key: bytes) -> float:
        """Milliseconds until the first thing is drawn after a key, from a moment in which nothing was."""
        while self.read(0.15):
            pass
        began = time.perf_counter()
        os.write(self._master, key)
        self.wait_for(bool, 30.0)
        return (time.perf_counter() - began) * 1_000

    def press_unmeasured(self, key: bytes) -> None:
        """A key that may change nothing."""
        os.write(self._master, key)
        self.idle(1)

    def close(self) -> None:
        os.write(self._master, b"q")
        with suppress(psutil.TimeoutExpired):
            self.process.wait(10)
        with suppress(psutil.NoSuchProcess):
            self.process.kill()
        os.close(self._master)


@contextmanager
def writing(path: Path, hosts: Sequence[str], from_ms: int) -> Iterator[None]:
    """A writer beside it, as a monitor is: every site every two seconds, a commit each half second."""
    ended = threading.Event()

    def write() -> None:
        with closing(LocalStore(path)) as store:
            written_ms = from_ms
            while not ended.wait(0.5):
                now_ms = time.time_ns() // 1_000_000
                due = range(-(-written_ms // 500) * 500, now_ms, 500)
                checks = [_check(host, at_ms) for at_ms in due for host in hosts[at_ms // 500 % 4 :: 4]]
                if checks:
                    store.append(checks, (), now_ms)
                    written_ms = now_ms
                while store.maintain(now_ms):
                    pass

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _check(host: str, time_ms: int) -> CheckResult:
    took_us = 20_000 + (hash((host, time_ms)) % 200_000)
    if took_us % 97 == 0:
        return CheckResult(host, time_ms, INTERVAL_MS, 300, cause=Cause.TIMEOUT, detail="no answer within 5 s")
    phases = (300, took_us // 4, took_us // 4, took_us // 4, took_us - 300 - 3 * (took_us // 4))
    return CheckResult(host, time_ms, INTERVAL_MS, 300, 200, took_us, phases)


def measure(config: Path, seconds: float) -> tuple[list[Promise], list[tuple[str, str]]]:
    firsts_s = [_first_paint_s(config) for _ in range(1 + STARTS)][1:]
    with closing(Screen(["-p", "-c", str(config)])) as screen:
        screen.idle(20)  # every window was read
        cpu_before, began = cpu_s(screen.process), time.perf_counter()
        sent = screen.idle(seconds)
        share = 100 * (cpu_s(screen.process) - cpu_before) / (time.perf_counter() - began)
        times = []
        for _ in range(3):
            screen.press_unmeasured(TOP)
            times += [(screen.press(key), key) for key in KEYS]
        memory = screen.process.memory_info()
        peak_kb = int(next(line for line in _status(screen.process.pid) if line.startswith("VmHWM")).split()[1])
    promises = [
        at_most("memory, MB", memory.rss / 1e6, MEMORY_MB, "MB"),
        at_most("CPU, % of a core", share, CPU_PERCENT, "%"),
        at_most("first paint of the sites, s", statistics.median(firsts_s), FIRST_PAINT_S, "s", 2),
        at_most("a key to the screen, median, ms", statistics.median(took for took, _ in times), KEY_MS, "ms"),
    ]
    facts = [
        ("peak of memory", f"{peak_kb / 1e3:.1f} MB"),
        ("first paints", ", ".join(f"{first_s:.2f} s" for first_s in firsts_s)),
        ("the slowest keys", ", ".join(f"{key!r} {took:.1f} ms" for took, key in sorted(times, reverse=True)[:3])),
        ("sent to the terminal", f"{sent / seconds / 1e3:.1f} kB/s"),
    ]
    return promises, facts


def _first_paint_s(config: Path) -> float:
    """Seconds from the start of the program until the sites are on the screen."""
    with closing(Screen(["-p", "-c", str(config)])) as screen:
        screen.wait_for(lambda seen: "●".encode() in seen or "○".encode() in seen, 30)
        return time.perf_counter() - screen.began


def _status(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/status").read_text().splitlines()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--minutes", type=int, default=65, help="so much is stored before the viewer starts")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        urls = [f"https://site-{number}.example.org/" for number in range(asked.sites)]
        hosts = list(map(site_host, urls))
        sites = [{"URL": url, "name": f"site {number}", "checkInterval": 2} for number, url in enumerate(urls)]
        config = directory / "config.json"
        config.write_text(json.dumps({"websites": sites, "database": "sqlite:"}))
        until_ms = time.time_ns() // 1_000_000
        with closing(LocalStore(directory / "config.db")) as store:
            filled = fill([store], hosts, until_ms, asked.minutes * MINUTE_MS)
        with writing(directory / "config.db", hosts, filled.until_ms):
            time.sleep(3)
            promises, facts = measure(config, asked.seconds)
    console = Console()
    console.print(facts_table(f"{asked.sites} sites, load {os.getloadavg()[0]:.1f}", facts))
    return conclude(console, promises)


if __name__ == "__main__":
    sys.exit(main())
