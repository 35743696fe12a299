"""What was measured, as tables for people."""

from collections.abc import Callable, Mapping, Sequence

from rich import box
from rich.table import Table

from bench.queries import Cost, Fill
from bench.sites import SitesRun, Spread
from bench.startup import Startup


def startup_table(startup: Startup) -> Table:
    table = _table("Start", "", "seconds")
    table.add_row("--help", f"{startup.help_s:.2f}")
    table.add_row("-m with 4 sites: first check after", f"{startup.first_check_s:.2f}")
    table.add_row("-m with 4 sites: each site checked after", f"{startup.all_checks_s:.2f}")
    return table


def sites_table(runs: Sequence[SitesRun]) -> Table:
    """One column a run, one row a measure."""
    seconds = runs[0].seconds
    heads = [f"{run.sites} sites\n{run.store}" for run in runs]
    table = _table(f"Checks every 2 s, measured for {seconds} s", "", *heads)
    rows: Mapping[str, Callable[[SitesRun], str]] = {
        "checks done / due": lambda run: f"{run.done} / {run.due}",
        "  of these failed": lambda run: str(run.failed),
        "first check after": lambda run: f"{run.start_s:.1f} s",
        "CPU a check": lambda run: f"{1_000 * run.usage.cpu_s / max(1, run.done):.2f} ms",
        "CPU of one core": lambda run: f"{100 * run.usage.cpu_s / run.seconds:.0f} %",
        "memory": lambda run: f"{run.usage.memory_kb / 1_024:.0f} MB",
        "  at its peak": lambda run: f"{run.usage.peak_kb / 1_024:.0f} MB",
        "  a site more": lambda run: _memory_a_site(run, runs),
        "lag, ms (median / p99)": lambda run: _spread(run.lag),
        "response time's error, ms": lambda run: _spread(run.error),
        "  against the target": lambda run: _spread(run.own_error),
        "  the target's own": lambda run: _spread(run.target),
    }
    for label, cell in rows.items():
        table.add_row(label, *(cell(run) for run in runs))
    return table


def queries_table(costs: Sequence[Cost]) -> Table:
    kinds = list(costs[0].seconds)
    table = _table("Questions with an hour of checks stored", "sites", "question", "checks in it", *kinds, "ratio")
    for cost in costs:
        seconds = [cost.seconds[kind] for kind in kinds]
        ratio = f"1 : {seconds[1] / seconds[0]:.1f}" if len(seconds) == 2 else ""
        table.add_row(
            str(cost.sites), cost.question, f"{cost.checks:,}", *(f"{1_000 * one:,.0f} ms" for one in seconds), ratio
        )
    return table


def fill_sentence(sites: int, filled: Fill) -> str:
    speeds = (f"{filled.points / seconds:,.0f} a second into {kind}" for kind, seconds in filled.seconds.items())
    part = "" if filled.complete else " (not the whole hour: it took too long)"
    return f"{sites} sites: {filled.points:,} checks written, {', '.join(speeds)}{part}"


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="left" if name == "question" else "right")
    return table


def _spread(spread: Spread) -> str:
    if spread.median_us is None or spread.p99_us is None:
        return "-"
    return f"{spread.median_us / 1_000:.2f} / {spread.p99_us / 1_000:.2f}"


def _memory_a_site(run: SitesRun, runs: Sequence[SitesRun]) -> str:
    """How much each site adds to what the run with the fewest sites on the same store needs."""
    fewest = min((one for one in runs if one.store == run.store), key=lambda one: one.sites)
    if run.sites == fewest.sites:
        return "-"
    return f"{(run.usage.memory_kb - fewest.usage.memory_kb) / (run.sites - fewest.sites):.0f} kB"
