"""Monitors in several places: each sees its own, readers tell them apart."""

import io
import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from monitoring.clock import SystemClock
from monitoring.commands.cli import parse_arguments
from monitoring.commands.oneshot.purge import Purge, Terminal, scope_of
from monitoring.config import Config, describe, parse_config, parse_database
from monitoring.display.output.outputs import JsonOutput, LocatedOutput, PlainOutput
from monitoring.display.text.jsonlines import alert_json, stats_json
from monitoring.display.text.plain import stats_lines
from monitoring.display.view_model.values import Closing, ClosingRow, Header, stats_report
from monitoring.display.words import alert_sentence, label, ongoing_text
from monitoring.errors import ConfigError, StoreError
from monitoring.models import Alert, Cause, CheckResult, Site, SiteStatus, State, Window
from monitoring.statistics import reference
from monitoring.storage.base import Points
from monitoring.storage.delivery.forwarder import Forwarder
from monitoring.storage.influxdb.store import InfluxStore
from monitoring.storage.multi_location import MultiLocationReport
from monitoring.storage.routing import ReaderChoice
from monitoring.storage.sqlite.store import LocalStore
from tests.support.clock import FakeClock
from tests.support.forwarded import drain, maintain
from tests.support.influx_databases import address_of, store_at
from tests.support.influxd import Influxd
from tests.support.memory_store import MemoryStore
from tests.support.points import EVER, START_MS, alert, check, checks, recovery

SITE = Site("a", "http://a/", interval_ms=2_000, timeout_ms=10_000)
OTHER = Site("b", "http://b/", interval_ms=2_000, timeout_ms=10_000)
NOW_MS = START_MS + 60_000
DAY_MS = 86_400_000
MINUTE_MS = 60_000
EVER_OF_TEST = Window(START_MS - 60_000, START_MS + 3_600_000)


class Shared:
    """One InfluxDB database, as each location sees it."""

    def __init__(self, server: Influxd, stack: ExitStack) -> None:
        self.server = server
        self.name = f"locations-{uuid.uuid4()}"
        self.url = server.url(self.name)
        self.stack = stack

    def at(self, location: str) -> InfluxStore:
        return self.stack.enter_context(closing(store_at(address_of(self.server, self.name), location)))

    def write(self, location: str, checks: Sequence[CheckResult] = (), alerts: Sequence[Alert] = ()) -> None:
        self.at(location).write(Points(checks, alerts))


@pytest.fixture
def shared(influxd: Influxd) -> Iterator[Shared]:
    with ExitStack() as stack:
        database = Shared(influxd, stack)
        database.at("").verify("test")
        yield database
        database.at("").drop_database()


# The configuration and the command line


def parse(**keys: object) -> Config:
    data = {"websites": [{"URL": "http://a"}], **keys}
    return parse_config(data, source="config.json", environ={"CITY": "Paris, 1er"}, path=Path("/c/config.json"))


def test_a_location_is_a_name_of_ones_own() -> None:
    assert parse(location="paris").location == "paris"
    assert parse(location="${CITY}").location == "Paris, 1er"
    assert parse().location == parse(location=None).location == ""
    assert "location: paris" in describe(parse(location="paris"))
    assert not any(line.startswith("location") for line in describe(parse()))


@pytest.mark.parametrize("name", ["", "x" * 65, "a\nb", "a\\b", "\x7f", "\x85", 7, ["paris"]])
def test_what_no_tag_can_hold_is_no_location(name: object) -> None:
    with pytest.raises(ConfigError, match=r"^config\.json: location: must "):
        parse(location=name)


def test_another_location_waits_for_the_next_start_as_another_database_does() -> None:
    assert parse(location="paris").needing_restart != parse().needing_restart
    assert parse(location="paris").needing_restart == parse(location="paris", defaultTimeout=3).needing_restart


def test_one_location_is_chosen_on_the_command_line() -> None:
    assert parse_arguments(["-p", "--location", "paris"]).location == "paris"
    assert parse_arguments(["-a", "--location", ""]).location == ""
    assert parse_arguments(["--purge"]).location is None
    for wrong in (["-m", "--location", "paris"], ["-g", "--location", ""], ["-p", "--location", "a\nb"]):
        with pytest.raises(SystemExit):
            parse_arguments(wrong)


# InfluxDB


