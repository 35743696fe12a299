"""The table: each site, what its configuration says beside the URL, and the right verdict.

A verdict is "up", or a cause and a part of the reason that is told.
"""

from collections.abc import Mapping, Sequence

Row = tuple[str, Mapping[str, object], str]

PAGE = "All systems operational."
BROWSER = {"headers": {"User-Agent": "Mozilla/5.0"}}
KEPT = {"followRedirects": False, "expectedStatus": 301, "expectedHeaders": {"Location": "^http://nginx"}}
HSTS = {"expectedHeaders": {"Strict-Transport-Security": "."}}
IS_JSON = 'headers."Content-Type"'
MIME = "application/json"

# fmt: off
NGINX: Sequence[Row] = (
    ("http://nginx.test/",            {"expectedText": "Welcome to nginx!"}, "up"),
    ("http://nginx.test./",           {},                                    "up"),
    ("http://nginx.test:80/?a=1",     {"method": "HEAD"},                    "up"),
    ("http://nginx.test/204",         {"expectedStatus": 204},               "up"),
    ("http://nginx.test/304",         {},                                    "up"),
    ("http://nginx.test/403",         {},                                    "status: 403"),
    ("http://nginx.test/403?fine",    {"expectedStatus": ["200-299", 403]},  "up"),
    ("http://nginx.test/410",         {},                                    "status: 410"),
    ("http://nginx.test/429",         {},                                    "status: 429"),
    ("http://nginx.test/500",         {"expectedText": "error"},             "status: 500"),
    ("http://nginx.test/503",         {},                                    "status: 503"),
    ("http://nginx.test/503?fine",    {"expectedStatus": 503},               "up"),
    ("http://nginx.test/999",         {},                                    "status: 999"),
    ("http://nginx.test/999?fine",    {"expectedStatus": "900-999"},         "up"),
    ("http://nginx.test/nothing",     {},                                    "status: 404"),
    ("http://nginx.test/closed",      {},                                    "protocol: Empty reply"),
    ("http://127.0.0.1/",             {},                                    "status: 421"),
    ("http://[::1]/",                 {"expectedText": "over IPv6"},         "up"),
    ("http://nginx.test:81/",         {},                                    "connect: "),
    ("http://nginx.test:8007/",       {},                                    "protocol: "),
    # redirects
    ("http://nginx.test/moved",       {"expectedText": "Welcome"},           "up"),
    ("http://nginx.test/moved?kept",  KEPT,                                  "up"),
    ("http://nginx.test/found",       {"expectedStatus": 200},               "up"),
    ("http://nginx.test/other",       {"method": "POST", "body": "a=1"},     "up"),
    ("http://nginx.test/chain",       {"expectedText": "Welcome"},           "up"),
    ("http://nginx.test/upgraded",    {"expectedText": "TLS"},               "up"),
    ("http://nginx.test/to-blank",    {"expectedText": "a blank"},           "up"),
    ("http://nginx.test/to-idn",      {},                                    "status: 421"),
    ("http://nginx.test/to-dots",     {"expectedText": "deep page"},         "up"),
    ("http://nginx.test/to-parent",   {"expectedText": "deep page"},         "up"),
    ("http://nginx.test/to-backslash", {"expectedText": "deep page"},        "up"),
    ("http://nginx.test/to-letters",  {"expectedText": "letters"},           "up"),
    ("http://nginx.test/to-number",   {},                                    "status: 421"),
    ("http://nginx.test/to-user",     {"expectedText": PAGE},                "up"),
    ("http://nginx.test/to-tilde",    {"expectedText": "tilde page"},        "up"),
    ("http://nginx.test/multiple",    {"expectedStatus": 300},               "up"),
    ("http://nginx.test/loop",        {},                                    "redirects: more than 10"),
    ("http://nginx.test/to-file",     {},                                    "redirects: file://"),
    ("http://nginx.test/to-nowhere",  {},                                    "dns: nowhere.test"),
    ("http://nginx.test/cookie",      {"expectedText": "seen"},              "up"),
    # requests
    ("http://nginx.test/browsers-only",      {},                             "status: 403"),
    ("http://nginx.test/browsers-only?mine", BROWSER,                        "up"),
    ("http://nginx.test/post-only",          {},                             "status: 403"),
    ("http://nginx.test/post-only?posted",   {"method": "POST"},             "up"),
    ("http://nginx.test/private",            {},                             "status: 401"),
    ("http://user:password@nginx.test/private", {"expectedText": PAGE},      "up"),
    ("http://user:wrong@nginx.test/private", {},                             "status: 401"),
    # bodies
    ("http://nginx.test/gzip",            {"expectedText": PAGE},            "up"),
    ("http://nginx.test/brotli",          {"expectedText": PAGE},            "up"),
    ("http://nginx.test/brotli?encoding", {"expectedHeaders": {"Content-Encoding": "."}}, "up"),
    ("http://nginx.test/page.html",       {"expectedText": ["A page", PAGE], "forbiddenText": "error"}, "up"),
    ("http://nginx.test/page.html?no",    {"expectedText": "no such text"},  "content: expected text not found"),
    ("http://nginx.test/page.html?bad",   {"forbiddenText": "operational"},  "content: forbidden text found"),
    ("http://nginx.test/page.html?pat",   {"expectedPattern": r"(?i)all\s+SYSTEMS"}, "up"),
    ("http://nginx.test/latin1",          {"expectedText": "café"},          "up"),
    ("http://nginx.test/meta.html",       {"expectedText": "привет"},        "up"),
    ("http://nginx.test/undeclared.html", {"expectedText": "café “€”"},      "up"),
    ("http://nginx.test/declared.xml",    {"expectedText": "12 €"},          "up"),
    ("http://nginx.test/mark.json",       {"expectedPattern": r'^\{"status"'}, "up"),
    ("http://nginx.test/mark.json?json",  {"expectedJSON": {"status": "ok", "length(items)": 3}}, "up"),
    ("http://nginx.test/mark.json?wrong", {"expectedJSON": {"status": "down"}}, 'content: status is "ok"'),
    ("http://nginx.test/utf16.txt",       {"expectedPattern": "^café$"},     "up"),
    ("http://nginx.test/big.txt",         {"expectedText": "xxx"},           "up"),
    ("http://nginx.test/big.txt?end",     {"expectedText": "the end"},       "content: not found"),
    ("http://nginx.test/headers",         {"expectedHeaders": {"X-Frame-Options": "DENY", "x-cache": "HIT"}}, "up"),
    ("http://nginx.test/headers?city", {"expectedHeaders": {"X-City": "^Zürich$"}}, "up"),
    ("http://nginx.test/headers?none",    HSTS,                                  "content: no header Strict"),
    ("http://nginx.test/slow",            {"timeout": 2},                    "timeout: "),
    # TLS
    ("https://nginx.test/",           {"expectedText": "TLS"},               "up"),
    ("https://nginx.test:80/",        {},                                    "tls: "),
    ("http://nginx.test:443/",        {},                                    "status: 400"),
    ("https://127.0.0.1/",            {},                                    "tls: "),
    ("https://localhost/",            {"verifyTLS": False, "expectedText": "TLS"}, "up"),
    ("https://nginx.test:8001/",      {},                                    "tls: certificate"),
    ("https://nginx.test:8001/?any",  {"verifyTLS": False},                  "up"),
    ("https://nginx.test:8002/",      {"expectedText": "1.2"},               "up"),
    ("https://nginx.test:8003/",      {"expectedText": "1.3"},               "up"),
    ("https://nginx.test:8004/",      {},                                    "tls: "),
    ("https://nginx.test:8005/",      {},                                    "status: 400"),
    ("https://nginx.test:8006/",      {},                                    "tls: unrecognized name"),
)

