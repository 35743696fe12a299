"""The configuration: what its keys mean."""

import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.checks.assertions import ExpectedJSON, ExpectedPattern, ExpectedStatus, ExpectedText, MaxResponseTime
from monitoring.config import Config, ConfigWatcher, describe, load_config, parse_database
from monitoring.config.reload import change_text, consequences
from monitoring.errors import ConfigError
from monitoring.models import Site
from monitoring.thresholds import Rule
from tests.support.configurations import URL, load_text, parse, site

ROOT = Path(__file__).parents[2]


def test_the_shipped_configuration_is_right_and_says_what_it_does() -> None:
    config = load_config(ROOT / "config.json", {})
    assert len(config.sites) == 4
    assert not config.warnings
    assert len(describe(config)) == 4 + len(config.sites)


def test_a_url_is_all_that_a_site_needs() -> None:
    assert site() == Site(host=URL, url=URL)


def test_comments_and_trailing_commas_are_welcome(tmp_path: Path) -> None:
    config = load_text(
        tmp_path, '// mine\n{"websites": [{"URL": "http://a.example", /* twice a second */ "checkInterval": .5,},],}'
    )
    assert config.sites[0].interval_ms == 500


def test_a_byte_order_mark_is_not_an_error(tmp_path: Path) -> None:
    """Editors of some systems write one."""
    assert load_text(tmp_path, '\ufeff{"websites": [{"URL": "http://a.example"}]}').sites


def test_a_website_without_url_is_ignored_with_a_warning_that_says_which() -> None:
    config = parse({"websites": [{"URL": URL}, {"name": "x", "checkInterval": "nonsense"}, {"URL": None}]})
    assert [found.host for found in config.sites] == [URL]
    assert config.warnings == ("config.json: websites[1] (x): no URL, ignored", "config.json: websites[2]: no URL, ignored")


def test_null_is_the_same_as_not_given() -> None:
    assert site(body=None, timeout=None, headers=None, alerting=None, expectedStatus=None) == site()


def test_intervals_and_timeouts_fall_back_to_the_defaults_of_the_file() -> None:
    websites = [{"URL": "http://a.example"}, {"URL": "http://b.example", "checkInterval": 7, "timeout": 3}]
    first, second = parse({"websites": websites, "defaultCheckInterval": 3, "defaultTimeout": 4}).sites
    assert (first.interval_ms, first.timeout_ms) == (3_000, 4_000)
    assert (second.interval_ms, second.timeout_ms) == (7_000, 3_000)


@pytest.mark.parametrize(
    ("written", "ms"),
    [(3, 3_000), (3.5, 3_500), (Decimal("0.001"), 1), ("500ms", 500), ("1.5s", 1_500), ("90s", 90_000), ("5m", 300_000),
     ("1h", 3_600_000), ("1d", 86_400_000)],
)  # fmt: skip
def test_a_duration_is_seconds_or_a_number_with_its_unit(written: object, ms: int) -> None:
    assert site(checkInterval=written).interval_ms == ms


@given(st.integers(1, 86_400_000))
def test_every_millisecond_is_kept_exactly(ms: int) -> None:
    assert site(checkInterval=Decimal(ms) / 1000).interval_ms == ms


def test_thresholds_are_exact(tmp_path: Path) -> None:
    """As a float, 99.95 is a little more than 99.95."""
    config = load_text(tmp_path, '{"websites": [{"URL": "http://a.example"}], "alerting": {"threshold": 99.95}}')
    assert config.sites[0].rule.threshold == Fraction(9995, 100)


@pytest.mark.parametrize(
    ("common", "own", "threshold", "recovery"),
    [
        ({}, {}, 80, 90),
        ({}, {"threshold": 95}, 95, 95),  # cannot recover below what alerts
        ({}, {"threshold": 50}, 50, 90),  # what was asked of a recovery stays
        ({"recoveryThreshold": 90}, {"threshold": 85}, 85, 90),
        ({"recoveryThreshold": 90}, {"threshold": 85, "recoveryThreshold": 85}, 85, 85),
        ({"threshold": 95}, {"recoveryThreshold": 99}, 95, 99),
    ],
)
def test_a_site_inherits_the_rule_that_it_does_not_override(
    common: object, own: object, threshold: int, recovery: int
) -> None:
    rule = parse({"websites": [{"URL": URL, "alerting": own}], "alerting": common}).sites[0].rule
    assert (rule.threshold, rule.recovery_threshold) == (threshold, recovery)


