"""Monitors in several places: each sees its own, readers tell them apart."""

import io
import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from monitoring import stats
from monitoring.clock import SystemClock
from monitoring.commandline import parse_arguments
from monitoring.config import Config, describe, parse_config, parse_database
from monitoring.errors import ConfigError, StoreError, StoreRefused
from monitoring.gateway.application import make_application
from monitoring.gateway.database import Databases, FileDatabase, alone
from monitoring.gateway.limits import Limits
from monitoring.models import Alert, Cause, CheckResult, Site, SiteStatus, State, Window
from monitoring.output import JsonOutput, LocatedOutput, PlainOutput
from monitoring.purging import Purge, Terminal, scope_of
from monitoring.report import Closing, ClosingRow, Header, alert_json, alert_sentence, ongoing_text, stats_json, stats_lines
from monitoring.report.words import label
from monitoring.rounds import stats_report
from monitoring.store.choosing import ReaderChoice
from monitoring.store.influx import InfluxStore
from monitoring.store.influxblocks import Told
from monitoring.store.influxpurge import Held, InfluxPurge
from monitoring.store.influxretention import DAY_MS, InfluxRetention
from monitoring.store.local import LocalStore
from monitoring.survey import Survey
from tests.support.clock import FakeClock
from tests.support.forwarding import ForwardingStore
from tests.support.gateway import NO_TOKENS, through_gateway
from tests.support.influxd import Influxd
from tests.support.memory_store import MemoryStore
from tests.support.points import EVER, START_MS, alert, check, checks, recovery

SITE = Site("a", "http://a/", interval_ms=2_000, timeout_ms=10_000)
OTHER = Site("b", "http://b/", interval_ms=2_000, timeout_ms=10_000)
NOW_MS = START_MS + 60_000
MINUTE_MS = 60_000


class Shared:
    """One InfluxDB database, as each location sees it."""

    def __init__(self, server: Influxd, stack: ExitStack) -> None:
        self.server = server
        self.name = f"locations-{uuid.uuid4()}"
        self.url = server.url(self.name)
        self.stack = stack

    def at(self, location: str) -> InfluxStore:
        store = InfluxStore(
            host=self.server.host, port=self.server.port, database=self.name, location=location, read_timeout=60
        )
        return self.stack.enter_context(closing(store))

    def purge(self, location: str | None = None) -> InfluxPurge:
        return self.stack.enter_context(closing(InfluxPurge.at(parse_database(self.url, {}), 2, 60, location)))


@pytest.fixture
def shared(influxd: Influxd) -> Iterator[Shared]:
    with ExitStack() as stack:
        database = Shared(influxd, stack)
        database.at("").prove("test")
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
    assert parse(location="paris").settled != parse().settled
    assert parse(location="paris").settled == parse(location="paris", defaultTimeout=3).settled


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
    shared.at("tokyo").write([check()], [])
    shared.at("paris").write([], [alert()])
    assert shared.at("").locations() == shared.at("paris").locations() == ["paris", "tokyo"]
    shared.at("").write([check()], [])
    assert shared.at("tokyo").locations() == ["", "paris", "tokyo"]


def test_a_name_that_no_monitor_can_have_is_no_location(shared: Shared) -> None:
    shared.at("x" * 65).write([check()], [])
    assert shared.at("").locations() == []


def test_what_has_no_location_is_apart_from_what_has_one(shared: Shared) -> None:
    """Old data stay what they are when a location appears beside them."""
    shared.at("").write(checks(range(0, 60, 2)), [alert(9)])
    shared.at("paris").write([check(2, cause=Cause.DNS), check(90, "b", Cause.DNS)], [recovery(9), alert(99, "b")])
    nameless = shared.at("")
    assert nameless.results(EVER) == checks(range(0, 60, 2))
    assert (nameless.alerts(EVER), nameless.last_alerts()) == ([alert(9)], {"a": alert(9)})
    assert nameless.last_time() == START_MS + 58_000
    assert shared.at("paris").last_time() == START_MS + 99_000
    assert nameless.stats(EVER)["a"].available == 30
    assert shared.at("nowhere").last_time() is None


