"""The configuration: read, checked whole, and complete.

Data flows one way: files -> `syntax` (plain data), `files` (with those that they include) -> `section`, `text`, `values`,
`addresses` (one value each) -> `websites`, `loading` (a `Config`) -> `describing`. Importing this package is light: the
parsers that few files need are imported when one needs them.
"""

from monitoring.config.databases import DEFAULT_DATABASE, DatabaseAddress
from monitoring.config.describing import describe, describe_maintenance
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
