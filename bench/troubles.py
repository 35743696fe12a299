"""What happens to InfluxDB and to the monitor's local file during a long run, one after the other, as drawn from a seed."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.processes import Core, pinned
from monitoring.storage.sqlite.reader import FileReader
from tests.support.influxd import Influxd

LATEST_START_S = 60.0
WELL_S, LEAST_WELL_S = 60.0, 5.0
ILL_S, LEAST_ILL_S = 10.0, 3.0

REFUSING_S = 40.0
"""So long a database refuses at least: longer than the monitor waits before it asks again."""

SAVED_S = 30.0
"""How long it is waited at most until a local file that was deleted is back."""

AWAY_S = 3.0
"""How long a server is away at least that the monitor is to make new contact with: it has new checks twice a second."""

POLL_S = 0.01

CHECKS, MINUTES, ALERTS = "website_availability", "website_availability_1m", "website_alerts"
POISON = {CHECKS: "available=true", MINUTES: "checks=1.5"}
"""A field of another type than the monitor's, by measurement."""


class Patients:
    """What the troubles happen to: a server, and the local file of the monitor that delivers there.

    `seconds_saved`: how long it took each time until a local file that was deleted was back under its name. `refused`: how
    many points were refused each time, as the file has it.
    """

    def __init__(self, server: Influxd, database: str, file: Path, sites: int) -> None:
        self.server = server
        self.seconds_saved: list[float] = []
        self.refused: list[int] = []
        self._database = database
        self._file = file
        self._sites = sites
        self._copy = server.directory / "copy"

    def start(self) -> None:
        self.server.start()
        self._create()

    def refuse(self, measurement: str) -> None:
        """From now on every point of this measurement is refused, and all that there was is lost.

        The server is apart meanwhile: else the monitor would be first to give the field its type.
        """
        with self.server.apart():
            self._create_anew()
            self.server.write(self._database, f"{measurement},host=x {POISON[measurement]} {time.time_ns()}")
        self._return()

    def take(self) -> None:
        """Undo that: what was refused is tried again at the next contact.

        (A field may keep its type when its measurement is dropped.)
        """
        self._count_refused()
        with self.server.apart():
            self._create_anew()
        self._return()

    def lose_alerts(self) -> None:
        self._drop(ALERTS)

    def _drop(self, measurement: str) -> None:
        self.server.query(f"DROP MEASUREMENT {measurement}", database=self._database)

    def restart(self) -> None:
        self.server.stop()
        self._return()

    def _return(self) -> None:
        """Start the server, so late that the monitor has to make new contact."""
        time.sleep(AWAY_S)
        self.server.start()

    def _create_anew(self) -> None:
        self.server.query(f'DROP DATABASE "{self._database}"')
        self._create()

    def _create(self) -> None:
        self.server.query(f'CREATE DATABASE "{self._database}"')

    def limit_sites(self) -> None:
        """From now on the checks of half of the sites are refused, and all that there were are lost."""
        self.server.stop()
        self.server.settings["INFLUXDB_DATA_MAX_VALUES_PER_TAG"] = str(self._sites // 2)
        self.server.start()
        self._drop(CHECKS)

    def take_all_sites(self) -> None:
        self._count_refused()
        self.server.kill()
        self.server.settings.clear()
        self._return()

    def _count_refused(self) -> None:
        with closing(FileReader(self._file)) as reader:
            self.refused.append(sum(refusal.count for refusal in reader.refusals()))

    def back_up(self) -> None:
        self.server.back_up(self._copy)

    def put_back(self) -> None:
        self.server.put_back(self._copy)

    def delete_file(self) -> None:
        """Delete the local file and wait until it is back. Raises RuntimeError when that takes much too long."""
        began_s = time.monotonic()
        self._file.unlink()
        while not self._file.exists():
            if time.monotonic() - began_s > SAVED_S:
                raise RuntimeError(f"{self._file.name} was deleted and is not back")
            time.sleep(POLL_S)
        self.seconds_saved.append(time.monotonic() - began_s)


Act = Callable[[Patients], None]


@dataclass(frozen=True, slots=True)
class Trouble:
    """How something begins and how it ends, and how many seconds it lasts at least."""

    what: str
    begin: Act
    end: Act
    least_s: float = LEAST_ILL_S


def _nothing(_: Patients) -> None:
    """It has ended by itself."""


BACKED_UP = Trouble("is copied", Patients.back_up, lambda it: it.server.start())
PUT_BACK = Trouble("is put back from the copy", Patients.put_back, lambda it: it.server.start())
FILE_DELETED = Trouble("the local file is deleted", Patients.delete_file, _nothing)
TROUBLES = (
    Trouble("hangs", lambda it: it.server.pause(), lambda it: it.server.resume()),
    Trouble("is killed", lambda it: it.server.kill(), lambda it: it.server.start()),
    Trouble("refuses checks", lambda it: it.refuse(CHECKS), Patients.take, REFUSING_S),
    Trouble("refuses minutes", lambda it: it.refuse(MINUTES), Patients.take, REFUSING_S),
    Trouble("refuses half of the sites", Patients.limit_sites, Patients.take_all_sites, REFUSING_S),
    Trouble("loses its alerts", Patients.lose_alerts, _nothing),
    BACKED_UP,
    PUT_BACK,
    FILE_DELETED,
)


class TroubledInfluxdb:
    """Started late by a thread of its own, then in trouble again and again; well when `seconds` are over.

    `counts`: what happened how often. `failure`: why the thread ended early.
    """

    def __init__(self, database: str, file: Path, sites: int, seconds: float, seed: int, pace: float) -> None:
        """`file` is the local file of the monitor that delivers to `database`."""
        self._server = Influxd()
        self._patients = Patients(self._server, database, file, sites)
        self._database = database
        self._plan = plan(random.Random(f"database {seed}"), seconds, pace)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="troubles")
        self.counts: Counter[str] = Counter()
        self.failure: Exception | None = None

    def __enter__(self) -> Self:
        self._began_s = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
        self._server.__exit__(kind, error, trace)

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def url(self) -> str:
        return self._server.url(self._database)

    @property
    def refused(self) -> Sequence[int]:
        return self._patients.refused

    @property
    def seconds_saved(self) -> Sequence[float]:
        return self._patients.seconds_saved

    def wait_until_well(self, seconds: float) -> None:
        """Wait for the end of all troubles. Raises RuntimeError when one of them did not end."""
        self._thread.join(seconds)
        if self.failure or self._thread.is_alive():
            raise RuntimeError(f"the troubles did not end: {self.failure or 'one still lasts'}") from self.failure

    def _run(self) -> None:
        try:
            with pinned(Core.SERVERS):
                for at_s, what, act in self._plan:
                    if self._stop.wait(max(0.0, self._began_s + at_s - time.monotonic())):
                        return
                    act(self._patients)
                    self.counts.update([what] if what else [])
        except Exception as error:  # noqa: BLE001 - told by the main thread
            self.failure = error


