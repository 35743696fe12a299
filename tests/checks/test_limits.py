"""How many threads there may be, and what a monitor does and says that may not have one for each site."""

import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from monitoring.checks.checkers import Checkers
from monitoring.checks.limits import ThreadLimit, thread_limits, tightest_thread_limit
from monitoring.clock import SystemClock
from monitoring.models import CheckResult, ProbeResult, Site
from tests.support.driving import Seeing
from tests.support.sources import ROOT
from tests.support.waiting import eventually


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A machine of which this process sees that it has 321 threads, and nothing else."""
    write(tmp_path / "proc", "loadavg", "0.10 0.20 0.30 2/321 4711")
    return tmp_path / "proc"


def found(proc: Path, cgroups: Path) -> list[tuple[str, int, int]]:
    return [(limit.text, limit.allowed, limit.used) for limit in thread_limits(proc, cgroups)]


def test_a_unit_of_systemd_has_its_own_limit_and_those_of_the_slices_around_it(proc: Path, tmp_path: Path) -> None:
    cgroups = tmp_path / "cgroup"
    write(proc, "self/cgroup", "0::/system.slice/website-monitor.service")
    write(cgroups, "system.slice/website-monitor.service/pids.max", "512")
    write(cgroups, "system.slice/website-monitor.service/pids.current", "510")
    write(cgroups, "system.slice/pids.max", "max")
    write(cgroups, "system.slice/pids.current", "600")
    assert found(proc, cgroups) == [("systemd's TasksMax of website-monitor.service allows 512 threads", 512, 510)]


def test_a_container_sees_its_limit_at_the_root_of_the_mount(proc: Path, tmp_path: Path) -> None:
    """With the first version of control groups the path is the host's, and not there."""
    cgroups = tmp_path / "cgroup"
    write(proc, "self/cgroup", "9:cpu:/docker/4711\n8:pids:/docker/4711\n0::/")
    write(cgroups, "pids/pids.max", "100")
    write(cgroups, "pids/pids.current", "40")
    limit = tightest_thread_limit(proc, cgroups)
    assert limit
    assert limit.text == "pids.max of the control group / (a container's limit of processes) allows 100 threads"
    assert limit.room == 60


def test_the_machines_own_limits_are_seen_and_the_tightest_one_is_named(proc: Path, tmp_path: Path) -> None:
    write(proc, "sys/kernel/threads-max", "4000")
    write(proc, "sys/kernel/pid_max", "330")
    write(proc, "sys/vm/max_map_count", "65530")
    write(proc, "self/maps", "a\nb\nc")
    assert found(proc, tmp_path) == [
        ("kernel.threads-max allows this machine 4000 threads", 4000, 321),
        ("kernel.pid_max allows this machine 330 threads", 330, 321),
        ("vm.max_map_count allows this process about 32765 threads", 32765, 1),
    ]
    tightest = tightest_thread_limit(proc, tmp_path)
    assert tightest is not None
    assert tightest.room == 9


def test_where_nothing_can_be_seen_no_limit_is_known(tmp_path: Path) -> None:
    """macOS, or a service that is shown nothing but itself."""
    assert tightest_thread_limit(tmp_path, tmp_path) is None


def test_more_than_allowed_leaves_no_room() -> None:
    assert ThreadLimit("", 10, 12).room == 0


# A monitor under a real limit: everything is imported as root, then the process is bound, and later a little freer.
LIMITED = """
import os, resource, sys, threading, time
from pathlib import Path
from monitoring.checks.checkers import Checkers
from monitoring.clock import SystemClock
from monitoring.models import ProbeResult, Site
from tests.support.driving import Seeing

def eventually(happened):
    for _ in range(2_000):
        if happened():
            return
        time.sleep(0.01)
    raise SystemExit("it never happened")

{bind}
found = []
checkers = Checkers(lambda *_: Seeing(lambda: ProbeResult(200, 1)), found.append, SystemClock())
checkers.start([Site(f"site {{n}}", "http://site/", interval_ms=100) for n in range(100)])
checked = sum(thread.name.startswith("checker") for thread in threading.enumerate())
print(checked, *checkers.replace_dead(), *checkers.replace_dead(), sep="\\n")
eventually(lambda: len({{result.host for result in found}}) == checked)
other = threading.Thread(target=str)
other.start()  # what else a monitor does finds room, too
other.join()
{lift}
print(*checkers.replace_dead(), *checkers.replace_dead(), sep="\\n")
eventually(lambda: len({{result.host for result in found}}) == 100)
checkers.stop()
"""


