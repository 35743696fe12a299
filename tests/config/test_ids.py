"""A site's id: what it is called in the stores where its URL would be there twice, and which site somebody means."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.config import Config, describe, parse_config
from monitoring.config.lookup import hosts_of
from monitoring.config.reload import consequences
from monitoring.errors import ConfigError
from monitoring.names import LONGEST_HOST, LONGEST_ID, is_name
from monitoring.storage.gateway.messages import must_be_name
from monitoring.storage.influxdb.points import PointWriter
from tests.support.results import ODD_HOSTS

URL = "https://example.org/health"
PLAIN = {"URL": URL}
DEEP = {"URL": URL, "id": "deep", "name": "everything"}
POST = {"URL": URL, "id": "post", "name": "everything"}
ALONE = {"URL": "https://alone.example/${KEY}", "id": "alone", "name": "the lonely one"}
SHOP = {"URL": "https://shop.example", "name": "shop"}


def parse(*websites: Mapping[str, object]) -> Config:
    environ = {"KEY": "s3cret", "PLACE": "paris"}
    return parse_config({"websites": list(websites)}, source="config.json", environ=environ, path=Path("/etc/config.json"))


def test_an_id_stands_for_the_site_in_the_stores_and_the_url_is_what_is_asked_for() -> None:
    site = parse(ALONE).sites[0]
    assert (site.host, site.address, site.url) == (
        "alone", "https://alone.example/${KEY}", "https://alone.example/s3cret",
    )  # fmt: skip
    assert "s3cret" not in repr(site)


def test_the_same_url_may_be_there_as_often_as_it_has_ids() -> None:
    assert [site.host for site in parse(DEEP, PLAIN, POST).sites] == ["deep", URL, "post"]


def test_the_url_as_its_own_id_is_none() -> None:
    assert parse({"URL": URL, "id": URL}) == parse(PLAIN)


def test_a_variable_may_be_part_of_an_id() -> None:
    assert parse({"URL": URL, "id": "health ${PLACE}"}).sites[0].host == "health paris"


@given(st.text(max_size=LONGEST_ID + 20) | st.sampled_from(ODD_HOSTS))
def test_whatever_is_accepted_as_an_id_every_store_takes_as_a_name(text: str) -> None:
    website = {"URL": URL, "id": text.replace("${", "$${")}
    if is_name(text, LONGEST_ID):
        (site,) = parse(website).sites
        assert site.host == text
        must_be_name("host", site.host, LONGEST_HOST)
        assert PointWriter().tags(site.host)
    else:
        with pytest.raises(ConfigError, match=r"^config\.json: websites\[0\]\.id: [^\n]*$"):
            parse(website)


def test_check_config_shows_id_and_url() -> None:
    assert describe(parse(DEEP, {"URL": "https://a.example", "id": "abc\u202e"}))[1:3] == [
        f"  deep (everything): GET {URL} every 2 s, timeout 10 s; expects a status below 400;"
        " alert below 80 % over 2 min, at least 2 failures, recovery at 90 %",
        r"  abc\u202e: GET https://a.example every 2 s, timeout 10 s; expects a status below 400;"
        " alert below 80 % over 2 min, at least 2 failures, recovery at 90 %",
    ]


@pytest.mark.parametrize(
    ("asked", "hosts"),
    [
        ("deep", ("deep",)),
        ("alone", ("alone",)),
        ("the lonely one", ("alone",)),
        ("shop", ("https://shop.example",)),
        ("https://SHOP.example:443/#top", ("https://shop.example",)),
        # Before it had an id, it was stored under its URL.
        ("https://alone.example/${KEY}", ("alone", "https://alone.example/${KEY}")),
        # What is not configured any more may be stored all the same.
        ("https://Gone.example/", ("https://gone.example",)),
        ("gone", ("gone",)),
    ],
)
def test_a_site_is_meant_by_its_id_its_name_or_its_url(asked: str, hosts: tuple[str, ...]) -> None:
    assert hosts_of(asked, parse(DEEP, POST, ALONE, SHOP).sites, "--site") == hosts


def test_the_url_of_the_site_without_an_id_means_that_one() -> None:
    assert hosts_of(URL, parse(DEEP, PLAIN).sites, "--site") == (URL,)


def test_an_id_goes_before_the_same_name_of_another_site() -> None:
    assert hosts_of("deep", parse(DEEP, {"URL": "https://a.example", "name": "deep"}).sites, "--site") == ("deep",)


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ("everything", "--site: 2 sites have this name: choose one of deep, post"),
        (URL, "--site: 2 sites have this URL: choose one of deep, post"),
        ("", "--site: must be the id, the name or the URL of a website: no control characters or backslashes"),
        ("a\\b", "--site: must be the id, the name or the URL of a website: no control characters or backslashes"),
    ],
)
def test_who_means_several_sites_or_none_is_told_so(asked: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        hosts_of(asked, parse(DEEP, POST).sites, "--site")
    assert caught.value.problems == (problem,)


def told(before: list[Mapping[str, object]], after: list[Mapping[str, object]]) -> list[str]:
    return consequences(parse(*before), parse(*after))


def test_giving_changing_and_taking_an_id_begins_a_new_history() -> None:
    named = {"URL": URL, "id": "deeper"}
    for before, after in ((PLAIN, DEEP), (DEEP, named), (DEEP, PLAIN)):
        (was,), (now,) = parse(before).sites, parse(after).sites
        assert told([before], [after]) == [
            f"{URL} is stored as {now.host} from now on, no longer as {was.host}: its history begins anew"
        ]


def test_other_changes_begin_none() -> None:
    assert told([PLAIN], [PLAIN, DEEP]) == []
    assert told([PLAIN, DEEP], [DEEP]) == []
    assert told([DEEP], [{**DEEP, "URL": "https://moved.example", "name": "renamed"}]) == []
    assert told([PLAIN], [SHOP]) == []
