"""The rules of the code, executed: where imports point, who reads a clock, who prints, how long a function may be."""

from collections.abc import Callable, Collection, Mapping
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.support.sources import (
    ROOT,
    Module,
    clock_readings,
    long_functions,
    module_state,
    modules,
    prints,
)

LAYERS = (
    ("monitoring", "monitoring.models", "monitoring.errors", "monitoring.names"),
    (
        *("monitoring.statistics.reference", "monitoring.statistics.sketch", "monitoring.alerts", "monitoring.alerts.rule"),
        *("monitoring.checks.schedule", "monitoring.statistics.status", "monitoring.alerts.log"),
        *("monitoring.fields", "monitoring.statistics"),
    ),
    (
        *("monitoring.clock", "monitoring.display", "monitoring.config"),
        *("monitoring.commands.rounds", "monitoring.config.durations", "monitoring.config.reload"),
        *("monitoring.service.process", "monitoring.commands.cli", "monitoring.service.systemd"),
        *("monitoring.checks", "monitoring.trust"),
    ),
    ("monitoring.storage",),
    ("monitoring.statistics.tracker", "monitoring.gateway"),
    (
        *(
            "monitoring.alerts.evaluator",
            "monitoring.commands.multi_location",
            "monitoring.service.health",
            "monitoring.display.thread",
        ),
        *("monitoring.display.outputs", "monitoring.display.screen_output", "monitoring.display.history"),
    ),
    ("monitoring.commands.print", "monitoring.commands.purge", "monitoring.commands.modes"),
    ("utils",),
    ("monitoringApp", "alertWatcher", "test"),
)
"""From the bottom up: a module imports from its own layer and from those below. A package stands for all in it."""

WALLS: Mapping[str, Collection[str]] = {
    "base": (),
    "sessions": (),
    "routing": {"base", "backends", "delivery", "sqlite"},
    "opening": {"base", "backends", "delivery", "sqlite", "takeover"},
}
"""Which rooms of `monitoring.storage` some may look into beside themselves; the others know the contract and nobody else."""

OTHER_WALLS = ("base", "sessions")

SCRIPTS = ("utils", *LAYERS[-1])

PRINTERS = (
    *("monitoring.display.outputs", "monitoring.display.screen_output", "monitoring.display.history"),
    "monitoring.gateway.output",
)

MODULES = {module.name: module for module in modules()}
MOST_LINES = 350
MOST_FUNCTION_LINES = 35

every_module = pytest.mark.parametrize("module", MODULES.values(), ids=lambda module: module.name)


def layer_of(name: str) -> int | None:
    """The layer of a module or of a name in it; None for what is not ours."""
    parts = name.split(".")
    places = {known: height for height, layer in enumerate(LAYERS) for known in layer}
    prefixes = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((places[prefix] for prefix in prefixes if prefix in places), None)


def imported_upwards(module: Module) -> list[str]:
    own = layer_of(module.name)
    assert own is not None
    return [name for name in module.imports() if (layer_of(name) or 0) > own]


@every_module
def test_every_module_has_a_layer(module: Module) -> None:
    """A new module of the package is given its place in `LAYERS`, not taken for part of the lowest one."""
    known = {name for layer in LAYERS for name in layer}
    prefixes = {".".join(module.name.split(".")[:length]) for length in (1, 2)} - {"monitoring"}
    assert module.name in known or prefixes & known, f"{module.name}: add it to LAYERS"


@every_module
def test_imports_point_down(module: Module) -> None:
    assert imported_upwards(module) == []


def storage_room(name: str) -> str | None:
    """The room of `monitoring.storage` that a name lies in."""
    parts = name.split(".")
    return parts[2] if parts[:2] == ["monitoring", "storage"] and len(parts) > 2 else None


def looked_through_walls(module: Module) -> list[str]:
    own = storage_room(module.name)
    rooms = {name: storage_room(name) for name in module.imports()}
    return [name for name, room in rooms.items() if own and room and room != own and room not in WALLS.get(own, OTHER_WALLS)]


@every_module
def test_the_rooms_of_storage_have_walls(module: Module) -> None:
    assert looked_through_walls(module) == []


def test_no_two_modules_need_each_other_at_their_start() -> None:
    """Imports inside functions do not count: they run when everything is there."""
    needs = {name: {owner(found) for found in module.imports(at_start_only=True)} for name, module in MODULES.items()}
    try:
        TopologicalSorter({name: found & MODULES.keys() - {name} for name, found in needs.items()}).prepare()
    except CycleError as error:
        pytest.fail(f"imports run in a circle: {' -> '.join(error.args[1])}")


def owner(name: str) -> str:
    """The module that an imported name stands in."""
    return name if name in MODULES else name.rpartition(".")[0]


@every_module
def test_only_the_clock_reads_a_clock(module: Module) -> None:
    assert module.name == "monitoring.clock" or clock_readings(module) == []


@every_module
def test_only_outputs_and_scripts_write_to_the_terminal(module: Module) -> None:
    may = module.name in PRINTERS or module.name in SCRIPTS
    assert may or prints(module) == []


@every_module
def test_functions_are_short(module: Module) -> None:
    assert long_functions(module, MOST_FUNCTION_LINES) == []


@every_module
def test_files_are_short(module: Module) -> None:
    assert module.text.count("\n") <= MOST_LINES


@every_module
def test_state_belongs_to_objects(module: Module) -> None:
    assert module_state(module) == []


def test_the_changelog_names_the_current_version() -> None:
    from monitoring import __version__

    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


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
        (imported_upwards, "from monitoring.alerts.evaluator import Evaluator"),
        (imported_upwards, "def f():\n    import monitoring.storage.influxdb.store"),
    ],
)
def test_a_breach_is_found(rule: Callable[[Module], list[str]], breach: str) -> None:
    """The rules above can fail: each of these small sources breaks one of them."""
    assert rule(Module("monitoring.statistics.reference", breach))


def test_a_breach_of_the_walls_is_found() -> None:
    breach = "from monitoring.storage.influxdb.points import CHECKS"
    assert looked_through_walls(Module("monitoring.storage.delivery.forwarder", breach))
    assert looked_through_walls(Module("monitoring.storage.sqlite.store", breach))