def test_what_a_file_tells_of_its_minutes_is_of_its_location(shared: Shared) -> None:
    """A local file that moved does not take back what it told where it was."""
    before, now = shared.at(""), shared.at("paris")
    before.announce("file", {START_MS: Told.PIECES}, ())
    now.announce("file", {START_MS + MINUTE_MS: Told.POINTS}, ())
    assert before.open_minutes("file") == {START_MS: Told.PIECES}
    now.seal("file", [START_MS + MINUTE_MS])
    assert (before.open_minutes("file"), now.open_minutes("file")) == ({START_MS: Told.PIECES}, {})


def test_blocks_of_the_same_minute_and_sites_are_told_apart(shared: Shared, tmp_path: Path) -> None:
    told: dict[str, list[CheckResult]] = {}
    for location, cause in {"": None, "paris": Cause.DNS, "tokyo": Cause.SLOW}.items():
        folder = tmp_path / (location or "nameless")
        folder.mkdir()
        store = shared.stack.enter_context(closing(ForwardingStore(shared.server, shared.name, folder, location)))
        store.prove(location or "nameless")
        told[location] = [*checks(range(0, 150, 2), "a", cause), *checks(range(0, 150, 2), location or "b")]
        store.write(told[location], [])
    for location, written in told.items():
        for window in (EVER, Window(START_MS + 10_000, START_MS + 70_000)):
            assert shared.at(location).stats(window) == stats.summarise(written, window), location


def test_a_purge_is_of_all_locations_or_of_one(shared: Shared) -> None:
    for location in ("", "paris", "tokyo"):
        shared.at(location).write(checks([0, 2]), [alert(1)])
    later_ms = START_MS + 10_000
    assert shared.purge().held(["a"], later_ms) == Held(6, 3, START_MS)
    assert [part.location for part in shared.purge().each()] == ["", "paris", "tokyo"]
    shared.purge("paris").delete(["a"], later_ms, {})
    assert [part.location for part in shared.purge("paris").each()] == ["paris"]
    assert shared.at("").locations() == ["", "tokyo"]
    shared.purge("").delete(["a"], later_ms, {})
    assert shared.at("tokyo").results(EVER) == checks([0, 2])


def test_an_alert_is_open_in_its_own_location_only(shared: Shared) -> None:
    shared.at("paris").write([], [alert(1)])
    shared.at("tokyo").write([], [alert(1), recovery(60)])
    assert [part.open_alerts() for part in shared.purge().each()] == [{"a": START_MS + 1_000}, {}]


def purge(config: Config, location: str | None) -> list[str]:
    """What `--purge --yes` says."""
    said: list[str] = []
    clock = SystemClock()
    Purge(config, scope_of("http://a", None, location, clock.now_ms()), clock, Terminal(said.append, None)).run(yes=True)
    return said


def test_the_purge_mode_says_what_goes_of_each_location(shared: Shared, tmp_path: Path) -> None:
    config = replace(reading(tmp_path, shared.url, "paris"), sites=())
    for location in ("", "paris", "tokyo"):
        shared.at(location).write(checks([0, 2], "http://a"), [])
    with closing(LocalStore(config.local_database)) as local:
        local.write(checks([0, 2, 4], "http://a"), [])
    said = purge(config, "tokyo")
    assert said[1:] == [
        f"  {shared.url}, tokyo: 2 checks and 0 alerts and recoveries, from 2026-01-01 00:00 UTC on",
        "Deleted.",
    ]
    assert shared.at("").locations() == ["", "paris"]
    told = [line.partition(", from")[0] for line in purge(config, None)]
    assert told[1:4] == [
        f"  {config.local_database}: 3 checks and 0 alerts and recoveries",
        f"  {shared.url}: 2 checks and 0 alerts and recoveries",
        f"  {shared.url}, paris: 2 checks and 0 alerts and recoveries",
    ]
    assert shared.at("").locations() == []
    assert purge(config, None) == ["There is nothing of http://a to delete."]
    assert [part.location for part in shared.purge().each("here")] == ["here"]


