"""Errors name the line on which their key stands, however the file is written."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.config import load_config
from monitoring.config.parsing import positions
from monitoring.errors import ConfigError

LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
DATA = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=9
)


def test_keys_in_every_form_have_their_line() -> None:
    text = """{
  // "x": [
  "a": [1, {"b": 2,
     c: [3,
         4,]},
  ], 'd\\'': {},
  /* "y": {
  */ e: {f: "}{,"}, "\\u0067": [[0],
    [0]]
}"""
    assert positions.lines(text) == {
        ("a",): 3, ("a", 0): 3, ("a", 1): 3, ("a", 1, "b"): 3, ("a", 1, "c"): 4, ("a", 1, "c", 0): 4, ("a", 1, "c", 1): 5,
        ("d'",): 6, ("e",): 8, ("e", "f"): 8, ("g",): 8, ("g", 0): 8, ("g", 0, 0): 8, ("g", 1): 9, ("g", 1, 0): 9,
    }  # fmt: skip


def places(data: object, path: positions.Path = ()) -> Iterator[positions.Path]:
    """Every key and item, in the order of the text."""
    if isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield (*path, key)
            yield from places(value, (*path, key))


@given(DATA)
def test_a_file_with_a_line_for_each_value_has_them_in_order(data: object) -> None:
    text = json.dumps(data, indent=1, ensure_ascii=False)
    found = positions.lines(text)
    assert list(found) == list(places(data))
    assert sorted(found.values()) == list(found.values())
    lines = text.split("\n")
    for path, line in found.items():
        if isinstance(path[-1], str):
            assert lines[line - 1].strip().startswith(f"{json.dumps(path[-1], ensure_ascii=False)}:")


@pytest.mark.parametrize("comment", ["", "// a comment\n"])
def test_each_error_has_the_line_of_its_key(tmp_path: Path, comment: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(
        comment
        + '{\n"websites": [\n{"URL": "http://a",\n"name": "shop",\n"checkIntervall": 3}],\n"alerting": {"window": 0}}'
    )
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    first = comment.count("\n")
    assert caught.value.problems == (
        f"{path}:{first + 6}: alerting.window: must be from 1 s to 1 d",
        f"{path}:{first + 5}: websites[0] (shop).checkIntervall: unknown key; did you mean checkInterval?",
    )
