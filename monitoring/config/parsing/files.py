"""The files of a configuration: the one that is named, and those that it includes.

An included file holds websites and further includes. Names are relative to the file that they stand in; `*`, `?`, `[…]`
and `**` are filled in as a shell does it, in the order of the names.
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
"""Bytes of a file."""

DEEPEST = 50
"""How many files may include each other, one after the other."""

INCLUDED_KEYS = ("$schema", "include", "websites")
"""What an included file may hold."""


@dataclass(frozen=True, slots=True)
class Files:
    """What is in the files of a configuration. `root` is the one that is named; None: its data cannot be read.

    `patterns` are the files to follow, as `glob` takes them.
    """

    report: Report
    root: Section | None
    included: Sequence[Section]
    patterns: Sequence[str]


def read_files(path: Path, environ: Mapping[str, str], keys: Collection[str], raw: bytes | None = None) -> Files:
    """Read a configuration and what it includes; `keys` are those of its root. Notes what is wrong in the report.

    `raw`: what it holds has been read already, from standard input; `path` is what it is called then.
    """
    report = Report(str(path), environ, folder=path.parent)
    try:
        raw = read(path) if raw is None else raw
        root = Section(report.of_file(raw), syntax.parse(raw), "", keys)
    except syntax.Misplaced as error:
        report.problems.append(f"{path}:{error}")
        root = None
    except Invalid as error:
        report.problem("", str(error))
        root = None
    reading = _Reading(path, keys)
    if root:
        reading.follow(root, (path,))
    return Files(report, root, reading.found, reading.patterns)


def included_names(section: Section) -> Sequence[str]:
    """What a file includes, as it is written there."""
    section.take("$schema", values.text, None)  # editors read it
    return section.take("include", values.file_names, ())


def read(path: Path) -> bytes:
    """Raises `Invalid`."""
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
    """All of it. Raises `Invalid` where that would never end, as of /dev/zero."""
    raw = file.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise Invalid(f"is larger than {LARGEST >> 20} MB")
    return raw


class _Reading:
    """Follows includes, each file once."""

    def __init__(self, path: Path, keys: Collection[str]) -> None:
        self._root_keys = keys
        self._by: dict[str, Path] = {realpath(path): path}
        self.found: list[Section] = []
        self.patterns = [glob.escape(str(path))]

    def follow(self, section: Section, chain: Sequence[Path]) -> None:
        """Read what one file includes, which `chain` leads to."""
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
        except syntax.Misplaced as error:
            section.report.problems.append(f"{file}:{error}")
        except Invalid as error:
            section.problem("include", f"{file}: {error}")
        else:
            for key in found.keys():  # noqa: SIM118 - no mapping
                if key in self._root_keys and key not in INCLUDED_KEYS:
                    found.problem(key, f"stands in {chain[0]} only, not in a file that is included")
            self.found.append(found)
            self.follow(found, (*chain, file))

    def _read(self, section: Section, file: Path, chain: Sequence[Path]) -> Section:
        """A file that `section` includes. Raises `Invalid`."""
        real = realpath(file)
        if len(chain) > DEEPEST:
            raise Invalid(f"is included by a file that is included by another, and so on, {DEEPEST} times")
        if real in map(realpath, chain):
            raise Invalid("includes itself" if file == chain[-1] else f"includes {chain[-1]}, which includes it")
        if by := self._by.get(real):
            raise Invalid(f"is included by {by}, too")
        self._by[real] = chain[-1]
        raw = read(file)
        return Section(section.report.of_file(raw, file), syntax.parse(raw), "", self._root_keys)
