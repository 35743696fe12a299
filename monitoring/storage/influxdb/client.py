"""The edge to InfluxDB: the `influxdb` package, `requests` and msgpack on one side, our own errors on the other.

A module of its own because the packages take 0.2 s to import: `InfluxStore` does that when it is made.
"""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import msgpack
import requests
from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError, InfluxDBServerError

from monitoring.config.databases import DatabaseAddress
from monitoring.errors import StoreDenied, StoreError, StoreRefused, StoreUnavailable, untraced
from monitoring.storage.sessions import POOL_SIZE, TrustingSession, failure

BATCH = 5_000
"""Points sent in one request: about 1 MB."""

CHUNK_BYTES = 1 << 16

ROWS_AT_ONCE = 5_000
"""Rows that are unpacked at once at most; InfluxDB begins a new piece with each series, too."""

LONGEST_REASON = 160
"""Characters of InfluxDB's own words that are passed on: it repeats whole lines that it could not read."""

_UNREADABLE = (msgpack.UnpackException, ValueError, TypeError, AttributeError, LookupError)
"""What the packages trip with over an answer that is not InfluxDB's."""

_DROPPED = re.compile(r" dropped=([1-9]\d*)\s*\Z")
"""(It says `dropped=0` where it could not read some lines and did not count them.)"""
_FIELD = re.compile(r'field type conflict: input field "((?:[^"\\]|\\.)*)"')
_BY_AGE = "points beyond retention policy"

_UNCOUNTED = "max-series-per-database limit exceeded"
"""Then it drops what it has series for, too: which points it will never take is not to be told from the number."""

_PARTS_OF_SERIES = {"columns", "values"}

Series = dict[str, Any]
"""One series of an answer as InfluxDB sends it: `name`, `tags`, `columns`, `values`."""


