"""What a month adds up to: on the command line, as CSV and as JSON, and the same on the page."""

import csv
import io
import json
from argparse import ArgumentTypeError
from contextlib import closing
from pathlib import Path

import pytest

from monitoring.commands.oneshot.report import read_month
from monitoring.config import Config, parse_database
from monitoring.config.parsing.durations import month
from monitoring.display.text.jsonlines import month_json
from monitoring.display.text.plain import month_lines
from monitoring.display.view_model.months import MONTH_RULE, MonthReport, month_csv
from monitoring.errors import ConfigError
from monitoring.models import Cause, Site
from monitoring.storage.sqlite.reader import FileReader
from monitoring.storage.sqlite.store import LocalStore
from monitoring.units import DAY_MS
from tests.support.page import outage
from tests.support.points import START_MS, check, checks
from tests.support.processes import run_program, write_websites

SITES = (Site("a", "http://a/", name="=cmd|calc"), Site("b", "http://b/"))
JANUARY = month("2026-01")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A minute of two sites at the beginning of 2026; one fails for half of it, and had been down since the year before."""
    config = Config(SITES, parse_database("sqlite:", {}), tmp_path / "config.db")
    with closing(LocalStore(config.local_database)) as store:
        bad = [check(at, "b", Cause.DNS if at < 30 else None) for at in range(1, 60, 2)]
        alerts = outage("b", START_MS - 100_000, START_MS + 31_000)
        store.append([*checks(range(0, 60, 2)), *bad], alerts, START_MS)
    return config


def january(config: Config, until_ms: int = START_MS + 60_000) -> MonthReport:
    with closing(FileReader(config.local_database)) as reader:
        return read_month(config.sites, {"": reader}, JANUARY, until_ms)


def test_a_month_is_what_its_checks_and_outages_add_up_to(config: Config) -> None:
    report = january(config)
    good, bad = report.rows
    assert (report.window.from_ms, report.window.until_ms) == (START_MS, START_MS + 60_000)
    assert (good.site.availability, good.down_ms, good.incidents, good.longest_ms) == (100, 0, 0, None)
    assert (bad.site.availability, bad.down_ms) == (50, 30_000)
    assert (bad.incidents, bad.longest_ms) == (1, 31_000)  # of the outage, what lies in the month


def test_a_month_that_is_over_ends_with_it(config: Config) -> None:
    report = january(config, START_MS + 100 * DAY_MS)
    assert report.window.length_ms == 31 * DAY_MS
    assert float(report.coverage(report.rows[0])) == pytest.approx(100 * 60_000 / (31 * DAY_MS))


def test_one_that_has_not_begun_is_refused(config: Config) -> None:
    with pytest.raises(ConfigError, match="--report 2026-01: this month has not begun"):
        january(config, START_MS)


@pytest.mark.parametrize("text", ["2026", "2026-13", "2026-00", "1999-12", "2026-1", "last", "2026-01-01", "\uff12026-01"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match='must be a month, as "2026-01"'):
        month(text)


def test_december_ends_with_the_year() -> None:
    assert month("2026-12").until_ms == month("2027-01").from_ms


def test_all_forms_have_the_same_numbers(config: Config) -> None:
    report = january(config)
    head, good, bad, rule = month_lines(report)
    assert head == "== 2026-01 until 2026-01-01T00:01:00.000Z, 2 sites, from local"
    assert "availability=50.00%" in bad
    assert "downtime=30s" in bad
    assert "incidents=1" in bad
    assert "longest-outage=31s" in bad
    assert "outages=timeout:31s" in bad
    assert "outages=-" in good
    assert "(=cmd|calc)" in good
    assert rule == MONTH_RULE
    found = json.loads(month_json(report))["sites"][1]
    assert (found["availability"], found["downtime"], found["incidents"], found["longestOutage"]) == (50.0, 30.0, 1, 31.0)
    assert found["outages"] == {"timeout": 31.0}
    rows = list(csv.DictReader(io.StringIO(month_csv(report))))
    assert (rows[1]["timeout outages seconds"], rows[1]["dns outages seconds"]) == ("31.0", "0.0")
    assert (rows[1]["availability percent"], rows[1]["downtime seconds"]) == ("50.00", "30.0")
    assert (rows[1]["incidents"], rows[1]["longest outage seconds"]) == ("1", "31.0")
    assert rows[0]["longest outage seconds"] == ""


@pytest.fixture
def left(config: Config) -> Config:
    """The same file; its monitor ended while the first site was down for 40 s."""
    with closing(LocalStore(config.local_database)) as store:
        bad = [check(at, "a", Cause.TIMEOUT) for at in range(60, 100, 2)]
        store.append(bad, outage("a", START_MS + 60_000, None), START_MS + 100_000)
    return config


@pytest.mark.parametrize("away_ms", [60_000, DAY_MS, 100 * DAY_MS])
def test_an_outage_that_nobody_measures_any_more_ends_with_the_last_check(left: Config, away_ms: int) -> None:
    report = january(left, START_MS + 100_000 + away_ms)
    _, line, *_ = month_lines(report)
    assert "incidents=1" in line
    assert "longest-outage=40s" in line
    assert "outages=timeout:40s" in line
    found = json.loads(month_json(report))["sites"][0]
    assert (found["incidents"], found["longestOutage"], found["outages"]) == (1, 40.0, {"timeout": 40.0})
    row = next(csv.DictReader(io.StringIO(month_csv(report))))
    assert (row["longest outage seconds"], row["timeout outages seconds"]) == ("40.0", "40.0")


def test_one_that_is_measured_again_after_its_month_lasts_until_the_end_of_the_month(left: Config) -> None:
    with closing(LocalStore(left.local_database)) as store:
        store.append([check(40 * DAY_MS // 1_000, "a", Cause.TIMEOUT)], [], START_MS + 40 * DAY_MS)
    (row, _) = january(left, START_MS + 40 * DAY_MS + 2_000).rows
    assert row.longest_ms == 31 * DAY_MS - 60_000


def test_a_name_is_no_formula_of_a_spreadsheet(config: Config) -> None:
    rows = list(csv.DictReader(io.StringIO(month_csv(january(config)))))
    assert rows[0]["name"] == "'=cmd|calc"


def test_the_program_prints_it(tmp_path: Path) -> None:
    config = write_websites(tmp_path, [{"URL": "http://127.0.0.1:9/", "id": "a"}], database="sqlite:")
    with closing(LocalStore(tmp_path / "config.db")) as store:
        store.append(checks(range(0, 60, 2)), [], START_MS)
    for form, begins in (
        ("text", "== 2026-01 until"),
        ("json", '{"schema":1,"kind":"report","month":"2026-01"'),
        ("csv", "month,until,"),
    ):
        printed = run_program("--report", "2026-01", "-c", config, "--format", form)
        assert (printed.returncode, printed.stderr) == (0, "")
        assert printed.stdout.startswith(begins)


def test_csv_is_a_form_of_reports_alone(tmp_path: Path) -> None:
    refused = run_program("-p", "--format", "csv")
    assert refused.returncode == 2
    assert "--format csv goes with --report, not with --print" in refused.stderr
