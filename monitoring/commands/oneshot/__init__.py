"""Modes that do one thing and end: a module with a `run` for each.

`drill` is no mode: the self-test and `--test-notifications` send their marked messages with it.
"""
