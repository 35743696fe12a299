"""`--import`: what other programs watch becomes a configuration that this one accepts, and no secret is in it."""

import re
import subprocess
from pathlib import Path

import pytest

from monitoring.config.parsing.syntax import parse
from monitoring.importing import formats, trial, writing
from tests.support.monitor import PATIENCE_S, ROOT
from tests.support.processes import command, environment, run_program

FIXTURES = ROOT / "tests" / "fixtures" / "imports"
FILES = ["gatus.yaml", "uptime_kuma.json", "targets.json", "targets.yml", "prometheus.yml", "sitemap.xml", "list.txt"]


def imported(raw: bytes) -> tuple[list[dict[str, object]], str]:
    """The websites of the configuration, and its whole text."""
    found = formats.read(raw)
    trial.try_out(found.sites)
    text = "\n".join(writing.lines(found, "file", "try"))
    data = parse(text.encode())
    assert isinstance(data, dict)
    return data["websites"], text


def of_fixture(name: str) -> tuple[list[dict[str, object]], str]:
    return imported((FIXTURES / name).read_bytes())


@pytest.mark.parametrize("name", FILES)
def test_the_result_is_a_configuration_that_says_which_variables_it_needs(tmp_path: Path, name: str) -> None:
    answer = run_program("--import", FIXTURES / name)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "secret" not in answer.stdout.lower().replace("secrets are not copied", "")
    config = tmp_path / "config.json"
    config.write_text(answer.stdout)
    needed = sorted(set(re.findall(r"(?<!\$)\$\{(\w+)\}", re.sub(r"(?m)^ *//.*", "", answer.stdout))))
    if needed:
        unset = run_program("--check-config", "-c", config)
        assert unset.returncode == 2
        assert all(f"${{{variable}}}" in unset.stderr for variable in needed)
        (said,) = [line for line in answer.stdout.splitlines() if "Set these variables" in line]
        assert set(needed) - {"SEARCH_TOKEN"} == set(said.rpartition(": ")[2].split(", "))
    checked = run_program("--check-config", "-c", config, environ=dict.fromkeys(needed, "x"))
    assert checked.returncode == 0, checked.stderr


def test_gatus() -> None:
    sites, text = of_fixture("gatus.yaml")
    assert sites[0] == {
        "URL": "https://shop.example/health",
        "name": "shop",
        "group": "core",
        "checkInterval": "5m",
        "headers": {"Authorization": "${SHOP_AUTHORIZATION}", "Accept": "application/json"},
        "timeout": "3s",
        "verifyTLS": False,
        "followRedirects": False,
        "expectedStatus": 200,
        "maxResponseTime": "300ms",
        "expectedJSON": {"status": "UP", "length(items)": 3},
        "certificateWarning": "48h",
    }
    assert sites[1] == {
        "URL": "https://search.example/?token=${SEARCH_TOKEN}",
        "name": "search",
        "enabled": False,
        "checkInterval": "60s",
        "expectedStatus": [200, 204],
        "expectedText": "hello",
    }
    assert (sites[2]["body"], sites[2]["expectedStatus"]) == ("${POST_BODY}", "200-299")
    assert len(sites) == 3
    assert "// [CERTIFICATE_EXPIRATION] > 48h: sends a warning, but the site does not count as down" in text
    assert "// no equivalent here: alerts" in text
    assert "// not imported from the rest of the file: alerting, storage" in text
    assert "// not checked: URL: must be a URL that begins with http:// or https://" in text


def test_uptime_kuma() -> None:
    sites, text = of_fixture("uptime_kuma.json")
    assert sites[0] == {
        "URL": "https://me:${SHOP_PASSWORD}@shop.example/",
        "name": "Shop",
        "group": "Shops",
        "tags": ["prod: eu"],
        "checkInterval": 60,
        "timeout": 48,
        "headers": {"X-Api-Key": "${SHOP_X_API_KEY}", "Accept": "text/html"},
        "expectedStatus": ["200-299"],
        "expectedText": "Add to cart",
        "alerting": {"minimumFailures": 3},
    }
    assert (sites[1]["method"], sites[1]["verifyTLS"], sites[1]["followRedirects"]) == ("HEAD", False, False)
    assert (sites[1]["enabled"], sites[1]["expectedStatus"]) == (False, ["200-299", 401])
    assert len(sites) == 3
    for said in ("upside down mode", "JSONata query $.status", "a monitor of the type ping", "1 notifications are not"):
        assert said in text


