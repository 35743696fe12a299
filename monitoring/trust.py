"""Which certificate authorities are trusted: Mozilla's list or a replacement for it, and private authorities.

libcurl (sites) and requests (databases, gateways) use the same bundle.
"""

import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from monitoring.errors import ConfigError

ROOTS_VARIABLE = "SSL_CERT_FILE"
"""The environment variable that names a PEM file in place of Mozilla's list, as it does for OpenSSL."""

SPELLINGS = 1_000


@dataclass(frozen=True, slots=True)
class Trust:
    """`roots` is a PEM file in place of Mozilla's list (None: that list), `additional` are PEM files trusted as well."""

    roots: str | None = None
    additional: tuple[str, ...] = ()

    @classmethod
    def of(cls, environ: Mapping[str, str], *additional: str) -> "Trust":
        """The roots that the environment names, and these additional files."""
        return cls(environ.get(ROOTS_VARIABLE) or None, additional)

    def __str__(self) -> str:
        roots = f"{self.roots} ({ROOTS_VARIABLE})" if self.roots else "Mozilla's list"
        return " and ".join((roots, *self.additional))


MOZILLA = Trust()


class Bundle:
    """All trusted certificates in one PEM file, under one path: `with bundle(trust) as found: …`; `close` removes it.

    Call `refresh` before opening a connection. Any thread may call it.
    """

    def __init__(self, trust: Trust) -> None:
        """Raises `ConfigError` when a file cannot be read any more."""
        import certifi

        self._files = (trust.roots or certifi.where(), *trust.additional)
        self._seen = _versions(self._files)
        self._lock = threading.Lock()
        self._copy: IO[bytes] | None = None
        self.path = self._files[0]
        self.trouble: str | None = None
        """The file that cannot be used at present, and why; None: all can."""
        if trust != MOZILLA:
            try:
                certificates = self._read()
                self.path, self._copy = _private_file()
                self._copy.write(certificates)
                self._copy.flush()
            except OSError as error:
                where = error.filename or "a temporary file"
                raise ConfigError([f"certificates to trust: {where}: {error.strerror}"]) from None
        self._changes = 0
        self.spelling = self.path
        """`path`, spelled differently after each change, because libcurl caches certificates by the name of their file."""

    def _read(self) -> bytes:
        return b"\n".join(Path(file).read_bytes() for file in self._files)

    def refresh(self) -> bool:
        """Read the files again if they have changed. Returns whether they had.

        A file that is missing or holds no certificate may be about to be written. Until it is, its former content is used.
        """
        with self._lock:
            seen = _versions(self._files)
            if seen == self._seen:
                self.trouble = None
                return False
            self.trouble = next((f"{file}: {why}" for file in self._files if (why := why_unusable(file))), None)
            if self.trouble:
                return False
            if self._copy:
                try:
                    _overwrite(self._copy, self.path, self._read())
                except OSError:
                    return False
            self._seen = seen
            folder, _, name = self.path.rpartition("/")
            self._changes = (self._changes + 1) % SPELLINGS  # there may be several between two checks
            self.spelling = f"{folder}/{'./' * self._changes}{name}"
            return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        if self._copy:
            self._copy.close()