def test_the_window_holds_the_hanging_checks_that_an_alert_needs() -> None:
    """Three of up to 310 s each, and one evaluation more."""
    assert site(checkInterval="5m", alerting={"minimumFailures": 3}).rule == Rule(window_ms=932_000, minimum_failures=3)
    assert site(checkInterval=1, alerting={"window": "1m"}).rule.window_ms == 60_000
    (found,) = parse({"websites": [{"URL": URL, "timeout": 4}], "alerting": {"window": 12, "interval": 5}}).sites
    assert (found.rule.window_ms, found.rule.asked_window_ms) == (17_000, 12_000)
    (line,) = (line for line in describe(parse({"websites": [{"URL": URL}], "alerting": {"window": 12}})) if URL in line)
    assert "below 80 % over 26 s (12 s would be too short to see it hang)" in line


def test_a_request_is_what_was_written() -> None:
    found = site(
        method="post", headers={"Accept": "text/html", "X-Empty": ""}, body="é\n", followRedirects=False, verifyTLS=False
    )
    assert found.method == "POST"
    assert found.headers == (("Accept", "text/html"), ("X-Empty", ""))
    assert found.body == b"\xc3\xa9\n"
    assert not found.follow_redirects
    assert not found.verify_tls


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ({"a": [1, Decimal("0.5"), None, "${WHO}"], "é": {}}, '{"a": [1, 0.5, null, "me"], "é": {}}'),
        ([{"a": True}], '[{"a": true}]'),
        ({}, "{}"),
        (' {"a": 1}', ' {"a": 1}'),
        ("[1, 2]", "[1, 2]"),
    ],
)
def test_a_body_of_json_has_its_content_type(body: object, sent: str) -> None:
    found = site({"WHO": "me"}, body=body, method="POST")
    assert found.body == sent.encode()
    assert found.headers == (("Content-Type", "application/json"),)
    own = site({"WHO": "me"}, body=body, headers={"content-type": "application/ld+json", "A": "b"})
    assert own.headers == (("content-type", "application/ld+json"), ("A", "b"))


@pytest.mark.parametrize("body", ["a=1", "{a}", "[1", '"text"', "7", ""])
def test_any_other_body_is_sent_as_before(body: str) -> None:
    found = site(body=body, method="POST")
    assert (found.body, found.headers) == (body.encode(), ())


def test_a_site_may_be_paused_and_have_a_group_and_tags() -> None:
    config = parse(
        {"websites": [{"URL": URL, "enabled": False, "group": "shop", "tags": ["eu", "web front"]}, {"URL": f"{URL}/a"}]}
    )
    first, second = config.sites
    assert (first.enabled, first.group, first.tags) == (False, "shop", ("eu", "web front"))
    assert (second.enabled, second.group, second.tags) == (True, None, ())
    assert config.active_sites == (second,)
    assert describe(config)[1].startswith("  https://example.org: paused; group shop; tags eu, web front; GET every 2 s")


def test_a_reload_says_what_has_changed_and_nothing_else() -> None:
    def change(**keys: object) -> str:
        sites = [{"URL": f"{URL}/{n}"} for n in range(2)]
        return change_text(parse({"websites": sites}), parse({"websites": sites, **keys})).removeprefix(
            "new configuration: "
        )

    assert change(websites=[{"URL": f"{URL}/1", "name": "one"}, {"URL": f"{URL}/2"}, {"URL": f"{URL}/3"}]) == (
        "3 sites, 2 added, 1 removed, 1 changed"
    )
    assert change(notifications=[{"command": ["true"]}]) == "2 sites; changed: notifications"
    assert change(maintenance=[{"cron": "0 2 * * 0", "duration": "1h"}]) == "2 sites; changed: maintenance"
    assert change(retention={"checks": "7d"}, alerting={"interval": 5}) == "2 sites; changed: retention, alerting.interval"
    assert change(websites=[{"URL": f"{URL}/0"}]) == "1 site, 1 removed"
    assert change(location="paris") == "2 sites", "the next sentence says what takes effect at the next start"


