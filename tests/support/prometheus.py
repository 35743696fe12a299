"""A real Prometheus: started on a free port, told what to scrape, asked by PromQL."""

import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from tests.support.influxd import free_port
from tests.support.monitor import PATIENCE_S, wait_for

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Prometheus:
    """Scrapes `target` (host and port) every second: `with Prometheus(folder, target) as prometheus: ...`."""

    def __init__(self, folder: Path, target: str) -> None:
        self._port = free_port()
        job = {"job_name": "monitoring", "static_configs": [{"targets": [target]}]}
        settings = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [job]}
        file = folder / "prometheus.yml"
        file.write_text(json.dumps(settings))  # JSON is YAML
        self._command = [
            program("prometheus"),
            f"--config.file={file}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
        ]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)
        wait_for(lambda: self.answers("up") == [1.0], "a first scrape")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait(PATIENCE_S)

    def ask(self, query: str) -> list[dict[str, Any]]:
        """The series that the query finds, each with `metric` and `value`; none while it does not answer yet."""
        url = f"http://127.0.0.1:{self._port}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        try:
            with _direct.open(url, timeout=PATIENCE_S) as answer:
                found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
                return found
        except urllib.error.HTTPError as error:
            if error.code == 400:  # what is wrong with the query
                raise AssertionError(f"{query}: {json.load(error)['error']}") from None
            return []
        except OSError:
            return []

    def answers(self, query: str) -> list[float]:
        """The values alone, in order."""
        return sorted(float(series["value"][1]) for series in self.ask(query))


def program(name: str) -> str:
    """Where it is; skips the test where it is not: `scripts/test-programs` unpacks Debian's."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"there is no {name}")
    return path


def lint(metrics: bytes) -> str:
    """What `promtool check metrics` says of this page: "" is nothing."""
    command = [program("promtool"), "check", "metrics"]
    found = subprocess.run(command, input=metrics, capture_output=True, check=False, timeout=PATIENCE_S)
    assert found.returncode == 0 or found.stderr, "promtool failed"
    return (found.stdout + found.stderr).decode()
