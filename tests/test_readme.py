"""The README tells all there is, and nothing that there is not."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import monitoringApp
from monitoring.config import loading, parse_config, syntax, websites
from tests.support.sources import ROOT

FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
KEYS = sorted({*loading.ROOT_KEYS, *websites.SITE_KEYS, *loading.ALERTING_KEYS, *loading.RETENTION_KEYS})
FENCE = re.compile(r"^```(json5?|jsonc)\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def readme() -> str:
    return (ROOT / "README.md").read_text()


@pytest.fixture
def flags(capsys: pytest.CaptureFixture[str]) -> set[str]:
    """The long flags of the command line, as its own help names them."""
    with pytest.raises(SystemExit):
        monitoringApp.parse_arguments(["--help"])
    return set(FLAG.findall(capsys.readouterr().out))


def test_every_flag_is_in_the_readme(readme: str, flags: set[str]) -> None:
    assert flags - set(FLAG.findall(readme)) == set()


def test_the_readme_promises_no_flag_that_does_not_exist(readme: str, flags: set[str]) -> None:
    commands = [line for line in readme.splitlines() if "monitoringApp.py " in line]
    assert {flag for line in commands for flag in FLAG.findall(line.partition("monitoringApp.py ")[2])} - flags == set()


@pytest.mark.parametrize("key", KEYS)
def test_every_configuration_key_is_in_the_readme(readme: str, key: str) -> None:
    assert re.search(rf"\b{key}\b", readme)


def test_every_configuration_in_the_readme_works(readme: str) -> None:
    """What people copy must be right; the environment has every variable that it names."""
    blocks = list(_configurations(readme))
    assert blocks
    for block in blocks:
        environ = dict.fromkeys(re.findall(r"\$\{(\w+)\}", block), "value")
        parse_config(syntax.parse(block.encode()), source="README.md", environ=environ, path=Path("config.json"))


def _configurations(readme: str) -> Iterator[str]:
    return (match[2] for match in FENCE.finditer(readme) if '"websites"' in match[2])
