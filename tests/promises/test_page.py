"""The status page beside a real monitor: it tells what that measures, outlives it, and ends when it is told to."""

import json
import re
import socket
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.influxd import free_port
from tests.support.monitor import Monitor, wait_for, write_config
from tests.support.processes import Running, run_program
from tests.support.prometheus import lint
from tests.support.target import Target

pytestmark = pytest.mark.promise

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Page(Running):
    """`-w` on a free port."""

    def __init__(self, config: Path, *options: str) -> None:
        self.port = free_port()
        super().__init__("-w", "-c", config, "--listen", f"127.0.0.1:{self.port}", *options)

    def read(self, path: str = "") -> str:
        """An answer, whatever its status; "" while nobody answers."""
        try:
            with _direct.open(f"http://127.0.0.1:{self.port}/{path}", timeout=10) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            return error.read().decode()
        except OSError:
            return ""

    def states(self) -> dict[str, str]:
        """Of each site, by the URL."""
        answer = self.read("api/v1/stats")
        found: dict[str, Any] = json.loads(answer) if answer.startswith("{") else {}
        return {site["URL"]: site["state"] for site in found.get("sites", [])}


def test_it_tells_what_a_monitor_measures_and_that_it_died(target: Target, tmp_path: Path) -> None:
    config = write_config(tmp_path, [target.url("/a"), target.url("/b")])
    with Page(config) as page:
        wait_for(lambda: "no monitor has run here yet: start " in page.read(), "it waits")
        target.go_down("/b")
        with Monitor(config) as monitor:
            wait_for(lambda: page.states() == {target.url("/a"): "up", target.url("/b"): "down"}, "both states")
            assert "1 of 2 sites has been down" in page.read()
            (incident,) = set(re.findall(r"incidents/[^\"]+", page.read()))
            assert "an alert needs" in page.read(incident)  # as --explain says
            metrics = page.read("metrics")
            assert lint(metrics.encode()) == ""
            assert f'monitoring_site_up{{location="",name="{target.url("/b")}",site="{target.url("/b")}"}} 0.0' in metrics
            monitor.kill()
        wait_for(lambda: set(page.states().values()) == {"unknown"}, "what nobody measures is unknown")
        assert "nothing is known of any of the 2 sites now: last data" in page.read()
        assert "monitoring_site_up{" not in page.read("metrics")
        assert page.terminate() == 0


def test_ctrl_c_ends_it(tmp_path: Path) -> None:
    with Page(write_config(tmp_path, ["http://127.0.0.1:9/"])) as page:
        page.until(lambda running: any("status page at" in line for line in running.printed))
        assert page.interrupt() == 0


def test_an_address_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    config = write_config(tmp_path, ["http://127.0.0.1:9/"])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = run_program("-w", "-c", config, "--listen", address)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"--listen {address}: Address already in use")
    assert ended.stderr.count("\n") == 1


def test_beyond_this_machine_it_asks_for_a_token(tmp_path: Path) -> None:
    config = write_config(tmp_path, ["http://127.0.0.1:9/"])
    ended = run_program("-w", "-c", config, "--listen", "0.0.0.0:8088")
    assert ended.returncode == 2
    assert "set MONITORING_READ_TOKEN (or MONITORING_READ_TOKEN_FILE): others can reach this address" in ended.stderr


# Beside the monitor


def test_m_web_serves_it_beside_the_monitor_and_ends_it_with_that(target: Target, tmp_path: Path) -> None:
    config = write_config(tmp_path, [target.url("/a")])
    page = Page(config)  # only asks: the process is the monitor's
    with Monitor(config, "--web", "--listen", f"127.0.0.1:{page.port}", "--format", "json") as monitor:
        wait_for(lambda: page.states() == {target.url("/a"): "up"}, "it shows what the monitor measures")
        assert any(f"status page at http://127.0.0.1:{page.port}/" in line for line in monitor.errors)
        assert all(line.startswith("{") for line in monitor.printed)
        assert monitor.terminate() == 0
    assert page.read() == ""


def test_it_ends_with_a_monitor_that_is_killed(target: Target, tmp_path: Path) -> None:
    config = write_config(tmp_path, [target.url("/a")])
    page = Page(config)
    with Monitor(config, "--web", "--listen", f"127.0.0.1:{page.port}", "--silent") as monitor:
        wait_for(page.read, "it answers")
        monitor.kill()
    wait_for(lambda: page.read() == "", "it is gone")


def test_a_page_that_dies_costs_the_monitor_nothing(target: Target, tmp_path: Path) -> None:
    config = write_config(tmp_path, [target.url("/a")])
    page = Page(config)
    with Monitor(config, "--web", "--listen", f"127.0.0.1:{page.port}", "--silent") as monitor:
        wait_for(page.read, "it answers")
        (child,) = psutil.Process(monitor.pid).children()
        child.kill()
        wait_for(lambda: "the status page has ended; the monitor goes on without it" in monitor.errors, "that is said")
        asked = len(target.asked("/a"))
        wait_for(lambda: len(target.asked("/a")) > asked + 3, "it goes on checking")
        assert monitor.terminate() == 0


def test_an_address_that_is_taken_ends_the_monitor_before_it_begins(tmp_path: Path) -> None:
    config = write_config(tmp_path, ["http://127.0.0.1:9/"])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = run_program("-m", "--web", "-c", config, "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert ended.returncode == 1
    assert "Address already in use" in ended.stderr


def test_web_goes_with_no_other_mode(tmp_path: Path) -> None:
    ended = run_program("-p", "--web")
    assert ended.returncode == 2
    assert "--web goes with --monitor and --gateway or alone, not with --print" in ended.stderr