APACHE: Sequence[Row] = (
    ("http://apache.test:8100/hello",         {"expectedText": PAGE},          "up"),
    ("http://apache.test:8100/encoded",       {"expectedText": "hello world"}, "up"),
    ("http://apache.test:8100/encoded?no",    {"expectedText": "good bye"},    "content: expected text not found"),
    ("http://apache.test:8100/deflated",      {"expectedText": PAGE},          "up"),
    ("http://apache.test:8100/sjis",          {"expectedText": "こんにちは"},  "up"),
    ("http://apache.test:8100/basic",         {},                              "status: 401"),
    ("http://user:password@apache.test:8100/digest", {},                       "status: 401"),  # digest has to be asked for
    ("http://user:password@apache.test:8100/digest?asked", {"authentication": "digest", "expectedText": "hello"}, "up"),
    ("http://user:wrong@apache.test:8100/digest", {"authentication": "digest"}, "status: 401"),
    ("http://apache.test:8100/gone",          {},                              "status: 410"),
    ("http://apache.test:8100/moved",         {"expectedText": PAGE},          "up"),
    ("http://apache.test:8100/other",         {"method": "PUT", "body": "a"},  "up"),
    ("http://apache.test:8100/cut.asis",      {},                              "protocol: "),
    ("http://apache.test:8100/unsummed.asis", {"expectedText": PAGE},          "up"),
    ("http://apache.test:8100/zstd.asis",     {"expectedText": PAGE},          "up"),
    ("http://apache.test:8100/badcookie.asis", {"expectedText": "fine"},       "up"),
    ("http://apache.test:8100/nothing",       {"method": "HEAD"},              "status: 404"),
    ("https://apache.test:8101/hello",        {"expectedText": PAGE},          "up"),
    ("http://apache.test:8101/hello",         {},                              "status: 400"),
)