def test_a_purge_of_another_location_takes_what_minutes_tell_of_the_site_as_well(shared: Shared, tmp_path: Path) -> None:
    """Whatever the file that told it: afterwards the others' statistics come from their points."""
    tokyo = shared.stack.enter_context(closing(ForwardingStore(shared.server, shared.name, tmp_path, "tokyo")))
    tokyo.prove("tokyo")
    tokyo.write([*checks(range(0, 60, 2), "http://a"), *checks(range(0, 60, 2), "http://b")], [])
    shared.at("paris").write([check(host="http://a")], [])
    purge(reading(tmp_path / "here", shared.url), "paris")
    assert tokyo._minutes.outline(EVER), "nothing of tokyo was purged"
    purge(reading(tmp_path / "here", shared.url, "paris"), "tokyo")
    assert {host: found.checks for host, found in shared.at("tokyo").stats(EVER).items()} == {"http://b": 30}


class File:
    """Keeps `Owner`."""

    marker = "file"

    def hosts(self) -> Sequence[str]:
        return ["a"]


def test_retention_of_a_monitor_is_for_its_location_and_of_a_gateway_for_all(shared: Shared) -> None:
    for location in ("", "paris", "tokyo"):
        shared.at(location).write(checks([0, 2]), [alert(1)])
    shared.at("paris").write([], [recovery(60)])
    now_ms = START_MS + 3 * DAY_MS
    retention = InfluxRetention(shared.purge("paris"), File())
    retention.keep(DAY_MS, DAY_MS)
    while retention.step(now_ms):
        pass
    assert shared.at("").locations() == ["", "tokyo"]
    of_gateway = InfluxRetention(shared.purge())
    of_gateway.keep(DAY_MS, DAY_MS)
    while of_gateway.step(now_ms):
        pass
    assert [shared.at(location).results(EVER) for location in ("", "tokyo")] == [[], []]
    assert shared.at("tokyo").alerts(EVER) == [alert(1)], "it is still open"


# Whom to read


def reading(folder: Path, database: str, location: str = "") -> Config:
    return Config((SITE,), parse_database(database, {}), folder / "config.db", location=location)


def test_a_database_is_read_from_each_location_also_from_one_that_comes_later(shared: Shared, tmp_path: Path) -> None:
    with closing(ReaderChoice(reading(tmp_path, shared.url), FakeClock(), 60)) as choice:
        assert list(choice.choose()[0]) == [""]
        shared.at("paris").write(checks([2]), [])
        first, _ = choice.choose()
        shared.at("tokyo").write(checks([4]), [])
        readers, source = choice.choose()
        assert (list(first), list(readers), source.kind) == (["paris"], ["paris", "tokyo"], "influxdb")
        assert readers["paris"] is first["paris"]
        assert [reader.results(EVER) for reader in readers.values()] == [checks([2]), checks([4])]


def test_only_the_location_that_is_asked_for_is_read(shared: Shared, tmp_path: Path) -> None:
    shared.at("paris").write(checks([2]), [])
    shared.at("").write(checks([4]), [])
    config = reading(tmp_path, shared.url)
    for wanted, found in {"paris": checks([2]), "": checks([4])}.items():
        with closing(ReaderChoice(config, FakeClock(), 60, wanted)) as choice:
            readers, _ = choice.choose()
            assert [reader.results(EVER) for reader in readers.values()] == [found]
    with closing(ReaderChoice(config, FakeClock(), 60, "tokyo")) as choice, pytest.raises(StoreError, match="location"):
        choice.choose()


