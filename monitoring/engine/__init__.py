"""Carries thousands of checks at once in one thread: sockets, timers, name lookups, libcurl's transfers."""

from monitoring.engine.engine import Engine

__all__ = ["Engine"]
