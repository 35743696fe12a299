"""What is no configuration: refused with words for everything that is wrong, and no secret in them."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitoring.config import describe, load_config
from monitoring.errors import ConfigError
from tests.support.configurations import URL, load_text, parse

BAD_FILES = sorted(Path(__file__).with_name("errors").glob("*.json"))


@pytest.mark.parametrize("path", BAD_FILES, ids=lambda path: path.stem)
def test_a_bad_file_is_refused_with_exactly_these_lines(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is wrong, at once, in the order of the file; `NAME.txt` beside each file holds the lines."""
    monkeypatch.chdir(path.parent)
    with pytest.raises(ConfigError) as caught:
        load_config(Path(path.name), {})
    assert str(caught.value) + "\n" == path.with_suffix(".txt").read_text(encoding="utf-8")


def test_every_expected_message_has_its_file() -> None:
    assert {path.stem for path in BAD_FILES} == {path.stem for path in BAD_FILES[0].parent.glob("*.txt")}


def test_a_missing_file_is_one_clear_line() -> None:
    with pytest.raises(ConfigError, match=r"^nowhere/config\.json: there is no such file$"):
        load_config(Path("nowhere/config.json"), {})


def test_an_unreadable_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r": cannot be read: File name too long$"):
        load_config(tmp_path / ("x" * 300), {})


def test_a_directory_is_called_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r": is a directory; name the file in it, such as config\.json$"):
        load_config(tmp_path, {})


@pytest.mark.parametrize("text", ["---\na: 1\n", "- https://example.org\n", "# all\r\nwebsites: []\r\n"])
def test_yaml_is_called_what_it_is(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="seems to be YAML"):
        load_text(tmp_path, text)


BEGIN, END = "s3cr", "3nd"
SECRETS = st.text(max_size=20).map(lambda middle: BEGIN + middle + END)
PLACES = {
    "password": {"URL": "https://user:${SECRET}@example.org/"},
    "user": {"URL": "https://${SECRET}@example.org/"},
    "path": {"URL": "https://example.org/a/${SECRET}/b"},
    "query": {"URL": "https://example.org/?key=${SECRET}&b"},
    "header": {"URL": URL, "headers": {"Authorization": "Bearer ${SECRET}"}},
    "body": {"URL": URL, "body": "${SECRET}"},
    "text": {"URL": URL, "expectedText": "${SECRET}"},
    "pattern": {"URL": URL, "expectedPattern": "${SECRET}"},
    "status": {"URL": URL, "expectedStatus": "${SECRET}"},
    "wrong place": {"URL": URL, "timeout": "${SECRET}", "expectedStatus": ["${SECRET}"], "method": "${SECRET} "},
    "host": {"URL": "https://${SECRET} /"},
}


@given(secret=SECRETS, place=st.sampled_from(sorted(PLACES)), flag=st.booleans())
def test_no_secret_gets_out(secret: str, place: str, flag: bool) -> None:
    """Not in an error, not in `describe`, not in a `repr`, not in the name of a site."""
    data = {"websites": [PLACES[place]], "database": "influxdb://user:${SECRET}@localhost/db"}
    try:
        config = parse(data, {"SECRET": secret}, **({"database": "gateway+http://u:${SECRET}@h:1"} if flag else {}))
        said = ["\n".join(describe(config)), repr(config), *(found.host for found in config.sites)]
    except ConfigError as error:
        said = [str(error)]
    assert not any(BEGIN in text or END in text for text in said)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_file_is_read_or_refused_with_words(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(raw)
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    assert all(line.startswith(f"{path}:") and "\n" not in line for line in caught.value.problems)


LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([URL, "${X}", "5m", "200-299"])
)
KEYS = st.text(max_size=5) | st.sampled_from(
    ["websites", "URL", "alerting", "headers", "timeout", "expectedStatus", "expectedPattern", "database",
     "localDatabase", "retention", "window"]
)  # fmt: skip
DATA = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)


@given(st.dictionaries(KEYS, DATA, max_size=4) | DATA, DATA)
def test_any_data_are_a_configuration_or_a_list_of_problems(data: object, website: object) -> None:
    for candidate in (data, {"websites": [website, data]}):
        try:
            assert parse(candidate).sites
        except ConfigError as error:
            problems = error.problems
        else:
            continue
        assert problems
        assert all(line.startswith("config.json: ") and "\n" not in line for line in problems)


@given(DATA)
@example({"URL": "\N{GRINNING FACE}"})  # json5 leaves its escapes in two halves
def test_json_and_its_relaxed_form_mean_the_same(tmp_path_factory: pytest.TempPathFactory, data: object) -> None:
    """The fast parser and the tolerant one must not differ."""
    path = tmp_path_factory.getbasetemp() / "config.json"
    outcomes = []
    for comment in ("", "/* relaxed */"):
        path.write_text(comment + json.dumps({"websites": [{"URL": URL, "name": "n"}, data]}), encoding="utf-8")
        try:
            outcomes.append(describe(load_config(path, {})))
        except ConfigError as error:
            outcomes.append(list(error.problems))
    assert outcomes[0] == outcomes[1]
