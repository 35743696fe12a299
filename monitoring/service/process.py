"""Prepares the process for timing network operations in many threads: switch interval, heap, limits."""

import gc
import resource
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ctypes

SWITCH_INTERVAL_S = 0.0001
"""How long a thread may keep the interpreter while others wait for it. The network thread and each checker wait for it
several times in each check, so Python's default of 5 ms would distort the response times: with another thread busy for a
quarter of the time, checks of 1000 sites would start 5.8 ms late (p99) instead of 1.3 ms."""

GARBAGE_THRESHOLD = 200_000
"""Statistics of thousands of sites create this many objects at once; a garbage collection meanwhile stops all threads."""

SCREEN_GARBAGE_THRESHOLD = 20_000
"""The same for a process that draws: textual leaves a thousand objects in circles each time, 200 kB. With the threshold of
a monitor a viewer would grow by more than 20 MB before they are collected."""

SPARE_FILES = 256

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8
"""`M_MMAP_THRESHOLD` and `M_ARENA_MAX` of glibc's malloc.h."""

BIG_BYTES = 256 << 10
"""Blocks of this size are mapped from the kernel and unmapped when they are freed. By default glibc raises this limit to the
size of the largest freed block: after one answer of several megabytes, all others would leave holes in the heap."""

STACK_BYTES = 256 << 10
"""Enough for a checker or a lookup. Deeper recursion raises RecursionError, as everywhere in Python."""


def prepare(sites: int, garbage_threshold: int = GARBAGE_THRESHOLD) -> None:
    """Prepare for this many sites: a short switch interval, few garbage collections, one heap, enough file descriptors.

    Call it before starting other threads.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.set_threshold(garbage_threshold, *gc.get_threshold()[1:])
    _keep_the_heap_small()
    allow_files(sites)


def allow_files(sites: int) -> None:
    """Raise the limit of open files for this many sites, as far as the hard limit allows. Never lowers it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # For each site: two descriptors that wake its checker, a hanging connection, and a lookup at the same time.
    wanted = 4 * sites + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, allowed), hard))


def allowed_files() -> int:
    """How many files may be open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def _keep_the_heap_small() -> None:
    """Let all threads share one heap, and keep big blocks out of it.

    By default glibc gives each thread its own heap (an arena), so that no thread waits for another. Python's threads wait
    for the interpreter anyway, and each heap that once grew for statistics would keep its size, a third of it empty.
    """
    with suppress(AttributeError):  # not glibc: it has no arenas
        malloc_option = _libc().mallopt
        malloc_option(_ARENA_MAX, 1)
        malloc_option(_MMAP_THRESHOLD, BIG_BYTES)


def trim_memory() -> None:
    """Return the free pages of the heap to the kernel, including those between used ones.

    A peak (a backlog, a long window) leaves holes in the heap. They are never all filled at the same time, so the resident
    memory would grow slowly for hours. With 1000 sites this call takes one to two milliseconds.
    """
    with suppress(AttributeError):
        _libc().malloc_trim(0)


def _libc() -> "ctypes.CDLL":
    import ctypes  # late: only a monitor needs it

    return ctypes.CDLL(None)


def start_small(thread: threading.Thread) -> None:
    """Start a thread with a small stack. Raises RuntimeError when the system allows no more threads."""
    before = threading.stack_size(STACK_BYTES)
    try:
        thread.start()
    finally:
        threading.stack_size(before)


@contextmanager
def uncollected() -> Iterator[None]:
    """Without garbage collections, and with what is made meanwhile excluded from later ones.

    For imports and the like: their objects stay, so that looking through them takes a tenth of a start in vain.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def freeze() -> None:
    """Exclude all present objects from garbage collection, because they live as long as the process."""
    gc.collect()
    gc.freeze()
