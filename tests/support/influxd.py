"""A real InfluxDB for tests: started on free ports in a directory of its own, and treated badly on purpose."""

import base64
import json
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.certificates import Authority

START_SECONDS = 60.0
"""How long a start may take on a busy machine."""

QUIET = {
    "INFLUXDB_REPORTING_DISABLED": "true",
    "INFLUXDB_MONITOR_STORE_ENABLED": "false",
    "INFLUXDB_DATA_QUERY_LOG_ENABLED": "false",
    "INFLUXDB_CONTINUOUS_QUERIES_ENABLED": "false",
    "INFLUXDB_HTTP_LOG_ENABLED": "false",
}

PARTS = ("meta", "data", "wal")
"""The directories of its data."""

LENT_PORTS_BEGIN = 32_768
"""From here on the system lends ports to connections (Linux: `net.ipv4.ip_local_port_range`)."""


def free_port() -> int:
    """A port of the loopback interface that nobody listens on; no connection will be lent it before a server does.

    The processes of a run choose from different ports: a server takes a second or two to listen.
    """
    own, processes = (os.environ.get(f"PYTEST_XDIST_WORKER{end}", "1") for end in ("", "_COUNT"))
    first = 10_240 + int(own.removeprefix("gw")) % int(processes)
    while True:
        port = random.randrange(first, LENT_PORTS_BEGIN, int(processes))
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _send(request: urllib.request.Request, tls: ssl.SSLContext | None = None) -> bytes:
    """The whole answer: InfluxDB sends its headers first, and drops a statement whose client has gone by then."""
    # Tests put a proxy into the environment.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls))
    with direct.open(request, timeout=START_SECONDS) as answer:
        body: bytes = answer.read()
        return body


class Influxd:
    """One InfluxDB 1.x server: `with Influxd() as server: ... server.url("monitoring")`.

    `settings` are further environment variables of `influxd`, as they are when it is started; with an `authority` it serves
    HTTPS, certified by that. Its port and its data outlive `stop`, `kill` and `start`; only `wipe`, `put_back` and leaving
    the `with` block lose data.
    """

    def __init__(self, settings: Mapping[str, str] | None = None, authority: Authority | None = None) -> None:
        program = shutil.which("influxd")
        if program is None:
            raise RuntimeError("these tests need influxd 1.x on the PATH (Debian: apt-get install influxdb)")
        self._program = program
        self.settings = dict(settings or {})
        self._process: subprocess.Popen[bytes] | None = None
        self.directory = Path(tempfile.mkdtemp(prefix="influxd-"))
        self.host = "127.0.0.1"
        self.port = free_port()
        self._tls = ssl.create_default_context(cafile=authority.ca_file) if authority else None
        if authority:
            certificate = authority.server_file(self.host)
            self.settings |= {"INFLUXDB_HTTP_HTTPS_ENABLED": "true", "INFLUXDB_HTTP_HTTPS_CERTIFICATE": certificate}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()
        shutil.rmtree(self.directory)

    def url(self, database: str) -> str:
        """The database as the configuration names it."""
        return f"influxdb{'+https' if self._tls else ''}://{self.host}:{self.port}/{database}"

    def query(self, statement: str, username: str = "", password: str = "", database: str = "") -> None:
        """Run one statement, around every code under test. Raises RuntimeError when it fails."""
        answer = self._ask("/query", {"q": statement, "db": database}, username, password)
        if b'"error"' in answer:
            raise RuntimeError(f"{statement}: {answer.decode()}")

    def series(self, statement: str) -> list[dict[str, Any]]:
        """What one statement answers, as InfluxDB sends it."""
        found: list[dict[str, Any]] = json.loads(self._ask("/query", {"q": statement}, "", ""))["results"][0]["series"]
        return found

    def write(self, database: str, lines: str) -> None:
        """Store lines of line protocol, around every code under test."""
        url = f"{self._address}/write?{urllib.parse.urlencode({'db': database})}"
        _send(urllib.request.Request(url, lines.encode(), method="POST"), self._tls)

    def start(self) -> None:
        """Start the server (again: same port, same data) and wait until it answers."""
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-config", "/dev/null"],
                env=self._environment(),
                stdout=log,
                stderr=log,
                process_group=0,  # Ctrl-C in the terminal is for the tests, not for the server
            )
        self._wait_until_it_answers(self._process)

    def stop(self) -> None:
        """End the server as a service manager does."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the server as a power cut does (also when it is paused or already gone)."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Let the server hang: connections are accepted, nothing is answered."""
        process = self._running()
        process.send_signal(signal.SIGSTOP)
        # The signal is only under way: until every thread has stopped, one of them may still answer.
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        self._running().send_signal(signal.SIGCONT)

    def wipe(self) -> None:
        """Lose the disk: stops the server and deletes all it had. `start` begins anew."""
        self.kill()
        for part in PARTS:
            shutil.rmtree(self.directory / part, ignore_errors=True)

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Ends the server; within the block it answers at another port, so that nobody who knows the usual one disturbs."""
        usual = self.port
        self.kill()
        self.port = free_port()
        try:
            self.start()
            yield
        finally:
            self.kill()
            self.port = usual

    def back_up(self, copy: Path) -> None:
        """Copy all its data, as it is at this moment: stops the server. A copy made there before is replaced."""
        self.stop()
        shutil.rmtree(copy, ignore_errors=True)
        for part in PARTS:
            shutil.copytree(self.directory / part, copy / part)

    def put_back(self, copy: Path) -> None:
        """Stop the server and give it what `back_up` copied instead of what it had."""
        self.wipe()
        for part in PARTS:
            shutil.copytree(copy / part, self.directory / part)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("influxd is not running")
        return self._process

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(timeout=START_SECONDS)
            self._process = None

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            **QUIET,
            "INFLUXDB_META_DIR": str(self.directory / "meta"),
            "INFLUXDB_DATA_DIR": str(self.directory / "data"),
            "INFLUXDB_DATA_WAL_DIR": str(self.directory / "wal"),
            "INFLUXDB_HTTP_BIND_ADDRESS": f"{self.host}:{self.port}",
            "INFLUXDB_BIND_ADDRESS": f"{self.host}:0",  # the backup service, which nobody asks
            **self.settings,
        }

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise RuntimeError(f"influxd ended at its start:\n{self._log_tail()}")
            try:
                self._ask("/ping", {}, "", "")
            except OSError:
                time.sleep(0.02)
            else:
                return
        self.kill()
        raise RuntimeError(f"influxd did not answer within {START_SECONDS:.0f} s:\n{self._log_tail()}")

    def _ask(self, path: str, parameters: Mapping[str, str], username: str, password: str) -> bytes:
        url = f"{self._address}{path}"
        data = urllib.parse.urlencode(parameters).encode() if parameters else None
        request = urllib.request.Request(url, data)
        if username:
            token = base64.b64encode(f"{username}:{password}".encode()).decode()
            request.add_header("Authorization", f"Basic {token}")
        return _send(request, self._tls)

    @property
    def _address(self) -> str:
        return f"http{'s' if self._tls else ''}://{self.host}:{self.port}"

    def _log_tail(self) -> str:
        return (self.directory / "log").read_text(errors="replace")[-2000:]
