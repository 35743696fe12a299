"""A website of the configuration to be."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

_SECRET = re.compile(r"auth|cookie|token|secret|passw|pwd|api-?_?key|session|signature", re.IGNORECASE)
"""What headers, parameters and bodies are called that hold secrets."""

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass
class Draft:
    """A website: `keys` as the configuration will have them, `notes` about what could not be taken over.

    Texts in `keys` are templates: `${NAME}` stands for a variable, `$${` for a plain `${`.
    """

    keys: dict[str, object]
    notes: list[str] = field(default_factory=list)
    refused: str | None = None
    """Why it cannot be checked here; None: it can."""

    @property
    def label(self) -> str:
        """Its name, or else its host: nothing that can be a secret."""
        return str(self.keys.get("name") or host_of(str(self.keys["URL"])) or "site")

    def put(self, key: str, value: object) -> None:
        """Set a key, unless there is nothing to set."""
        if value not in (None, "", [], {}):
            self.keys[key] = value

    def variables(self) -> set[str]:
        """The variables in its values."""
        return set(_VARIABLE.findall(repr(self.keys)))


def host_of(url: str) -> str:
    """The host in a URL, with its port."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""


class Secrets:
    """Puts variables in the place of secrets: their values stay in the file that is imported."""

    def __init__(self, template: Callable[[str], str] | None = None) -> None:
        """`template` makes a text of the file one of the configuration; None: `${` has no meaning in the file."""
        self._template = template or (lambda text: text.replace("${", "$${"))
        self.names: list[str] = []

    def text(self, value: str) -> str:
        """A text that is no secret."""
        return self._template(value)

    def hidden(self, draft: Draft, what: str, value: str) -> str:
        """A text that may be one; what is a variable already stays."""
        if _VARIABLE.search(self._template(value).replace("$${", "")):
            return self._template(value)
        return self._placeholder(draft, what)

    def _placeholder(self, draft: Draft, what: str) -> str:
        wanted = re.sub(r"[^A-Z0-9]+", "_", f"{draft.label}_{what}".upper()).strip("_")
        wanted = wanted if wanted[:1].isalpha() else f"SITE_{wanted}"
        name, number = wanted, 1
        while name in self.names:
            number += 1
            name = f"{wanted}_{number}"
        self.names.append(name)
        return f"${{{name}}}"

    def headers(self, draft: Draft, headers: Mapping[str, object]) -> dict[str, str]:
        """Those that may be secrets become variables."""
        return {
            str(name): self.hidden(draft, str(name), str(value)) if _SECRET.search(str(name)) else self.text(str(value))
            for name, value in headers.items()
        }

    def body(self, draft: Draft, body: str) -> str:
        return self.hidden(draft, "body", body) if _SECRET.search(body) else self.text(body)

    def url(self, draft: Draft, url: str) -> str:
        """Passwords and parameters that look like secrets become variables."""
        try:
            parts = urlsplit(url)
            login, at, host = parts.netloc.rpartition("@")
        except ValueError:
            return self.text(url)
        user, colon, password = login.partition(":")
        netloc = f"{user}:{self.hidden(draft, 'password', password)}{at}{host}" if colon and password else parts.netloc
        query = parts.query
        if _SECRET.search(query):
            query = "&".join(self._parameter(draft, *pair) for pair in parse_qsl(query, keep_blank_values=True))
        if login and not colon:
            netloc = f"{self.hidden(draft, 'user', login)}{at}{host}"
        if (netloc, query) == (parts.netloc, parts.query):
            return self.text(url)
        return urlunsplit((parts.scheme, netloc, parts.path, query, parts.fragment))

    def _parameter(self, draft: Draft, name: str, value: str) -> str:
        if _SECRET.search(name):
            return f"{quote(name)}={self.hidden(draft, name, value)}"
        return urlencode([(name, value)])

    def login(self, draft: Draft, url: str, user: str, password: str) -> str:
        """The URL with this login."""
        parts = urlsplit(url)
        netloc = f"{quote(user, safe='')}:{self.hidden(draft, 'password', password)}@{parts.netloc.rpartition('@')[2]}"
        return urlunsplit(parts._replace(netloc=netloc))


@dataclass
class Imported:
    """What a file holds: the websites, and comments about the rest. `source` is what it is: "Gatus"."""

    source: str
    sites: list[Draft]
    secrets: Secrets
    notes: list[str] = field(default_factory=list)
