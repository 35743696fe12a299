"""The viewer's room: textual stays in it, and the documents name its keys."""

import re
import subprocess
import sys

import pytest

from monitoring.display.drawing.theme import ThemeName
from monitoring.display.view_model.selection import FIELDS
from monitoring.display.view_model.viewing import Order
from monitoring.viewer.keys import KEYS
from tests.support.sources import ROOT, modules

DOCUMENT = (ROOT / "docs" / "viewer.md").read_text()


def test_nothing_else_imports_textual() -> None:
    found = {module.name for module in modules() if any(name.partition(".")[0] == "textual" for name in module.imports())}
    assert found == {"monitoring.viewer.app", "monitoring.viewer.canvas"}


@pytest.mark.parametrize(
    "module", ["monitoringApp", "alertWatcher", "monitoring.commands.live.print", "monitoring.commands.live.viewer"]
)
def test_no_program_loads_it_before_a_viewer_starts(module: str) -> None:
    source = f"import sys, {module}; sys.exit('textual' in sys.modules or 'rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", source], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("module", ["monitoring.storage.delivery.local_first", "monitoring.storage.sqlite.store", "msgspec"])
def test_a_viewer_does_not_wait_for_what_only_a_monitor_needs(module: str) -> None:
    source = f"import sys, monitoring.commands.live.viewer; sys.exit('{module}' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", source], cwd=ROOT, check=False).returncode == 0


WITHOUT_TLS = """
import sys
from monitoring.commands.live.viewer import import_asyncio
import_asyncio()
import monitoring.viewer.app
loaded = {"_ssl", "_hashlib"} & sys.modules.keys()
import ssl
sys.exit(bool(loaded))
"""


def test_a_viewer_has_no_openssl_in_memory_until_a_database_needs_it() -> None:
    """It has 5 MB, a fifteenth of a viewer of 1000 sites."""
    assert subprocess.run([sys.executable, "-c", WITHOUT_TLS], cwd=ROOT, check=False).returncode == 0


def test_the_document_names_every_key() -> None:
    table = DOCUMENT.partition("## Keys")[2].partition("## Filter")[0]
    named = set(re.findall(r"`([^` ]+)`", " ".join(row.split("|")[1] for row in table.splitlines() if row.startswith("|"))))
    helped = {key for keys in KEYS for key in keys.split() if keys != "mouse"}
    assert named == helped


def test_the_document_names_orders_themes_and_fields_of_filters() -> None:
    for word in (*Order, *ThemeName, *(f"`{field}:" for field in FIELDS)):
        assert word in DOCUMENT, word
