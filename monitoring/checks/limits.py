"""How many threads this process may have, and which limit of the system decides that."""

import errno
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from monitoring.errors import MonitoringError

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")

SPARE_THREADS = 16
"""How many threads are left for lookups, delivery and display when not every site can have a checker."""

MAPS_A_THREAD = 2
"""Memory mappings of a thread: its stack and a guard page."""


@dataclass(frozen=True, slots=True)
class ThreadLimit:
    """A limit on threads: how many it allows, how many are used, and a `text` that names it for people."""

    text: str
    allowed: int
    used: int

    @property
    def room(self) -> int:
        return max(0, self.allowed - self.used)


def why_refused(error: OSError | RuntimeError) -> str:
    """The limit that caused this error of starting a thread or opening a file, in words."""
    if isinstance(error, OSError):
        if error.errno != errno.EMFILE:
            return str(error)
        return f"RLIMIT_NOFILE (ulimit -n) allows {resource.getrlimit(resource.RLIMIT_NOFILE)[0]} open files"
    limit = tightest_thread_limit()
    if limit and limit.room <= SPARE_THREADS:
        return limit.text
    return "no thread can be started, and no limit is seen that says so"


@contextmanager
def refusals_in_words() -> Iterator[None]:
    """Turn Python's "can't start new thread" into a `MonitoringError` that names the limit."""
    try:
        yield
    except RuntimeError as error:
        if "start new thread" not in str(error):
            raise
        raise MonitoringError(f"not enough threads to run: {why_refused(error)}") from None


def tightest_thread_limit(proc: Path = PROC, cgroups: Path = CGROUPS) -> ThreadLimit | None:
    """The visible limit that this process will reach first; None if it sees none."""
    return min(thread_limits(proc, cgroups), key=lambda limit: limit.room, default=None)


def thread_limits(proc: Path = PROC, cgroups: Path = CGROUPS) -> Iterator[ThreadLimit]:
    """All visible limits: the user's, those of control groups (of a container or a systemd unit), the machine's."""
    yield from _user_limit(proc)
    yield from _group_limits(proc, cgroups)
    yield from _machine_limits(proc)


def _user_limit(proc: Path) -> Iterator[ThreadLimit]:
    allowed, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    own = _status(proc / "self")
    user = own.get("Uid", "0").split()[0]
    if allowed == resource.RLIM_INFINITY or user == "0":  # root is not limited
        return
    theirs = [status for path in proc.glob("[0-9]*") if (status := _status(path)).get("Uid", "").split()[:1] == [user]]
    used = sum(int(status["Threads"]) for status in theirs)
    yield ThreadLimit(f"RLIMIT_NPROC (ulimit -u) allows this user {allowed} threads", allowed, used)


def _group_limits(proc: Path, cgroups: Path) -> Iterator[ThreadLimit]:
    """The limits of this process's control group and of its parents. In a container, the mount's root is its own group."""
    for line in _read(proc / "self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "pids"):
            continue
        place = Path(path)
        for group in (place, *place.parents):
            folder = cgroups / controllers / str(group).lstrip("/")
            allowed, used = _read(folder / "pids.max"), _read(folder / "pids.current")
            if allowed.isdecimal() and used.isdecimal():
                yield ThreadLimit(f"{_group_name(group)} allows {allowed} threads", int(allowed), int(used))


def _group_name(group: Path) -> str:
    if group.suffix in (".service", ".scope", ".slice"):
        return f"systemd's TasksMax of {group.name}"
    return f"pids.max of the control group {group} (a container's limit of processes)"


def _machine_limits(proc: Path) -> Iterator[ThreadLimit]:
    _, _, tasks = _read(proc / "loadavg").partition("/")
    for name in ("threads-max", "pid_max"):
        allowed = _read(proc / "sys/kernel" / name)
        if allowed.isdecimal() and tasks:
            yield ThreadLimit(f"kernel.{name} allows this machine {allowed} threads", int(allowed), int(tasks.split()[0]))
    allowed = _read(proc / "sys/vm/max_map_count")
    if allowed.isdecimal():
        maps = _read(proc / "self/maps").count("\n") + 1
        most = int(allowed) // MAPS_A_THREAD
        yield ThreadLimit(f"vm.max_map_count allows this process about {most} threads", most, maps // MAPS_A_THREAD)


def _status(process: Path) -> dict[str, str]:
    """The fields of a process's `status` file; none if it has ended."""
    return dict(line.split(":\t", 1) for line in _read(process / "status").splitlines() if ":\t" in line)


def _read(path: Path) -> str:
    """The text of a small file; "" if it does not exist or must not be read."""
    with suppress(OSError, UnicodeDecodeError):
        return path.read_text().strip()
    return ""
