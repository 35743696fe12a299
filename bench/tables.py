"""What was measured, as tables for people."""

from collections.abc import Callable, Mapping, Sequence

from rich import box
from rich.table import Table

from bench.queries import Cost, Fill
from bench.sites import SitesRun, Spread
from bench.startup import StartAndEnd


def startup_table(help_s: float, measured: Sequence[StartAndEnd]) -> Table:
    heads = [f"{one.sites} sites" for one in measured]
    table = table_of("Start and end, in seconds", "", *heads)
    rows: Mapping[str, Callable[[StartAndEnd], float]] = {
        "-m: first check after": lambda one: one.first_check_s,
        "  each site checked after": lambda one: one.all_checks_s,
        "  first statistics after": lambda one: one.statistics_s,
        "SIGTERM: ended after": lambda one: one.stop_s,
        "  while all sites hang": lambda one: one.hung_stop_s,
    }
    table.add_row("--help", f"{help_s:.2f}", *[""] * (len(heads) - 1))
    for label, seconds in rows.items():
        table.add_row(label, *(f"{seconds(one):.2f}" for one in measured))
    return table


def sites_table(title: str, runs: Sequence[SitesRun]) -> Table:
    """One column a run, one row a measure."""
    heads = [f"{run.sites} sites\n{run.store}" for run in runs]
    table = table_of(f"{title}: checks every 2 s, measured for {runs[0].seconds} s", "", *heads)
    rows: Mapping[str, Callable[[SitesRun], str]] = {
        "checks done / due": lambda run: f"{run.done} / {run.due}",
        "  of these failed": lambda run: str(run.failed),
        "first check after": lambda run: _seconds(run.start_s),
        "ended after": lambda run: _seconds(run.stop_s),
        "CPU a check": lambda run: f"{1_000 * run.usage.cpu_s / max(1, run.done):.2f} ms",
        "CPU of one core": lambda run: f"{100 * run.usage.cpu_s / run.seconds:.0f} %",
        "memory": lambda run: f"{run.usage.memory_kb / 1_024:.0f} MB",
        "  at its peak": lambda run: f"{run.usage.peak_kb / 1_024:.0f} MB",
        "  a site more": lambda run: _memory_a_site(run, runs),
        "threads": lambda run: str(run.usage.threads),
        "lag, ms (median / p99)": lambda run: spread_text(run.lag),
        "response time's error, ms": lambda run: spread_text(run.error),
        "  against the target": lambda run: spread_text(run.own_error),
        "  the target's own": lambda run: spread_text(run.target),
        "the target's CPU": lambda run: f"{100 * run.servers.target_cpu_s / run.seconds:.0f} %",
        "  its core, busy": lambda run: f"{100 * run.servers.busy:.0f} %",
    }
    for label, cell in rows.items():
        table.add_row(label, *(cell(run) for run in runs))
    return table


def turns_table(title: str, runs: Sequence[SitesRun]) -> Table:
    """One row a run: what is compared when the monitors of several checkouts run in turns."""
    heads = ("sites", "store", "code", "done / due", "CPU/check", "lag, ms", "error, ms", "by target", "peak", "threads")
    table = table_of(f"{title}: in turns, checks every 2 s, measured for {runs[0].seconds} s", *heads)
    for run in sorted(runs, key=lambda run: (run.store, run.sites, str(run.checkout))):
        table.add_row(
            str(run.sites),
            run.store,
            run.checkout.name,
            f"{run.done}/{run.due}",
            f"{1_000 * run.usage.cpu_s / max(1, run.done):.3f} ms",
            *(spread_text(spread) for spread in (run.lag, run.error, run.own_error)),
            f"{run.usage.peak_kb / 1_024:.0f} MB",
            str(run.usage.threads),
        )
    return table


def queries_table(costs: Sequence[Cost]) -> Table:
    kinds = list(costs[0].seconds)
    table = table_of("Questions to filled stores", "sites", "question", "checks in it", *kinds, "ratio")
    for cost in costs:
        seconds = list(cost.seconds.values())
        ratio = f"1 : {seconds[1] / seconds[0]:.1f}" if len(seconds) == 2 else ""
        cells = [f"{1_000 * cost.seconds[kind]:,.0f} ms" if kind in cost.seconds else "" for kind in kinds]
        table.add_row(str(cost.sites), cost.question, f"{cost.checks:,}", *cells, ratio)
    return table


def fill_sentence(sites: int, filled: Fill) -> str:
    speeds = (f"{filled.points / seconds:,.0f} a second into {kind}" for kind, seconds in filled.seconds.items())
    part = "" if filled.complete else " (not all that was meant: it took too long)"
    return f"{sites} sites: {filled.points:,} checks written, {', '.join(speeds)}{part}"


def table_of(title: str, first: str, *others: str) -> Table:
    """An empty table in the style of all of them: text on the left, numbers on the right."""
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="left" if name in ("question", "contender", "store", "code") else "right")
    return table


def spread_text(spread: Spread) -> str:
    """Median and 99th percentile in milliseconds."""
    if spread.median_us is None or spread.p99_us is None:
        return "-"
    return f"{spread.median_us / 1_000:.2f} / {spread.p99_us / 1_000:.2f}"


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.1f} s"


def _memory_a_site(run: SitesRun, runs: Sequence[SitesRun]) -> str:
    """How much each site adds to what the run with the fewest sites on the same store needs."""
    fewest = min((one for one in runs if one.store == run.store), key=lambda one: one.sites)
    if run.sites == fewest.sites:
        return "-"
    return f"{(run.usage.memory_kb - fewest.usage.memory_kb) / (run.sites - fewest.sites):.0f} kB"
