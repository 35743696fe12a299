"""The output of a gateway on its terminal or in its log."""

import sys


def say(words: str) -> None:
    """Print one line on stdout at once."""
    print(words, flush=True)


def warn(words: str) -> None:
    """Print one line on stderr at once."""
    print(words, file=sys.stderr, flush=True)
