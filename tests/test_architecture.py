"""The rules of the code, executed: where imports point, who reads a clock, who prints, how long a function may be."""

from collections.abc import Callable, Collection, Mapping
from graphlib import CycleError, TopologicalSorter
from importlib.util import find_spec

import pytest

from tests.support.rooms import FLOORS, SEES, SHARED
from tests.support.sources import (
    ROOT,
    Module,
    clock_readings,
    defined,
    long_functions,
    module_state,
    modules,
    modules_of_tests,
    names_in_words,
    prints,
)

PRINTERS = (
    *("monitoring.commands.program", "monitoring.gateway.output", "monitoring.display.output.progress"),
    *("monitoring.display.output.streams", "monitoring.display.output.outputs"),
    *("monitoring.display.output.screen_output", "monitoring.display.output.history"),
)
SCRIPTS = ("utils", "monitoringApp", "alertWatcher", "test")

MODULES = {module.name: module for module in modules()}
TESTS = {module.name: module for module in modules_of_tests()}
MOST_LINES = 350
MOST_FUNCTION_LINES = 35


def breaches(rule: Callable[[Module], list[str]]) -> dict[str, list[str]]:
    """What breaks the rule, by module. A test for each rule and each module would cost more than reading them."""
    found = {name: rule(module) for name, module in MODULES.items()}
    return {name: places for name, places in found.items() if places}


def short(name: str) -> str:
    return name.removeprefix("monitoring.")


def is_in(name: str, room: str) -> bool:
    return name == room or name.startswith(f"{room}.")


def room_of(name: str) -> str | None:
    """The room that a module or a name in it lies in; None for what is not ours."""
    return max((room for room in SEES if is_in(short(name), room)), key=len, default=None)


def looked_through_walls(module: Module) -> list[str]:
    own = room_of(module.name)
    if own is None:  # a package
        return []
    rooms = {name: room_of(name) for name in module.imports()}
    seen = (own, *SEES[own], *(() if own in SHARED else SHARED))
    return [name for name, room in rooms.items() if room and not any(is_in(short(name), known) for known in seen)]


def floor_of(name: str) -> tuple[str, int] | None:
    """The room and the floor of a module; None if the floors of its room are not known."""
    room = max((known for known in FLOORS if is_in(short(name), known)), key=len, default="")
    leaf = short(name).removeprefix(room).strip(".") or "__init__"
    floors = FLOORS.get(room, ())
    named = next((number for number, floor in enumerate(floors) if leaf in floor.split()), None)
    if named is None and "*" in floors and leaf.isidentifier() and leaf != "__init__":
        named = floors.index("*")
    return None if named is None else (room, named)


def climbed_stairs(module: Module) -> list[str]:
    own = floor_of(module.name)
    found = {name: floor_of(owner(name)) for name in module.imports() if owner(name) != module.name}
    return [name for name, floor in found.items() if own and floor and floor[0] == own[0] and floor[1] >= own[1]]


def missing_places(module: Module) -> list[str]:
    """The tables that a module is to be added to: a new one is given its place, not taken for part of something else."""
    if any(is_in(other, module.name) for other in MODULES if other != module.name):  # a package
        return []
    needs_floor = short(module.name).rpartition(".")[0] in FLOORS
    missing = {"SEES": not room_of(module.name), "FLOORS": needs_floor and not floor_of(module.name)}
    return [f"add it to {table}" for table, is_missing in missing.items() if is_missing]


def test_every_module_has_a_room_and_a_floor() -> None:
    assert breaches(missing_places) == {}


def test_rooms_have_walls() -> None:
    assert breaches(looked_through_walls) == {}


def test_imports_point_down() -> None:
    assert breaches(climbed_stairs) == {}


def test_no_two_modules_need_each_other() -> None:
    """Imports inside functions count as well."""
    needs = {name: {owner(found) for found in module.imports()} for name, module in MODULES.items()}
    assert_no_circle({name: found & MODULES.keys() - {name} for name, found in needs.items()})


def test_no_two_rooms_need_each_other() -> None:
    inner = {room: {name for name in SEES if any(is_in(name, known) for known in seen)} for room, seen in SEES.items()}
    assert_no_circle({room: found - {room} for room, found in inner.items()})


