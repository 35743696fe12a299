"""HTTP to InfluxDB: lines are written by the package `influxdb`, answers are read by `requests` and msgpack as they come."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import msgpack
import msgspec
import requests
from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError, InfluxDBServerError

from monitoring.config.keys.databases import DatabaseAddress
from monitoring.errors import StoreDenied, StoreError, StoreRefused, StoreUnavailable, untraced
from monitoring.storage.sessions import POOL_SIZE, TrustingSession, failure, one_line

BATCH = 5_000
"""Points in one request, about 1 MB."""

MSGPACK = "application/x-msgpack"
CHUNK_BYTES = 1 << 16

ROWS_AT_ONCE = 5_000
"""At most so many rows are unpacked at once. (InfluxDB also begins a new piece with each series.)"""

LONGEST_REASON = 160
"""Characters of InfluxDB's words that are shown: it may repeat whole lines that it could not read."""

_DROPPED = re.compile(r" dropped=([1-9]\d*)\s*\Z")
"""(`dropped=0` means that InfluxDB could not read some lines, and did not count them.)"""
_FIELD = re.compile(r'field type conflict: input field "((?:[^"\\]|\\.)*)"')
_BY_AGE = "points beyond retention policy"

_UNCOUNTED = "max-series-per-database limit exceeded"
"""With this error InfluxDB also drops points that it would take otherwise, so the number says nothing."""


class Series(msgspec.Struct):
    """One series of an answer. A row has its time in milliseconds, then the fields that were asked for."""

    values: list[Any]
    columns: list[str]
    name: str = ""
    tags: dict[str, str] = {}

    @property
    def host(self) -> str:
        return self.tags.get("host", "")


class _Result(msgspec.Struct):
    """What one statement found, or a piece of that if it is `partial`."""

    statement_id: int = 0
    series: list[Series] = []
    partial: bool = False
    error: str = ""


class _Piece(msgspec.Struct):
    """A piece of an answer."""

    results: list[_Result]


