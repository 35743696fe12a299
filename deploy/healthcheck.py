"""Is the monitor or the gateway of a container well? Status 0 yes, 1 no, and why on stderr.

`python -m deploy.healthcheck /data` looks at what the monitor has written into a local file of that directory;
`python -m deploy.healthcheck http://127.0.0.1:8087/healthz` asks a gateway. The configuration is not read: one that
has become wrong does not make a monitor ill that goes on with the one before.
"""

import sys
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from monitoring.clock import SystemClock
from monitoring.errors import StoreError
from monitoring.models import Window
from monitoring.storage.sqlite.file.lock import written_file
from monitoring.storage.sqlite.reader import FileReader

QUIET_MS = 120_000
"""How long a monitor that works may write nothing: a check may hang until its time limit, and a disk be slow."""

INTERVALS = 3
"""So many intervals may pass where all sites are checked more rarely than that."""

LAST_CHECKS_MS = 60_000
ANSWER_S = 5.0


def trouble(target: str, now_ms: int) -> str | None:
    """What is wrong with the directory or the gateway; None: nothing."""
    return _trouble_of_gateway(target) if "://" in target else _trouble_of_files(Path(target), now_ms)


def _trouble_of_files(directory: Path, now_ms: int) -> str | None:
    found = [_trouble_of_file(file, now_ms) for file in sorted(directory.glob("*.db"))]
    if not found:
        return f"{directory}: no monitor has written here"
    return None if None in found else found[0]


def _trouble_of_file(file: Path, now_ms: int) -> str | None:
    reader = FileReader(written_file(file))
    try:
        last_ms = reader.last_time()
        if last_ms is None:
            return f"{file}: nothing was checked yet"
        silent_ms = now_ms - last_ms
        # The rest is asked only where it matters: it may be thousands of checks.
        if silent_ms <= QUIET_MS or silent_ms <= INTERVALS * _interval_ms(reader, last_ms):
            return None
        return f"{file}: nothing was checked for {silent_ms // 1_000} s"
    except StoreError as error:
        return str(error)
    finally:
        reader.close()


def _interval_ms(reader: FileReader, last_ms: int) -> int:
    """How often the site was checked that is checked most often, by the last checks there are."""
    last_checks = reader.results(Window(last_ms - LAST_CHECKS_MS, last_ms + 1))
    return min((check.covers_ms for check in last_checks), default=0)


def _trouble_of_gateway(url: str) -> str | None:
    """`http.client` goes straight there, whatever proxy the environment names."""
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname or "", address.port or 80, timeout=ANSWER_S)
    try:
        connection.request("GET", address.path)
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        return f"{url}: {type(error).__name__}: {error}"
    finally:
        connection.close()
    return None if status == 200 else f"{url}: answered {status}"


def main(arguments: Sequence[str]) -> str | int:
    """For `sys.exit`: a sentence, or 0. Also 2 for wrong usage."""
    if len(arguments) != 1:
        return 2
    return trouble(arguments[0], SystemClock().now_ms()) or 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
