"""The gateway's own file under a running gateway: deleted, replaced, or begun anew."""

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from monitoring.clock import SystemClock
from monitoring.errors import StoreUnavailable
from monitoring.gateway.databases import Databases
from monitoring.models import CheckResult
from monitoring.storage.base import DeliveryRecord, Points
from monitoring.storage.delivery.forwarder import Forwarder
from monitoring.storage.sqlite.database import FileDatabase, SharedFile
from monitoring.storage.sqlite.file import rescue
from monitoring.storage.sqlite.store import LocalStore
from tests.support.clock import FakeClock
from tests.support.forwarded import drain
from tests.support.gateway import WRITE_TOKEN, Gateway, client_of, serving
from tests.support.monitor import write_config
from tests.support.points import EVER, START_MS, alert, check, checks, recovery
from tests.support.summaries import summaries_of

NOW_MS = START_MS + 100_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gateway.db"


@pytest.fixture
def shared(path: Path) -> Iterator[SharedFile]:
    with closing(SharedFile(path)) as shared:
        yield shared


def nobody() -> None:
    """Nothing comes while something is put right."""


def look(shared: SharedFile) -> list[str]:
    shared.guard.look(NOW_MS, nobody)
    return shared.guard.notices()


def found(database: FileDatabase) -> list[CheckResult]:
    return list(database.results(EVER))


def test_a_deleted_file_is_back_with_everything_and_at_every_location(shared: SharedFile, path: Path) -> None:
    here, there = shared.open(), shared.open("paris")
    here.verify("file")
    here.record("file", DeliveryRecord(7, 8, 9))
    for database in (here, there):
        database.write(Points(checks([1, 2]), [alert(1)], summaries_of(checks([1, 2]))))
    assert look(shared) == []
    path.unlink()
    here.write(Points(checks([3])))
    late = []

    def write_more() -> None:
        late.append(check(1_000 + len(late)))
        there.write(Points([late[-1]]))

    shared.guard.look(NOW_MS, write_more)
    assert shared.guard.notices() == [
        f"{path} was deleted or moved away; it is back under its name with everything that it held"
    ]
    assert (found(here), found(there)) == (checks([1, 2, 3]), [*checks([1, 2]), *late])
    shared.close()
    with closing(SharedFile(path)) as again:
        assert (found(again.open()), found(again.open("paris"))) == (checks([1, 2, 3]), [*checks([1, 2]), *late])
        assert again.open("paris").last_alerts() == {"a": alert(1)}
        assert again.open().verify("file") == DeliveryRecord(7, 8, 9)


def test_a_file_that_takes_its_place_is_left_alone(shared: SharedFile, path: Path) -> None:
    shared.open("paris").write(Points(checks([1])))
    other = path.with_name("other")
    other.write_text("somebody's notes")
    os.replace(other, path)
    (words,) = look(shared)
    assert words.startswith(f"{path} was replaced by another file, which is left alone; checks go on in {path}.saved-")
    assert words.endswith(", with everything that it held")
    assert path.read_text() == "somebody's notes"
    shared.open("paris").write(Points(checks([2])))
    assert found(shared.open("paris")) == checks([1, 2])


def test_sites_keep_their_numbers_in_a_file_that_is_begun_anew(
    shared: SharedFile, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescue, "has_room", lambda *_: False)
    here, there = shared.open(), shared.open("paris")
    here.write(Points(checks([1], "b"), [alert(1, "b"), recovery(2, "b")]))
    there.write(Points(checks([1])))
    numbers = dict(shared.sites)
    path.unlink()
    (words,) = look(shared)
    assert "no room for a copy" in words
    assert shared.sites == numbers
    assert (found(here), found(there)) == (checks([1], "b"), checks([1]))
    assert here.last_alerts() == {"b": recovery(2, "b")}


def test_monitors_send_everything_again_to_a_file_that_was_begun_anew(
    shared: SharedFile, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was older than an hour had no room in it, and is in the monitors' own files."""
    monkeypatch.setattr(rescue, "has_room", lambda *_: False)
    old, clock = checks(range(0, 7_200, 60)), FakeClock(START_MS + 7_300_000)
    with (
        closing(LocalStore(tmp_path / "monitor.db")) as local,
        serving(Databases(shared.open, 9, shared)) as port,
        closing(client_of(port)) as client,
    ):
        forwarder = Forwarder(local, client, clock)
        local.append(old, [], clock.now_ms())
        drain(forwarder)
        assert found(shared.open()) == old
        path.unlink()
        shared.guard.look(clock.now_ms(), nobody)
        assert found(shared.open()) == [one for one in old if one.time_ms > clock.now_ms() - 3_600_000]
        local.append([new := check(7_299)], [], clock.now_ms())
        drain(forwarder)
        assert forwarder.trouble
        assert forwarder.trouble.endswith(": gateway.db is a new file: everything must be sent again")
        drain(forwarder)
        assert found(shared.open()) == [*old, new]


def test_a_monitor_that_was_not_verified_is_told_to_begin_anew(shared: SharedFile) -> None:
    again = pytest.raises(StoreUnavailable, match=r"409: gateway\.db is a new file: everything must be sent again")
    with serving(Databases(shared.open, 9, shared)) as port, closing(client_of(port)) as client, again:
        client.record("file", DeliveryRecord(1, 2, 3))


def test_a_running_gateway_notices_and_says_that_its_file_was_deleted(tmp_path: Path) -> None:
    config = write_config(tmp_path, ["http://127.0.0.1:1"], database="sqlite:")
    path = config.with_suffix(".db")
    now_ms = SystemClock().now_ms()  # else retention would delete them
    first, second = (replace(check(), time_ms=now_ms - ago_ms) for ago_ms in (2_000, 1_000))
    with Gateway(config) as gateway:
        gateway.wait_until_it_serves()
        with closing(gateway.store(WRITE_TOKEN)) as writer:
            writer.write(Points([first]))
            path.unlink()
            gateway.until(lambda running: any("was deleted or moved away" in line for line in running.errors))
            writer.write(Points([second]))
        assert gateway.terminate() == 0
    with closing(SharedFile(path)) as kept:
        assert found(kept.open()) == [first, second]
