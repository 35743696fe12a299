"""Everything that a store holds, read around the code under test."""

import urllib.parse
import urllib.request
from pathlib import Path

from tests.support.influxd import Influxd


def influx_text(server: Influxd, database: str) -> str:
    """All points of all measurements, as InfluxDB sends them (JSON)."""
    parameters = urllib.parse.urlencode({"db": database, "q": "SELECT * FROM /.*/", "epoch": "ms"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://{server.host}:{server.port}/query?{parameters}", timeout=30) as answer:
        return str(answer.read().decode())


def file_bytes(directory: Path) -> dict[str, bytes]:
    """Every file of a directory, by name: databases with their journals and locks."""
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}
