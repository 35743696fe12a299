"""What a gateway says to whoever started it."""

import sys


def say(words: str) -> None:
    """One line on stdout, at once."""
    print(words, flush=True)


def warn(words: str) -> None:
    """One line on stderr."""
    print(words, file=sys.stderr, flush=True)
