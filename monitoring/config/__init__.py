"""The configuration: read, checked whole, and complete.

    parsing/    from files to single checked values
    keys/       the keys, a module for each group of them
    loading     all of it: from a file to a `Config`, or to everything that is wrong
    settings    `Config`, the whole configuration as one value
    describing  what a configuration would run, for `--check-config`
    lookup      which site somebody means
    watching    notices changes of the files; reload applies them
    tokens      the tokens of a gateway, from the environment

Importing this package is light: the parsers that few files need are imported when one needs them.
"""

from monitoring.config.describing import describe, describe_maintenance
from monitoring.config.keys.databases import DEFAULT_DATABASE, DatabaseAddress
from monitoring.config.loading import load_config, parse_config, parse_database, parse_urls, site_host
from monitoring.config.settings import Config
from monitoring.config.watching import ConfigWatcher

__all__ = [
    "DEFAULT_DATABASE",
    "Config",
    "ConfigWatcher",
    "DatabaseAddress",
    "describe",
    "describe_maintenance",
    "load_config",
    "parse_config",
    "parse_database",
    "parse_urls",
    "site_host",
]
