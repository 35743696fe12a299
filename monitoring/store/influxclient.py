"""The edge to InfluxDB: the `influxdb` package and `requests` on one side, our own errors on the other.

A module of its own because the two packages take 0.2 s to import: `InfluxStore` does that when it is made.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import requests
from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError, InfluxDBServerError

from monitoring.errors import StoreDenied, StoreError, StoreRefused, StoreUnavailable, untraced
from monitoring.trust import MOZILLA, Trust, bundle, tls_trouble

POOL_SIZE = 8
"""Connections kept open: more than threads use one store, so that none is thrown away."""

BATCH = 5_000
"""Points sent in one request: about 1 MB."""

CHUNK_BYTES = 1 << 16

_TROUBLES: tuple[tuple[type[Exception], str], ...] = (
    (requests.exceptions.Timeout, "does not answer in time"),
    (requests.exceptions.ConnectionError, "does not answer"),
    (requests.RequestException, "does not answer as an InfluxDB does"),
    (OSError, "cannot be asked by TLS: the certificates to trust cannot be read"),
    (Exception, "does not answer as an InfluxDB does"),
)
"""What is said of a driver's error; the first line that fits."""

Series = dict[str, Any]
"""One series of an answer as InfluxDB sends it: `name`, `tags`, `columns`, `values`."""


class InfluxClient:
    """Statements and lines to one database; every error is one of `monitoring.errors`, free of credentials.

    Several threads may use one client at once: all it shares is the connection pool of `requests`, which allows that.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        database: str,
        username: str,
        password: str,
        tls: Trust | None,
        timeout: tuple[float, float],
    ) -> None:
        """`tls` None: plain HTTP; else whom to trust."""
        bracketed = f"[{host}]" if ":" in host else host
        self.name = f"InfluxDB at {bracketed}:{port}"
        self._url = f"{'https' if tls else 'http'}://{bracketed}:{port}"
        self._database = database
        self._timeout = timeout
        self._auth = (username, password) if username else None
        self._certificates = bundle(tls or MOZILLA)
        self._session = _session(self._certificates.path)
        self._client = InfluxDBClient(
            host=bracketed,
            port=port,
            database=database,
            username=username or None,
            password=password,
            ssl=tls is not None,
            verify_ssl=self._certificates.path,
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
                raise self._rejection(answer.status_code, answer.text, writing=False)

    def database_exists(self) -> bool:
        """Whether the database is there (and these credentials may know it)."""
        return any([self._database] in series.get("values", ()) for series in self.query("SHOW DATABASES"))

    def query(self, statement: str) -> list[Series]:
        """The series of one reading statement, times in milliseconds; none when nothing fits."""
        return self._run(statement, "GET")

    def query_each(self, statements: Sequence[str]) -> list[list[Series]]:
        """The series of each of these reading statements, asked in one request, times in milliseconds."""
        form = {"db": self._database, "q": "; ".join(statements), "epoch": "ms"}
        with self._translated(), self._post(form) as answer:
            if not answer.ok:
                raise self._rejection(answer.status_code, answer.content, writing=False)
            results = answer.json().get("results", ())
            if len(results) != len(statements):
                raise StoreUnavailable(f"{self.name} answered in part only")
            for result in results:
                if "error" in result:
                    raise self._rejection(None, result["error"], writing=False)
            return [result.get("series", []) for result in results]

    def stream(self, statement: str, rows: int) -> Iterator[Series]:
        """The series of one reading statement in pieces of so many rows, times in milliseconds.

        For answers of megabytes: parsed in one go they would keep all other threads waiting.
        """
        form = {"db": self._database, "q": statement, "epoch": "ms", "chunked": "true", "chunk_size": str(rows)}
        with self._translated(), self._post(form) as answer:
            if not answer.ok:
                raise self._rejection(answer.status_code, answer.content, writing=False)
            unfinished = True
            for line in answer.iter_lines(CHUNK_BYTES):
                (result,) = json.loads(line)["results"]
                if "error" in result:
                    raise self._rejection(None, result["error"], writing=False)
                yield from result.get("series", ())
                unfinished = result.get("partial", False)
            if unfinished:
                raise StoreUnavailable(f"{self.name} answered in part only")

    def _post(self, form: Mapping[str, str]) -> requests.Response:
        return self._session.post(f"{self._url}/query", form, timeout=self._timeout, auth=self._auth, stream=True)

    def execute(self, statement: str) -> None:
        """Run one statement that changes something."""
        self._run(statement, "POST")

    def write(self, lines: Sequence[str]) -> None:
        """Store lines with times in milliseconds.

        Raises `StoreRefused` when InfluxDB will never take one of them; it keeps the others of the same batch.
        """
        with self._translated(writing=True):
            self._client.write_points(lines, time_precision="ms", batch_size=BATCH, protocol="line")

    def close(self) -> None:
        self._session.close()
        self._certificates.close()

    def _run(self, statement: str, method: str) -> list[Series]:
        with self._translated():
            answer = self._client.query(statement, epoch="ms", method=method).raw
            if answer.get("partial"):  # a server with `max-row-limit` cuts answers short
                raise StoreUnavailable(f"{self.name} answered in part only")
            series: list[Series] = answer.get("series", [])
            return series

    @contextmanager
    def _translated(self, *, writing: bool = False) -> Iterator[None]:
        try:
            yield
        except InfluxDBClientError as error:
            raise self._rejection(error.code, error.content, writing=writing) from untraced(error)
        except InfluxDBServerError as error:
            raise StoreUnavailable(f"{self.name} is in trouble{_reason(error.args[0])}") from untraced(error)
        # The package trips in these ways over an answer that is not InfluxDB's.
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise StoreUnavailable(f"{self.name} {_trouble(error)}") from untraced(error)

    def _rejection(self, status: int | None, content: Any, *, writing: bool) -> StoreError:
        """The error of an answer that is no success; `status` is None for an error inside a complete answer."""
        if status in (401, 403):
            return StoreDenied(f"{self.name} does not accept these credentials")
        kind = StoreRefused if writing and status in (400, 413, 422) else StoreUnavailable
        return kind(f"{self.name} refused{_reason(content)}")


def _session(trusted: str) -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # HTTP_PROXY would be honoured even for localhost, and ~/.netrc override credentials
    session.verify = trusted
    session.max_redirects = 0  # a redirected write arrives as a GET: it would look stored
    return session


def _trouble(error: Exception) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return tls_trouble(error)
    return next(text for kind, text in _TROUBLES if isinstance(error, kind))


def _reason(content: Any) -> str:
    """What InfluxDB says, as ": words" on one short line; nothing when it says nothing."""
    text = content.decode(errors="replace") if isinstance(content, bytes) else str(content or "")
    with suppress(ValueError, LookupError, TypeError):  # an error inside a complete answer is plain text already
        text = str(json.loads(text)["error"])
    words = "".join(letter if letter.isprintable() else " " for letter in text)[:160].strip()
    return f": {words}" if words else ""