Planned = tuple[float, str, Act]
"""When what happens; "" for the end of a trouble."""


def plan(chance: random.Random, seconds: float, pace: float) -> list[Planned]:
    """What happens in this time: `pace` times more often than usual. It ends with a new contact: all is compared."""
    start_s = min(LATEST_START_S, seconds / 6)
    troubles = _troubles(chance, start_s, seconds, WELL_S / pace)
    return [(start_s, "is started", Patients.start), *troubles, (seconds, "is started anew", Patients.restart)]


def _troubles(chance: random.Random, at_s: float, seconds: float, well_s: float) -> Iterator[Planned]:
    for trouble in _in_turns(chance):
        at_s += LEAST_WELL_S + chance.expovariate(1 / well_s)
        end_s = at_s + trouble.least_s + chance.expovariate(1 / ILL_S)
        if end_s > seconds:
            return
        yield at_s, trouble.what, trouble.begin
        yield end_s, "", trouble.end
        at_s = end_s


def _in_turns(chance: random.Random) -> Iterator[Trouble]:
    """Each as often as the others, without end; nothing is put back before it was copied."""
    known = [trouble for trouble in TROUBLES if trouble is not PUT_BACK]
    while True:
        yield from chance.sample(known, len(known))
        known = list(TROUBLES)
