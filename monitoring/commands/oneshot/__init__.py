"""Modes that do one thing and end: a module with a `run` for each.

`drill` is not a mode: the self-test sends a marked outage with it.
"""
