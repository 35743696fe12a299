"""README.md and docs/ tell all there is, and nothing that there is not."""

import ast
import html
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from monitoring.commands.cli import parse_arguments
from monitoring.config import loading, parse_config, tokens
from monitoring.config.keys import websites
from monitoring.config.keys.assertions import ASSERTIONS
from monitoring.config.parsing import syntax
from monitoring.models import Cause, State
from monitoring.storage.sqlite.tables.migrations import NEWEST
from monitoring.storage.sqlite.tables.schema import SCHEMA
from monitoring.trust import ROOTS_VARIABLE
from scripts.picture import PICTURE, draw
from tests.support.documents import DOCUMENTS, ROOT, anchors, commands, fences, links, rows, section

FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
README = DOCUMENTS["README.md"]
CONFIGURATION, COMMAND_LINE = DOCUMENTS["docs/configuration.md"], DOCUMENTS["docs/command-line.md"]
LOCAL_FILE = section(DOCUMENTS["docs/schema.md"], "The local file")
MOST_LINES = 150

every_document = pytest.mark.parametrize("name", DOCUMENTS)


def test_the_readme_is_short() -> None:
    assert README.count("\n") <= MOST_LINES


@every_document
def test_links_lead_somewhere(name: str) -> None:
    """Within the repository: to a file that is there, and to a heading that is in it."""
    here = (ROOT / name).parent
    for path, anchor in links(DOCUMENTS[name]):
        target = (here / path).resolve() if path else ROOT / name
        assert target.exists(), f"{name}: {path} is not there"
        assert not anchor or anchor in anchors(target.read_text()), f"{name}: {path}#{anchor} is no heading"


@every_document
def test_every_document_can_be_reached_from_the_readme(name: str) -> None:
    reached, left = set(), ["README.md"]
    while left:
        known = left.pop()
        if known in reached or known not in DOCUMENTS:
            continue
        reached.add(known)
        here = (ROOT / known).parent
        left += [str((here / path).resolve().relative_to(ROOT)) for path, _ in links(DOCUMENTS[known]) if path]
    assert name in reached


# Flags


@pytest.fixture
def flags(capsys: pytest.CaptureFixture[str]) -> set[str]:
    """The long flags of the command line, as its own help names them."""
    with pytest.raises(SystemExit):
        parse_arguments(["--help"])
    return set(FLAG.findall(capsys.readouterr().out))


def test_every_flag_is_explained(flags: set[str]) -> None:
    explained = {flag for row in rows(COMMAND_LINE) for flag in FLAG.findall(row[0])}
    assert explained == flags


@every_document
def test_every_command_is_one_that_the_program_takes(name: str) -> None:
    """Each example is parsed as the program would parse it: no flag that does not exist, none that does not fit."""
    for arguments in commands(DOCUMENTS[name]):
        if not {"--help", "--version"} & set(arguments):
            parse_arguments(arguments)


def test_every_exit_status_is_explained() -> None:
    assert [row[0] for row in rows(section(COMMAND_LINE, "Exit status"))] == ["0", "1", "2"]


# Configuration


def test_every_key_of_a_website_is_explained() -> None:
    explained = [row[0].strip("`") for row in rows(section(CONFIGURATION, "Keys of a website"))]
    assert sorted(explained) == sorted(websites.SITE_KEYS)


def test_every_general_key_is_explained() -> None:
    explained = [row[0].strip("`") for row in rows(section(CONFIGURATION, "General keys"))]
    grouped = {"alerting": loading.ALERTING_KEYS, "retention": loading.RETENTION_KEYS}
    keys = [f"{key}.{inner}" for key, inners in grouped.items() for inner in inners]
    assert sorted(explained) == sorted([*keys, *(key for key in loading.ROOT_KEYS if key not in grouped)])


@pytest.mark.parametrize("name", [tokens.CLIENT, tokens.WRITE, tokens.READ, ROOTS_VARIABLE, "NO_COLOR"])
def test_every_environment_variable_is_explained(name: str) -> None:
    assert any(f"`{name}`" in text for path, text in DOCUMENTS.items() if path.startswith("docs/"))


def configurations() -> Iterator[tuple[str, str]]:
    """Every whole configuration in the documents."""
    for name, text in DOCUMENTS.items():
        yield from ((name, body) for language, body in fences(text) if language == "json5" and '"websites"' in body)


@pytest.mark.parametrize(("name", "text"), list(configurations()))
def test_every_configuration_works(name: str, text: str) -> None:
    """What people copy must be right; the environment has every variable that it names."""
    environ = dict.fromkeys(re.findall(r"\$\{(\w+)\}", text), "value")
    parse_config(syntax.parse(text.encode()), source=name, environ=environ, path=Path("config.json"))


# Words and tables


