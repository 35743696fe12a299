"""Values of the command line that cannot be meant: one clear line that names the option, and exit status 2."""

import os
from contextlib import closing
from pathlib import Path

import pytest

from monitoring.commands.program import main
from monitoring.storage.sqlite.store import LocalStore
from tests.support.processes import run_program, write_websites

LONG_NAME, LONG_PATH = "a" * 256, "a/" * 2_048 + "a"
NOTHING = {"": "must not be empty", "  ": "must not be blank"}
NO_FILE = {
    **NOTHING,
    LONG_NAME: "must not be longer than 255 bytes",
    LONG_PATH: "must not be longer than 255 bytes between two slashes",
}

ODD = "\x1b[31m\nno"
"""Red, and a second line."""

READERS = ("-a", "-p", "--check-config", "--purge", "--replay", "-m", "-w", "-g", "--test-notifications")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_websites(tmp_path, [{"URL": "http://127.0.0.1:9/", "name": "shop"}])


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """The line on stderr of a run that is refused."""
    try:
        status = main([*map(str, arguments)], {})
    except SystemExit as leaving:
        status = int(leaving.code or 0)
    said, error = capsys.readouterr()
    assert (status, said, error.count("\n")) == (2, "", 1), error
    return error


@pytest.mark.parametrize(("value", "rule"), NO_FILE.items(), ids=["empty", "blank", "long name", "long path"])
@pytest.mark.parametrize(
    "arguments",
    [
        *((mode, option) for option in ("-c", "--local-database") for mode in READERS),
        *((mode, option) for option in ("--tls-cert", "--tls-key") for mode in ("-w", "-g")),
        ("--import",),
    ],
    ids=" ".join,
)
def test_what_names_no_file_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], value: str, rule: str
) -> None:
    error = refused(capsys, *arguments, value)
    assert arguments[-1] in error
    assert rule in error


@pytest.mark.parametrize("mode", READERS)
def test_a_local_file_that_can_be_none_is_refused(capsys: pytest.CaptureFixture[str], config: Path, mode: str) -> None:
    for file, rule in (
        (config.parent, "must not be a directory"),
        (config, "must not be the configuration file itself"),
        ("a" * 250, "must not have a name of more than 215 bytes: other files are called after it"),
    ):
        assert refused(capsys, mode, "-c", config, "--local-database", file) == f"--local-database: {rule}\n"


@pytest.mark.parametrize("mode", ["-w", "-g"])
@pytest.mark.parametrize("value", ["", " ", "\udcff", "a" * 300, ":", "127.0.0.1"])
def test_what_is_no_address_to_listen_on_is_refused(
    capsys: pytest.CaptureFixture[str], config: Path, mode: str, value: str
) -> None:
    assert refused(capsys, mode, "-c", config, "--listen", value).startswith("--listen: must ")


@pytest.mark.parametrize("mode", [["-a"], ["-p"], ["--replay", "--since", "1h"], ["--purge"]])
@pytest.mark.parametrize("value", ["", " ", "\x1b[31m", "\udcff"])
def test_what_names_no_site_is_refused(
    capsys: pytest.CaptureFixture[str], config: Path, mode: list[str], value: str
) -> None:
    error = refused(capsys, *mode, "-c", config, "--site", value)
    assert error.startswith("--site: must be the id, the name or the URL of a website") or mode == ["-p"]


@pytest.mark.parametrize("arguments", [("-m", "-c", f"{ODD}.json"), ("-m", f"--{ODD}"), ("--import", ODD)])
def test_an_error_holds_no_control_characters(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    assert "\\x1b[31m\\nno" in refused(capsys, *arguments)


def test_a_name_that_is_not_utf_8_is_a_name(config: Path, tmp_path: Path) -> None:
    """Linux takes any bytes; what was made in another charset is read as well."""
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    folder.mkdir()
    moved = config.rename(folder / "\udcfe.json")
    with closing(LocalStore(moved.with_suffix(".db"))) as store:
        assert store.last_time() is None
    ended = run_program("-p", "--once", "-c", moved)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "shop" in ended.stdout
