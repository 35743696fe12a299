"""HTTP to InfluxDB by the package `influxdb`, `requests` and msgpack, with our own errors.

`InfluxStore` imports this module late, because the packages take 0.2 s.
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

from monitoring.config.keys.databases import DatabaseAddress
from monitoring.errors import StoreDenied, StoreError, StoreRefused, StoreUnavailable, untraced
from monitoring.storage.sessions import POOL_SIZE, TrustingSession, failure, one_line

BATCH = 5_000
"""Points in one request, about 1 MB."""

CHUNK_BYTES = 1 << 16

ROWS_AT_ONCE = 5_000
"""At most so many rows are unpacked at once. (InfluxDB also begins a new piece with each series.)"""

LONGEST_REASON = 160
"""Characters of InfluxDB's words that are shown: it may repeat whole lines that it could not read."""

_UNREADABLE = (msgpack.UnpackException, ValueError, TypeError, AttributeError, LookupError)
"""The packages' errors about an answer that is not InfluxDB's."""

_DROPPED = re.compile(r" dropped=([1-9]\d*)\s*\Z")
"""(`dropped=0` means that InfluxDB could not read some lines, and did not count them.)"""
_FIELD = re.compile(r'field type conflict: input field "((?:[^"\\]|\\.)*)"')
_BY_AGE = "points beyond retention policy"

_UNCOUNTED = "max-series-per-database limit exceeded"
"""With this error InfluxDB also drops points that it would take otherwise, so the number says nothing."""

_PARTS_OF_SERIES = {"columns", "values"}

Series = dict[str, Any]
"""One series of an answer as InfluxDB sends it: `name`, `tags`, `columns`, `values`."""


class InfluxClient:
    """Sends statements and lines to one database. Every error is one of `monitoring.errors`, without credentials.

    Several threads may use one client at once, as the connection pool of `requests` allows.
    """

    def __init__(self, address: DatabaseAddress, timeout: tuple[float, float]) -> None:
        """`timeout`: seconds to connect, and between two pieces of an answer."""
        self.name = f"InfluxDB at {address.server}"
        self._url = address.url
        self._database = address.database
        self._timeout = timeout
        self._auth = (address.username, address.password) if address.username else None
        self._session = TrustingSession(address.tls)
        self._session.max_redirects = 0  # a redirected write would arrive as a GET, and look stored
        self._session.headers["Accept"] = "application/x-msgpack"
        self._session.headers["Accept-Encoding"] = "identity"  # compression costs InfluxDB more than it saves
        self._client = InfluxDBClient(
            host=address.server.rpartition(":")[0],
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
        """The series that one reading statement finds, times in milliseconds."""
        return list(self.stream(statement))

    def query_each(self, statements: Sequence[str]) -> list[list[Series]]:
        """The series that each of these reading statements finds, in one request. The answers must be short."""
        found: list[list[Series]] = [[] for _ in statements]
        for number, series in self.stream_each(statements):
            found[number].append(series)
        return found

    def stream_each(self, statements: Sequence[str]) -> Iterator[tuple[int, Series]]:
        """As `stream`, but for several statements in one request: each series with the number of its statement."""
        return self._answers(self._ask(statements), len(statements))

    def stream(self, statement: str) -> Iterator[Series]:
        """The series that one reading statement finds, as they come, times in milliseconds; a long one in pieces.

        InfluxDB works on while its answer is read. So an answer of megabytes is never in memory as a whole, and does not
        keep other threads waiting.
        """
        return (series for _, series in self.stream_each([statement]))

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

        Raises `StoreRefused` when InfluxDB does not take some of them. It has stored the others then.
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
        """The error that an answer means. `status` None: it is inside an answer with status 200."""
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
    """The results in an answer, piece by piece."""
    if answer.headers.get("Content-Type") != "application/x-msgpack":  # some compatible servers know only JSON
        for line in answer.iter_lines(CHUNK_BYTES):
            yield from json.loads(line)["results"]
        return
    pieces = msgpack.Unpacker(unicode_errors="replace", max_buffer_size=0)
    for data in answer.iter_content(CHUNK_BYTES):
        pieces.feed(data)
        for piece in pieces:
            yield from piece["results"]


def _reason(content: Any) -> str:
    """InfluxDB's words, in one line; empty when there are none."""
    found: Any = content
    if isinstance(content, bytes):
        found = content.decode(errors="replace")
        with suppress(ValueError, msgpack.UnpackException):
            found = msgpack.unpackb(content)
    with suppress(ValueError):
        found = json.loads(found) if isinstance(found, str) else found
    text = str(found.get("error", "")) if isinstance(found, dict) else str(found or "")
    return one_line(text)


def _said(reason: str) -> str:
    """A reason as the end of a sentence."""
    return f": {reason[:LONGEST_REASON]}" if reason else ""
