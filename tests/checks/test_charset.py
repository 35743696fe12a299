"""A body is read in the charset that a browser would take, so that a text which visitors see is found."""

import time

import pytest
import webencodings
from webencodings.labels import LABELS

from monitoring.checks.charset import decode
from tests.support.probing import check
from tests.support.servers import HttpServer, response

HTML = "text/html"
CAFE = b"caf\xe9"
META = b'<meta charset="iso-8859-1">'


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        # 1. The byte order mark stands over everything, and is no part of the text.
        ("application/json", b'\xef\xbb\xbf{"status":"ok"}', '{"status":"ok"}'),
        ("text/html; charset=latin1", b"\xef\xbb\xbfcaf\xc3\xa9", "café"),
        ("text/html; charset=utf-8", b"\xff\xfec\0a\0f\0\xe9\0", "café"),
        ("", b"\xfe\xff\0c\0a\0f\0\xe9", "café"),
        # 2. The header, by any label of the web, however it is written.
        ("text/html; charset=latin1", CAFE, "café"),
        ("text/html;charset=L1", CAFE, "café"),
        ("text/html; Charset = Latin1 ; x=y", CAFE, "café"),
        ('text/html; charset="iso-8859-1"', CAFE, "café"),
        ('text/html; charset=" iso-8859-1 "', CAFE, "café"),
        ("text/html; charset='iso-8859-1'", CAFE, "café"),
        ("text/html; x-charset=utf-8; charset=latin1", CAFE, "café"),
        ("application/json; charset=latin1", CAFE, "café"),
        ("text/html; charset=latin1", b"\x93caf\xe9\x94 \x80", "“café” €"),  # browsers read windows-1252 there
        ("text/html; charset=x-sjis", "漢字①".encode("cp932"), "漢字①"),
        ("text/html; charset=gb2312", "汉字 12 €".encode("gb18030"), "汉字 12 €"),
        ("text/html; charset=ks_c_5601-1987", "똠방각하".encode("cp949"), "똠방각하"),
        ("text/html; charset=utf-16", "café".encode("utf-16-le"), "café"),
        ("text/html; charset=latin1", b'<meta charset="utf-8">' + CAFE, '<meta charset="utf-8">café'),
        ("text/html; charset=utf8", CAFE, "caf\ufffd"),
        # 3. The page itself, where the header says nothing that is known.
        (HTML, META + CAFE, META.decode() + "café"),
        ("", META + CAFE, META.decode() + "café"),
        ("text/html; charset=", META + CAFE, META.decode() + "café"),
        ("text/html; charset=none", META + CAFE, META.decode() + "café"),
        ("text/html; charset=iso-8859-99", META + CAFE, META.decode() + "café"),
        ("text/html; charset=\udcff", META + CAFE, META.decode() + "café"),
        # 4. Nothing: UTF-8 if it can be, else windows-1252; JSON is UTF-8.
        (HTML, CAFE, "café"),
        ("text/plain", CAFE, "café"),
        ("text/plain", META + CAFE, META.decode() + "café"),
        (HTML, b"caf\xc3\xa9", "café"),
        (HTML, b"caf\xc3\xa9 caf\xc3", "café caf\ufffd"),  # cut by the cap
        ("text/html; charset=punycode", b"caf\xc3\xa9", "café"),
        ("application/problem+json", CAFE + b'"', 'caf\ufffd"'),
        ("application/octet-stream", b"\x00ABC\x81\xff", "\x00ABC\ufffdÿ"),
        ("", b"", ""),
    ],
)
def test_a_body_is_read_as_browsers_do(content_type: str, body: bytes, text: str) -> None:
    assert decode(body, content_type) == text


@pytest.mark.parametrize(
    "head",
    [
        b"<META CHARSET=koi8-r>",
        b"<meta\ncharset = 'koi8-r' />",
        b'<meta http-equiv="Content-Type" content="text/html; charset=koi8-r">',
        b"<meta content=text/html;charset=koi8-r http-equiv=content-type>",
        b"""<meta http-equiv="Content-Type" content="text/html; charset='koi8-r'">""",
        b'<meta charset="unheard of"><meta charset="koi8-r">',
        b'<!-- <meta charset="utf-8"> --><meta charset="koi8-r">',
        b'<meta name="viewport" content="width=device-width"><meta charset=" koi8-r ">',
        b'<?xml version="1.0" encoding="koi8-r"?>',
        b"<?xml version='1.0' encoding = 'KOI8-R' standalone='yes' ?><html>",
        b" " * 900 + b'<meta charset="koi8-r">',
    ],
)
def test_a_page_declares_its_charset(head: bytes) -> None:
    assert decode(head + "привет".encode("koi8-r"), HTML).endswith("привет")
    assert decode(head + "привет".encode("koi8-r"), "application/xhtml+xml").endswith("привет")


@pytest.mark.parametrize(
    "head",
    [
        b" " * 1_010 + b'<meta charset="koi8-r">',  # too late
        b'<!-- <meta charset="koi8-r"> -->',
        b'<!-- <meta charset="koi8-r">',
        b'<meta data-charset="koi8-r">',
        b'<p charset="koi8-r">',
        b' <?xml version="1.0" encoding="koi8-r"?>',
        b'<meta charset="utf-16">',  # could not have been read
        b'<meta charset="punycode">',
    ],
)
def test_what_is_no_declaration_is_not_taken_for_one(head: bytes) -> None:
    assert decode(head + "caf\u00e9".encode(), HTML).endswith("café")


def test_xml_in_utf_16_needs_no_mark() -> None:
    page = '<?xml version="1.0" encoding="UTF-16"?><a>café</a>'
    assert decode(page.encode("utf-16-le"), "text/xml") == page
    assert decode(page.encode("utf-16-be"), "text/xml") == page


@pytest.mark.parametrize("name", sorted(set(LABELS.values())))
def test_no_charset_makes_a_check_expensive(name: str) -> None:
    """Whatever a server names, a body of the largest size is read at once."""
    body = bytes(range(256)) * 4096
    label = next(label for label, known in LABELS.items() if known == name)
    began = time.process_time()
    assert decode(body, f"text/html; charset={label}")
    assert time.process_time() - began < 1
    assert webencodings.lookup(label)


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("text/html; charset=latin1", CAFE, {"expectedText": "café"}),
        (HTML, META + CAFE, {"expectedText": "café"}),
        ("application/json", b'\xef\xbb\xbf{"status":"ok"}', {"expectedPattern": r'^\{"status"'}),
        (HTML, CAFE, {"expectedPattern": "^café$"}),
    ],
)
def test_a_site_in_any_charset_is_up_when_its_text_is_there(
    content_type: str, body: bytes, expected: dict[str, str]
) -> None:
    with HttpServer(response(200, body, {"Content-Type": content_type})) as server:
        assert check(server.url(), **expected).cause is None  # type: ignore[arg-type]


def test_without_a_content_type_the_page_decides() -> None:
    with HttpServer(b"HTTP/1.1 200 OK\r\n\r\n" + META + CAFE) as server:
        assert check(server.url(), expectedText="café").cause is None
