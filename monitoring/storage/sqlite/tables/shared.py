"""What a gateway's file has that a monitor's has not: sites of several locations, and the files of the monitors."""

import sqlite3

SEPARATOR = "\x1f"
"""Between a location and a host. No name holds it."""

KNOWN = "client "
RECORD = "record "
"""Prefixes of keys in table `meta`, before a local file's marker: it was verified here, and its record of delivery."""


def prefix(location: str) -> str:
    """What the names of the sites of a location begin with."""
    return location + SEPARATOR if location else ""


def place(name: str) -> tuple[str, str]:
    """The location and the host that a site's name stands for."""
    location, _, host = name.rpartition(SEPARATOR)
    return location, host


def is_shared(connection: sqlite3.Connection) -> bool:
    """Has any monitor's file been verified here?"""
    return bool(connection.execute(f"SELECT EXISTS (SELECT 1 FROM meta WHERE key LIKE '{KNOWN}%')").fetchone()[0])
