"""The process makes ready for as many sites as it has."""

import ctypes
import subprocess
import sys

import pytest

PREPARED = """
import gc, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
from monitoring import process
process.prepare({sites})
process.settle()
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], round(1e6 * sys.getswitchinterval()), gc.get_freeze_count() > 0)
"""


@pytest.mark.parametrize(
    ("sites", "soft", "hard", "allowed"),
    [
        pytest.param(2_000, 1_024, 10_000, 4_256, id="as many as the sites need"),
        pytest.param(2_000, 1_024, 2_048, 2_048, id="no more than is allowed"),
        pytest.param(10, 1_024, 2_048, 1_024, id="never fewer than before"),
    ],
)
def test_a_thousand_hanging_sites_do_not_run_out_of_file_descriptors(sites: int, soft: int, hard: int, allowed: int) -> None:
    """Else a good site would seem to refuse connections."""
    program = PREPARED.format(sites=sites, soft=soft, hard=hard)
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert (int(found[0]), int(found[1]), found[2]) == (allowed, 100, "True")


BUSY = """
import ctypes, threading
from monitoring import process
process.prepare(10)
kept, all_there = [], threading.Barrier(4)
def work():
    kept.append([bytes(2_000) for _ in range(100)])
    all_there.wait()
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
ctypes.CDLL(None).malloc_stats()
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_stats"), reason="only glibc gives threads heaps of their own")
def test_threads_share_one_heap() -> None:
    """Else what one of them frees is empty until the same one needs it again."""
    told = subprocess.run([sys.executable, "-c", BUSY], capture_output=True, text=True, check=True).stderr
    assert told.count("Arena ") == 1
