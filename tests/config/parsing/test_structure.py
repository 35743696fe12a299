"""A configuration with comments and trailing commas is plain JSON once these are blanks: the same data, the same places."""

import json
from pathlib import Path

import json5
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.commands.invocation import is_piped
from monitoring.config import load_config
from monitoring.config.parsing.structure import as_plain
from monitoring.errors import ConfigError
from tests.support.configurations import URL

FILLING = st.sampled_from(["", " ", "\n", "// [1, 2]\n", '/* "{" */', "/* ,\n */", "\t"])
LEAVES = st.sampled_from(['"a"', '"// no comment"', '"/* , }"', '"\\" ,]"', "3", "-1.5e3", "true", "null"])


@st.composite
def relaxed(draw: st.DrawFn, depth: int = 3) -> str:
    """JSON with comments wherever one may stand, and trailing commas."""
    gap = lambda: draw(FILLING)  # noqa: E731
    if depth == 0 or draw(st.booleans()):
        return gap() + draw(LEAVES) + gap()
    items = [draw(relaxed(depth - 1)) for _ in range(draw(st.integers(0, 3)))]
    last = "," + gap() if items and draw(st.booleans()) else ""
    if draw(st.booleans()):
        return f"{gap()}[{','.join(items)}{last}{gap()}]{gap()}"
    return f"{gap()}{{{','.join(f'{gap()}{json.dumps(str(n))}{gap()}:{item}' for n, item in enumerate(items))}{last}}}"


@given(relaxed())
def test_it_is_what_the_slow_parser_reads(text: str) -> None:
    plain = as_plain(text)
    assert plain is not None
    assert len(plain) == len(text)
    assert json.loads(plain) == json5.loads(text)


@pytest.mark.parametrize("text", ["[,]", "{,}", "[1,,]", '{"a": 1,,}'])
def test_a_comma_after_nothing_stays_wrong(text: str) -> None:
    assert as_plain(text) == text


def test_a_large_file_with_comments_and_one_mistake_is_soon_refused(tmp_path: Path) -> None:
    """The parser of JSON5 would take a minute for it."""
    path = tmp_path / "config.json"
    sites = ",\n".join(f'{{"URL": "{URL}/{number}"}}' for number in range(40_000))
    path.write_text(f'{{ // all\n"websites": [{sites}\n{{"URL": "{URL}"}}]}}')
    with pytest.raises(ConfigError, match=rf"^{path}:40002:1: expecting ',' delimiter$"):
        load_config(path, {})


# Files that are none


def test_what_never_ends_is_left_off() -> None:
    with pytest.raises(ConfigError, match=r"^/dev/zero: is larger than 64 MB$"):
        load_config(Path("/dev/zero"), {})


def test_a_name_that_is_too_long_is_no_pipe() -> None:
    assert not is_piped(Path("x" * 300))


def test_includes_in_a_long_chain_are_left_off(tmp_path: Path) -> None:
    for number in range(2_000):
        website = {"URL": f"{URL}/{number}"}
        text = json.dumps({"include": f"{number + 1}.json", "websites": [website]})
        (tmp_path / f"{number}.json").write_text(text)
    with pytest.raises(ConfigError, match=r"51\.json: is at the end of a chain of 50 files that include one another$"):
        load_config(tmp_path / "0.json", {})


def test_a_directory_is_no_local_file(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"websites": [{"URL": URL}], "localDatabase": "."}))
    with pytest.raises(ConfigError, match=r":1: localDatabase: must not be a directory$"):
        load_config(path, {})