class InfluxClient:
    """Statements and lines to one database; every error is one of `monitoring.errors`, free of credentials.

    Several threads may use one client at once: all it shares is the connection pool of `requests`, which allows that.
    """

    def __init__(self, address: DatabaseAddress, timeout: tuple[float, float]) -> None:
        """`timeout`: seconds to connect, and between two pieces of an answer."""
        host = f"[{address.host}]" if ":" in address.host else address.host
        self.name = f"InfluxDB at {host}:{address.port}"
        self._url = f"{'https' if address.tls else 'http'}://{host}:{address.port}"
        self._database = address.database
        self._timeout = timeout
        self._auth = (address.username, address.password) if address.username else None
        self._session = TrustingSession(address.tls)
        self._session.max_redirects = 0  # a redirected write arrives as a GET: it would look stored
        self._session.headers["Accept"] = "application/x-msgpack"
        self._session.headers["Accept-Encoding"] = "identity"  # packing costs InfluxDB more than what it saves
        self._client = InfluxDBClient(
            host=host,
            port=address.port,
            database=address.database,
            username=address.username or None,
            password=address.password,
            ssl=address.tls is not None,
            verify_ssl=self._session.verify,
            timeout=timeout,
            retries=1,
            session=self._session,
            pool_size=POOL_SIZE,
        )

    def ping(self) -> None:
        """Return when the server answers. (The package's own `ping` fails on compatible servers.)"""
        with self._translated():
            answer = self._session.get(f"{self._url}/ping", timeout=self._timeout, auth=self._auth)
            if not answer.ok:
                raise self._rejection(answer.status_code, answer.content)

    def database_exists(self) -> bool:
        """Whether the database is there (and these credentials may know it)."""
        return any([self._database] in series.get("values", ()) for series in self.query("SHOW DATABASES"))

    def query(self, statement: str) -> list[Series]:
        """The series of one reading statement, times in milliseconds; none when nothing fits."""
        return list(self.stream(statement))

    def query_each(self, statements: Sequence[str]) -> list[list[Series]]:
        """The series of each of these reading statements, asked in one request; their answers must be short."""
        found: list[list[Series]] = [[] for _ in statements]
        for number, series in self._answers(self._ask(statements), len(statements)):
            found[number].append(series)
        return found

    def stream(self, statement: str) -> Iterator[Series]:
        """The series of one reading statement as they come, times in milliseconds; a long one in several pieces.

        InfluxDB begins at once, and works on while its answer is read: so an answer of megabytes neither lies in memory
        as a whole nor keeps all other threads waiting.
        """
        answer = self._ask([statement])
        return (series for _, series in self._answers(answer, 1))

    def _ask(self, statements: Sequence[str]) -> requests.Response:
        form = {"db": self._database, "q": "; ".join(statements), "epoch": "ms"}
        form |= {"chunked": "true", "chunk_size": str(ROWS_AT_ONCE)}
        with self._translated():
            answer = self._session.post(f"{self._url}/query", form, timeout=self._timeout, auth=self._auth, stream=True)
            if not answer.ok:
                raise self._rejection(answer.status_code, answer.content)
            return answer

    def _answers(self, answer: requests.Response, statements: int) -> Iterator[tuple[int, Series]]:
        """Each series with the number of its statement."""
        unfinished = set(range(statements))
        with self._translated(), answer:
            for result in _results(answer):
                if "error" in result:
                    raise self._rejection(None, result["error"])
                if not result.get("partial", False):
                    unfinished.discard(result["statement_id"])
                for series in result.get("series", ()):
                    if not series.keys() >= _PARTS_OF_SERIES:
                        raise ValueError("no series")
                    yield result["statement_id"], series
            if unfinished:
                raise StoreUnavailable(f"{self.name} answered in part only")

    def execute(self, statement: str) -> None:
        """Run one statement that changes something."""
        with self._translated():
            self._client.query(statement, method="POST")

    def write(self, lines: Sequence[str]) -> None:
        """Store lines with times in milliseconds.

        Raises `StoreRefused` when InfluxDB will not take some of them; it has stored all the others then.
        """
        refusals = []
        for place in range(0, len(lines), BATCH):
            try:
                with self._translated(writing=True):
                    self._client.write_points(lines[place : place + BATCH], time_precision="ms", protocol="line")
            except StoreRefused as refusal:
                refusals.append(untraced(refusal))
        if refusals:
            raise StoreRefused.all_of(refusals)

    def close(self) -> None:
        self._session.close()

    @contextmanager
    def _translated(self, *, writing: bool = False) -> Iterator[None]:
        try:
            yield
        except InfluxDBClientError as error:
            raise self._rejection(error.code, error.content, writing=writing) from untraced(error)
        except InfluxDBServerError as error:
            raise StoreUnavailable(f"{self.name} is in trouble{_said(_reason(error.args[0]))}") from untraced(error)
        except (OSError, *_UNREADABLE) as error:
            raise StoreUnavailable(f"{self.name} {failure(error, 'an InfluxDB')}") from untraced(error)

    def _rejection(self, status: int | None, content: Any, *, writing: bool = False) -> StoreError:
        """The error of an answer that is no success; `status` is None for an error inside a complete answer."""
        if status in (401, 403):
            return StoreDenied(f"{self.name} does not accept these credentials")
        reason = _reason(content)
        text = f"{self.name} refused{_said(reason)}"
        if not writing or status not in (400, 413, 422):
            return StoreUnavailable(text)
        dropped = None if _UNCOUNTED in reason else _DROPPED.search(reason)
        field = _FIELD.search(reason)
        return StoreRefused(
            text,
            dropped=int(dropped[1]) if dropped else None,
            field=field[1] if field else "",
            by_age=_BY_AGE in reason,
        )


def _results(answer: requests.Response) -> Iterator[dict[str, Any]]:
    """The results in the pieces of an answer."""
    if answer.headers.get("Content-Type") != "application/x-msgpack":  # compatible servers may know JSON alone
        for line in answer.iter_lines(CHUNK_BYTES):
            yield from json.loads(line)["results"]
        return
    pieces = msgpack.Unpacker(unicode_errors="replace", max_buffer_size=0)
    for data in answer.iter_content(CHUNK_BYTES):
        pieces.feed(data)
        for piece in pieces:
            yield from piece["results"]


def _reason(content: Any) -> str:
    """What InfluxDB says, on one line; nothing when it says nothing."""
    found: Any = content
    if isinstance(content, bytes):
        found = content.decode(errors="replace")
        with suppress(ValueError, msgpack.UnpackException):
            found = msgpack.unpackb(content)
    with suppress(ValueError):
        found = json.loads(found) if isinstance(found, str) else found
    text = str(found.get("error", "")) if isinstance(found, dict) else str(found or "")
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()


def _said(reason: str) -> str:
    """The same as the end of a sentence."""
    return f": {reason[:LONGEST_REASON]}" if reason else ""
