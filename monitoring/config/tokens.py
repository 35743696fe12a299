"""The tokens with which a gateway permits writing and reading. They come from the environment and are never shown."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from monitoring.errors import ConfigError

CLIENT = "MONITORING_TOKEN"
WRITE = "MONITORING_WRITE_TOKEN"
READ = "MONITORING_READ_TOKEN"

SHORTEST = 16
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""The characters that a header can carry unescaped (RFC 6750)."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens that a gateway accepts for writing and for reading.

    A token that is None permits nothing. If both are None, `required` is false, and everybody may read and write.
    """

    write: str | None = field(default=None, repr=False)
    read: str | None = field(default=None, repr=False)

    @property
    def required(self) -> bool:
        return self.write is not None or self.read is not None


def client_token(environ: Mapping[str, str]) -> str | None:
    """The token that a monitor or a reader sends to its gateway. Raises `ConfigError`."""
    return _secret(environ, CLIENT)


def gateway_tokens(environ: Mapping[str, str]) -> Tokens:
    """The tokens of a gateway. Raises `ConfigError`."""
    tokens = Tokens(_secret(environ, WRITE), _secret(environ, READ))
    for name, token in ((WRITE, tokens.write), (READ, tokens.read)):
        if token is not None and len(token) < SHORTEST:
            raise ConfigError([f"{name}: must have at least {SHORTEST} characters"])
    return tokens


def page_tokens(environ: Mapping[str, str]) -> Tokens:
    """The token of the status page: the one for reading. Raises `ConfigError`."""
    return Tokens(read=gateway_tokens(environ).read)


def _secret(environ: Mapping[str, str], name: str) -> str | None:
    """The variable `name`, or the content of the file that `name`_FILE names."""
    file_name = f"{name}_FILE"
    if name in environ and file_name in environ:
        raise ConfigError([f"{name} and {file_name} are both set: set only one of them"])
    if file_name in environ:
        return _checked(file_name, _read(file_name, environ[file_name]).strip())
    return _checked(name, environ[name]) if name in environ else None


def _read(name: str, path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError as error:
        raise ConfigError([f"{name}: {path}: {error.strerror}"]) from None
    except ValueError:
        raise ConfigError([f"{name}: {path}: is not text"]) from None


def _checked(name: str, token: str) -> str:
    if not _TOKEN.fullmatch(token):
        raise ConfigError([f"{name}: must be a token of letters, digits and . _ ~ + / - ="])
    return token
