"""The process makes ready for as many sites as it has."""

import ctypes
import gc
import subprocess
import sys

import pytest

from monitoring.service import process

PREPARED = """
import gc, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
from monitoring.service import process
process.prepare({sites})
process.freeze()
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], round(1e6 * sys.getswitchinterval()), gc.get_freeze_count() > 0)
"""


@pytest.mark.parametrize(
    ("sites", "soft", "hard", "allowed"),
    [
        pytest.param(2_000, 1_024, 10_000, 8_256, id="as many as the sites need"),
        pytest.param(2_000, 1_024, 2_048, 2_048, id="no more than is allowed"),
        pytest.param(10, 1_024, 2_048, 1_024, id="never fewer than before"),
    ],
)
def test_a_thousand_hanging_sites_do_not_run_out_of_file_descriptors(sites: int, soft: int, hard: int, allowed: int) -> None:
    """Else a good site would seem to refuse connections."""
    program = PREPARED.format(sites=sites, soft=soft, hard=hard)
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert (int(found[0]), int(found[1]), found[2]) == (allowed, 100, "True")


def test_what_a_start_leaves_behind_is_never_searched_for_garbage() -> None:
    gc.unfreeze()
    with process.uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
    gc.unfreeze()


BUSY = """
import ctypes, threading
from monitoring.service import process
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


only_glibc = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_stats"), reason="what glibc does with memory")


@only_glibc
def test_threads_share_one_heap() -> None:
    """Else what one of them frees is empty until the same one needs it again."""
    told = subprocess.run([sys.executable, "-c", BUSY], capture_output=True, text=True, check=True).stderr
    assert told.count("Arena ") == 1


HOLES = """
import resource
from pathlib import Path
from monitoring.service import process

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

process.prepare(10)
filling = [bytes(2_000) for _ in range(10_000)]  # what importing has left free must not take what stays
kept, passing = [], []
bytes({size})  # freed at once: glibc would take the next ones of this size from the heap
for _ in range({many}):
    passing.append(b"x" * {size})
    kept.append(bytes(2_000))  # not b"x" * 2_000, which the compiler makes one and the same object
full = resident()
passing.clear()
freed = resident()
process.trim_memory()
print((full - freed) / ({many} * {size}), (full - resident()) / ({many} * {size}))
"""


def _freed(size: int, many: int) -> tuple[float, float]:
    """The parts of the memory of so many passing objects that are the kernel's again at once, and when given back."""
    program = HOLES.format(size=size, many=many)
    at_once, later = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    return float(at_once), float(later)


@only_glibc
def test_what_is_big_leaves_no_hole() -> None:
    """Each answer of a megabyte is between small things that stay."""
    at_once, _ = _freed(1 << 20, 40)
    assert at_once > 0.9


@only_glibc
def test_holes_are_given_back() -> None:
    """A backlog is many small things, some pages of each between those that stay."""
    at_once, later = _freed(100_000, 400)
    assert later > 0.9
    assert later - at_once > 0.5, "without being asked the allocator keeps most of it"
