"""A website monitor for the terminal: checks, storage, statistics, alerts."""

__version__ = "2.0.0.dev0"