HAPROXY: Sequence[Row] = (
    ("http://haproxy.test:8200/",         {"expectedText": "haproxy is up"},   "up"),
    ("http://haproxy.test:8200/health",   {"expectedJSON": {"length(nodes)": 2}}, "up"),
    ("http://haproxy.test:8200/health?s", {"expectedJSON": {"status": "ok"}},  'content: status is "degraded"'),
    ("http://haproxy.test:8200/secure",   {"expectedText": "haproxy is up"},   "up"),
    ("http://haproxy.test:8200/kept",     {"method": "POST", "body": "a"},     "up"),
    ("http://haproxy.test:8200/busy",     {},                                  "status: 429"),
    ("http://haproxy.test:8200/tarpit",   {},                                  "status: 500"),
    ("http://haproxy.test:8200/dropped",  {},                                  "protocol: reset"),
    ("http://haproxy.test:8200/rejected", {},                                  "protocol: Empty reply"),
    ("http://haproxy.test:8200/away",     {},                                  "status: 503"),
    ("http://haproxy.test:8200/hanging",  {},                                  "status: 504"),
    ("http://haproxy.test:8200/gzip",     {"expectedText": PAGE},              "up"),
    ("https://haproxy.test:8201/",        {"expectedText": "haproxy is up"},   "up"),
    ("http://haproxy.test:8202/",         {},                                  "protocol: "),
    ("https://haproxy.test:8202/",        {},                                  "tls: "),
    # versions of HTTP
    ("https://haproxy.test:8201/?1.1",    {"httpVersion": "1.1"},              "up"),
    ("https://haproxy.test:8201/?2",      {"httpVersion": "2"},                "up"),
    ("https://haproxy.test:8203/",        {"expectedText": "haproxy is up"},   "up"),
    ("https://haproxy.test:8203/?1.1",    {"httpVersion": "1.1"},              "protocol: "),
    ("https://haproxy.test:8203/?2",      {"httpVersion": "2"},                "up"),
    ("http://haproxy.test:8204/",         {},                                  "protocol: HTTP/2 only"),
    ("http://haproxy.test:8204/?2",       {"httpVersion": "2"},                "up"),
    ("http://haproxy.test:8200/?2",       {"httpVersion": "2"},                "up"),
    ("http://apache.test:8100/hello?2",   {"httpVersion": "2"},                "protocol: "),
)

