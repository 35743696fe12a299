"""A gateway without its server: an application over a file that can be made to fail, and requests to it."""

import json
from collections.abc import Sequence

from werkzeug.test import Client, TestResponse

from monitoring.clock import SystemClock
from monitoring.config.tokens import Tokens
from monitoring.errors import StoreError, StoreRefused
from monitoring.gateway.application import make_application
from monitoring.gateway.limits import Limits
from monitoring.models import Window
from monitoring.storage.base import Points
from monitoring.storage.sqlite.database import FileDatabase, SharedFile
from tests.support.gateway import READ_TOKEN, TOKENS, WRITE_TOKEN, only
from tests.support.results import START_MS

CHECK = {"host": "https://example.org", "timeMs": START_MS, "coversMs": 2_000, "lagUs": 7, "status": 200}
ALERT = {"type": "alert", "host": "a", "timeMs": START_MS, "startMs": START_MS - 9, "availability": 76.5, "cause": "dns"}
WRITER = {"Authorization": f"Bearer {WRITE_TOKEN}"}
READER = {"Authorization": f"Bearer {READ_TOKEN}"}
ALWAYS = Window(START_MS - 10**10, START_MS + 10**10)
PAST = f"from={ALWAYS.from_ms}&until={ALWAYS.until_ms}"


class Database(FileDatabase):
    """A file in the part of a database that can be made to fail."""

    trouble: StoreError | None = None
    refusal: StoreRefused | None = None

    def __init__(self, file: SharedFile) -> None:
        super().__init__(file, "")
        self.writes: list[Points] = []

    def write(self, points: Points) -> None:
        self.ping()
        if self.refusal:
            raise self.refusal
        super().write(points)
        self.writes.append(points)

    def stats(self, *arguments: object, **more: object) -> object:  # type: ignore[override]
        self.ping()
        return super().stats(*arguments, **more)  # type: ignore[arg-type]

    def locations(self) -> Sequence[str]:
        self.ping()
        return super().locations()

    def ping(self) -> None:
        if self.trouble:
            raise self.trouble


def client_of(database: Database, tokens: Tokens = TOKENS, limits: Limits | None = None) -> Client:
    return make_application(only(database), tokens, limits or Limits(), SystemClock()).test_client()


def send(client: Client, *checks: object, alerts: tuple[object, ...] = ()) -> TestResponse:
    return client.post("/api/v2/store/points", json={"checks": checks, "alerts": alerts}, headers=WRITER)


def reason(response: TestResponse) -> str:
    """Why it was refused: always JSON with one key."""
    assert response.content_type == "application/json"
    found = json.loads(response.data)
    assert list(found) == ["error"]
    return str(found["error"])