def told_under(bind: str, lift: str) -> tuple[int, list[str]]:
    """How many of 100 sites were checked under this limit, and all that was said until it was lifted."""
    program = LIMITED.format(bind=bind, lift=lift)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    checked, *told = done.stdout.splitlines()
    return int(checked), told


only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user, or make a control group")


@only_root
def test_a_users_limit_is_named_in_one_line_the_others_go_on_and_it_is_tried_again() -> None:
    checked, told = told_under(
        "resource.setrlimit(resource.RLIMIT_NPROC, (60, 500)); os.setgroups([]); os.setgid(54321); os.setuid(54321)",
        "resource.setrlimit(resource.RLIMIT_NPROC, (500, 500))",
    )
    assert 30 < checked < 60
    assert told == [
        f"{100 - checked} of 100 sites are not checked: RLIMIT_NPROC (ulimit -u) allows this user 60 threads; "
        "it is tried again every second",
        "every site has its checker now",
    ]


@pytest.fixture
def control_group() -> Iterator[Path]:
    """A control group of our own that can limit processes."""
    name = f"test-{os.getpid()}"
    for group in (Path("/sys/fs/cgroup/pids") / name, Path("/sys/fs/cgroup") / name):
        with suppress(OSError):
            group.mkdir()
            if (group / "pids.max").exists():
                yield group
                group.rmdir()
                return
            group.rmdir()
    pytest.skip("no control group can be made here")


@only_root
def test_a_control_groups_limit_is_named(control_group: Path) -> None:
    checked, told = told_under(
        f"group = Path('{control_group}')\n(group / 'pids.max').write_text('60')\n"
        "(group / 'cgroup.procs').write_text(str(os.getpid()))",
        "(group / 'pids.max').write_text('max')",
    )
    assert 30 < checked < 60
    assert told == [
        f"{100 - checked} of 100 sites are not checked: pids.max of the control group /{control_group.name} "
        "(a container's limit of processes) allows 60 threads; it is tried again every second",
        "every site has its checker now",
    ]


@only_root
@pytest.mark.parametrize("allowed", [1, 2, 3, 4])
def test_a_monitor_without_threads_of_its_own_ends_with_the_limit_named(
    control_group: Path, tmp_path: Path, allowed: int
) -> None:
    """Neither a traceback nor a monitor that seems to run."""
    config = tmp_path / "config.json"
    config.write_text('{"websites": [{"URL": "http://127.0.0.1:9/"}], "database": "influxdb://127.0.0.1:9/monitoring"}')
    (control_group / "pids.max").write_text(str(allowed))
    enter = f"echo $$ > {control_group}/cgroup.procs; exec {sys.executable} monitoringApp.py -m -c {config}"
    done = subprocess.run(["sh", "-c", enter], capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1:] == [
        f"not enough threads to run: pids.max of the control group /{control_group.name} "
        f"(a container's limit of processes) allows {allowed} threads"
    ]


def test_a_monitor_without_descriptors_says_which_limit_keeps_its_sites_unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network thread and each checker need some to be woken by; when there are some again all begin."""
    checkers = Checkers(lambda *_: Seeing(lambda: ProbeResult(200, 1)), lambda _: None, SystemClock())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    monkeypatch.setattr("monitoring.service.process.allow_files", lambda _: None)  # which would lift the limit again
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        checkers.start([Site("site", "http://site/", interval_ms=20)])
        told = checkers.replace_dead()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    reason = "1 of 1 sites are not checked: RLIMIT_NOFILE (ulimit -n) allows 3 open files"
    assert told == [f"{reason}; it is tried again every second"]
    assert checkers.replace_dead() == ["every site has its checker now"]
    checkers.stop()


def test_a_limit_that_cannot_be_seen_is_said_to_be_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the start of a thread is replaced: nothing that this process can read says why it fails."""
    start, refused = threading.Thread.start, threading.Event()

    def start_few(thread: threading.Thread) -> None:
        if thread.name == "checker of site 2" and refused.is_set():
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_few)
    refused.set()
    found: list[CheckResult] = []
    checkers = Checkers(lambda *_: Seeing(lambda: ProbeResult(200, 1)), found.append, SystemClock())
    checkers.start([Site(f"site {number}", "http://site/", interval_ms=20) for number in range(3)])
    assert checkers.replace_dead() == [
        "1 of 3 sites are not checked: no thread can be started, and no limit is seen that says so; "
        "it is tried again every second"
    ]
    assert checkers.replace_dead() == []
    eventually(lambda: {result.host for result in found} == {"site 0", "site 1"})
    refused.clear()
    assert checkers.replace_dead() == ["every site has its checker now"]
    eventually(lambda: {result.host for result in found} == {"site 0", "site 1", "site 2"})
    checkers.stop()
