"""`kill -9` at any moment: what was committed is there, summaries and states agree with it, and the next start goes on."""

import os
import random
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from monitoring.models import CheckResult, Window
from monitoring.statistics import reference
from monitoring.storage.sqlite.store import LocalStore
from tests.fixtures.files_1_1_0 import FILES
from tests.support.earlier_files import FIXTURES, LATER_MS, assert_holds
from tests.support.killed_writer import COMMIT_MS, PURGED, START_MS, commit, now_of
from tests.support.stored import states_of

KILLS = 6
EVER = Window(0, START_MS + 10**11)


def killed_after(arguments: list[str], lines: int) -> list[str]:
    """What a process said before it was killed, some moment after so many lines."""
    process = subprocess.Popen([sys.executable, "-m", *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    said += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    return [line for line in said if line.endswith("\n")]


def test_nothing_that_was_committed_is_lost_or_counted_twice(tmp_path: Path, dice: random.Random) -> None:
    path, done = tmp_path / "monitor.db", 0
    for _ in range(KILLS):
        said = killed_after(["tests.support.killed_writer", str(path), str(done)], dice.randrange(1, 90))
        done = int(said[-1]) + 1
        with closing(LocalStore(path)) as store:
            found = [check for check in store.results(EVER) if check.host != PURGED]
            if len(found) > len(checks_until(done)):  # one was durable, and the process had no time to say so
                done += 1
            checks = checks_until(done)
            assert found == checks
            assert list(store.alerts(EVER)) == [alert for number in range(done) for alert in commit(number)[1]]
            assert_numbers(store, checks, now_of(done))
    with closing(LocalStore(path)) as store:
        while store.maintain(now_of(done)):
            pass
        assert list(store.results(EVER)) == checks_until(done)
        assert_numbers(store, checks_until(done), now_of(done))


def checks_until(number: int) -> list[CheckResult]:
    found = [check for one in range(number) for check in commit(one)[0]]
    return sorted(found, key=lambda check: (check.time_ms, check.host))


def assert_numbers(store: LocalStore, checks: list[CheckResult], now_ms: int) -> None:
    states = {host: state for host, state in store.last_states(EVER.until_ms).items() if host != PURGED}
    assert states == states_of(checks, EVER.until_ms)
    for window in (Window(START_MS, now_ms), Window.before(now_ms, 90_000), Window(START_MS + COMMIT_MS, now_ms - 130_000)):
        if window.length_ms > 0:
            for exact in (True, False):
                assert store.stats(window, exact=exact) == reference.summarise(checks, window, exact=exact)


UNPACK = """
import sys
from pathlib import Path
from monitoring.storage.sqlite.store import LocalStore

print("begun", flush=True)
store = LocalStore(Path(sys.argv[1]))
while store.maintain(int(sys.argv[2])):
    print("a step", flush=True)
print("done", flush=True)
sys.stdin.read()
"""


def test_a_file_of_1_1_0_survives_it_while_it_is_brought_up_to_date(tmp_path: Path, dice: random.Random) -> None:
    written = FILES["some_hours"]
    path, script = tmp_path / "monitor.db", tmp_path / "unpack.py"
    shutil.copy(FIXTURES / "some_hours_1_1_0.db", path)
    script.write_text(UNPACK)
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, str(script), str(path), str(LATER_MS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        )
        assert process.stdout is not None
        assert process.stdin is not None
        for _ in range(dice.randrange(1, 60)):
            if process.stdout.readline() == "done\n":
                break
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        process.stdin.close()
        with closing(LocalStore(path)) as store:
            assert_holds(store, written, written.checks)
