"""The certificate of a server: loads it again when its files change, and warns when it expires."""

import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from monitoring.config.reload import Version, version_of
from monitoring.errors import ConfigError
from monitoring.gateway import output

LOOKS_PER_DATE_CHECK = 60
"""Each look compares the files with their last version; one in so many also examines the dates of the certificate."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: the certificate with its intermediate certificates, and its key."""

    certificate: Path
    key: Path

    def __str__(self) -> str:
        return f"--tls-cert {self.certificate}, --tls-key {self.key}"


def tls_files(certificate: Path | None, key: Path | None) -> TlsFiles | None:
    """The files of `--tls-cert` and `--tls-key`; None: neither was given. Raises `ConfigError`."""
    if bool(certificate) != bool(key):
        raise ConfigError(["--tls-cert and --tls-key go together"])
    return TlsFiles(certificate, key) if certificate and key else None


def make_context(files: TlsFiles) -> ssl.SSLContext:
    """A context for TLS 1.2 and later. Raises `ConfigError` if the files cannot be used."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    _load(context, files)
    return context


def _load(context: ssl.SSLContext, files: TlsFiles) -> None:
    try:
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
    except ssl.SSLError as error:
        raise ConfigError([f"{files}: {error.reason or 'no PEM'}"]) from None
    except OSError as error:
        raise ConfigError([f"{files}: {error.strerror}"]) from None
    except ValueError:
        raise ConfigError([f"--tls-key {files.key}: must not have a password"]) from None


def _no_password() -> str:
    raise ValueError


class ServedCertificate:
    """The server side of TLS. `context` stays the same object, and each handshake gets the certificate that is in the files.

    Each certificate has a context of its own: one that got another certificate would keep the one before beside it if
    their keys are of different kinds, and OpenSSL would choose between the two.
    """

    def __init__(self, files: TlsFiles, report: Callable[[str], None] = output.warn) -> None:
        """`report` takes a sentence. Raises `ConfigError` when the files cannot be used."""
        self.context = self._current = make_context(files)
        self.context.sni_callback = self._choose  # called in each handshake, also without a name
        self._files = files
        self._report = report
        self._used = self._seen = self._versions()
        self._looks = 0
        self._trouble: str | None = None
        self._check_dates()

    def look(self) -> None:
        """Load the files again after a change, once they are stable. Call it about once a second."""
        before, self._seen = self._seen, self._versions()
        if self._seen == before and self._seen != self._used:
            self._used = self._seen
            self._replace()
        self._looks += 1
        if self._looks % LOOKS_PER_DATE_CHECK == 0:
            self._check_dates()

    def _replace(self) -> None:
        try:
            self._current = make_context(self._files)
        except ConfigError as error:
            self._report(f"{error}; the certificate stays as it was")
        else:
            self._report(f"--tls-cert {self._files.certificate}: the new certificate is served")
            self._check_dates()

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._current

    def _check_dates(self) -> None:
        """Warn if clients will reject the certificate by its dates."""
        trouble = why_out_of_date(self._files)
        if trouble and trouble != self._trouble:
            self._report(f"warning: --tls-cert {self._files.certificate}: {trouble}: clients refuse it")
        self._trouble = trouble

    def _versions(self) -> Sequence[Version | None]:
        return [version_of(file) for file in (self._files.certificate, self._files.key)]


OUT_OF_DATE = (9, 10)
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""


def why_out_of_date(files: TlsFiles) -> str | None:
    """Why a client that trusts this certificate would reject its dates, in OpenSSL's words; None: it would not.

    A client and a server do a handshake in memory. Other faults are not reported here, but where the files are used.
    """
    with suppress(ConfigError, OSError):
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False
        client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        client.load_verify_locations(files.certificate)
        here, there = ssl.MemoryBIO(), ssl.MemoryBIO()
        ends = (client.wrap_bio(here, there), make_context(files).wrap_bio(there, here, server_side=True))
        for end in ends * 3:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLCertVerificationError as error:
                return error.verify_message if error.verify_code in OUT_OF_DATE else None
    return None
