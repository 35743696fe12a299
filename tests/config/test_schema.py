"""`config.schema.json` says what the program says: it takes what is right, and refuses wrong types, bounds and keys."""

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from monitoring.config import load_config
from monitoring.config.keys.websites import RULE_KEYS, SITE_KEYS
from monitoring.config.loading import ALERTING_KEYS, RETENTION_KEYS, ROOT_KEYS
from monitoring.config.parsing import syntax
from monitoring.errors import ConfigError
from scripts import schema
from tests.support.documents import DOCUMENTS, fences
from tests.support.sources import ROOT

VALIDATOR = Draft7Validator(schema.schema())

SAYABLE = re.compile(
    r"unknown key|must be (?:a string|a list|a number|a duration|an object|true or)"
    r"|must be (?:a whole number|from |statuses|4 or 6|\"|an HTTP)"
    r"|must not be empty|must name at least one (?:status|text|file)|must have at most|must not contain a tag twice"
)
"""The rules of types, bounds and keys. The rest, as that a file must be there, no schema can say."""

EXAMPLES = [
    *(
        text
        for document in DOCUMENTS.values()
        for language, text in fences(document)
        if language == "json5" and "websites" in text
    ),
    (ROOT / "config.json").read_text(),
    (ROOT / "deploy" / "config" / "config.json").read_text(),
]

LEAVES = (
    st.booleans()
    | st.integers(-5, 100_000)
    | st.floats(-1, 1e9).filter(lambda number: abs(number) > 1e-9 and not number.is_integer())  # 5.0 is JSON Schema's 5
    | st.text(max_size=3).filter(lambda text: not text.endswith("\n"))  # to Python's `$` a text may end so
    | st.sampled_from(["5m", "500ms", "200-299", "${X}", "GET", "basic", "1.2", "http://b", "x" * 300, "2 h", "1.1"])
)
VALUES = (
    LEAVES | st.none() | st.lists(LEAVES, max_size=2) | st.dictionaries(st.sampled_from(["X-A", "name"]), LEAVES, max_size=2)
)


def plain(text: str) -> Any:
    return json.loads(json.dumps(syntax.parse(text.encode()), default=float))


def refusals(data: object) -> list[str]:
    """What the program says of a configuration."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(data))
        try:
            load_config(path, {"X": "5m"})
        except ConfigError as error:
            return list(error.problems)
        return []


def test_it_is_valid_itself() -> None:
    Draft7Validator.check_schema(schema.schema())


def test_it_is_in_step_with_the_program() -> None:
    assert schema.SCHEMA.read_text() == schema.text(), "run `make generate`"


def test_every_key_is_in_it_with_its_explanation() -> None:
    root = schema.schema()["properties"]
    site = root["websites"]["anyOf"][0]["items"]["properties"]
    assert (set(root), set(site)) == (set(ROOT_KEYS), set(SITE_KEYS))
    assert [key for key in (*root.values(), *site.values()) if "description" not in key] == [
        root["alerting"],
        root["retention"],
    ]


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_is_valid(text: str) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(plain(text))] == []


def assert_agree(data: object, exempt: bool = False) -> None:
    said = refusals(data)
    if not said:
        assert [error.message for error in VALIDATOR.iter_errors(data)] == []
    elif any(SAYABLE.search(line) for line in said) and not exempt:
        assert not VALIDATOR.is_valid(data), said


def is_hidden(value: object, data: object) -> bool:
    """No schema knows how long "9999d" is, nor what a variable holds."""
    if "${" in json.dumps(value):
        return True
    return isinstance(value, str) and any("must be from" in line for line in refusals(data))


@given(key=st.sampled_from([*SITE_KEYS, "checkIntervall"]), value=VALUES)
def test_it_agrees_on_every_key_of_a_website(key: str, value: object) -> None:
    data = {"websites": [{"URL": "http://a", key: value}, {"URL": "http://z"}]}
    assert_agree(data, is_hidden(value, data))


@given(key=st.sampled_from([*ROOT_KEYS, "website"]), value=VALUES)
@example(key="localDatabase", value="x" * 300)
def test_it_agrees_on_every_general_key(key: str, value: object) -> None:
    data = {"websites": [{"URL": "http://a"}], key: value}
    assert_agree(data, is_hidden(value, data))


INNER = [
    *(("alerting", key) for key in (*ALERTING_KEYS, "treshold")),
    *(("retention", key) for key in (*RETENTION_KEYS, "check")),
]


@given(place=st.sampled_from(INNER), value=VALUES)
def test_it_agrees_on_every_key_in_a_group(place: tuple[str, str], value: object) -> None:
    outer, key = place
    data: dict[str, object] = {"websites": [{"URL": "http://a"}], outer: {key: value}}
    assert_agree(data, is_hidden(value, data))
    if outer == "alerting" and key in RULE_KEYS:
        data = {"websites": [{"URL": "http://a", outer: {key: value}}]}
        assert_agree(data, is_hidden(value, data))