def assert_no_circle(needs: Mapping[str, Collection[str]]) -> None:
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        pytest.fail(f"imports run in a circle: {' -> '.join(error.args[1])}")


def owner(name: str) -> str:
    """The module that an imported name stands in."""
    return name if name in MODULES else name.rpartition(".")[0]


def test_only_the_clock_reads_a_clock() -> None:
    assert breaches(clock_readings).keys() == {"monitoring.clock"}


def test_only_outputs_and_scripts_write_to_the_terminal() -> None:
    assert breaches(prints).keys() <= {*PRINTERS, *SCRIPTS}


def stale_references(module: Module) -> list[str]:
    """What it mentions that is not there: neither a module, nor a name in one, nor another package's."""
    return sorted(name for name in names_in_words(module) if not (is_ours(name) or is_foreign(name)))


def is_ours(name: str) -> bool:
    """Is it a module, or a name in one? What stands before `config` in `config.assertions` may be left out."""
    owner_name, _, leaf = name.rpartition(".")
    for module in MODULES.values():
        ends = f".{module.name}"
        if f"{ends}.".find(f".{name}.") >= 0 or (ends.endswith(f".{owner_name}") and leaf in defined(module)):
            return True
    return False


def is_foreign(name: str) -> bool:
    first = name.partition(".")[0]
    return all(first not in module.split(".") for module in MODULES) and find_spec(first) is not None


def test_words_name_what_is_there() -> None:
    assert breaches(stale_references) == {}


def test_functions_are_short() -> None:
    assert breaches(lambda module: long_functions(module, MOST_FUNCTION_LINES)) == {}


def test_files_are_short() -> None:
    lines = {name: module.text.count("\n") for name, module in (MODULES | TESTS).items()}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_tests_borrow_from_no_other_test() -> None:
    """What they share is in tests/support."""
    imports = {(test, name) for test, module in TESTS.items() for name in module.imports()}
    assert {(test, name) for test, name in imports if name.startswith("tests.") and ".test_" in name} == set()


def test_state_belongs_to_objects() -> None:
    assert breaches(module_state) == {}


def test_the_changelog_names_the_current_version() -> None:
    from monitoring import __version__

    release, _, unreleased = __version__.partition(".dev")
    heading = f"## {release}, not yet released\n" if unreleased else f"## {release}"
    assert heading in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize(
    ("rule", "breach"),
    [
        (clock_readings, "from time import monotonic"),
        (clock_readings, "def f():\n    import time\n    return time.time()"),
        (clock_readings, "import datetime\ndatetime.datetime.now(datetime.UTC)"),
        (clock_readings, "from datetime import date\ndate.today()"),
        (prints, "print('hello')"),
        (prints, "import sys\nsys.stdout.write('hello')"),
        (module_state, "seen = []"),
        (module_state, "SEEN = {}\ndef f(): SEEN['x'] = 1"),
        (module_state, "SEEN = {}\ndef f(): SEEN.update(x=1)"),
        (module_state, "_LOCK = threading.Lock()"),
        (module_state, "n = 0\ndef f():\n    global n\n    n += 1"),
        (module_state, "@cache\ndef f(): return 1"),
        (lambda module: long_functions(module, 2), "def f():\n    a = 1\n    return a"),
        (looked_through_walls, "from monitoring.alerts.evaluator import Evaluator"),
        (looked_through_walls, "def f():\n    import monitoring.storage.influxdb.store"),
        (climbed_stairs, "from monitoring.statistics.spans import ask"),
        (stale_references, "# see `stats.PERCENTS`"),
        (stale_references, "# see `percentiles.MEDIAN` and `models.Site`"),
        (climbed_stairs, "def f():\n    from monitoring.statistics import summary"),
    ],
)
def test_a_breach_is_found(rule: Callable[[Module], list[str]], breach: str) -> None:
    """The rules above can fail: each of these small sources breaks one of them."""
    assert rule(Module("monitoring.statistics.reference", breach))


def test_a_breach_of_the_walls_is_found() -> None:
    breach = "from monitoring.storage.influxdb.points import CHECKS"
    assert looked_through_walls(Module("monitoring.storage.delivery.forwarder", breach))
    assert looked_through_walls(Module("monitoring.storage.sqlite.store", breach))
