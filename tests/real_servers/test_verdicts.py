"""One monitor, one configuration, all sites of the table at once: each gets its right verdict."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.real_servers.servers import all_servers
from tests.real_servers.verdicts import TABLE
from tests.support.monitor import ROOT, Monitor, wait_for

INTERVAL_S = 6
TIMEOUT_S = 40
"""Long, because a check on a busy machine is to be judged right as well; sites that are to time out have their own."""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[int, Mapping[str, Any]]]:
    """What `-p --format json` says of each site, by its place in the table, once all of them have been checked."""
    directory = tmp_path_factory.mktemp("servers")
    with all_servers(directory) as authority:
        sites = [{"URL": url, "id": str(place), **keys} for place, (url, keys, _) in enumerate(TABLE)]
        config = directory / "config.json"
        settings = {
            "defaultCheckInterval": INTERVAL_S,
            "defaultTimeout": TIMEOUT_S,
            "database": "sqlite:",
            "caFile": authority.ca_file,
        }
        config.write_text(json.dumps({"websites": sites, **settings}))
        with Monitor(config, "--silent"):
            yield wait_for(lambda: _all_checked(config), "a check of every site", timeout_s=90)


def _all_checked(config: Path) -> Mapping[int, Mapping[str, Any]]:
    command = [sys.executable, str(ROOT / "monitoringApp.py"), "-p", "--once", "--format", "json", "-c", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    sites = json.loads(done.stdout.splitlines()[0])["sites"] if done.returncode == 0 and done.stdout else []
    return {int(site["URL"]): site for site in sites} if sites and all(site["checks"] for site in sites) else {}


def test_the_table_is_long_enough() -> None:
    assert len(TABLE) >= 100


@pytest.mark.parametrize(("place", "row"), [*enumerate(TABLE)], ids=[f"{url} {keys}" for url, keys, _ in TABLE])
def test_a_site_gets_its_right_verdict(
    place: int, row: tuple[str, Mapping[str, object], str], found: Mapping[int, Mapping[str, Any]]
) -> None:
    site = found[place]
    causes = [*site["causes"]]
    cause, _, reason = row[2].partition(": ")
    seen = "up" if not causes else f"{causes}: {site['detail']}"
    assert causes == ([] if cause == "up" else [cause]), seen
    assert reason in (site["detail"] or ""), seen
