"""`--maintenance`: begins or ends maintenance of sites by hand. It is written into the local file, which monitors read."""

from argparse import ArgumentTypeError
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

from monitoring.alerts.maintenance import windows_of
from monitoring.clock import SystemClock
from monitoring.commands.invocation import Invocation
from monitoring.config import Config
from monitoring.config.keys.maintenance import LONGEST_MS
from monitoring.config.lookup import sites_of
from monitoring.config.parsing.durations import length_ms
from monitoring.config.parsing.values import show_ms
from monitoring.display.output.outputs import say
from monitoring.display.words import time_text
from monitoring.errors import ConfigError, MonitoringError, StoreError
from monitoring.models import Site, Window
from monitoring.names import listed, printable
from monitoring.storage.routing import no_monitor_text
from monitoring.storage.sqlite.file.connection import opened_briefly, transaction
from monitoring.storage.sqlite.file.lock import writer_is_alive
from monitoring.storage.sqlite.reader import FileReader
from monitoring.storage.sqlite.tables import maintenance

ALL = "all"
ENDS = ("0", "end")


def run(invocation: Invocation) -> int:
    """Begin or end it; returns the exit status. Raises `MonitoringError`."""
    config, _ = invocation.load()
    asked, length = invocation.arguments.maintained
    sites = config.sites if asked == ALL else sites_of(asked, config.sites, "--maintenance")
    lasts_ms = 0 if length in ENDS else _length_ms(length)
    if not config.local_database.exists():
        raise MonitoringError(no_monitor_text(config.program))
    _by_hand(config.local_database)  # raises if the file is of another version
    now_ms = SystemClock().now_ms()
    if lasts_ms:
        _begin(config.local_database, sites, Window(now_ms, now_ms + lasts_ms))
    else:
        _end(config, sites, now_ms)
    if not writer_is_alive(config.local_database):
        say("no monitor is running: this applies to the next one")
    return 0


def maintenance_at(config: Config, site: Site, time_ms: int) -> Window | None:
    """The window of maintenance that contains this moment, as far as this machine knows; None: there is none."""
    by_hand: Mapping[str, Window] = {}
    if config.local_database.exists():
        with suppress(StoreError):  # then only the configuration counts
            by_hand = _by_hand(config.local_database)
    found = windows_of(config.maintenance, by_hand, Window(time_ms, time_ms + 1))
    return next(iter(found.get(site.host, ())), None)


def _length_ms(length: str) -> int:
    try:
        lasts_ms = length_ms(length)
    except ArgumentTypeError as error:
        raise ConfigError([f'--maintenance: its length {error}; "end" ends it']) from None
    if lasts_ms > LONGEST_MS:
        raise ConfigError([f"--maintenance: its length must be at most {show_ms(LONGEST_MS)}"])
    return lasts_ms


def _begin(path: Path, sites: Sequence[Site], window: Window) -> None:
    with opened_briefly(path) as connection, transaction(connection):
        maintenance.begin(connection, [site.host for site in sites], window)
    say(f"maintenance until {time_text(window.until_ms)}: {_names(sites)}")


def _end(config: Config, sites: Sequence[Site], now_ms: int) -> None:
    """End maintenance by hand. Planned maintenance continues, which is reported."""
    path = config.local_database
    with opened_briefly(path) as connection, transaction(connection):
        ended = set(maintenance.end(connection, [site.host for site in sites], now_ms))
    over = [site for site in sites if site.host in ended]
    say(f"maintenance is over: {_names(over)}" if over else f"no maintenance was begun by hand: {_names(sites)}")
    planned = windows_of(config.maintenance, {}, Window(now_ms, now_ms + 1))
    for site in sites:
        for window in planned.get(site.host, ()):
            say(f"{_names([site])} stays in maintenance until {time_text(window.until_ms)}: the configuration says so")


def _by_hand(path: Path) -> Mapping[str, Window]:
    with closing(FileReader(path)) as reader:
        return reader.maintenance_by_hand()


def _names(sites: Sequence[Site]) -> str:
    return printable(listed([site.name or site.host for site in sites]))
