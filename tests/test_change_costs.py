"""What CONTRIBUTING promises a newcomer: a field of a check is stored everywhere after a change to one file.

Where it is measured and where it is shown are two more files. The test changes `monitoring/fields.py` in a copy of the
program, as a newcomer would.
"""

import json
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import monitoring
from monitoring.fields import CHECK_FIELDS, CheckResult, ProbeResult
from monitoring.storage.sqlite.store import LocalStore
from tests.support.points import START_MS, checks

SINCE = max(field.since for field in CHECK_FIELDS) + 100
"""Newer than any file."""

ATTRIBUTE = "    attempts: int | None = None\n"
LINE = f"""    Field(
        *("attempts", "attempts", "attempts", "attempts", Kind.INTEGER), high=99, optional=True, meaning="try", since={SINCE}
    ),
"""

PROGRAM = """
import json, sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from monitoring.models import CheckResult, ProbeResult, Window
from monitoring.storage.gateway.messages import check_message, check_of, Check
from monitoring.storage.influxdb.points import PointWriter, WHOLE_CHECK
from monitoring.storage.sqlite.store import LocalStore
import msgspec

path, time_ms = Path(sys.argv[1]), int(sys.argv[2])
check = ProbeResult(status=200, attempts=3).in_slot("a", time_ms, 2_000, 0)
with closing(LocalStore(path)) as store:
    store.append([check], [], time_ms)
    stored = list(store.results(Window(0, 2 * time_ms)))
print(json.dumps({
    "file": [it.attempts for it in stored],
    "influxdb": PointWriter().check(check),
    "read": "attempts" in WHOLE_CHECK,
    "gateway": check_of(msgspec.json.decode(msgspec.json.encode(check_message(check)), type=Check)) == check,
    "described": "attempts" in json.dumps(msgspec.json.schema(Check)),
}))
"""


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """A folder with the program and the new field."""
    shutil.copytree(Path(monitoring.__file__).parent, tmp_path / "monitoring", ignore=shutil.ignore_patterns("__pycache__"))
    fields = tmp_path / "monitoring/fields.py"
    text, last = fields.read_text(), "    certificate_s: int | None = None\n"
    assert text.count(last) == len((ProbeResult, CheckResult))
    text = text.replace(last, last + ATTRIBUTE)
    end = text.index(")\n\n_PHASES")
    text = text[:end] + LINE + text[end:]
    fields.write_text(text)
    return tmp_path


def test_a_field_of_a_check_is_stored_everywhere_by_its_line_in_the_table(changed: Path) -> None:
    path = changed / "config.db"
    with closing(LocalStore(path)) as store:  # a file that knows nothing of the field
        store.append(checks([1]), [], START_MS)
    command = [sys.executable, "-c", PROGRAM, str(path), str(START_MS + 60_000)]
    ran = subprocess.run(command, cwd=changed, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["file"] == [None, 3]
    assert ",attempts=3i" in found["influxdb"]
    assert (found["read"], found["gateway"], found["described"]) == (True, True, True)
