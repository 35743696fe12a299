"""The output of a gateway on its terminal or in its log."""

import sys
from contextlib import suppress


def say(words: str) -> None:
    """Print one line on stdout at once. A full disk there keeps nobody from being served. Raises `BrokenPipeError`."""
    try:
        print(words, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        warn(f"nothing can be printed: {error.strerror}")


def warn(words: str) -> None:
    """Print one line on stderr at once, if it can be written there."""
    with suppress(OSError):
        print(words, file=sys.stderr, flush=True)
