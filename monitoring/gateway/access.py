"""Who may do what."""

import hmac
from enum import StrEnum

from monitoring.config.tokens import READ, WRITE, Tokens
from monitoring.errors import MonitoringError

_SCHEME = "bearer "


class Role(StrEnum):
    """What a token is for: one that writes may not read, and the other way round, unless both are the same."""

    WRITE = "write"
    READ = "read"


class Unauthorised(MonitoringError):
    """No token, or one that is none of ours: 401."""


class Forbidden(MonitoringError):
    """A token of ours, for something else: 403."""


def authorise(tokens: Tokens, role: Role, header: str) -> None:
    """Tests the header `Authorization`. Raises `Unauthorised` or `Forbidden`."""
    if not tokens.required:
        return
    if not header.lower().startswith(_SCHEME):
        raise Unauthorised("a token is needed: Authorization: Bearer …")
    shown = header[len(_SCHEME) :].strip()
    roles = {Role.WRITE: tokens.write, Role.READ: tokens.read}
    fitting = {known for known, token in roles.items() if _is_same(shown, token)}
    if not fitting:
        raise Unauthorised("this token is not known here")
    if role not in fitting:
        raise Forbidden(f"this token is not for {'reading' if role is Role.READ else 'writing'} ({_variable(role)} is)")


def _is_same(shown: str, token: str | None) -> bool:
    """In constant time: how long it takes tells nothing about the token."""
    return token is not None and hmac.compare_digest(shown.encode("utf-8", "replace"), token.encode())


def _variable(role: Role) -> str:
    return READ if role is Role.READ else WRITE
