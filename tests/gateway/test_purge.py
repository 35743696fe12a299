"""`--purge` on a gateway's machine: of all locations or of one, while the gateway runs and while it does not."""

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitoring.errors import StoreUnavailable
from monitoring.models import CheckResult
from monitoring.storage.base import Points
from monitoring.storage.sqlite.database import SharedFile
from tests.support.points import EVER, alert, checks
from tests.support.purging import purge

PLACES = ("", "paris", "tokyo")
SITE, OTHER = "http://a", "http://b"
MADE = [*checks(range(0, 200, 2), SITE), *checks(range(1, 200, 2), OTHER)]


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    """A gateway's configuration; its file has these checks and an alert of the site at each place."""
    path = tmp_path / "gateway.json"
    path.write_text(json.dumps({"websites": [{"URL": "http://c"}], "database": "sqlite:"}))
    with closing(SharedFile(path.with_suffix(".db"))) as file:
        for number, place in enumerate(PLACES):
            database = file.open(place)
            database.verify(f"file {number}")
            database.write(Points(MADE, [alert(1, SITE)]))
    return path


def kept(config: Path) -> dict[str, set[str]]:
    """The hosts with a check or an alert, by place."""
    with closing(SharedFile(config.with_suffix(".db"))) as file:
        assert file.next_purge() is None
        stores = {place: file.open(place) for place in PLACES}
        return {place: {it.host for it in (*it.results(EVER), *it.alerts(EVER))} for place, it in stores.items()}


def untouched(config: Path) -> list[CheckResult]:
    with closing(SharedFile(config.with_suffix(".db"))) as file:
        return list(file.open("tokyo").results(EVER))


def test_while_no_gateway_runs_a_site_goes_from_all_locations_and_nothing_is_added_up(config: Path) -> None:
    status, said = purge(config, site=SITE)
    assert status == 0
    assert "checks: 300, alerts and recoveries: 3" in said[1]
    assert kept(config) == {place: {OTHER} for place in PLACES}
    with closing(SharedFile(config.with_suffix(".db"))) as file:
        assert file.open("").counts(EVER, "minutes") == {}
        assert file.open("").pending().summaries == 0


def test_one_location_alone(config: Path) -> None:
    assert purge(config, site=SITE, location="paris")[0] == 0
    assert kept(config) == {"": {SITE, OTHER}, "paris": {OTHER}, "tokyo": {SITE, OTHER}}
    assert untouched(config) == sorted(MADE, key=lambda it: it.time_ms)


def test_everything(config: Path) -> None:
    assert purge(config)[0] == 0
    assert kept(config) == {place: set() for place in PLACES}


def test_a_running_gateway_purges_all_locations_and_no_single_one(config: Path) -> None:
    with closing(SharedFile(config.with_suffix(".db"))) as file:
        with pytest.raises(StoreUnavailable, match="omit --location"):
            purge(config, site=SITE, location="paris")
        done = threading.Thread(target=lambda: purge(config, site=SITE))
        done.start()
        while done.is_alive():
            if request := file.next_purge():
                for _ in file.purge(request):
                    pass
            done.join(0.05)
    assert kept(config) == {place: {OTHER} for place in PLACES}
