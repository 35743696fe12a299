"""Maintenance that was begun by hand: rows of table `maintenance`, which any process may write in one short transaction."""

import json
import sqlite3
from collections.abc import Collection

from monitoring.models import Window


def begin(connection: sqlite3.Connection, hosts: Collection[str], window: Window) -> None:
    """From now on this is the maintenance of these sites, in place of what was begun before."""
    rows = [(host, window.from_ms, window.until_ms) for host in hosts]
    connection.executemany("INSERT OR REPLACE INTO maintenance (host, from_ms, until_ms) VALUES (?, ?, ?)", rows)


def end(connection: sqlite3.Connection, hosts: Collection[str], now_ms: int) -> Collection[str]:
    """End what goes on; returns the sites of which something did."""
    chosen = "until_ms > ? AND host IN (SELECT value FROM json_each(?))"
    values = (now_ms, json.dumps(list(hosts)))
    ended = [host for (host,) in connection.execute(f"SELECT host FROM maintenance WHERE {chosen}", values)]
    connection.execute(f"UPDATE maintenance SET until_ms = ? WHERE {chosen}", (now_ms, *values))
    return ended


def by_hand(connection: sqlite3.Connection) -> dict[str, Window]:
    """The newest of each host."""
    found = connection.execute("SELECT host, from_ms, until_ms FROM maintenance")
    return {host: Window(from_ms, until_ms) for host, from_ms, until_ms in found}