def test_a_database_knows_its_locations(shared: Shared) -> None:
    assert shared.at("").locations() == []
    shared.write("tokyo", [check()])
    shared.write("paris", [], [alert()])
    assert shared.at("").locations() == shared.at("paris").locations() == ["paris", "tokyo"]
    shared.write("", [check()])
    assert shared.at("tokyo").locations() == ["", "paris", "tokyo"]


def test_a_name_that_no_monitor_can_have_is_no_location(shared: Shared) -> None:
    shared.write("x" * 65, [check()])
    assert shared.at("").locations() == []


def test_what_has_no_location_is_apart_from_what_has_one(shared: Shared) -> None:
    """Old data stay what they are when a location appears beside them."""
    shared.write("", checks(range(0, 60, 2)), [alert(9)])
    shared.write("paris", [check(2, cause=Cause.DNS), check(90, "b", Cause.DNS)], [recovery(9), alert(99, "b")])
    nameless = shared.at("")
    assert list(nameless.results(EVER)) == checks(range(0, 60, 2))
    assert (nameless.alerts(EVER), nameless.last_alerts()) == ([alert(9)], {"a": alert(9)})
    assert nameless.last_time() == START_MS + 58_000
    assert shared.at("paris").last_time() == START_MS + 99_000
    assert nameless.stats(EVER_OF_TEST, exact=True)["a"].available == 30
    assert shared.at("nowhere").last_time() is None


def test_summaries_of_the_same_minute_and_site_are_told_apart(shared: Shared, tmp_path: Path) -> None:
    made: dict[str, list[CheckResult]] = {}
    for location, cause in {"": None, "paris": Cause.DNS, "tokyo": Cause.SLOW}.items():
        made[location] = [*checks(range(0, 150, 2), "a", cause), *checks(range(0, 150, 2), location or "b")]
        with closing(LocalStore(tmp_path / f"{location}.db")) as local:
            local.append(made[location], [], NOW_MS)
            maintain(local, START_MS + 10 * MINUTE_MS)
            drain(Forwarder(local, shared.at(location), FakeClock()))
    for location, written in made.items():
        for window in (EVER_OF_TEST, Window(START_MS + 10_000, START_MS + 70_000)):
            found = shared.at(location).stats(window, exact=True)
            assert found == reference.summarise(written, window, exact=True), location


def purge(config: Config, location: str | None) -> list[str]:
    """What `--purge --yes` says."""
    said: list[str] = []
    clock = SystemClock()
    Purge(config, scope_of("http://a", None, location, clock.now_ms()), clock, Terminal(said.append, None)).run(yes=True)
    return said


def test_the_purge_mode_says_what_goes_of_each_location(shared: Shared, tmp_path: Path) -> None:
    config = replace(reading(tmp_path, shared.url, "paris"), sites=())
    for location in ("", "paris", "tokyo"):
        shared.write(location, checks([0, 2], "http://a"))
    with closing(LocalStore(config.local_database)) as local:
        local.append(checks([0, 2, 4], "http://a"), [], START_MS)
    said = purge(config, "tokyo")
    assert said[1:] == [
        f"  {shared.url}, tokyo: checks: 2, alerts and recoveries: 0",
        "Deleted.",
    ]
    assert shared.at("").locations() == ["", "paris"]
    told = [line.partition(" (from")[0] for line in purge(config, None)]
    assert told[1:4] == [
        f"  {config.local_database}: checks: 3, alerts and recoveries: 0",
        f"  {shared.url}: checks: 2, alerts and recoveries: 0",
        f"  {shared.url}, paris: checks: 2, alerts and recoveries: 0",
    ]
    assert shared.at("").locations() == []
    assert purge(replace(config, sites=(Site("http://a", "http://a"),)), None) == ["There is nothing of http://a to delete."]


def test_a_purge_of_another_location_takes_what_minutes_tell_of_the_site_as_well(shared: Shared, tmp_path: Path) -> None:
    with closing(LocalStore(tmp_path / "tokyo.db")) as local:
        local.append([*checks(range(0, 60, 2), "http://a"), *checks(range(0, 60, 2), "http://b")], [], START_MS)
        maintain(local, START_MS + 10 * MINUTE_MS)
        drain(Forwarder(local, shared.at("tokyo"), FakeClock()))
    shared.write("paris", [check(host="http://a")])
    purge(reading(tmp_path / "here", shared.url), "paris")
    assert shared.at("").locations() == ["tokyo"]
    purge(reading(tmp_path / "here", shared.url, "paris"), "tokyo")
    found = shared.at("tokyo").stats(EVER_OF_TEST, exact=True)
    assert {host: site.checks for host, site in found.items()} == {"http://b": 30}