def test_a_local_file_is_of_the_location_of_its_configuration(tmp_path: Path) -> None:
    config = reading(tmp_path, "sqlite:", "paris")
    with closing(LocalStore(config.local_database)) as store:
        store.write(checks([2]), [])
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
    survey = Survey([SITE, OTHER])
    readers = {
        "paris": memory(*checks(range(0, 60, 2)), *checks(range(0, 60, 2), "b")),
        "tokyo": memory(*checks(range(0, 60, 2), cause=Cause.DNS), alert(30)),
    }
    assert survey.new_alerts(readers) == [at("tokyo", alert(30))]
    (report,) = survey.reports(readers, [MINUTE_MS], NOW_MS)
    assert [(row.key, row.stats.available, row.status.state) for row in report.rows] == [
        (("a", "paris"), 30, State.UP),
        (("a", "tokyo"), 0, State.DOWN),
        (("b", "paris"), 30, State.UP),
    ]
    assert survey.statuses()["a", "tokyo"].state is State.DOWN
    assert survey.statuses()["a", "paris"].state is State.UP
    assert survey.ongoing() == [at("tokyo", alert(30))]


def test_a_location_that_measures_no_more_is_told_of_for_a_day() -> None:
    day_ms = 86_400_000
    survey = Survey([SITE])
    readers = {"": memory(*checks(range(0, 60, 2))), "paris": memory(check(0))}
    for after_ms, known in ((day_ms - 1_000, ["", "paris"]), (day_ms + 1_000, [""]), (2 * day_ms, [""])):
        (report,) = survey.reports(readers, [MINUTE_MS], START_MS + after_ms)
        assert [row.location for row in report.rows] == known, after_ms
    assert report.rows[0].status.state is State.UNKNOWN


def test_the_only_location_is_told_of_however_long_ago_it_was() -> None:
    survey = Survey([SITE])
    (report,) = survey.reports({"paris": memory(check(0))}, [MINUTE_MS], START_MS + 99 * 86_400_000)
    assert [row.key for row in report.rows] == [("a", "paris")]


def test_what_was_told_of_a_location_is_not_told_again_when_it_can_be_read_again() -> None:
    survey = Survey([SITE])
    paris, tokyo = memory(alert(1)), memory(alert(2))
    assert len(survey.new_alerts({"paris": paris, "tokyo": tokyo})) == 2
    assert survey.new_alerts({"paris": paris}) == []
    assert survey.ongoing() == [at("paris", alert(1))]
    assert survey.new_alerts({"paris": paris, "tokyo": tokyo}) == []
    assert survey.ongoing() == [at("paris", alert(1)), at("tokyo", alert(2))]


def test_outputs_name_a_location_only_where_there_is_one() -> None:
    survey = Survey([SITE])
    readers = {"": memory(check(50)), "île \x1b[31m": memory(check(51))}
    (report,) = survey.reports(readers, [MINUTE_MS], NOW_MS)
    first, second = json.loads(stats_json(report))["sites"]
    assert "location" not in first
    assert second["location"] == "île \x1b[31m"
    assert [key for key in second if key != "location"] == list(first)
    head, nameless, named = stats_lines(report)
    assert ", 1 site, " in head
    assert "location=- " in nameless
    assert "location=île\\x1b[31m " in named
    assert [label(row.host, "shop", row.location) for row in report.rows] == ["shop", "shop [île \\x1b[31m]"]
    (alone_report,) = Survey([SITE]).reports({"": readers[""]}, [MINUTE_MS], NOW_MS)
    assert "location" not in "".join(stats_lines(alone_report))


def test_an_alert_says_where() -> None:
    assert alert_sentence(at("paris", alert())) == f"{alert_sentence(alert())}, location=paris"
    assert alert_sentence(at("paris", recovery())) == f"{alert_sentence(recovery())}, location=paris"
    assert ongoing_text(at("paris", alert()), NOW_MS).endswith("cause dns, seen from paris)")
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
    assert lines[-1].endswith("location=paris")


