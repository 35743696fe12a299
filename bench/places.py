"""Where one measurement happens: a target, a directory for the monitor, an InfluxDB when there is one."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.processes import Core, Target, pinned
from tests.support.influxd import Influxd

DATABASE = "monitoring"


@dataclass(frozen=True, slots=True)
class Place:
    """The target, the monitor's directory, InfluxDB's address (None: not here)."""

    target: Target
    directory: Path
    influxdb: str | None

    @property
    def databases(self) -> dict[str, str]:
        """The addresses that the monitor is given, by the name of the store."""
        return {"sqlite": "sqlite:"} | ({"influxdb": self.influxdb} if self.influxdb else {})


@contextmanager
def prepared(core: Core | None = Core.SERVERS, with_influxdb: bool = True) -> Iterator[Place]:
    """A place of one's own, with all servers on one core (None: on any); without InfluxDB when it is not installed."""
    with ExitStack() as stack:
        target = stack.enter_context(Target(core))
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        if not with_influxdb or shutil.which("influxd") is None:
            yield Place(target, directory, None)
            return
        with pinned(core):
            server = stack.enter_context(Influxd())
        yield Place(target, directory, server.url(DATABASE))