def test_retention_of_a_monitor_is_for_its_location(shared: Shared, tmp_path: Path) -> None:
    for location in ("", "paris", "tokyo"):
        shared.write(location, checks([0, 2]), [alert(1)])
    now_ms = START_MS + 3 * DAY_MS
    with closing(LocalStore(tmp_path / "config.db")) as local:
        local.append(checks([0, 2]), [alert(1), recovery(60)], START_MS)
        local.append([check(3 * 86_400)], [], now_ms)
        forwarder = Forwarder(local, shared.at("paris"), FakeClock(now_ms), is_ours=True)
        forwarder.upkeep.set_retention(DAY_MS, DAY_MS)
        drain(forwarder)
    assert list(shared.at("paris").results(EVER)) == [check(3 * 86_400)]
    assert shared.at("paris").alerts(EVER) == []
    for other in ("", "tokyo"):
        assert list(shared.at(other).results(EVER)) == checks([0, 2])


# Whom to read


def reading(folder: Path, database: str, location: str = "") -> Config:
    return Config((SITE,), parse_database(database, {}), folder / "config.db", location=location)


def test_a_database_is_read_from_each_location_also_from_one_that_comes_later(shared: Shared, tmp_path: Path) -> None:
    with closing(ReaderChoice(reading(tmp_path, shared.url), FakeClock(), 60)) as choice:
        assert list(choice.choose()[0]) == [""]
        shared.write("paris", checks([2]))
        first, _ = choice.choose()
        shared.write("tokyo", checks([4]))
        readers, source = choice.choose()
        assert (list(first), list(readers), source.kind) == (["paris"], ["paris", "tokyo"], "influxdb")
        assert readers["paris"] is first["paris"]
        assert [list(reader.results(EVER)) for reader in readers.values()] == [checks([2]), checks([4])]


def test_only_the_location_that_is_asked_for_is_read(shared: Shared, tmp_path: Path) -> None:
    shared.write("paris", checks([2]))
    shared.write("", checks([4]))
    config = reading(tmp_path, shared.url)
    for wanted, found in {"paris": checks([2]), "": checks([4])}.items():
        with closing(ReaderChoice(config, FakeClock(), 60, wanted)) as choice:
            readers, _ = choice.choose()
            assert [list(reader.results(EVER)) for reader in readers.values()] == [found]
    with closing(ReaderChoice(config, FakeClock(), 60, "tokyo")) as choice, pytest.raises(StoreError, match="location"):
        choice.choose()


def test_a_local_file_is_of_the_location_of_its_configuration(tmp_path: Path) -> None:
    config = reading(tmp_path, "sqlite:", "paris")
    with closing(LocalStore(config.local_database)) as store:
        store.append(checks([2]), [], START_MS)
    for wanted in (None, "paris"):
        with closing(ReaderChoice(config, FakeClock(), wanted=wanted)) as choice:
            assert list(choice.choose()[0]) == ["paris"]
    with closing(ReaderChoice(config, FakeClock(), wanted="tokyo")) as choice, pytest.raises(StoreError, match="location"):
        choice.choose()


# What is told


def memory(*points: CheckResult | Alert) -> MemoryStore:
    store = MemoryStore()
    for point in points:
        store.record(point)
    return store


def at(location: str, transition: Alert) -> Alert:
    return replace(transition, location=location)


def test_each_site_has_a_row_for_each_location_that_sees_it() -> None:
    locations = MultiLocationReport([SITE, OTHER])
    readers = {
        "paris": memory(*checks(range(0, 60, 2)), *checks(range(0, 60, 2), "b")),
        "tokyo": memory(*checks(range(0, 60, 2), cause=Cause.DNS), alert(30)),
    }
    assert locations.new_alerts(readers) == [at("tokyo", alert(30))]
    (report,) = locations.reports(readers, [MINUTE_MS], NOW_MS)
    assert [(row.key, row.stats.available, row.status.state) for row in report.rows] == [
        (("a", "paris"), 30, State.UP),
        (("a", "tokyo"), 0, State.DOWN),
        (("b", "paris"), 30, State.UP),
    ]
    assert locations.statuses()["a", "tokyo"].state is State.DOWN
    assert locations.statuses()["a", "paris"].state is State.UP
    assert locations.ongoing() == [at("tokyo", alert(30))]


