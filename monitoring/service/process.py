"""What a process that times the network asks of Python and of the machine."""

import gc
import resource
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ctypes

SWITCH_INTERVAL_S = 0.0001
"""How long one thread may keep the interpreter to itself while others wait for it: the network thread and a checker do
several times a check. Python's default of 5 ms shows in the response times: with another thread busy for a quarter of the
time, checks of 1000 sites start 5.8 ms late (p99) instead of 1.3. Most checkers sleep and wait for nothing."""

GARBAGE_THRESHOLD = 200_000
"""Statistics of thousands of sites create so many objects at once; looking for cycles in between stops everything."""

SPARE_FILES = 256

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8
"""`M_MMAP_THRESHOLD` and `M_ARENA_MAX` of glibc's malloc.h."""

BIG_BYTES = 256 << 10
"""Memory of this size is taken from the kernel, and given back to it when it is freed. glibc begins like that, too, but
raises the limit to whatever was freed: after the first answer of megabytes they come from the heap and leave holes there."""


STACK_BYTES = 256 << 10
"""Enough for a checker or a lookup: what recurses too deeply there ends in a RecursionError, as anywhere in Python."""


def prepare(sites: int) -> None:
    """Make ready for so many sites: short turns, few collections, one heap, enough file descriptors.

    To be called before other threads begin.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.set_threshold(GARBAGE_THRESHOLD, *gc.get_threshold()[1:])
    _keep_the_heap_small()
    allow_files(sites)


def allow_files(sites: int) -> None:
    """Let as many files be open as so many sites may need, or as many as the hard limit allows; never fewer than now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # For each site two that wake its checker, a connection that hangs, and a lookup beside it.
    wanted = 4 * sites + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, allowed), hard))


def allowed_files() -> int:
    """How many files may be open at once."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def _keep_the_heap_small() -> None:
    """Let all threads allocate from one heap, what one has freed another takes; and keep what is big out of it.

    glibc gives each thread a heap of its own (an arena), so that none waits for another. Here they wait for the
    interpreter anyway, and a heap that grew for a statistic once stays as large, a third of it empty.
    """
    with suppress(AttributeError):  # not glibc: it has no arenas
        malloc_option = _libc().mallopt
        malloc_option(_ARENA_MAX, 1)
        malloc_option(_MMAP_THRESHOLD, BIG_BYTES)


def give_back() -> None:
    """Return to the kernel what is free in the heap: pages between what is in use, too.

    A peak (a backlog on its way, a long window) leaves holes. Each is filled again, but never all at the same time, so
    that what stays resident creeps up for hours. With 1000 sites it takes one to two milliseconds.
    """
    with suppress(AttributeError):
        _libc().malloc_trim(0)


def _libc() -> "ctypes.CDLL":
    import ctypes  # late: only a monitor needs it

    return ctypes.CDLL(None)


def start_small(thread: threading.Thread) -> None:
    """Start one of very many threads. Raises RuntimeError when there may be no more."""
    before = threading.stack_size(STACK_BYTES)
    try:
        thread.start()
    finally:
        threading.stack_size(before)


def settle() -> None:
    """What exists now stays: the garbage collector need not look at it again."""
    gc.collect()
    gc.freeze()
