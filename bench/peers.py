"""`python -m bench.peers`: the monitor beside blackbox_exporter driven by Prometheus, in turn, in one run.

Both check the same target at the same interval on the same core; what is done is counted by the target. Both programs
come from Debian's packages `prometheus` and `prometheus-blackbox-exporter`.
"""

import argparse
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from bench.processes import Core, Monitor, Target, pinned, write_config
from bench.sites import INTERVAL_S, SETTLE_S, START_LIMIT_S
from tests.support.influxd import free_port

PROMETHEUS, BLACKBOX = "prometheus", "prometheus-blackbox-exporter"

CpuOf = Callable[[], tuple[float, int]]
"""Seconds of CPU used so far and resident memory in kB, of all processes of a contender."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One contender's turn: `done` of `due` checks, CPU seconds, memory in kB."""

    contender: str
    sites: int
    due: int
    done: int
    cpu_s: float
    memory_kb: int

    @property
    def cpu_ms_a_check(self) -> float:
        return 1_000 * self.cpu_s / max(1, self.done)


@contextmanager
def monitor(directory: Path, urls: Sequence[str]) -> Iterator[CpuOf]:
    with Monitor(write_config(directory, urls, INTERVAL_S, "sqlite:")) as running:
        yield lambda: (running.cpu_s(), running.memory_kb()[0])


@contextmanager
def prometheus(directory: Path, urls: Sequence[str]) -> Iterator[CpuOf]:
    """Prometheus scrapes blackbox_exporter once an interval for each target; JSON is YAML."""
    ports = free_port(), free_port()
    modules = {"modules": {"http": {"prober": "http", "http": {"preferred_ip_protocol": "ip4"}}}}
    blackbox_file, prometheus_file = directory / "blackbox.yml", directory / "prometheus.yml"
    blackbox_file.write_text(json.dumps(modules))
    prometheus_file.write_text(json.dumps(_scrapes(urls, ports[1])))
    places = [f"--web.listen-address=127.0.0.1:{port}" for port in ports]
    commands = [
        [BLACKBOX, f"--config.file={blackbox_file}", places[1], "--log.level=error"],
        [PROMETHEUS, f"--config.file={prometheus_file}", f"--storage.tsdb.path={directory / 'tsdb'}", places[0]],
    ]
    with pinned(Core.MONITOR):
        processes = [psutil.Popen(command, stderr=subprocess.DEVNULL) for command in commands]
    try:
        yield lambda: _usage(processes)
    finally:
        for process in processes:
            process.terminate()
            process.wait(30)


def _scrapes(urls: Sequence[str], blackbox_port: int) -> Mapping[str, object]:
    relabel = [
        {"source_labels": ["__address__"], "target_label": "__param_target"},
        {"source_labels": ["__param_target"], "target_label": "instance"},
        {"target_label": "__address__", "replacement": f"127.0.0.1:{blackbox_port}"},
    ]
    job = {"job_name": "sites", "metrics_path": "/probe", "params": {"module": ["http"]}, "relabel_configs": relabel}
    job["static_configs"] = [{"targets": list(urls)}]
    interval = f"{INTERVAL_S}s"
    return {"global": {"scrape_interval": interval, "scrape_timeout": interval}, "scrape_configs": [job]}


def _usage(processes: Sequence[psutil.Popen]) -> tuple[float, int]:
    times = [process.cpu_times() for process in processes]
    memory = sum(process.memory_info().rss for process in processes) // 1_024
    return sum(time.user + time.system for time in times), memory


CONTENDERS: Mapping[str, Callable[[Path, Sequence[str]], AbstractContextManager[CpuOf]]] = {
    "this monitor": monitor,
    "blackbox + Prometheus": prometheus,
}


def take_turn(contender: str, sites: int, seconds: int) -> Turn:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        target = stack.enter_context(Target())
        usage = stack.enter_context(CONTENDERS[contender](directory, target.urls(sites)))
        target.wait_for(sites, START_LIMIT_S)
        time.sleep(SETTLE_S)
        target.report()
        before_s, _ = usage()
        time.sleep(seconds)
        after_s, memory_kb = usage()
        done = sum(map(len, target.report().served_us.values()))
    return Turn(contender, sites, sites * seconds // INTERVAL_S, done, after_s - before_s, memory_kb)


def table(turns: Sequence[Turn]) -> Table:
    shown = Table("sites", "contender", "done / due", "CPU a check", "memory", title="In turn, on one core", box=None)
    for turn in turns:
        done, cpu = f"{turn.done} / {turn.due}", f"{turn.cpu_ms_a_check:.2f} ms"
        shown.add_row(str(turn.sites), turn.contender, done, cpu, f"{turn.memory_kb / 1_024:.0f} MB")
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.peers")
    parser.add_argument("--sites", type=int, nargs="+", default=[200, 1000])
    parser.add_argument("--seconds", type=int, default=20, help="of each turn")
    parser.add_argument("--turns", type=int, default=2, help="of each contender")
    arguments = parser.parse_args()
    if missing := [program for program in (PROMETHEUS, BLACKBOX) if shutil.which(program) is None]:
        parser.exit(2, f"not installed: {', '.join(missing)} (Debian's packages of these names)\n")
    turns = [
        take_turn(contender, sites, arguments.seconds)
        for sites in arguments.sites
        for _ in range(arguments.turns)
        for contender in CONTENDERS
    ]
    Console(width=100).print(table(turns))


if __name__ == "__main__":
    main()
