"""A website monitor for the terminal: checks, storage, statistics, alerts."""

__version__ = "1.1.0"
