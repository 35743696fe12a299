"""What many tests share: one real InfluxDB for each process of the run, and chance that can be repeated."""

import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.influxd import Influxd

# A shell starts what runs in the background deaf to Ctrl-C, and nohup what it starts deaf to the end of its terminal. Both
# are inherited, and programs under test must hear them.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# How fast examples are made says more of the machine than of the code.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


# What tests write is gone when they end, so it lies in memory where there is room: a disk that is waited for at every commit
# took a third of the time, and proves nothing. (No test cuts the power; kill -9 loses nothing that was written.)
MEMORY, ROOM_BYTES = Path("/dev/shm"), 4 << 30
if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM_BYTES:
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)  # for this process, and for those that it starts


@pytest.hookimpl(trylast=True)  # after those that are not wanted were taken out
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Spread the promises among the other tests: these compute, those mostly wait, so the processors always have work."""
    if getattr(config.option, "loadgroup", False):  # set by xdist in its processes, which know a group by the end of an id
        grouped = [item for item in items if item.get_closest_marker("xdist_group")]
        assert all("@" in item.nodeid for item in grouped), "this pytest-xdist knows no groups with this pytest"
    promises = [item for item in items if item.get_closest_marker("promise")]
    others = [item for item in items if not item.get_closest_marker("promise")]
    places = {item: (number + 0.5) / len(kind) for kind in (promises, others) for number, item in enumerate(kind)}
    items.sort(key=places.__getitem__)


@pytest.fixture(scope="session")
def influxd() -> Iterator[Influxd]:
    """For tests that treat it well; others start their own."""
    with Influxd() as server:
        yield server


@pytest.fixture
def dice() -> random.Random:
    """Chance. A test that fails shows the seed of its run; `TEST_SEED=…` in the environment repeats it."""
    seed = int(os.environ.get("TEST_SEED") or random.randrange(2**32))
    sys.stdout.write(f"TEST_SEED={seed}\n")
    return random.Random(seed)
