"""The program's own source, as trees, for the tests that hold it to its rules."""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

CONTAINERS = {"list", "dict", "set", "bytearray", "deque", "defaultdict", "Counter", "OrderedDict", "count", "cycle"}
THREADS = {"Lock", "RLock", "Event", "Condition", "Semaphore", "Queue", "SimpleQueue", "Thread", "local", "ContextVar"}
CACHES = {"cache", "lru_cache"}
MUTATORS = {
    *("append", "extend", "insert", "add", "update", "setdefault", "pop", "popitem", "remove", "discard", "clear"),
    *("sort", "reverse", "appendleft", "popleft"),
}
CLOCKS = {"now", "utcnow", "today"}


@dataclass(frozen=True)
class Module:
    """One source file; `name` is what it is imported as."""

    name: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    def imports(self, at_start_only: bool = False) -> set[str]:
        """The modules (or names in them) that it imports, dotted; `at_start_only` leaves out those inside functions."""
        nodes = self.tree.body if at_start_only else ast.walk(self.tree)
        return {name for node in nodes for name in _imported(node)}


def modules() -> list[Module]:
    """Every module of the program: the scripts at the top and the package."""
    return _read([*ROOT.glob("*.py"), *(ROOT / "monitoring").rglob("*.py")])


def modules_of_tests() -> list[Module]:
    return _read((ROOT / "tests").rglob("*.py"))


def _read(paths: Iterable[Path]) -> list[Module]:
    return [Module(_dotted(path.relative_to(ROOT)), path.read_text()) for path in sorted(paths)]


def _dotted(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def names_in_words(module: Module) -> set[str]:
    """The dotted names in `backticks` of its docstrings and comments, in small letters up to the last dot."""
    return set(re.findall(r"`((?:[a-z_]\w*\.)+\w+)(?:\(.*?\))?`", module.text))


def defined(module: Module) -> set[str]:
    """The names that it defines, at any depth."""
    nodes = list(ast.walk(module.tree))
    stored = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return stored | {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def clock_readings(module: Module) -> list[str]:
    """Where it reads a clock: any use of `time`, `datetime.now()` and the like."""
    times = [f"imports {name}" for name in module.imports() if name.split(".")[0] == "time"]
    calls = [node.func for node in ast.walk(module.tree) if isinstance(node, ast.Call)]
    return times + [
        f"line {call.lineno}: {call.attr}()"
        for call in calls
        if isinstance(call, ast.Attribute) and call.attr in CLOCKS and _last_name(call.value) in {"datetime", "date"}
    ]


def prints(module: Module) -> list[str]:
    """Where it writes to the terminal by itself."""
    return [
        f"line {node.lineno}"
        for node in ast.walk(module.tree)
        if (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print")
        or (isinstance(node, ast.Attribute) and node.attr in {"stdout", "stderr"} and _last_name(node.value) == "sys")
    ]


def long_functions(module: Module, most: int) -> list[str]:
    """The functions of more than `most` lines, docstrings included."""
    functions = [node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [f"{node.name}: {length}" for node in functions if (length := _end(node) - node.lineno + 1) > most]


def _end(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno


def module_state(module: Module) -> list[str]:
    """What of it could change while the program runs and belongs to no object: module-level state.

    A table that is written once in capitals is a constant, as long as nothing in the module changes it.
    """
    tables = {name for statement in module.tree.body for name in _table_names(statement)}
    kept = [f"line {line}: {what}" for line, what in _state_made(module.tree)]
    changed = [
        f"line {node.lineno}: changes {name}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.expr) and (name := _changed_name(node)) in tables
    ]
    return kept + changed


def _state_made(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield node.lineno, "global"
        elif isinstance(node, ast.FunctionDef):
            cached = {_last_name(item.func if isinstance(item, ast.Call) else item) for item in node.decorator_list}
            yield from ((node.lineno, f"{name} of {node.name}") for name in cached & CACHES)
    for statement in tree.body:
        value = getattr(statement, "value", None)
        if isinstance(value, ast.Call) and _last_name(value.func) in CONTAINERS | THREADS:
            yield statement.lineno, f"{_last_name(value.func)}()"
        elif isinstance(value, _DISPLAYS):
            yield from ((statement.lineno, f"{name} is no constant") for name in _table_names(statement) if _is_small(name))


def _is_small(name: str) -> bool:
    return not (name.isupper() or name == "__all__")


_DISPLAYS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)


def _table_names(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.Assign | ast.AnnAssign) and isinstance(statement.value, _DISPLAYS):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        yield from (target.id for target in targets if isinstance(target, ast.Name))


def _changed_name(node: ast.expr) -> str | None:
    """The name whose value this expression changes."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        return _last_name(node.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
        return _last_name(node.func.value)
    return None


def _last_name(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else None