def test_a_reload_says_which_sites_are_paused_and_which_no_longer() -> None:
    def paused(*numbers: int) -> Config:
        return parse({"websites": [{"URL": f"{URL}/{n}", "enabled": n not in numbers} for n in range(9)]})

    assert consequences(paused(0), paused(0)) == []
    assert consequences(paused(), paused(1, 2)) == [f"paused: {URL}/1, {URL}/2"]
    assert consequences(paused(1), paused(2)) == [f"paused: {URL}/2", f"no longer paused: {URL}/1"]
    assert consequences(paused(), paused(*range(7))) == [f"paused: {', '.join(f'{URL}/{n}' for n in range(5))} and 2 more"]
    assert consequences(parse({"websites": [{"URL": f"{URL}/0"}]}), paused(1)) == []


def test_expectations_are_what_was_written() -> None:
    found = site(
        expectedStatus=["200-299", 401], expectedText="ok", expectedPattern=r"v\d+", maxResponseTime=Decimal("0.0025")
    )
    assert found.assertions == (
        ExpectedStatus(((200, 299), (401, 401))),
        ExpectedText(("ok",)),
        ExpectedPattern(r"v\d+"),
        MaxResponseTime(2_500),
    )
    assert site(expectedStatus=404).assertions == (ExpectedStatus(((404, 404),)),)
    assert site(expectedText=["a", "b"]).assertions == (ExpectedText(("a", "b")),)
    assert site().assertions == ()


def test_a_text_longer_than_what_is_read_of_a_body_is_refused() -> None:
    assert site(expectedText="x" * 2**20).assertions
    with pytest.raises(
        ConfigError, match=r"expectedText: can never match: it is longer than the 1 MiB of a body that are read$"
    ):
        site(expectedText=["x", "x" * (2**20 + 1)])


def test_variables_stand_in_what_is_expected_of_json() -> None:
    found = site({"WHO": "hunter2"}, expectedJSON={"user.name": "${WHO}", "list": ["${WHO}", Decimal("0.1"), {"a": None}]})
    assert found.assertions == (ExpectedJSON((("user.name", "hunter2"), ("list", ["hunter2", 0.1, {"a": None}]))),)
    assert {found: 1}  # a site can be a key, whatever it expects
    assert "hunter2" not in repr(found)


def test_a_name_is_data_whatever_it_holds() -> None:
    name = "\x1b[31m\"'\\\n<b>; DROP"
    config = parse({"websites": [{"URL": URL, "name": name}]})
    assert config.sites[0].name == name
    assert all(line.isprintable() for line in describe(config))


def test_variables_come_from_the_environment_in_any_string() -> None:
    found = site(
        {"TOKEN": "t0p", "WAIT": "3s"}, headers={"Authorization": "Bearer ${TOKEN}"}, timeout="${WAIT}", body="$${TOKEN}"
    )
    assert found.headers == (("Authorization", "Bearer t0p"),)
    assert found.private_headers == ("authorization",)
    assert found.timeout_ms == 3_000
    assert found.body == b"${TOKEN}"


def test_the_value_of_a_variable_is_not_expanded_again() -> None:
    assert site({"A": "${B}", "B": "no"}, body="${A}").body == b"${B}"


def test_the_local_database_lies_beside_its_configuration() -> None:
    websites = [{"URL": URL}]
    assert parse({"websites": websites}).local_database == Path("/etc/monitor/config.db")
    assert parse({"websites": websites, "localDatabase": "data/x.db"}).local_database == Path("/etc/monitor/data/x.db")
    assert parse({"websites": websites, "localDatabase": "/srv/x.db"}).local_database == Path("/srv/x.db")