def test_a_location_that_measures_no_more_is_told_of_for_a_day() -> None:
    day_ms = 86_400_000
    locations = MultiLocationReport([SITE])
    readers = {"": memory(*checks(range(0, 60, 2))), "paris": memory(check(0))}
    for after_ms, known in ((day_ms - 1_000, ["", "paris"]), (day_ms + 1_000, [""]), (2 * day_ms, [""])):
        (report,) = locations.reports(readers, [MINUTE_MS], START_MS + after_ms)
        assert [row.location for row in report.rows] == known, after_ms
    assert report.rows[0].status.state is State.UNKNOWN


def test_the_only_location_is_told_of_however_long_ago_it_was() -> None:
    locations = MultiLocationReport([SITE])
    (report,) = locations.reports({"paris": memory(check(0))}, [MINUTE_MS], START_MS + 99 * 86_400_000)
    assert [row.key for row in report.rows] == [("a", "paris")]


def test_what_was_told_of_a_location_is_not_told_again_when_it_can_be_read_again() -> None:
    locations = MultiLocationReport([SITE])
    paris, tokyo = memory(alert(1)), memory(alert(2))
    assert len(locations.new_alerts({"paris": paris, "tokyo": tokyo})) == 2
    assert locations.new_alerts({"paris": paris}) == []
    assert locations.ongoing() == [at("paris", alert(1))]
    assert locations.new_alerts({"paris": paris, "tokyo": tokyo}) == []
    assert locations.ongoing() == [at("paris", alert(1)), at("tokyo", alert(2))]


def test_outputs_name_a_location_only_where_there_is_one() -> None:
    locations = MultiLocationReport([SITE])
    readers = {"": memory(check(50)), "île \x1b[31m": memory(check(51))}
    (report,) = locations.reports(readers, [MINUTE_MS], NOW_MS)
    first, second = json.loads(stats_json(report))["sites"]
    assert "location" not in first
    assert second["location"] == "île \x1b[31m"
    assert [key for key in second if key != "location"] == list(first)
    head, nameless, named = stats_lines(report)
    assert ", 1 site, " in head
    assert "location=- " in nameless
    assert "location=île\\x1b[31m " in named
    assert [label(row.host, "shop", row.location) for row in report.rows] == ["shop", "shop [île \\x1b[31m]"]
    (alone_report,) = MultiLocationReport([SITE]).reports({"": readers[""]}, [MINUTE_MS], NOW_MS)
    assert "location" not in "".join(stats_lines(alone_report))


def test_an_alert_says_where() -> None:
    assert alert_sentence(at("paris", alert())).replace(", location=paris", "", 1) == alert_sentence(alert())
    assert alert_sentence(at("paris", recovery())).replace(", location=paris", "", 1) == alert_sentence(recovery())
    assert ongoing_text(at("paris", alert()), NOW_MS).endswith(", seen from paris)")
    assert json.loads(alert_json(at("paris", alert()), None))["location"] == "paris"
    assert "location" not in json.loads(alert_json(alert(), None))


def test_a_monitor_that_has_a_location_says_so_in_all_it_tells() -> None:
    out, errors = io.StringIO(), io.StringIO()
    report = stats_report(EVER, "local", {}, [SITE], lambda *_: SiteStatus())
    output = LocatedOutput(JsonOutput(out, errors), "paris")
    output.statistics(report)
    output.state_change(alert(), "shop")
    output.notice("trouble")
    told, transition = map(json.loads, out.getvalue().splitlines())
    assert (told["sites"][0]["location"], transition["location"], errors.getvalue()) == ("paris", "paris", "trouble\n")
    plain = LocatedOutput(PlainOutput(out, errors), "paris")
    plain.start(Header(1, "local"), NOW_MS)
    plain.close(Closing(0, 60_000, (ClosingRow("a", None, 1, 1, 1, 1),), alerts=(alert(),)))
    lines = out.getvalue().splitlines()
    assert any("monitored 1 site from paris for 1 min" in line for line in lines)
    assert any(line.startswith("still down: ") and ", seen from paris" in line for line in lines)
