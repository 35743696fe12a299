"""The configuration: read, checked as a whole, with every default filled in.

    parsing/    from files to single checked values
    keys/       the keys, a module for each group of them
    loading     reads all of it: from a file to a `Config`, or to a list of everything that is wrong
    settings    `Config`, the whole configuration as one value
    describing  what a configuration would run, for `--check-config`
    lookup      finds the site that a person names
    reload      notices that the files have changed, and reads them again
    tokens      reads the tokens of a gateway from the environment

Importing this package is cheap: parsers that few files need are imported only when needed.
"""

from monitoring.config.describing import describe, describe_maintenance
from monitoring.config.keys.databases import DEFAULT_DATABASE, DatabaseAddress
from monitoring.config.loading import load_config, parse_config, parse_database, parse_urls, site_host
from monitoring.config.reload import ConfigWatcher
from monitoring.config.settings import Config

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
