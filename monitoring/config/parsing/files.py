"""The files of a configuration: the main file, and those that it includes.

An included file has websites, and may include further files. File names are relative to the file that has them. `*`, `?`,
`[…]` and `**` are expanded as by a shell, in alphabetical order.
"""

import glob
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from os.path import realpath
from pathlib import Path
from typing import BinaryIO

from monitoring.config.parsing import syntax, values
from monitoring.config.parsing.section import Report, Section
from monitoring.config.parsing.text import Invalid

LARGEST = 64 << 20
"""The size in bytes that a file may have."""

DEEPEST = 50
"""The length that a chain of files may have in which each includes the next."""

INCLUDED_KEYS = ("$schema", "include", "websites")
"""The keys that an included file may have."""


@dataclass(frozen=True, slots=True)
class Files:
    """The contents of a configuration's files. `root` is that of the main file; None: it cannot be read.

    `patterns` are the `glob` patterns of all files, to notice changes.
    """

    report: Report
    root: Section | None
    included: Sequence[Section]
    patterns: Sequence[str]


def read_files(path: Path, environ: Mapping[str, str], keys: Collection[str], raw: bytes | None = None) -> Files:
    """Read the main file, which may have these keys, and all that it includes. Errors go into the report.

    `raw` is its content if it came through a pipe; then `path` is only what to call it, and relative names start from the
    working directory.
    """
    report = Report(str(path), environ, folder=path.parent if raw is None else Path())
    try:
        raw = read(path) if raw is None else raw
        root = Section(report.of_file(raw), syntax.parse(raw), "", keys)
    except syntax.InvalidSyntax as error:
        report.problems.append(f"{path}:{error}")
        root = None
    except Invalid as error:
        report.problem("", str(error))
        root = None
    includes = _Includes(path, keys)
    if root:
        includes.follow(root, (path,))
    return Files(report, root, includes.found, includes.patterns)


def included_names(section: Section) -> Sequence[str]:
    """The file names and patterns that a file includes."""
    section.take("$schema", values.text, None)  # editors read it
    return section.take("include", values.file_names, ())


def read(path: Path) -> bytes:
    """The content of a file. Raises `Invalid`."""
    try:
        with path.open("rb") as file:
            return limited(file)
    except FileNotFoundError:
        raise Invalid("there is no such file") from None
    except IsADirectoryError:
        raise Invalid("is a directory; name the file in it, such as config.json") from None
    except OSError as error:
        raise Invalid(f"cannot be read: {error.strerror}") from None
    except ValueError:
        raise Invalid("is not the name of a file") from None


def limited(file: BinaryIO) -> bytes:
    """The content of an open file. Raises `Invalid` if it is too large, or endless as /dev/zero is."""
    raw = file.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise Invalid(f"is larger than {LARGEST >> 20} MB")
    return raw


class _Includes:
    """Reads included files, each once."""

    def __init__(self, path: Path, keys: Collection[str]) -> None:
        self._root_keys = keys
        self._included_by: dict[str, Path] = {realpath(path): path}
        self.found: list[Section] = []
        self.patterns = [glob.escape(str(path))]

    def follow(self, section: Section, chain: Sequence[Path]) -> None:
        """Read the files that `section` includes. `chain` are the files from the main file to its own."""
        for name in included_names(section):
            pattern = str(section.folder / name)
            is_pattern = glob.has_magic(name)
            self.patterns.append(pattern if is_pattern else glob.escape(pattern))
            files = sorted(glob.glob(pattern, recursive=True)) if is_pattern else [pattern]
            if not files:
                section.warn_key("include", f"{name}: there is no such file")
            for file in files:
                self._include(section, Path(file), chain)

    def _include(self, section: Section, file: Path, chain: Sequence[Path]) -> None:
        try:
            found = self._read(section, file, chain)
        except syntax.InvalidSyntax as error:
            section.report.problems.append(f"{file}:{error}")
        except Invalid as error:
            section.problem("include", f"{file}: {error}")
        else:
            for key in found.keys():  # noqa: SIM118 - not a mapping
                if key in self._root_keys and key not in INCLUDED_KEYS:
                    found.problem(key, f"belongs into {chain[0]}, not into an included file")
            self.found.append(found)
            self.follow(found, (*chain, file))

    def _read(self, section: Section, file: Path, chain: Sequence[Path]) -> Section:
        """The content of a file that `section` includes. Raises `Invalid`."""
        real = realpath(file)
        if len(chain) > DEEPEST:
            raise Invalid(f"is at the end of a chain of {DEEPEST} files that include one another")
        if real in map(realpath, chain):
            raise Invalid("includes itself" if file == chain[-1] else f"includes {chain[-1]}, which includes it")
        if by := self._included_by.get(real):
            raise Invalid(f"is included by {by}, too")
        self._included_by[real] = chain[-1]
        raw = read(file)
        return Section(section.report.of_file(raw, file), syntax.parse(raw), "", self._root_keys)
