"""`--explain` as a program: names, moments, text and JSON, what is unknown."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from monitoring.alerts.replay import Replay
from monitoring.models import Cause, CheckResult, Site
from monitoring.storage.sqlite.store import LocalStore
from tests.support.points import START_MS
from tests.support.processes import run_program

SHOP = "http://shop.example"
FAILS_FROM_S, FAILS_UNTIL_S = 300, 400


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a shop that failed for 100 s."""
    path = tmp_path_factory.mktemp("shop") / "config.json"
    websites = [{"URL": SHOP, "name": "shop"}, {"URL": "http://blog.example", "id": "blog"}]
    path.write_text(json.dumps({"websites": websites}))
    replay = Replay(Site(SHOP, SHOP), 2_000)
    checks = [
        CheckResult(
            *(SHOP, START_MS + second * 1_000, 2_000, 0),
            status=0 if FAILS_FROM_S <= second < FAILS_UNTIL_S else 200,
            cause=Cause.TLS if FAILS_FROM_S <= second < FAILS_UNTIL_S else None,
            detail="certificate has expired" if FAILS_FROM_S <= second < FAILS_UNTIL_S else "",
        )
        for second in range(0, 900, 2)
    ]
    for check in checks:
        replay.add(check)
    with closing(LocalStore(path.with_suffix(".db"))) as local:
        local.append(checks, replay.finish(START_MS + 900_000), START_MS)
    return path


@pytest.mark.parametrize("asked", ["shop", SHOP, f"{SHOP}/"])
def test_a_site_is_explained_by_its_name_or_url_at_a_moment(config: Path, asked: str) -> None:
    found = run_program("--explain", asked, "--at", "2026-01-01T00:06:00Z", "-c", config, "--database", "sqlite:")
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.startswith(f"shop ({SHOP}) has been down for 1 min, since 2026-01-01T00:05:00.000Z; ")
    assert "26.0 s down of 120 s = 21.6 %, an alert needs more than 20 %" in found.stdout
    assert "tls: certificate has expired" in found.stdout


def test_json_is_one_object_a_line(config: Path) -> None:
    asked = ("--explain", "shop", "--at", "2026-01-01T00:06:00Z", "-c", config, "--database", "sqlite:", "--format", "json")
    (line,) = run_program(*asked).stdout.splitlines()
    found = json.loads(line)
    assert (found["schema"], found["kind"], found["URL"], found["name"]) == (1, "explanation", SHOP, "shop")
    assert (found["state"], found["since"]) == ("down", "2026-01-01T00:05:00.000Z")
    assert found["rule"] == {"threshold": 80, "recoveryThreshold": 90, "window": 120, "minimumFailures": 2}
    assert [(one["cause"], one["down"], one["detail"]) for one in found["window"]["causes"]] == [
        ("tls", 60, "certificate has expired")
    ]
    assert found["alert"]["crossed"] == "2026-01-01T00:05:24.000Z"
    assert found["alert"]["window"]["down"] == 26
    assert found["lastGood"]["status"] == 200
    assert found["lastFailed"]["cause"] == "tls"
    assert found["next"] == {"type": "recovery", "in": 108}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("shpo", "--explain: no website is called shpo; did you mean shop?"),
        ("http://blog.exampel", "--explain: no website is called http://blog.exampel; did you mean http://blog.example?"),
        ("zzz", "--explain: no website is called zzz; --check-config lists them"),
        ("\x1b[2J", "--explain: must be the id, the name or the URL of a website: "),
    ],
)
def test_an_unknown_site_is_refused_with_one_that_may_be_meant(config: Path, asked: str, said: str) -> None:
    found = run_program("--explain", asked, "-c", config, "--database", "sqlite:")
    assert (found.returncode, found.stdout, found.stderr.count("\n")) == (2, "", 1)
    assert found.stderr.startswith(said)


def test_a_moment_to_come_and_a_site_without_checks(config: Path) -> None:
    late = run_program("--explain", "shop", "--at", "2999-01-01", "-c", config, "--database", "sqlite:")
    assert (late.returncode, "is yet to come" in late.stderr) == (2, True)
    blog = run_program("--explain", "blog", "-c", config, "--database", "sqlite:")
    assert blog.returncode == 0
    assert "no check has ended" in blog.stdout
