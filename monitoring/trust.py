"""Whose certificates are trusted: Mozilla's list or another one in its place, and private authorities beside it.

One bundle serves libcurl (sites) and requests (databases, gateways): all of them trust the same.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from monitoring.errors import ConfigError

REPLACES = "SSL_CERT_FILE"
"""The environment variable that names a PEM file in place of Mozilla's list, as it does for OpenSSL."""


@dataclass(frozen=True, slots=True)
class Trust:
    """`roots` is a PEM file in place of Mozilla's list (None: that list), `beside` are PEM files trusted as well."""

    roots: str | None = None
    beside: tuple[str, ...] = ()

    @classmethod
    def of(cls, environ: Mapping[str, str], *beside: str) -> "Trust":
        """What the environment says, and these files."""
        return cls(environ.get(REPLACES) or None, beside)

    def __str__(self) -> str:
        roots = f"{self.roots} ({REPLACES})" if self.roots else "Mozilla's list"
        return " and ".join((roots, *self.beside))


MOZILLA = Trust()


class Bundle:
    """One PEM file of all that is trusted: `with bundle(trust) as found: … found.path …`; gone after `close`."""

    def __init__(self, path: str, file: IO[bytes] | None = None) -> None:
        """`file` is one that disappears when it is closed."""
        self.path = path
        self._file = file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        if self._file:
            self._file.close()


def bundle(trust: Trust) -> Bundle:
    """The file to hand to libcurl and requests.

    A list without others beside it is used where it lies, also when it is replaced later. Otherwise the certificates are
    copied as they are now. Raises `ConfigError` when a file cannot be read any more.
    """
    import certifi

    roots = trust.roots or certifi.where()
    if not trust.beside:
        return Bundle(roots)
    try:
        certificates = [Path(file).read_bytes() for file in (roots, *trust.beside)]
        path, file = _private_file()
        file.write(b"\n".join(certificates))
        file.flush()
    except OSError as error:
        raise ConfigError([f"certificates to trust: {error.filename or 'a temporary file'}: {error.strerror}"]) from None
    return Bundle(path, file)


def _private_file() -> tuple[str, IO[bytes]]:
    """A file that only this process sees, and its path.

    In memory where the system can (Linux): what cleans the directory for temporary files after some days would take the
    certificates away from a monitor that runs for months.
    """
    with suppress(AttributeError, OSError):  # not every system has it, nor lets everybody use it
        file = os.fdopen(os.memfd_create("certificates"), "wb")
        path = f"/proc/self/fd/{file.fileno()}"
        if os.path.exists(path):
            return path, file
        file.close()
    import tempfile

    named = tempfile.NamedTemporaryFile(prefix="monitoring-", suffix=".pem")  # noqa: SIM115 - its bundle closes it
    return named.name, named


def why_unusable(file: str) -> str | None:
    """Why nobody can be trusted by this file; None: it holds certificates."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=file)
    except ssl.SSLError:
        return "holds no certificates in PEM form, or a broken one"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return None if context.cert_store_stats()["x509"] else "holds no certificates"


def tls_trouble(error: BaseException) -> str:
    """What a failed TLS connection means, with OpenSSL's own words; `error` is what requests raised."""
    for cause in _causes(error):
        if words := getattr(cause, "verify_message", None):
            return f"does not prove who it is (TLS): {words.rstrip('.')}"
        if (words := getattr(cause, "reason", None)) and isinstance(words, str):
            return f"does not speak TLS: {words.lower().replace('_', ' ')}"
    return "does not prove who it is (TLS)"


def _causes(error: BaseException) -> list[BaseException]:
    """The error and those inside it, from the outermost: requests and urllib3 keep them as arguments and as reasons."""
    found = [error]
    for one in found:
        inner = (*one.args, getattr(one, "reason", None), one.__cause__, one.__context__)
        found += [cause for cause in inner if isinstance(cause, BaseException) and cause not in found]
    return found