def test_the_flag_stands_over_the_database_of_the_file() -> None:
    data = {"websites": [{"URL": URL}], "database": "influxdb://user:${UNSET}@localhost/db"}
    assert parse(data, database="sqlite:").database == parse_database("sqlite:", {})
    assert parse({"websites": [{"URL": URL}]}).database is None
    with pytest.raises(ConfigError) as caught:
        parse({"treshold": 1, "websites": [{"URL": URL}]}, database="mysql://u:hunter2@localhost")
    assert [line.partition(" must")[0] for line in caught.value.problems] == [
        "config.json: treshold: unknown key",
        "--database:",
    ]


def test_times_that_are_not_of_one_site() -> None:
    config = parse(
        {"websites": [{"URL": URL}], "alerting": {"interval": 0.5}, "retention": {"checks": "7d", "alerts": "90d"}}
    )
    assert config.alert_interval_ms == 500
    assert (config.check_retention_ms, config.alert_retention_ms) == (7 * 86_400_000, 90 * 86_400_000)


def test_check_config_says_what_would_run() -> None:
    config = parse(
        {
            "websites": [
                {"URL": "http://via.ecp.fr", "checkInterval": 3.5, "alerting": {"threshold": 99.5, "minimumFailures": 1}},
                {"URL": f"{URL}/health", "name": "health", "method": "POST", "headers": {"Authorization": "Bearer x"},
                 "body": "ping", "followRedirects": False, "verifyTLS": False, "expectedStatus": ["200-299", 401],
                 "expectedText": "ok", "expectedPattern": "o", "maxResponseTime": 0.0025,
                 "alerting": {"recoveryThreshold": 90}},
            ],
            "database": "influxdb://me:hunter2@db.example/monitoring",
        }
    )  # fmt: skip
    assert describe(config) == [
        "2 websites, a check every 2 s to 3.5 s, alert rule evaluated every 2 s",
        "  http://via.ecp.fr: GET every 3.5 s, timeout 10 s; expects a status below 400;"
        " alert below 99.5 % over 2 min, at least 1 failure, recovery at 99.5 %",
        "  https://example.org/health (health): POST every 2 s, timeout 10 s, header Authorization: ***, body of 4 bytes,"
        " redirects not followed, certificate not verified; expects status 200-299 or 401, its text, its pattern,"
        " an answer within 0.0025 s; alert below 80 % over 2 min, at least 2 failures, recovery at 90 %",
        "database: influxdb://me:***@db.example:8086/monitoring",
        "local file: /etc/monitor/config.db",
        "retention: checks 30 d, alerts 365 d; older data is deleted from the local file and the database",
    ]


@pytest.mark.parametrize(
    ("database", "deleted_from"),
    [
        ({}, "the local file, and from the database if it answers"),
        ({"database": "influxdb://db.example/monitoring"}, "the local file and the database"),
        ({"database": "gateway+https://db.example:8443"}, "the local file"),  # the gateway deletes by its own retention
        ({"database": "sqlite:"}, "the local file"),
    ],
)
def test_the_description_says_where_retention_deletes(database: dict[str, str], deleted_from: str) -> None:
    config = parse({"websites": [{"URL": URL}], "retention": {"checks": "7d"}, **database})
    assert describe(config)[-1] == f"retention: checks 7 d, alerts 365 d; older data is deleted from {deleted_from}"


def test_importing_the_configuration_is_light() -> None:
    """`--version` and `--help` should not wait for parsers that few files need."""
    code = "import sys, monitoring.config; print(sorted({'json5', 'regex', 'ada_url', 'difflib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_twin_notices_the_same_changes_for_another_thread(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"websites": [{"URL": "http://a/"}]}')
    watcher = ConfigWatcher(file, partial(load_config, file, {}), load_config(file, {}))
    twin = watcher.twin()
    file.write_text('{"websites": [{"URL": "http://b/"}]}')
    watcher.ask()
    for one in (watcher, twin):
        found = one.look()
        assert found is not None
        assert [site.host for site in found.sites] == ["http://b"]
