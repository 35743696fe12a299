"""A configuration in several files: what is included, what is refused, and that changes of each are noticed."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from monitoring.config import Config, ConfigWatcher, load_config
from monitoring.errors import ConfigError


@pytest.fixture(autouse=True)
def _in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(files: Mapping[str, object]) -> Path:
    """Write these files; `config.json` is the first."""
    for name, data in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(data if isinstance(data, str) else json.dumps(data))
    return Path("config.json")


def sites(*urls: str, **more: object) -> dict[str, object]:
    return {"websites": [{"URL": f"http://{url}"} for url in urls], **more}


def load(**files: object) -> Config:
    return load_config(write({name.replace("__", "/") + ".json": data for name, data in files.items()}), {})


def hosts(config: Config) -> list[str]:
    return [site.host.removeprefix("http://") for site in config.sites]


def problems(files: Mapping[str, object]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(write(files), {})
    return list(caught.value.problems)


def test_websites_come_in_the_order_of_the_files() -> None:
    config = load(
        config=sites("a", include=["teams/*.json", "z.json"], defaultTimeout=7),
        teams__two=sites("d"),
        teams__one=sites("b", include="more/c.json"),
        teams__more__c=sites("c"),
        z=sites("e"),
    )
    assert hosts(config) == ["a", "b", "c", "d", "e"]
    assert {site.timeout_ms for site in config.sites} == {7_000}


def test_all_websites_may_stand_in_other_files() -> None:
    assert hosts(load(config={"include": "shop.json"}, shop=sites("a"))) == ["a"]


def test_names_of_certificates_begin_at_the_file_they_stand_in() -> None:
    website = {"URL": "https://a", "caFile": "own.pem"}
    said = problems({"config.json": {"include": "team/x.json"}, "team/x.json": {"websites": [website]}})
    assert said == ["team/x.json:1: websites[0].caFile: team/own.pem: cannot be read: No such file or directory"]


def test_all_that_is_wrong_is_said_at_once_with_its_file_and_line() -> None:
    assert problems(
        {
            "config.json": '{"websites": [{"URL":"http://a"}],\n"include": ["gone.json", "x.json",\n"b.json"], "alerti": 7}',
            "x.json": '{"websites": [\n{"URL" "http://b"}]}',
            "b.json": '{"websites": [\n{"URL": "http://a"},\n{"URL": "b"}],\n"database": "sqlite:", "website": []}',
        }
    ) == [
        "config.json:3: alerti: unknown key; did you mean alerting?",
        "config.json:2: include: gone.json: there is no such file",
        "x.json:2:8: expecting ':' delimiter",
        "b.json:4: website: unknown key; did you mean websites?",
        "b.json:4: database: belongs into config.json, not into an included file",
        "b.json:2: websites[0].URL: the same site as websites[0] in config.json; one of them needs an id",
        "b.json:3: websites[1].URL: must be a URL that begins with http:// or https://; put https:// in front of it",
    ]


@pytest.mark.parametrize("include", [7, [], "", "a\0", ["a.json", 7]])
def test_what_is_no_name_is_refused(include: object) -> None:
    (line,) = problems({"config.json": sites("a", include=include), "a.json": sites("b")})
    assert line.startswith("config.json:1: include: must ")


def test_a_circle_is_refused_where_it_closes() -> None:
    files = {"config.json": sites("a", include="b.json"), "b.json": sites("b", include="c.json")}
    circle = {**files, "c.json": sites("c", include="config.json")}
    assert problems(circle) == ["c.json:1: include: config.json: includes c.json, which includes it"]


def test_a_pattern_that_fits_its_own_file_is_refused() -> None:
    said = problems({"config.json": sites("a", include="*.json"), "b.json": sites("b")})
    assert said == ["config.json:1: include: config.json: includes itself"]


def test_a_file_is_included_once() -> None:
    files = {"config.json": sites("a", include=["b.json", "c.json"]), "b.json": sites("b", include="c.json")}
    said = problems({**files, "c.json": sites("c")})
    assert said == ["config.json:1: include: c.json: is included by b.json, too"]


def test_a_pattern_without_files_is_a_warning() -> None:
    config = load(config=sites("a", include="teams/*.json"))
    assert config.warnings == ("config.json:1: include: teams/*.json: there is no such file",)


class Watched:
    """A configuration that is followed, as a monitor does it once a second."""

    def __init__(self, files: Mapping[str, object]) -> None:
        self._path = write(files)
        config = load_config(self._path, {})
        self._watcher = ConfigWatcher(self._path, lambda: load_config(self._path, {}), config)

    def change(self, files: Mapping[str, object]) -> list[str] | None:
        """What it has after these changes: a host each, the errors, or None when it has noticed nothing."""
        write(files)
        try:
            found = self._watcher.look() or self._watcher.look()
        except ConfigError as error:
            return list(error.problems)
        return hosts(found) if found else None


def test_changes_of_included_files_are_noticed() -> None:
    watched = Watched({"config.json": sites("a", include=["teams/*.json"])})
    assert watched.change({"teams/b.json": sites("b")}) == ["a", "b"]
    assert watched.change({"teams/b.json": sites("bb")}) == ["a", "bb"]
    assert watched.change({"teams/b.json": sites("bb", include="deep/c.json"), "teams/deep/c.json": sites("c")}) == [
        *("a", "bb", "c")
    ]
    assert watched.change({"teams/deep/c.json": sites("cc")}) == ["a", "bb", "cc"]
    Path("teams/b.json").unlink()
    assert watched.change({}) == ["a"]
    assert watched.change({}) is None


def test_a_file_that_is_wrong_when_it_is_first_included_is_followed_all_the_same() -> None:
    watched = Watched({"config.json": sites("a")})
    said = watched.change({"config.json": sites("a", include="b.json"), "b.json": "{nonsense"})
    assert said
    assert said[0].startswith("b.json:1:")
    assert watched.change({}) is None, "said once"
    assert watched.change({"b.json": sites("b")}) == ["a", "b"]


def test_a_link_that_leads_to_itself_is_called_what_it_is() -> None:
    Path("loop.json").symlink_to("loop.json")
    (line,) = problems({"config.json": sites("a", include="loop.json")})
    assert line == "config.json:1: include: loop.json: cannot be read: Too many levels of symbolic links"
