"""blackbox_exporter and the Prometheus that drives it: started with the same sites, asked what they measured."""

import json
import os
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from bench.processes import STOP_SECONDS, Core, cpu_s, pinned
from monitoring.models import Window
from tests.support.influxd import free_port

PROGRAMS = ("prometheus", "prometheus-blackbox-exporter")

MODULES = {"modules": {"http": {"prober": "http", "http": {"preferred_ip_protocol": "ip4"}}}}

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Prometheus:
    """Both of them, on the monitor's core: Prometheus scrapes blackbox_exporter once an interval for each site.

    `bundle` is the file of certificates they trust. It is given to the process, as to the monitor: named in the module
    (`tls_config`), blackbox_exporter would read and parse it for every check.
    """

    def __init__(self, directory: Path, urls: Sequence[str], interval_s: int, bundle: Path) -> None:
        self._port, blackbox_port = free_port(), free_port()
        blackbox_file, prometheus_file = directory / "blackbox.yml", directory / "prometheus.yml"
        blackbox_file.write_text(json.dumps(MODULES))  # JSON is YAML
        prometheus_file.write_text(json.dumps(_scrapes(urls, interval_s, blackbox_port)))
        self._commands = (
            (PROGRAMS[0], f"--config.file={prometheus_file}", f"--storage.tsdb.path={directory / 'tsdb'}", _at(self._port)),
            (PROGRAMS[1], f"--config.file={blackbox_file}", "--log.level=error", _at(blackbox_port)),
        )
        self._environment = os.environ | {"SSL_CERT_FILE": str(bundle)}

    def __enter__(self) -> Self:
        with pinned(Core.MONITOR):
            self._processes = [
                psutil.Popen(command, env=self._environment, stderr=subprocess.DEVNULL) for command in self._commands
            ]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for process in self._processes:
            process.terminate()
            process.wait(STOP_SECONDS)

    def usage(self) -> tuple[float, int]:
        """Seconds of CPU used so far and resident memory in kB, of both."""
        memory_kb = sum(process.memory_info().rss for process in self._processes) // 1_024
        return sum(map(cpu_s, self._processes)), memory_kb

    def responses_us(self, window: Window) -> list[tuple[str, int]]:
        """URL and measured duration of each probe that succeeded, by the time of its scrape."""
        good = {key for key, value in self._samples("probe_success", window).items() if value == 1}
        durations = self._samples("probe_duration_seconds", window)
        return [(key[0], round(1_000_000 * value)) for key, value in durations.items() if key in good]

    def _samples(self, metric: str, window: Window) -> dict[tuple[str, float], float]:
        """Every sample of this metric, by site and time."""
        parameters = {"query": f"{metric}[{window.length_ms}ms]", "time": f"{(window.until_ms - 1) / 1_000:.3f}"}
        url = f"http://127.0.0.1:{self._port}/api/v1/query?{urllib.parse.urlencode(parameters)}"
        with _direct.open(url, timeout=STOP_SECONDS) as answer:
            series: Sequence[Mapping[str, Any]] = json.load(answer)["data"]["result"]
        return {(one["metric"]["instance"], time_s): float(value) for one in series for time_s, value in one["values"]}


def _at(port: int) -> str:
    return f"--web.listen-address=127.0.0.1:{port}"


def _scrapes(urls: Sequence[str], interval_s: int, blackbox_port: int) -> Mapping[str, object]:
    relabel = [
        {"source_labels": ["__address__"], "target_label": "__param_target"},
        {"source_labels": ["__param_target"], "target_label": "instance"},
        {"target_label": "__address__", "replacement": f"127.0.0.1:{blackbox_port}"},
    ]
    job = {"job_name": "sites", "metrics_path": "/probe", "params": {"module": ["http"]}, "relabel_configs": relabel}
    job["static_configs"] = [{"targets": list(urls)}]
    interval = f"{interval_s}s"
    return {"global": {"scrape_interval": interval, "scrape_timeout": interval}, "scrape_configs": [job]}
