"""The Alertmanager of Prometheus, by its API version 2, for people who route, silence and deduplicate alerts there.

An Alertmanager is level-triggered: it gets every open alert once a minute and regards an alert as open until its `endsAt`.
Each member of a cluster gets all alerts, as from Prometheus; the cluster ensures that people get one message.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from monitoring.config.keys.notifications import ChannelConfig
from monitoring.display.words import percent_text, time_text
from monitoring.models import Alert, AlertType
from monitoring.names import printable
from monitoring.notifications.base import Message, Undelivered
from monitoring.units import MINUTE_MS

VALID_MS = 15 * MINUTE_MS
"""How long after the last request an open alert ends by itself: if this monitor is gone, nobody keeps the alert open."""

CONNECT_S, ANSWER_S = 3.05, 10.0
PATH = "/api/v2/alerts"
ALERT_NAME = "WebsiteDown"
LONGEST_REASON = 200

_URL = re.compile(
    r"alertmanager\+(?P<scheme>https?)://(?:(?P<user>[^:@/?#]*):(?P<password>[^@/?#]*)@)?"
    r"(?P<members>[^@/?#]+)(?P<path>/[^?#]*)?",
    re.IGNORECASE,
)
_MEMBER = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}")


class Alertmanager:
    """Implements `Channel`, for all members of one cluster."""

    is_level_triggered = True

    def __init__(self, config: ChannelConfig) -> None:
        found = _URL.fullmatch(config.url)
        assert found, "the configuration has been checked"  # noqa: S101
        self._scheme = found["scheme"].lower()
        self._members = found["members"].split(",")
        self._path = (found["path"] or "").rstrip("/") + PATH
        self._user = (_decoded(found["user"]), _decoded(found["password"])) if found["user"] else None
        self._location = config.location
        self._program = config.program
        self._trust = config.trust if self._scheme == "https" else None
        self._session: Any = None

    def send(self, message: Message) -> None:
        """Send an alert of its own, which ends at once: a test."""
        labels = {"alertname": "NotificationTest", **self._place()}
        self._post([{"labels": labels, "annotations": {"summary": message.title, "description": message.text}}])

    def send_level(self, alerts: Sequence[Alert], names: Mapping[str, str | None], now_ms: int) -> None:
        self._post([self._alert(alert, names.get(alert.host), now_ms) for alert in alerts])

    def _alert(self, alert: Alert, name: str | None, now_ms: int) -> Mapping[str, object]:
        """The labels identify an alert, so they must not change while it is open."""
        is_open = alert.type is AlertType.ALERT
        ends_ms = now_ms + VALID_MS if is_open else alert.end_ms or alert.time_ms
        shown = printable(name or alert.host)
        annotations = {
            "summary": f"{shown} is {'down' if is_open else 'up again'}",
            "cause": str(alert.cause or ""),
            "detail": printable(alert.detail),
            "since": time_text(alert.start_ms),
            "availability": f"{percent_text(alert.availability)} %",
            "more": self._program.explain(None if alert.is_unwatched else name, alert.host),
        }
        return {
            "labels": {"alertname": ALERT_NAME, "site": alert.host, **self._place()},
            "annotations": {key: value for key, value in annotations.items() if value},
            "startsAt": time_text(alert.start_ms),
            "endsAt": time_text(max(ends_ms, alert.start_ms + 1)),
        }

    def _place(self) -> Mapping[str, str]:
        return {"location": self._location} if self._location else {}

    def _post(self, alerts: Sequence[Mapping[str, object]]) -> None:
        """Send to all members; it is enough if one accepts. Raises `Undelivered` if none does."""
        errors = [error for member in self._members if (error := self._post_to(member, alerts)) is not None]
        if len(errors) == len(self._members):
            final = all(error.is_final for error in errors)
            raise Undelivered("; ".join(dict.fromkeys(map(str, errors)))[:LONGEST_REASON], is_final=final)

    def _post_to(self, member: str, alerts: Sequence[Mapping[str, object]]) -> Undelivered | None:
        """The error; None: the member has accepted the alerts."""
        from monitoring.storage.sessions import TrustingSession, failure  # late: importing `requests` takes a while

        try:
            if self._session is None:
                self._session = TrustingSession(self._trust)
                self._session.auth = self._user
            url = f"{self._scheme}://{member}{self._path}"
            answer = self._session.post(url, json=alerts, timeout=(CONNECT_S, ANSWER_S), allow_redirects=False)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next member may accept them
            return Undelivered(f"{member} {failure(error, 'an Alertmanager')}")
        if answer.status_code == 200:
            return None
        is_final = answer.status_code in (400, 413, 422)  # 400: the valid alerts have been accepted
        said = "wrong credentials" if answer.status_code in (401, 403) else f"answers {answer.status_code}"
        return Undelivered(f"{member}: {said}", is_final=is_final)

    def close(self) -> None:
        """There is nothing to abort, because the time limits are short."""


def problems(urls: Sequence[str]) -> Sequence[str | None]:
    """For each URL, why it is not the address of a cluster; None: it is one."""
    return [_problem(url) for url in urls]


def _problem(url: str) -> str | None:
    found = _URL.fullmatch(url)
    if found is None or not all(_MEMBER.fullmatch(member) for member in found["members"].split(",")):
        return "must be alertmanager+http://HOST:PORT or alertmanager+https://…, other members of its cluster after commas"
    return None


def _decoded(text: str) -> str:
    from urllib.parse import unquote

    return unquote(text)
