"""One check of a server, its result held to what every result promises."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monitoring.checks.failure import DETAIL_LENGTH
from monitoring.checks.probe import Probe
from monitoring.config import parse_config
from monitoring.config.keys.assertions import ASSERTIONS
from monitoring.models import PHASES, Assertion, ProbeResult, Site
from monitoring.trust import Certificates, Trust
from tests.support.driving import running_network
from tests.support.servers import Handler, RawServer

TIMEOUT_MS = 3_000
SHORT_MS = 500
GRACE_SECONDS = 10
"""For a busy machine. What hangs here hangs for longer than that."""


def site(url: str, **options: object) -> Site:
    """A site with these attributes; what is expected is given as in a configuration (`expectedText="ok"`)."""
    expected = {key: options.pop(key) for key in ASSERTIONS if key in options}
    given = {"host": "site", "url": url, "timeout_ms": TIMEOUT_MS, "assertions": assertions(**expected), **options}
    return Site(**given)  # type: ignore[arg-type]


def assertions(**keys: object) -> tuple[Assertion, ...]:
    """What these keys of a website expect."""
    data = {"websites": [{"URL": "http://localhost", "timeout": "1h", **keys}]}
    return parse_config(data, source="test", environ={}, path=Path("config.json")).sites[0].assertions


@contextmanager
def probing(target: Site, cap_bytes: int = 1 << 20, ca_file: str | None = None) -> Iterator[Probe]:
    """A probe of this site, with a network thread of its own."""
    with running_network() as network, Certificates(Trust(ca_file)) as certificates:
        probe = Probe(target, network, cap_bytes, certificates)
        try:
            yield probe
        finally:
            probe.close()


def check(url: str, cap_bytes: int = 1 << 20, ca_file: str | None = None, **options: object) -> ProbeResult:
    """Check once; whatever the result, it came in time and is consistent."""
    target = site(url, **options)
    with probing(target, cap_bytes, ca_file) as probe:
        began = time.monotonic()
        result = probe.check()
    assert time.monotonic() - began < target.timeout_ms / 1000 + GRACE_SECONDS
    assert_consistent(result)
    return result


def assert_consistent(result: ProbeResult) -> None:
    assert len(result.phases_us) == len(PHASES)
    happened = [phase for phase in result.phases_us if phase is not None]
    assert all(phase >= 0 for phase in happened)
    assert result.response_us in (None, sum(happened))
    assert (result.cause is None) == (result.detail == "")
    assert result.detail.isprintable()
    assert len(result.detail) <= DETAIL_LENGTH
    if result.cause is None:
        assert result.response_us is not None
        assert result.status


def check_raw(handler: Handler, **options: object) -> ProbeResult:
    with RawServer(handler) as server:
        return check(server.url(), **options)  # type: ignore[arg-type]


def phase(result: ProbeResult, name: str) -> int | None:
    return result.phases_us[PHASES.index(name)]
