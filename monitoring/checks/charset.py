"""Decodes a body with the charset that a browser would use (WHATWG Encoding; HTML, "determining the encoding")."""

import codecs
import re

import webencodings

DECLARED_WITHIN = 1024
"""How many bytes of a page browsers search for a charset declaration."""

_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16le"), (codecs.BOM_UTF16_BE, "utf-16be"))
_WIDE_DECLARATIONS = ((b"<\0?\0x\0", "utf-16le"), (b"\0<\0?\0x", "utf-16be"))

_LABEL = r"""charset\s*=\s*(?:"([^"]*)"?|'([^']*)'?|([^\s;"'/>]+))"""
_PARAMETER = re.compile(r"[;,]\s*" + _LABEL, re.IGNORECASE)
_XML_DECLARATION = re.compile(r"""<\?xml\s[^>]*?\sencoding\s*=\s*["']([^"'>]*)["']""")
_COMMENT = re.compile(r"<!--(?:>|->|.*?--!?>|.*\Z)", re.DOTALL)
_META = re.compile(r"<meta[\s/][^>]*>", re.IGNORECASE)
_IN_META = re.compile(r"""[\s/;"']""" + _LABEL, re.IGNORECASE)


def decode(body: bytes, content_type: str) -> str:
    """The text of `body` without its byte order mark; invalid bytes become U+FFFD.

    The byte order mark decides first, then `content_type`, then the declaration in an HTML or XML page. Without any of them,
    JSON is read as UTF-8, and other text as UTF-8 if it is valid, otherwise as windows-1252.
    """
    for mark, name in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            return _decoded(body[len(mark) :], name) or ""
    text = _decoded(body, _label(_PARAMETER.search(content_type)))
    if text is None and _may_declare(content_type):
        text = _decoded(body, _declared(body))
    return _undeclared(body, content_type) if text is None else text


def _decoded(body: bytes, label: str) -> str | None:
    """The text, or None if browsers know no charset of this label. (Other codecs of Python may take quadratic time.)"""
    encoding = webencodings.lookup(label)
    if encoding is None or encoding.name == "replacement":
        return None
    if encoding.name == "gbk":
        return body.decode("gb18030", "replace")  # a superset, which has the euro; browsers read such a page by it
    return str(encoding.codec_info.decode(body, "replace")[0])


def _label(found: re.Match[str] | None) -> str:
    """The group that matched, in ASCII like all labels; "" if none did."""
    return next(filter(None, found.groups()), "").encode("ascii", "replace").decode() if found else ""


def _may_declare(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return not kind or "html" in kind or "xml" in kind


def _declared(body: bytes) -> str:
    """The charset that the page declares in its first bytes; "" if it declares none that is known."""
    for start, name in _WIDE_DECLARATIONS:
        if body.startswith(start):
            return name
    head = body[:DECLARED_WITHIN].decode("latin-1")
    found = [_XML_DECLARATION.match(head)]
    for tag in _META.finditer(_COMMENT.sub("", head)):
        found += _IN_META.finditer(tag[0])
    known = next((encoding.name for encoding in map(webencodings.lookup, map(_label, found)) if encoding), "")
    # A declaration that was readable as ASCII is not in UTF-16; x-user-defined is for scripts only.
    return {"utf-16le": "utf-8", "utf-16be": "utf-8", "x-user-defined": "windows-1252"}.get(known, known)


def _undeclared(body: bytes, content_type: str) -> str:
    if "json" in content_type.lower():
        return body.decode("utf-8", "replace")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        # The size cap may have cut the last UTF-8 character. If all the rest is ASCII, it was not UTF-8.
        cut = error.reason == "unexpected end of data" and not body[: error.start].isascii()
        return body.decode("utf-8" if cut else "cp1252", "replace")
