"""`python -m bench.peers`: the monitor beside blackbox_exporter driven by Prometheus, in turn, in one run.

Both check the same target at the same interval on the same core; what is done is counted by the target. Both programs
come from Debian's packages `prometheus` and `prometheus-blackbox-exporter`.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Protocol

from rich.console import Console
from rich.table import Table

from bench.processes import Target, delay_us
from bench.prometheus import PROGRAMS, Prometheus
from bench.sites import INTERVAL_S, LAST_ANSWER_S, REACH_S, SETTLE_S, Spread, Task
from bench.tables import spread_text, table_of
from monitoring.models import Window

SCHEMES = ("http", "https")

LEAST_SHARE = 0.99


class Contender(Protocol):
    """One of the two, at work."""

    def usage(self) -> tuple[float, int]:
        """Seconds of CPU used so far and resident memory in kB, of all its processes."""
        ...

    def responses_us(self, window: Window) -> Sequence[tuple[str, int]]:
        """What it measured: URL and response time of each good check."""
        ...


@dataclass(frozen=True, slots=True)
class Turn:
    """One contender's turn: `done` of `due` checks were answered by the target, `good` is what the contender says.

    CPU in seconds, memory in kB; `error` is the measured response time minus the target's delay.
    """

    contender: str
    scheme: str
    sites: int
    seconds: int
    due: int
    done: int
    good: int
    cpu_s: float
    memory_kb: int
    error: Spread

    @property
    def cpu_ms_a_check(self) -> float:
        return 1_000 * self.cpu_s / max(1, self.done)

    @property
    def kept_up(self) -> bool:
        """Whether nearly all that was due was done and measured; else CPU a check says little."""
        return self.good >= LEAST_SHARE * self.due


class ThisMonitor:
    """The monitor and its file."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._running = task.monitor()

    @contextmanager
    def running(self) -> Iterator["ThisMonitor"]:
        with self._running:
            yield self

    def usage(self) -> tuple[float, int]:
        return self._running.cpu_s(), self._running.memory_kb()[0]

    def responses_us(self, window: Window) -> Sequence[tuple[str, int]]:
        results = self._task.results(window)
        return [(one.host, one.response_us) for one in results if one.available and one.response_us is not None]


def this_monitor(directory: Path, urls: Sequence[str], bundle: Path) -> AbstractContextManager[Contender]:
    return ThisMonitor(Task(directory, urls, "sqlite:", "sqlite", bundle=bundle)).running()


def blackbox(directory: Path, urls: Sequence[str], bundle: Path) -> AbstractContextManager[Contender]:
    return Prometheus(directory, urls, INTERVAL_S, bundle)


CONTENDERS: Mapping[str, Callable[[Path, Sequence[str], Path], AbstractContextManager[Contender]]] = {
    "this monitor": this_monitor,
    "blackbox + Prometheus": blackbox,
}


def take_turn(contender: str, scheme: str, sites: int, seconds: int) -> Turn:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        target = stack.enter_context(Target())
        running = stack.enter_context(CONTENDERS[contender](directory, target.urls(sites, scheme), target.bundle))
        with suppress(TimeoutError):
            target.wait_for(sites, REACH_S)
        time.sleep(SETTLE_S)
        target.report()
        from_ms, (before_s, _) = time.time_ns() // 1_000_000, running.usage()
        time.sleep(seconds)
        after_s, memory_kb = running.usage()
        done = sum(map(len, target.report().served_us.values()))
        time.sleep(LAST_ANSWER_S)
        seen = running.responses_us(Window(from_ms, from_ms + 1_000 * seconds))
    due, error = sites * seconds // INTERVAL_S, Spread.of([us - delay_us(url) for url, us in seen])
    return Turn(contender, scheme, sites, seconds, due, done, len(seen), after_s - before_s, memory_kb, error)


def take_turns(cases: Sequence[tuple[str, int]], turns: int, seconds: int, progress: Console) -> list[Turn]:
    """All turns of both contenders, one after the other, for each scheme and number of sites."""
    taken: list[Turn] = []
    for scheme, sites in cases:
        for contender in list(CONTENDERS) * turns:
            progress.print(f"{sites} sites by {scheme}: {contender}")
            taken.append(take_turn(contender, scheme, sites, seconds))
    return taken


def peers_table(turns: Sequence[Turn]) -> Table:
    heads = ("scheme", "sites", "contender", "done / due", "good", "CPU a check", "of one core", "memory", "error, ms")
    table = table_of("Beside blackbox_exporter with Prometheus, in turn on one core", *heads)
    for turn in turns:
        done, cpu = f"{turn.done} / {turn.due}", f"{turn.cpu_ms_a_check:.2f} ms"
        core, memory = f"{100 * turn.cpu_s / turn.seconds:.0f} %", f"{turn.memory_kb / 1_024:.0f} MB"
        cells = (turn.contender, done, str(turn.good), cpu, core, memory, spread_text(turn.error))
        table.add_row(turn.scheme, str(turn.sites), *cells)
    return table


def ratio_sentences(turns: Sequence[Turn]) -> Iterator[str]:
    """For each scheme and number of sites: what this monitor needs of what they need; medians of the turns."""
    for scheme, sites in dict.fromkeys((turn.scheme, turn.sites) for turn in turns):
        those = [turn for turn in turns if (turn.scheme, turn.sites) == (scheme, sites)]
        if late := {turn.contender for turn in those if not turn.kept_up}:
            yield f"{scheme}, {sites} sites: no comparison, {' and '.join(sorted(late))} did not keep up"
            continue
        cpu = _ratio(those, lambda turn: turn.cpu_ms_a_check)
        memory = _ratio(those, lambda turn: turn.memory_kb)
        yield f"{scheme}, {sites} sites: {cpu:.2f} of their CPU a check, {memory:.2f} of their memory"


def _ratio(turns: Sequence[Turn], measure: Callable[[Turn], float]) -> float:
    ours, theirs = (median(measure(turn) for turn in turns if turn.contender == name) for name in CONTENDERS)
    return ours / theirs


def missing_programs() -> list[str]:
    """The programs that this comparison needs and that are not installed."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.peers")
    parser.add_argument("--schemes", nargs="+", choices=SCHEMES, default=SCHEMES)
    parser.add_argument("--sites", type=int, nargs="+", default=[200, 1_000])
    parser.add_argument("--seconds", type=int, default=20, help="of each turn")
    parser.add_argument("--turns", type=int, default=2, help="of each contender")
    if missing := missing_programs():
        parser.exit(2, f"not installed: {', '.join(missing)} (Debian's packages of these names)\n")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> None:
    arguments = parse_arguments(argv)
    progress = Console(stderr=True, style="dim", highlight=False)
    cases = [(scheme, sites) for scheme in arguments.schemes for sites in arguments.sites]
    turns = take_turns(cases, arguments.turns, arguments.seconds, progress)
    console = Console(width=120, highlight=False)
    console.print(peers_table(turns))
    for sentence in ratio_sentences(turns):
        console.print(sentence)


if __name__ == "__main__":
    main(sys.argv[1:])
