"""What the program can say about trouble, as its source has it."""

import ast
from collections.abc import Iterator

from tests.support.sources import modules

GAP = "…"
"""Stands for what is filled in."""

RAISED = {
    *("MonitoringError", "ConfigError", "StoreUnavailable", "StoreBusy", "StoreDamaged", "StoreDenied", "StoreRefused"),
    "Invalid",
}
"""Errors whose text a person reads."""

SAID = {"_say", "say", "notice", "warn", "problem", "append", "FailureReporter", "Condition", "exit"}
"""What is called with such a text."""


def templates(node: ast.AST) -> Iterator[str]:
    """Every text in it, with a gap where something is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(next(templates(part), GAP) if isinstance(part, ast.Constant) else GAP for part in node.values)
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                yield from templates(part.value)
    else:
        for child in ast.iter_child_nodes(node):
            yield from templates(child)


def said() -> Iterator[tuple[str, str]]:
    """Module and template of each text that is raised as an error or told to a person."""
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and _name(node.func) in RAISED | SAID:
                yield from ((module.name, text) for argument in node.args for text in templates(argument))
            elif isinstance(node, ast.Return) and node.value and module.name.endswith("delivery.words"):
                yield from ((module.name, text) for text in templates(node.value))


def every_template() -> set[str]:
    """Each text in the source, whatever it is for."""
    return {text for module in modules() for text in templates(module.tree)}


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
