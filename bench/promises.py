"""What a measurement must keep to, as a table for people and an exit status for scripts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich import box
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Promise:
    """What was promised, what was found, and whether that is enough; `kept` None: the run cannot tell."""

    what: str
    found: str
    promised: str
    kept: bool | None


WORDS = {True: "kept", False: "[bold red]BROKEN[/]", None: "cannot tell"}


def at_most(what: str, found: float, limit: float, unit: str, digits: int = 1) -> Promise:
    """A number that must not be larger than `limit`."""
    return Promise(what, f"{found:,.{digits}f} {unit}", f"at most {limit:,g} {unit}", found <= limit)


def equal(what: str, found: int, promised: int, why: str) -> Promise:
    """A number that must be this one, for the reason given."""
    return Promise(what, f"{found:,}", f"{promised:,}, {why}", found == promised)


def none_of(what: str, breaches: Sequence[str], checked: str) -> Promise:
    """Nothing may be wrong; `checked` says among what was looked."""
    return Promise(what, f"{len(breaches)} of {checked}", "0", not breaches)


def excused(promises: Sequence[Promise], disturbed: bool) -> list[Promise]:
    """What was broken on a machine that stood still says nothing."""
    return [replace(promise, kept=None) if disturbed and not promise.kept else promise for promise in promises]


def promises_table(promises: Sequence[Promise]) -> Table:
    table = Table(title="Promises", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for heading in ("", "found", "promised", ""):
        table.add_column(heading)
    for promise in promises:
        table.add_row(promise.what, promise.found, promise.promised, WORDS[promise.kept])
    return table


def conclude(console: Console, promises: Sequence[Promise]) -> int:
    """Print the table; the exit status: 1 when a promise was broken."""
    console.print(promises_table(promises))
    return int(any(promise.kept is False for promise in promises))


def facts_table(title: str, facts: Sequence[tuple[str, str]]) -> Table:
    """What was measured or done and is promised to nobody: a line each."""
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, show_header=False)
    table.add_column()
    table.add_column()
    for fact in facts:
        table.add_row(*fact)
    return table
