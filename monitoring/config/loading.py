"""Reads a `Config` from files, standard input, URLs or plain data. A `ConfigError` lists everything that is wrong."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from os.path import isdir
from pathlib import Path

from monitoring.config import settings
from monitoring.config.keys.databases import DatabaseAddress, database_address
from monitoring.config.keys.maintenance import Maintenance, read_maintenance
from monitoring.config.keys.notifications import channel_names, read_channels
from monitoring.config.keys.websites import (
    CERTIFICATE_WARNING,
    INTERVAL,
    RULE_KEYS,
    SITE_KEYS,
    TIMEOUT,
    Defaults,
    read_rule,
    read_sites,
)
from monitoring.config.parsing import values
from monitoring.config.parsing.addresses import site_address
from monitoring.config.parsing.files import Files, read_files
from monitoring.config.parsing.section import Report, Section
from monitoring.config.parsing.text import Invalid, expand, unexpanded
from monitoring.config.settings import Config
from monitoring.errors import ConfigError
from monitoring.models import Site
from monitoring.thresholds import DEFAULT_ALERT_INTERVAL_MS, Rule
from monitoring.trust import ROOTS_VARIABLE, Trust, why_unusable
from monitoring.units import DAY_MS, HOUR_MS

ROOT_KEYS = (
    "$schema",
    "include",
    "websites",
    "defaultCheckInterval",
    "defaultTimeout",
    "alerting",
    "location",
    "caFile",
    "certificateWarning",
    "database",
    "localDatabase",
    "retention",
    "notifications",
    "maintenance",
)
ALERTING_KEYS = (*RULE_KEYS, "interval")
RETENTION_KEYS = ("checks", "alerts")

LONGEST_ENDING = 40
"""Bytes that the name of the local file may get at its end: `config.db.damaged-2026-11-28T18-40-wal`."""

_ALERT_INTERVAL = values.duration(100, HOUR_MS)
_RETENTION = values.duration(DAY_MS, 36_500 * DAY_MS)


def load_config(path: Path, environ: Mapping[str, str], database: str | None = None) -> Config:
    """Read the configuration in a file. `database` (the flag `--database`) replaces the one in the file.

    Raises `ConfigError`.
    """
    return _load(path, database, read_files(path, environ, ROOT_KEYS))


def load_piped(path: Path, raw: bytes, local: Path, environ: Mapping[str, str], database: str | None = None) -> Config:
    """Read the configuration that came through a pipe. Relative paths in it start from the working directory.

    `path` is what errors call it. `local` is the local file unless the configuration names another. Raises `ConfigError`.
    """
    return _load(path, database, read_files(path, environ, ROOT_KEYS, raw), local)


def _load(path: Path, database: str | None, files: Files, local: Path | None = None) -> Config:
    if files.root is None:
        raise ConfigError(files.report.problems, files.patterns)
    return read_config(files.root, path, database, files, local)


def parse_urls(urls: Sequence[str], environ: Mapping[str, str], path: Path, database: str | None = None) -> Config:
    """A configuration that has only these websites. `path` stands for its file: relative paths start from there.

    Raises `ConfigError`, which numbers the URLs as they were given.
    """
    problems, seen = [], dict[str, int]()
    for number, url in enumerate(urls, start=1):
        try:
            first = seen.setdefault(site_address(expand(url, environ)).host, number)
        except Invalid as error:
            problems.append(f"URL {number}: {error}")
            continue
        if first != number:
            problems.append(f"URL {number}: the same site as URL {first}")
    if problems:
        raise ConfigError(problems)
    data = {"websites": [{"URL": url} for url in urls]}
    return parse_config(data, source="", environ=environ, path=path, database=database)


def parse_config(
    data: object, *, source: str, environ: Mapping[str, str], path: Path, database: str | None = None
) -> Config:
    """The configuration in plain data (what `json.loads` returns).

    `source` begins each error, and relative paths start from the file `path`. The only files that are read are those of the
    trusted certificates. Raises `ConfigError`.
    """
    root = Section(Report(source, environ, folder=path.parent), data, "", ROOT_KEYS)
    return read_config(root, path, database)


def read_config(
    root: Section, path: Path, database: str | None = None, files: Files | None = None, local: Path | None = None
) -> Config:
    """The configuration whose main file is `root`. Raises `ConfigError`."""
    report = root.report
    alerting = root.section("alerting", ALERTING_KEYS)
    retention = root.section("retention", RETENTION_KEYS)
    trust = _read_trust(report, root)
    rule, every_ms = read_rule(alerting, Rule()), alerting.take("interval", _ALERT_INTERVAL, DEFAULT_ALERT_INTERVAL_MS)
    sites, own_maintenance = _read_websites([root, *(files.included if files else ())], rule, every_ms)
    location = root.take("location", values.location, "")
    config = Config(
        sites=sites,
        database=_read_database(report, root, database, trust),
        local_database=_read_local_database(root, path, local),
        location=location,
        trust=trust,
        alert_interval_ms=every_ms,
        check_retention_ms=retention.take("checks", _RETENTION, settings.DEFAULT_CHECK_RETENTION_MS),
        alert_retention_ms=retention.take("alerts", _RETENTION, settings.DEFAULT_ALERT_RETENTION_MS),
        notifications=read_channels(root, sites, location, trust),
        maintenance=(*own_maintenance, *read_maintenance(root, sites)),
        warnings=tuple(report.warnings),
        files=tuple(files.patterns if files else ()),
    )
    _compare_windows(retention, config)
    if report.problems:
        raise ConfigError(report.problems, config.files)
    return config


def parse_database(address: str, environ: Mapping[str, str]) -> DatabaseAddress:
    """The database of `--database`, or the default one, for a mode without a file. Raises `ConfigError`."""
    found, trust = _read_flag(address, environ), Trust.of(environ)
    if found.tls and (problems := _problems_of_roots(trust)):
        raise ConfigError(problems)
    return _trusting(found, trust)


def _read_flag(address: str, environ: Mapping[str, str]) -> DatabaseAddress:
    try:
        return database_address(expand(address, environ))
    except Invalid as error:
        raise ConfigError([f"--database: {error}"]) from None


def site_host(url: str) -> str:
    """The name under which a site with this URL is stored. A stored name is returned unchanged.

    Raises `ConfigError` if it is not the URL of a website.
    """
    try:
        return site_address(unexpanded(url)).host
    except Invalid as error:
        raise ConfigError([f"a website's URL {error}"]) from None


def _read_websites(
    files: Sequence[Section], rule: Rule, evaluated_every_ms: int
) -> tuple[tuple[Site, ...], list[Maintenance]]:
    """The websites of all files and the maintenance that they plan for themselves. The first file has the defaults."""
    root = files[0]
    plain = Defaults()
    defaults = Defaults(
        interval_ms=root.take("defaultCheckInterval", INTERVAL, plain.interval_ms),
        timeout_ms=root.take("defaultTimeout", TIMEOUT, plain.timeout_ms),
        rule=rule,
        certificate_warning_ms=root.take("certificateWarning", CERTIFICATE_WARNING, plain.certificate_warning_ms),
        channels=channel_names(root),
        evaluated_every_ms=evaluated_every_ms,
    )
    problems_before = len(root.report.problems)
    listed = (section for file in files for section in file.sections("websites", SITE_KEYS))
    sites, maintenance = read_sites(listed, defaults)
    if root.is_object and not sites and len(root.report.problems) == problems_before:
        root.problem("websites", "nothing to check: no website with a URL")
    return sites, maintenance


def _read_database(report: Report, root: Section, flag: str | None, trust: Trust) -> DatabaseAddress | None:
    try:
        found = root.take("database", database_address, None) if flag is None else _read_flag(flag, report.environ)
    except ConfigError as error:
        report.problems += error.problems
        return None
    return found and _trusting(found, trust)


def _trusting(address: DatabaseAddress, trust: Trust) -> DatabaseAddress:
    return replace(address, tls=trust) if address.tls else address


def _read_trust(report: Report, root: Section) -> Trust:
    """The certificates to trust. Reports named files that contain none."""
    name = root.take("caFile", values.file_name, None)
    trust = Trust.of(report.environ, *([] if name is None else [str(root.folder / name)]))
    report.problems += _problems_of_roots(trust)
    for file in trust.additional:
        if trouble := why_unusable(file):
            root.problem("caFile", f"{file}: {trouble}")
    return trust


def _problems_of_roots(trust: Trust) -> list[str]:
    trouble = why_unusable(trust.roots) if trust.roots else None
    return [f"{ROOTS_VARIABLE}: {trust.roots}: {trouble}"] if trouble else []


def _read_local_database(root: Section, path: Path, default: Path | None) -> Path:
    local = root.folder / root.take("localDatabase", values.file_name, str(default or f"{path.stem}.db"))
    if problem := problem_of_local_database(local, path):
        root.problem("localDatabase", problem)
    return local


def problem_of_local_database(local: Path, config: Path) -> str | None:
    """Why this cannot be the local file of that configuration; None: it can."""
    if local.absolute() == config.absolute():
        return "must not be the configuration file itself"
    if isdir(local):  # not `Path.is_dir`, which raises for a name that is too long
        return "must not be a directory"
    longest = values.LONGEST_PART - LONGEST_ENDING
    if len(os.fsencode(local.name)) > longest:
        return f"must not have a name of more than {longest} bytes: other files are called after it"
    return None


def _compare_windows(retention: Section, config: Config) -> None:
    """An alert window must not be longer than checks are kept."""
    longest = max((site.rule.window_ms for site in config.sites), default=0)
    if longest > config.check_retention_ms:
        retention.problem("checks", f"must not be shorter than the longest alert window, {values.show_ms(longest)}")
