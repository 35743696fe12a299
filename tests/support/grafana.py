"""The dashboards of deploy/grafana, as Grafana would ask for what they show."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.sources import ROOT

FOLDER = ROOT / "deploy" / "grafana"

VALUES = {
    "$timeFilter": "time >= now() - 6h",
    "$__interval": "1m",
    "$site": ".*",
    "$location": ".*",
}
"""What Grafana puts in the place of its variables, when everything is chosen."""


@dataclass(frozen=True)
class Query:
    """One question of a panel, with its variables filled in."""

    panel: str
    text: str


def dashboard(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def queries(name: str, key: str) -> Sequence[Query]:
    """Those of all panels; `key` is where a target has its text."""
    panels = dashboard(name)["panels"]
    return [Query(panel["title"], filled(target[key])) for panel in panels for target in panel["targets"]]


def filled(text: str) -> str:
    for name, value in VALUES.items():
        text = text.replace(name, value)
    assert "$" not in text.replace("/^.*$/", ""), f"a variable that nobody fills in: {text}"
    return text
