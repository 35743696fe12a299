"""Wall clocks that are wrong, or are set while a program runs; its monotonic clock stays right."""

from pathlib import Path

from tests.support.sources import ROOT

PLACES = (Path("/usr/lib"), ROOT / ".venv/debian/usr/lib")


def library() -> Path:
    """libfaketime, installed or unpacked by scripts/test-programs."""
    found = [path for place in PLACES for path in sorted(place.glob("*/faketime/libfaketime.so.1"))]
    if not found:
        raise RuntimeError("these tests need libfaketime: run scripts/test-programs (Debian: apt-get install libfaketime)")
    return found[0]


def skewed(by: str) -> dict[str, str]:
    """The environment of a program whose wall clock is off, for instance by "+1h"."""
    return {"LD_PRELOAD": str(library()), "FAKETIME": by, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


class SteppedClock:
    """A wall clock that is set while the program runs: start it with `environ`, then call `set`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set("+0")
        self.environ = {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, by: str) -> None:
        """Let the clock be off by so much from now on; the file changes in one step."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{by}\n")
        new.replace(self._file)
