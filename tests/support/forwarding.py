"""InfluxDB as a monitor fills it: through a local file, packed and delivered at once."""

import threading
from collections.abc import Sequence
from pathlib import Path

from monitoring.models import Alert, CheckResult
from monitoring.store.forwarder import Forwarder
from monitoring.store.influx import InfluxStore
from monitoring.store.local import LocalStore
from tests.support.clock import FakeClock
from tests.support.influxd import Influxd

ALWAYS_MS = 1 << 42


class ForwardingStore(InfluxStore):
    """Whatever is written is there as points and in blocks when `write` returns."""

    def __init__(self, server: Influxd, database: str, directory: Path, location: str = "") -> None:
        super().__init__(host=server.host, port=server.port, database=database, location=location, read_timeout=60)
        self._receiver = InfluxStore(
            host=server.host, port=server.port, database=database, location=location, read_timeout=60
        )
        self._local = LocalStore(directory / "monitor.db")
        self._forwarder = Forwarder(self._local, self._receiver, FakeClock())
        self._turn = threading.Lock()

    def write(self, results: Sequence[CheckResult], alerts: Sequence[Alert]) -> None:
        with self._turn:
            self._local.write(results, alerts)
            while self._local.pack(ALWAYS_MS):
                pass
            while self._forwarder.step():
                pass
            assert self._forwarder.trouble is None

    def close(self) -> None:
        self._receiver.close()
        self._local.close()
        super().close()