@pytest.mark.parametrize("name", ["targets.json", "targets.yml"])
def test_targets_of_prometheus(name: str) -> None:
    sites, text = of_fixture(name)
    assert sites == [
        {"URL": "https://a.example", "group": "blackbox", "tags": ["env=prod"]},
        {"URL": "https://b.example/path", "group": "blackbox", "tags": ["env=prod"]},
        {"URL": "http://c.example:8080"},
    ]
    assert "// c.example:8080 has no scheme: http is assumed, as by the blackbox exporter" in text


def test_a_scrape_configuration() -> None:
    sites, text = of_fixture("prometheus.yml")
    assert [(site["URL"], site["group"]) for site in sites] == [
        ("https://a.example", "websites"),
        ("https://b.example/path", "websites"),
    ]
    assert "// job node: has no targets of a blackbox exporter" in text


def test_a_sitemap() -> None:
    sites, _ = of_fixture("sitemap.xml")
    assert sites == [{"URL": "https://www.example.org/"}, {"URL": "https://www.example.org/search?q=a&b=c"}]


def test_a_list() -> None:
    sites, text = of_fixture("list.txt")
    assert [site["URL"] for site in sites] == [
        "https://www.example.org",
        "https://example.com",
        "https://api.example.org/?api_key=${API_EXAMPLE_ORG_API_KEY}&page=1",
        "http://localhost:8080/health",
    ]
    assert "// example.com has no scheme: https is assumed" in text


def test_what_is_no_website_in_a_list_stands_in_a_comment() -> None:
    sites, text = imported(b"example.com\nftp://files.example.com/\n")
    assert sites == [{"URL": "https://example.com"}]
    assert 'begins with http:// or https://: {"URL": "ftp://files.example.com' in text


def test_one_url_twice_gets_ids_and_odd_texts_stay_texts() -> None:
    kuma = b'{"monitorList": [%s, %s]}' % (
        b'{"type": "keyword", "name": "a", "url": "http://a.example", "keyword": "${no variable} \\u202e"}',
        b'{"type": "http", "name": "b \\u001b[2J", "url": "http://a.example", "interval": 9999999}',
    )
    sites, text = imported(kuma)
    assert sites[0]["expectedText"] == "$${no variable} \u202e"
    assert sites[1] == {"URL": "http://a.example", "id": "b 2J", "name": "b \x1b[2J"}
    assert "left out checkInterval 9999999: must be from 1 ms to 1 d" in text
    assert all(line.isprintable() for line in text.splitlines())


BAD = {
    b"": "has no format that can be imported",
    b"hello world": "has no format that can be imported",
    b'{"websites": []}': "has no format that can be imported",
    b"\xff\xfe": "is not UTF-8 text",
    b"endpoints: [\n": "is neither JSON nor YAML: line 2, column 1: ",
    b"<urlset><url>": "is not XML: ",
    b'<!DOCTYPE x [<!ENTITY a "b">]><urlset><loc>&a;</loc></urlset>': "is XML with a document type of its own",
    b"<sitemapindex><sitemap><loc>http://a/s.xml</loc></sitemap></sitemapindex>": "has no website that can be checked",
    b"endpoints: [{name: a, url: 'icmp://a'}]": "has no website that can be checked: a: URL: must be",
    b"# ours\nhttps://a.example\nhttps://b.example\nnot an address\n": "line 4 is neither a URL nor a host",
    b'[{"targets": ["a.example"],\n "labels": {"job": "web"}\n]': "is not JSON: line 3, column 1: ] does not close the {",
    b"<html><a/></html>": "has no format that can be imported",
    b"!!python/object/apply:os.system ['true']": "is neither JSON nor YAML: ",
}


@pytest.mark.parametrize("raw", BAD, ids=lambda raw: ascii(raw[:30]))
def test_bad_input_is_one_line_with_status_2(raw: bytes) -> None:
    answer = subprocess.run(
        command("--import", "-"), input=raw, env=environment(), capture_output=True, timeout=PATIENCE_S, check=False
    )
    said = answer.stderr.decode()
    assert (answer.returncode, answer.stdout, said.count("\n")) == (2, b"", 1)
    assert said.startswith(f"standard input: {BAD[raw]}")


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    answer = run_program("--import", tmp_path / "absent")
    assert (answer.returncode, answer.stderr) == (2, f"{tmp_path}/absent: cannot be read: No such file or directory\n")


def test_an_entry_that_is_none_is_named_by_its_place() -> None:
    _, text = imported(b"endpoints:\n- url: https://a.example\n- https://b.example\n")
    assert "// endpoints[1] is not an endpoint" in text