def test_every_cause_and_state_is_explained() -> None:
    alerting = DOCUMENTS["docs/alerting.md"]
    first = {row[0].strip("`") for row in rows(alerting)}
    assert first >= {*map(str, Cause), *map(str, State)}


def test_every_assertion_stands_beside_the_cause_of_its_failures() -> None:
    meanings = " ".join(row[1] for row in rows(section(DOCUMENTS["docs/alerting.md"], "What a check is")))
    assert [key for key in ASSERTIONS if f"`{key}`" not in meanings and key != "expectedStatus"] == []


def columns_of_a_new_file() -> Mapping[str, set[str]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in SCHEMA:
            connection.execute(statement)
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        found = {table: connection.execute(f"PRAGMA table_xinfo({table})").fetchall() for table in tables}
    return {table: {row[1] for row in rows} for table, rows in found.items() if not table.startswith("sqlite_")}


def test_every_table_and_column_of_the_local_file_is_explained() -> None:
    explained = {name: row for row in rows(LOCAL_FILE) for name in re.findall(r"`(\w+)`", row[0])}
    columns = columns_of_a_new_file()
    assert explained.keys() == columns.keys()
    sums = re.compile(r".+_(count|sum)|id|key|value")
    for table, names in columns.items():
        said = " ".join(explained["minutes" if table in ("hours", "days") else table][1:] + explained[table][1:])
        assert {name for name in names if not sums.fullmatch(name) and f"`{name}`" not in said} == set(), table


def test_the_version_of_the_local_file_is_the_one_that_the_documents_say() -> None:
    assert re.findall(r"`user_version` (\d+)", LOCAL_FILE) == [str(NEWEST)]
    assert set(re.findall(r"\.before-(\d+)", "".join(DOCUMENTS.values()))) == {str(NEWEST)}


def test_the_statement_for_the_local_file_works() -> None:
    statements = [
        body for language, body in fences(section(DOCUMENTS["docs/schema.md"], "The local file")) if language == "sql"
    ]
    assert statements
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in SCHEMA:
            connection.execute(statement)
        for statement in statements:
            connection.execute(statement)


def test_the_causes_have_the_numbers_that_the_document_says() -> None:
    assert re.findall(r"(\d) `(\w+)`", LOCAL_FILE) == [(str(number), str(cause)) for number, cause in enumerate(Cause)]


# Numbers


def test_the_numbers_of_the_readme_are_those_that_were_measured() -> None:
    """bench/README.md is their source: a number that is not in there was not measured, or is out of date."""
    measured = (ROOT / "bench" / "README.md").read_text().replace(",", "")
    trust = section(README, "Why you can trust it").replace(",", "")
    numbers = {number for number in re.findall(r"\d+\.\d+|\d{3,}", trust) if number not in ("110",)}
    assert {number for number in numbers if number not in measured} == set()


# The picture


def words_of(picture: str) -> list[str]:
    """What can be read in it; how it looks depends on the version of rich."""
    return [html.unescape(text).replace("\xa0", " ").strip() for text in re.findall(r"<text [^>]*>(.*?)</text>", picture)]


def test_the_picture_of_the_screen_is_what_the_program_draws() -> None:
    """If not: `make picture`."""
    assert words_of(PICTURE.read_text()) == words_of(draw())


# Files


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "CONTRIBUTING.md", "docs/promises.md"])
def test_the_files_that_a_document_names_are_there(name: str) -> None:
    named = [path for path in re.findall(r"`([\w.*/]+)`", DOCUMENTS[name]) if "/" in path or path.endswith((".py", ".md"))]
    assert named
    assert [path for path in named if not any(ROOT.glob(path)) and not any(ROOT.glob(f"monitoring/**/{path}"))] == []


def test_the_tables_that_contributing_names_are_in_their_files() -> None:
    """Each file with the names that a line is added to: `file.py` (`TABLE`, `TABLE`)."""
    named = re.findall(r"`([\w/]+\.py)` \(((?:`\w+`(?:, )?)+)\)", DOCUMENTS["CONTRIBUTING.md"])
    assert len(named) >= 8
    for path, names in named:
        source = (ROOT / path).read_text()
        assert [name for name in re.findall(r"\w+", names) if not re.search(rf"^(class )?{name}\b", source, re.M)] == [], (
            path
        )


def test_the_path_of_a_check_passes_functions_that_are_there() -> None:
    """ARCHITECTURE.md names each with its file: `Class.method` (`file.py`)."""
    steps = re.findall(r"`(\w+)\.(\w+)` \(`([\w/]+\.py)`\)", DOCUMENTS["ARCHITECTURE.md"])
    assert len(steps) >= 10
    for owner, function, path in steps:
        classes = [one for one in ast.parse((ROOT / path).read_text()).body if isinstance(one, ast.ClassDef)]
        names = {f"{one.name}.{part.name}" for one in classes for part in one.body if isinstance(part, ast.FunctionDef)}
        assert f"{owner}.{function}" in names, path