class _Trouble(msgspec.Struct):
    """The body of an answer whose status is no success."""

    error: str = ""


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
        self._session = TrustingSession(address.tls)
        self._session.auth = (address.username, address.password) if address.username else None
        self._session.max_redirects = 0  # a redirected write would arrive as a GET, and look stored
        self._session.headers["Accept"] = MSGPACK
        self._session.headers["Accept-Encoding"] = "identity"  # compression costs InfluxDB more than it saves
        self._client = InfluxDBClient(
            host=address.server.rpartition(":")[0],
            port=address.port,
            database=address.database,
            username=None,  # the session has the credentials, and the package's own would be root's
            password=None,
            ssl=address.tls is not None,
            verify_ssl=self._session.verify,
            timeout=timeout,
            retries=1,
            session=self._session,
            pool_size=POOL_SIZE,
        )

    def ping(self) -> None:
        """Return when the server answers. (The package's own `ping` fails on compatible servers.)"""
        self._send("GET", "ping")

    def query(self, statement: str) -> list[Series]:
        """The series that one statement finds, times in milliseconds. The statement may also change something."""
        return list(self.stream(statement))

    def stream(self, statement: str) -> Iterator[Series]:
        """The series that one statement finds, as they come, times in milliseconds; a long one in pieces.

        InfluxDB works on while its answer is read. So an answer of megabytes is never in memory as a whole, and does not
        keep other threads waiting. (The package reads all of it first.)
        """
        return (series for _, series in self.stream_each([statement]))

    def stream_each(self, statements: Sequence[str]) -> Iterator[tuple[int, Series]]:
        """As `stream`, but for several statements in one request: each series with the number of its statement."""
        form = {"db": self._database, "q": "; ".join(statements), "epoch": "ms"}
        form |= {"chunked": "true", "chunk_size": str(ROWS_AT_ONCE)}
        return self._answers(self._send("POST", "query", data=form, stream=True), len(statements))

    def _answers(self, answer: requests.Response, statements: int) -> Iterator[tuple[int, Series]]:
        """Each series with the number of its statement."""
        unfinished = set(range(statements))
        with self._translated(), answer:
            for piece in _pieces(answer):
                for result in msgspec.convert(piece, _Piece).results:
                    if result.error:
                        raise self._rejection(answer.status_code, result.error)
                    if not result.partial:
                        unfinished.discard(result.statement_id)
                    for series in result.series:
                        yield result.statement_id, series
            if unfinished:
                raise StoreUnavailable(f"{self.name} answered in part only")

    def write(self, lines: Sequence[str]) -> None:
        """Store lines with times in milliseconds.

        Raises `StoreRefused` when InfluxDB does not take some of them. It has stored the others then.
        """
        refusals = []
        for place in range(0, len(lines), BATCH):
            try:
                with self._translated(is_writing=True):
                    self._client.write_points(lines[place : place + BATCH], time_precision="ms", protocol="line")
            except StoreRefused as refusal:
                refusals.append(untraced(refusal))
        if refusals:
            raise StoreRefused.all_of(refusals)

    def close(self) -> None:
        self._session.close()

    def _send(self, method: str, what: str, **content: Any) -> requests.Response:
        """The answer, which has the status of a success."""
        with self._translated():
            answer = self._session.request(method, f"{self._url}/{what}", timeout=self._timeout, **content)
            if not answer.ok:
                raise self._rejection(answer.status_code, _reason(answer.content))
            return answer

    @contextmanager
    def _translated(self, *, is_writing: bool = False) -> Iterator[None]:
        try:
            yield
        except InfluxDBClientError as error:
            raise self._rejection(error.code, _reason(error.content), is_writing=is_writing) from untraced(error)
        except InfluxDBServerError as error:
            reason = _reason(error.args[0]) or "a server error"
            raise self._rejection(requests.codes.server_error, reason) from untraced(error)
        except (OSError, ValueError, msgspec.MsgspecError, msgpack.UnpackException) as error:
            raise StoreUnavailable(f"{self.name} {failure(error, 'an InfluxDB')}") from untraced(error)

    def _rejection(self, status: int, reason: str, *, is_writing: bool = False) -> StoreError:
        """The error that an answer means; with the status of a success, it is inside."""
        said = one_line(reason)[:LONGEST_REASON] or status
        if status in (401, 403):
            return StoreDenied(f"{self.name} does not accept these credentials")
        if status >= requests.codes.server_error:
            return StoreUnavailable(f"{self.name} is in trouble: {said}")
        text = f"{self.name} refused: {said}"
        if not is_writing or status not in (400, 413, 422):
            return StoreUnavailable(text)
        dropped = None if _UNCOUNTED in reason else _DROPPED.search(reason)
        field = _FIELD.search(reason)
        return StoreRefused(
            text,
            dropped=int(dropped[1]) if dropped else None,
            field=field[1] if field else "",
            by_age=_BY_AGE in reason,
        )


def _pieces(answer: requests.Response) -> Iterator[Any]:
    """The pieces of an answer as they come."""
    if answer.headers.get("Content-Type") != MSGPACK:  # some compatible servers know only JSON
        yield from map(msgspec.json.decode, answer.iter_lines(CHUNK_BYTES))
        return
    pieces = msgpack.Unpacker(unicode_errors="replace", max_buffer_size=0)
    for data in answer.iter_content(CHUNK_BYTES):
        pieces.feed(data)
        yield from pieces


def _reason(body: bytes | str) -> str:
    """InfluxDB's words in the body of an answer; empty when there are none."""
    content = body.encode() if isinstance(body, str) else body  # the package makes text of some
    with suppress(msgspec.MsgspecError):
        return msgspec.json.decode(content, type=_Trouble).error
    with suppress(msgspec.MsgspecError):
        return msgspec.msgpack.decode(content, type=_Trouble).error
    return content.decode(errors="replace")
