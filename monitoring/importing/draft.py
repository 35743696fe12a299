"""An imported website, before it is written into the new configuration."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

_SECRET = re.compile(r"auth|cookie|token|secret|passw|pwd|api-?_?key|session|signature", re.IGNORECASE)
"""The names of headers and parameters that hold secrets, and the words in such bodies."""

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass
class Draft:
    """A website: `keys` for the new configuration, and `notes` about what could not be imported.

    Texts in `keys` are templates: `${NAME}` is a variable, `$${` is a plain `${`.
    """

    keys: dict[str, object]
    notes: list[str] = field(default_factory=list)
    refused: str | None = None
    """Why this program cannot check it; None: it can."""

    @property
    def label(self) -> str:
        """Its name, or its host without one: never a secret."""
        return str(self.keys.get("name") or host_of(str(self.keys["URL"])) or "site")

    def put(self, key: str, value: object) -> None:
        """Set a key, unless the value is empty."""
        if value not in (None, "", [], {}):
            self.keys[key] = value

    def variables(self) -> set[str]:
        """The variables in its values."""
        return set(_VARIABLE.findall(repr(self.keys)))


def host_of(url: str) -> str:
    """The host of a URL, with its port."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""


class Secrets:
    """Replaces secrets by variables. Their values are not copied."""

    def __init__(self, template: Callable[[str], str] | None = None) -> None:
        """`template` converts a text of the file for the new configuration; None: `${` has no meaning in the file."""
        self._template = template or (lambda text: text.replace("${", "$${"))
        self.names: list[str] = []

    def text(self, value: str) -> str:
        """Convert a text that is not a secret."""
        return self._template(value)

    def hidden(self, draft: Draft, what: str, value: str) -> str:
        """Replace a text that may be a secret by a variable, unless it is a variable already."""
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
        """Replace the values of headers that may be secrets."""
        return {
            str(name): self.hidden(draft, str(name), str(value)) if _SECRET.search(str(name)) else self.text(str(value))
            for name, value in headers.items()
        }

    def body(self, draft: Draft, body: str) -> str:
        return self.hidden(draft, "body", body) if _SECRET.search(body) else self.text(body)

    def url(self, draft: Draft, url: str) -> str:
        """Replace the password and the parameters that may be secrets."""
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
        """The URL with this user and a variable for the password."""
        parts = urlsplit(url)
        netloc = f"{quote(user, safe='')}:{self.hidden(draft, 'password', password)}@{parts.netloc.rpartition('@')[2]}"
        return urlunsplit(parts._replace(netloc=netloc))


@dataclass
class Imported:
    """The content of a file: websites, and notes about the rest. `source` is its kind: "a Gatus configuration"."""

    source: str
    sites: list[Draft]
    secrets: Secrets
    notes: list[str] = field(default_factory=list)