class Certificates:
    """The bundles that verify sites: one for each `caFile`, and one for all sites without it."""

    def __init__(self, trust: Trust = MOZILLA) -> None:
        """Raises `ConfigError` when a file cannot be read any more."""
        self._trust = trust
        self._lock = threading.Lock()
        self._bundles: dict[str | None, Bundle] = {None: bundle(trust)}
        self._reported: set[str] = set()

    def of(self, ca_file: str | None) -> Bundle:
        """The bundle for a site with this `caFile` (None: it has none). Any thread may call it."""
        with self._lock:
            if ca_file not in self._bundles:
                try:
                    trust = replace(self._trust, additional=(*self._trust.additional, str(ca_file)))
                    self._bundles[ca_file] = bundle(trust)
                except ConfigError:  # the file was removed after the configuration was read
                    return self._bundles[None]
            return self._bundles[ca_file]

    def news(self) -> list[str]:
        """Refresh all bundles. Returns a sentence for each file that has become unusable. Call it once a second."""
        with self._lock:
            bundles = list(self._bundles.values())
        for one in bundles:
            one.refresh()
        troubles = {trouble for one in bundles if (trouble := one.trouble)}  # read once: other threads refresh bundles, too
        new, self._reported = troubles - self._reported, troubles
        return [f"{trouble}; what was trusted before still is" for trouble in sorted(new)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        for one in self._bundles.values():
            one.close()


def bundle(trust: Trust) -> Bundle:
    """The file for libcurl and requests: Mozilla's list itself if nothing else is trusted, otherwise a joined copy.

    Raises `ConfigError` when a file cannot be read any more.
    """
    return Bundle(trust)


def _versions(files: Sequence[str]) -> Sequence[object]:
    """A value that changes whenever the content of these files does."""
    found: list[object] = []
    for file in files:
        try:
            status = os.stat(file)
            # ctime as well, because programs that copy a file may keep its mtime.
            found.append((status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
        except OSError:
            found.append(None)
    return found


_IN_MEMORY = "/proc/self/fd/"


def _private_file() -> tuple[str, IO[bytes]]:
    """A file for this process alone, and its path.

    It is in memory if the system allows that (Linux). A job that cleans the directory for temporary files would otherwise
    take the certificates away from a monitor that runs for months.
    """
    with suppress(AttributeError, OSError):  # not every system has `memfd_create`, or allows it
        file = os.fdopen(os.memfd_create("certificates"), "wb")
        path = f"{_IN_MEMORY}{file.fileno()}"
        if os.path.exists(path):
            return path, file
        file.close()
    import tempfile

    named = tempfile.NamedTemporaryFile(prefix="monitoring-", suffix=".pem")  # noqa: SIM115 - its bundle closes it
    return named.name, named


def _overwrite(file: IO[bytes], path: str, content: bytes) -> None:
    """Replace the content of a private file. In memory this is atomic for those who open the path meanwhile."""
    if path.startswith(_IN_MEMORY):
        with os.fdopen(os.memfd_create("certificates"), "wb") as another:
            another.write(content)
            another.flush()
            os.dup2(another.fileno(), file.fileno(), inheritable=False)
    else:
        file.seek(0)
        file.truncate()
        file.write(content)
        file.flush()


def why_unusable(file: str) -> str | None:
    """Why this file cannot verify any server; None: it holds certificates."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=file)
    except ssl.SSLError:
        return "holds no certificates in PEM form, or a broken one"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return None if context.cert_store_stats()["x509"] else "holds no certificates"


def why_no_identity(certificate: str, key: str) -> str | None:
    """Why these two files (or this one, given twice) are no client certificate; None: they hold one and its key."""
    import ssl

    for file in (certificate, key):
        try:
            content = Path(file).read_bytes()
        except OSError as error:
            return f"{file}: cannot be read: {error.strerror}"
        if b"ENCRYPTED" in content:
            return f"{file}: the key is encrypted, and a monitor cannot be asked for its passphrase"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            return f"{key}: the key does not belong to the certificate"
        return f"{certificate}: holds no certificate with a key in PEM form, or a broken one"
    return None


def tls_trouble(error: BaseException) -> str:
    """Why a TLS connection failed, in OpenSSL's words; `error` is what requests raised."""
    for cause in _causes(error):
        if words := getattr(cause, "verify_message", None):
            return f"does not prove who it is (TLS): {words.rstrip('.')}"
        if (words := getattr(cause, "reason", None)) and isinstance(words, str):
            return f"does not speak TLS: {words.lower().replace('_', ' ')}"
    return "does not prove who it is (TLS)"


def _causes(error: BaseException) -> list[BaseException]:
    """The error and those inside it, the outermost first: requests and urllib3 keep them in `args` and `reason`."""
    found = [error]
    for one in found:
        inner = (*one.args, getattr(one, "reason", None), one.__cause__, one.__context__)
        found += [cause for cause in inner if isinstance(cause, BaseException) and cause not in found]
    return found
