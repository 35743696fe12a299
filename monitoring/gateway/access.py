"""Authorisation by tokens."""

import hmac

from monitoring.config.tokens import READ, WRITE, Tokens
from monitoring.errors import MonitoringError
from monitoring.storage.gateway.interface import Role

_SCHEME = "bearer "


class Unauthorised(MonitoringError):
    """No token, or an unknown one: 401."""


class Forbidden(MonitoringError):
    """A valid token, but for another role: 403."""


def authorise(tokens: Tokens, role: Role, header: str) -> None:
    """Check the header `Authorization`. Raises `Unauthorised` or `Forbidden`."""
    if not tokens.required:
        return
    if not header.lower().startswith(_SCHEME):
        raise Unauthorised("a token is needed: Authorization: Bearer …")
    shown = header[len(_SCHEME) :].strip()
    fitting = {known for known, token in (("write", tokens.write), ("read", tokens.read)) if _is_same(shown, token)}
    if not fitting:
        raise Unauthorised("this token is not known here")
    if role not in fitting:
        raise Forbidden("this token is not for " + (f"reading ({READ} is)" if role == "read" else f"writing ({WRITE} is)"))


def _is_same(shown: str, token: str | None) -> bool:
    """Compare in constant time, so that the time reveals nothing about the token."""
    return token is not None and hmac.compare_digest(shown.encode("utf-8", "replace"), token.encode())