# The gateway


def test_a_gateway_keeps_locations_apart_and_tells_which_there_are(shared: Shared) -> None:
    databases = Databases(shared.at, 9)
    with through_gateway(databases, "paris") as paris, through_gateway(databases) as nameless:
        assert paris.locations() == []
        paris.prove("file")
        paris.write(checks([2]), [alert(3)])
        paris.announce("file", {START_MS: Told.POINTS}, ())
        nameless.write(checks([4]), [])
        assert (paris.results(EVER), nameless.results(EVER)) == (checks([2]), checks([4]))
        assert (paris.last_alerts(), nameless.last_alerts()) == ({"a": alert(3)}, {})
        assert (paris.open_minutes("file"), nameless.open_minutes("file")) == ({START_MS: Told.POINTS}, {})
        assert (paris.last_time(), nameless.last_time()) == (START_MS + 3_000, START_MS + 4_000)
        assert nameless.locations() == ["", "paris"]


def test_metrics_bear_the_location_where_there_is_one(shared: Shared) -> None:
    clock = SystemClock()
    recent = check((clock.now_ms() - START_MS) / 1_000 - 10)
    shared.at("").write([recent], [])
    shared.at("paris").write([recent], [alert()])
    client = make_application(Databases(shared.at, 9), NO_TOKENS, Limits(), clock).test_client()
    lines = client.get("/metrics").text.splitlines()
    assert {'monitoring_site_up{site="a"} 1.0', 'monitoring_site_up{location="paris",site="a"} 0.0'} <= set(lines)


@pytest.mark.parametrize(
    "question", ["stats?window=60", "alerts/latest?", "last-time?", "minutes?file=f", "results?window=9"]
)
def test_a_wrong_location_is_refused(tmp_path: Path, question: str) -> None:
    with closing(FileDatabase(tmp_path / "gateway.db")) as file:
        client = make_application(Databases(alone(file), 9), NO_TOKENS, Limits(), SystemClock()).test_client()
        for wrong in ("", "x" * 65, "a%0Ab", "a%5Cb"):
            assert client.get(f"/api/v1/{question}&location={wrong}").status_code == 422
            assert client.post("/api/v1/results", json={"location": wrong}).status_code == 422 or "%" in wrong
        assert client.get(f"/api/v1/{question}&location=a&location=b").status_code == 400
        assert client.get("/api/v1/locations?location=a").status_code == 400


def test_a_gateway_with_a_file_refuses_locations_before_anything_is_sent_to_it(tmp_path: Path) -> None:
    """A monitor proves its database first: so nothing is thrown away, and it says why it does not deliver."""
    with closing(FileDatabase(tmp_path / "gateway.db")) as file:
        with through_gateway(Databases(alone(file), 9), "paris") as store:
            for refused in (lambda: store.prove("file"), lambda: store.knows("file"), lambda: store.write([check()], [])):
                with pytest.raises(StoreRefused, match="a file, which has no locations"):
                    refused()
        assert file.last_time() is None


class Kept(MemoryStore):
    """Is in `open_ones` until it is closed."""

    def __init__(self, open_ones: list[MemoryStore]) -> None:
        super().__init__()
        self._open_ones = open_ones
        open_ones.append(self)

    def close(self) -> None:
        self._open_ones.remove(self)


def test_a_gateway_keeps_only_so_many_locations_at_a_time() -> None:
    open_ones: list[MemoryStore] = []
    databases = Databases(lambda _: Kept(open_ones), 2)  # type: ignore[arg-type, return-value]  # as far as is asked of it
    nameless, _ = databases.at(""), databases.at("paris")
    assert databases.at("") is nameless
    tokyo = databases.at("tokyo")
    assert open_ones == [nameless, tokyo]
    databases.close()
    assert open_ones == []
