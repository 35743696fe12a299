"""The commands in the documents are run, as far as they end by themselves."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from monitoring.models import Alert, AlertType, CheckResult
from monitoring.storage.sqlite.store import LocalStore
from tests.support.documents import DOCUMENTS, ROOT, commands, fences, rows, section
from tests.support.monitor import write_config

SITE = "https://example.org/"
NOW_MS = 1_767_225_600_000

ENDS = {"--once", "--check-config", "--at", "--help", "--version", "--purge", "--explain", "--replay"}
FOUND = sorted({tuple(line) for text in DOCUMENTS.values() for line in commands(text) if ENDS & set(line)})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory in which a monitor has run, of a site that has the URL and the name of the examples."""
    write_config(tmp_path, [], websites=[{"URL": SITE, "name": "health"}])
    store = LocalStore(tmp_path / "config.db")
    checks = [CheckResult("https://example.org", NOW_MS, 2_000, 90, 200, 20_000, (None,) * 5)]
    store.append(checks, [Alert(AlertType.ALERT, "https://example.org", NOW_MS, NOW_MS, None, 75.0, None)], NOW_MS)
    store.close()
    return tmp_path


def run(arguments: tuple[str, ...], folder: Path) -> subprocess.CompletedProcess[str]:
    """As in a terminal, with the configuration that is here."""
    here = list(arguments)
    if "-c" in here:
        here[here.index("-c") + 1] = "config.json"
    program = [sys.executable, str(ROOT / "monitoringApp.py")]
    return subprocess.run([*program, *here], cwd=folder, capture_output=True, text=True, input="n\n", check=False)


def test_there_are_such_commands() -> None:
    assert {word for line in FOUND for word in line} >= ENDS - {"--version", "--help"}


@pytest.mark.parametrize("arguments", FOUND, ids=" ".join)
def test_a_command_ends_well(folder: Path, arguments: tuple[str, ...]) -> None:
    """A purge without `--yes` asks, and where nobody can be asked it says so and deletes nothing."""
    ended = run(arguments, folder)
    if "--replay" in arguments:  # the checks of the examples are older than what is asked for
        assert (ended.returncode, ended.stderr[:34]) == (1, "--since: there are no checks after")
        return
    if "--purge" in arguments and "--yes" not in arguments:
        assert (ended.returncode, ended.stderr) == (2, "--purge: nobody can be asked here; --yes deletes without asking\n")
    else:
        assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout


def test_the_errors_of_the_example_are_those_of_the_program(folder: Path) -> None:
    """docs/configuration.md shows what a wrong configuration is told."""
    (shown,) = (body for _, body in fences(section(DOCUMENTS["docs/configuration.md"], "Errors")))
    websites = '  {"URL": "http://a"},\n  {"URL": "http://b"},\n  {"URL": "http://c", "checkIntervall": 3}\n'
    (folder / "wrong.json").write_text(f'{{\n"websites": [\n{websites}],\n"alerting": {{"threshold": 120}}\n}}')
    ended = subprocess.run(
        [sys.executable, str(ROOT / "monitoringApp.py"), "-m", "-c", "wrong.json"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.splitlines() == shown.splitlines()[1:]


def explained(title: str) -> set[str]:
    """The names in the first column of the tables of this section of docs/schema.md."""
    found = rows(section(DOCUMENTS["docs/schema.md"], title))
    return {name for row in found for name in re.findall(r"`(\w+)`", row[0])} - {"location", "delivery"}


def test_every_key_of_the_json_output_is_explained(folder: Path) -> None:
    """And no key that is not there; `location` and `delivery` are there only of monitors that have such."""
    stats = json.loads(run(("-p", "--once", "--format", "json"), folder).stdout.splitlines()[0])
    assert explained("Statistics") == {*stats, *stats["sites"][0]}
    alert = json.loads(run(("-a", "--once", "--format", "json"), folder).stdout)
    assert explained("Alerts and recoveries") == {*alert}
    why = json.loads(run(("--explain", "health", "--at", "2026-01-01T00:00:01Z", "--format", "json"), folder).stdout)
    tried = json.loads(run(("--replay", "--since", "2026-01-01T00:00:00Z", "--format", "json"), folder).stdout)
    assert explained("Back-tests") == {*tried}
    inner = {*why["window"], *why["window"]["runs"][0], *why["alert"], *why["lastGood"], *why["next"], *why["rule"]}
    assert explained("Explanations") == {*why}
    assert inner <= set(re.findall(r"`(\w+)`", section(DOCUMENTS["docs/schema.md"], "Explanations")))


@pytest.mark.skipif(not shutil.which("sqlite3"), reason="needs sqlite3")
def test_the_local_file_can_be_copied_as_the_document_says(folder: Path) -> None:
    (command,) = (line for line in DOCUMENTS["docs/operations.md"].splitlines() if line.startswith("sqlite3 "))
    subprocess.run(shlex.split(command), cwd=folder, check=True)
    with_copy = run(("-p", "--once"), folder)
    (folder / "copy.db").replace(folder / "config.db")
    assert run(("-p", "--once"), folder).stdout.splitlines()[0] == with_copy.stdout.splitlines()[0]
