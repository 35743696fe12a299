"""Checks every website again and again: when a check is due, how it is made, and how its answer is judged."""