HTTPBIN: Sequence[Row] = (
    ("http://httpbin.test:8300/get",                 {"expectedJSON": {"headers.Host": "httpbin.test:8300"}}, "up"),
    ("http://httpbin.test:8300/html",                {"expectedText": "Herman Melville"}, "up"),
    ("http://httpbin.test:8300/status/418",          {},                       "status: 418"),
    ("http://httpbin.test:8300/gzip",                {"expectedJSON": {"gzipped": True}}, "up"),
    ("http://httpbin.test:8300/deflate",             {"expectedJSON": {"deflated": True}}, "up"),
    ("http://httpbin.test:8300/brotli",              {"expectedJSON": {"brotli": True}}, "up"),
    ("http://httpbin.test:8300/encoding/utf8",       {"expectedText": "∮ E⋅da = Q"}, "up"),
    ("http://httpbin.test:8300/redirect/5",          {},                       "up"),
    ("http://httpbin.test:8300/redirect/11",         {},                       "redirects: more than 10"),
    ("http://httpbin.test:8300/absolute-redirect/3", {},                       "up"),
    ("http://httpbin.test:8300/cookies/set?a=1",     {"expectedJSON": {"cookies.a": "1"}}, "up"),
    ("http://user:secret@httpbin.test:8300/basic-auth/user/secret", {},        "up"),
    ("http://httpbin.test:8300/bearer",              {"headers": {"Authorization": "Bearer abc"}}, "up"),
    ("http://httpbin.test:8300/post",
     {"method": "POST", "body": {"a": [1, "é"]}, "expectedJSON": {"json": {"a": [1, "é"]}, IS_JSON: MIME}}, "up"),
    ("http://httpbin.test:8300/put",
     {"method": "PUT", "body": '{"a": 1}', "expectedJSON": {"json.a": 1, IS_JSON: MIME}}, "up"),
    ("http://httpbin.test:8300/patch",
     {"method": "PATCH", "body": "a=1", "expectedJSON": {"form.a": "1"}},      "up"),
    ("http://httpbin.test:8300/delay/1",             {"maxResponseTime": 0.5}, "slow: limit 0.5 s"),
    ("http://httpbin.test:8300/delay/3",             {"timeout": 1},           "timeout: "),
    ("http://httpbin.test:8300/drip?duration=1&numbytes=5", {},                "up"),
    ("http://httpbin.test:8300/stream/5",            {"expectedText": '"id": 4'}, "up"),
    ("http://httpbin.test:8300/bytes/100000",        {"expectedPattern": "(?s)^.{9}"}, "up"),
    ("http://httpbin.test:8300/uuid",                {"expectedPattern": r'"uuid": "[0-9a-f-]{36}"'}, "up"),
)

OPENSSL: Sequence[Row] = (
    ("https://openssl.test:8400/", {"expectedText": "s_server"}, "up"),
    ("https://expired.test:8401/", {}, "tls: certificate has expired"),
    ("https://openssl.test:8402/", {}, "tls: certificate required"),
    ("https://openssl.test:8403/", {}, "tls: "),
    ("https://openssl.test:8404/", {}, "protocol: "),
    ("http://openssl.test:8400/",  {}, "protocol: "),
)

NAMES: Sequence[Row] = (
    ("http://six.test/",        {"expectedText": "over IPv6"}, "up"),
    ("http://both.test/",       {"expectedStatus": 421},       "up"),
    ("http://alias.test/",      {"expectedStatus": 421},       "up"),
    ("http://bücher.test/",     {"expectedStatus": 421},       "up"),
    ("http://my_shop.test/",    {"expectedStatus": 421},       "up"),
    ("http://app.localhost/",   {"expectedStatus": [200, 421]}, "up"),
    ("http://nowhere.test/",    {},                            "dns: nowhere.test"),
    ("http://nowhere.test./",   {},                            "dns: nowhere.test"),
    ("http://refused.test/",    {},                            "dns: refused.test"),
    ("http://silent.test/",     {"timeout": 2},                "timeout: silent.test"),
    ("http://silent.test./",    {"timeout": 2},                "timeout: silent.test"),
)
# fmt: on

TABLE = (*NGINX, *APACHE, *HAPROXY, *HTTPBIN, *OPENSSL, *NAMES)
