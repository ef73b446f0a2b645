"""As :mod:`tests.hostile.request_cases`: documents that are none, headers and queries that say the impossible."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.hostile.request_cases import DEEP, POST, Case, framing, paths, request, tokens

_RAW = {
    "nothing": b"", "no JSON": b"uses=1", "an array": b"[]", "null": b"null", "a string": b'"x"', "a number": b"1",
    "deep arrays": b"[" * DEEP + b"]" * DEEP, "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "an open bracket": b"{" * DEEP, "half": b'{"uses": 1', "more behind": b'{"uses": 1} x',
    "not a number": b'{"uses": NaN}',
    "infinity": b'{"ttl_s": Infinity}', "1e999": b'{"ttl_s": 1e999}',
    "ten thousand digits": b'{"uses": ' + b"9" * 10_000 + b"}",
    "a fraction": b'{"uses": 1.5}', "minus one": b'{"uses": -1}', "zero": b'{"uses": 0}',
    "a number as text": b'{"uses": "1"}',
    "true": b'{"uses": true}', "too many": b'{"uses": 1000001}', "too long": b'{"ttl_s": 1e30}',
    "negative": b'{"ttl_s": -5}',
    "broken UTF-8": b'{"node_name": "\xff\xfe"}', "a lone surrogate": b'{"node_name": "\\ud800"}',
    "utf-16": '{"uses": 1}'.encode("utf-16"),
    "a mark in front": b'\xef\xbb\xbf{"uses": 1}', "a nul": b'{"node_name": "a\\u0000b"}',
    "an object": b'{"node_name": {"a": 1}}',
    "addresses that are none": b'{"uses": 1, "node_name": "n", "addresses": ["evil"]}',
    "comments": b'{"uses": 1 /* x */}',
    "single quotes": b"{'uses': 1}", "gzip": b"\x1f\x8b\x08\0\0\0\0\0",
    "xml": b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
    "yaml": b"uses: !!python/object/apply:os.system ['id']",
    "multipart": b"--x\r\ncontent-disposition: form-data\r\n\r\n1\r\n--x--",
    "a megabyte more": b'{"node_name": "' + b"a" * (1 << 20) + b'"}',
}  # fmt: skip
_NAMES = (
    "%00", "a%00b", "%2e%2e", "a%2fb", "%20", "a%20b", "%0a", "a%0d%0ab", "%ef%bc%a1dmin", "%e2%80%8bada",
    "%e2%80%aeada", "%f0%9f%91%91",
    "%c3%a5da", "ADA", "-ada", "ada-", "a" * 300, "%7f", "%22", "%27", "%3cscript%3e",
    "%24%7bjndi%3aldap%3a%2f%2fx%7d", "%25s%25n", "ada%ff",
)  # fmt: skip
_JSON: dict[tuple[str, str], list[Any]] = {
    ("PUT", "/v1/users/mallory"): [
        {"role": "queen", "password": "long enough it is"}, {"role": "admin"}, {"role": "admin", "password": ""},
        {"role": 7},
        {"role": "admin", "password": ["x"]}, {"role": "viewer", "password": "x" * 100_000}, {"role": "viewer",
        "password": "short"},
        {"role": "admin", "password_hash": "scrypt$"},
    ],
    ("PUT", "/v1/nodes/demo-2/away"): [
        {"until": "soon"}, {"until": -1}, {"until": 1e300}, {"reason": 7}, {"reason": "a\nb"}, {"by": "eve"},
    ],
    ("PATCH", "/v1/nodes/demo-2"): [
        {"labels": {"a\0": "b"}}, {"labels": {"a": "b\n"}}, {"labels": {"a": "x" * 10_000}}, {"labels": ["a"]},
        {"labels": {"": "b"}},
        {"labels": {f"k{n}": "v" for n in range(5000)}}, {"cordoned": "yes"}, {"pinned": ["0.0.0.0"]},
        {"pinned": ["224.0.0.1"]},
        {"eligible": True}, {"name": "demo-1"}, {"drained": 1},
    ],
    ("PUT", "/v1/castes/web/demand"): [
        {}, {"value": -1}, {"value": 1e300}, {"value": "1"}, {"value": True}, {"value": None}, {"value": [1]},
        {"value": 1, "by": "ada"}, {"value": 10**18},
    ],
    ("PUT", "/v1/spec"): [
        {}, {"colony": "other", "size": 5}, {"colony": "demo", "size": -1}, {"colony": "demo", "size": 10**30},
        {"colony": "demo", "size": 5, "x": 1},
        {"colony": "demo", "size": 5, "castes": {"../x": {"count": 1}}}, {"colony": "demo", "size": 5,
        "castes": {"a": {"count": -1}}},
        {"colony": "demo", "size": 1, "castes": {f"c{n}": {"count": 1} for n in range(2000)}}, {"colony": "demo",
        "size": 5, "policies": {"keep_events": 1}},
    ],
    ("PUT", "/v1/nodes/demo-2/config"): [{"log_level": "loud"}, {"priority": 1e99}, {"beacon_interval_s": -1},
    {"x": {}}, []],
    ("POST", "/v1/nodes/demo-2/commands"): [{}, {"command": "rm -rf /"}, {"command": ["restart"]},
    {"command": "restart", "x": "\0"}],
    ("POST", "/v1/queen/transfer"): [{}, {"node": ""}, {"node": "../demo-2"}, {"node": 5}, {"node": "nobody"}],
    ("POST", "/v1/auth/token"): [{}, {"username": "ada"}, {"username": ["ada"], "password": "x"},
    {"username": "a" * 90_000, "password": "x"}],
    ("POST", "/v1/auth/refresh"): [{}, {"refresh_token": ""}, {"refresh_token": "a.b.c"}, {"refresh_token": 5},
    {"refresh_token": "x" * 90_000}],
    ("POST", "/v1/join"): [{}, {"colony": "demo"}, {"csr": "-----BEGIN CERTIFICATE REQUEST-----"}, []],
    ("POST", "/v1/renew"): [{}, {"node_id": "../x"}, {"nonce": 5}, []],
    ("POST", "/v1/hooks/sign"): [{}, {"operation": "shell"}, {"operation": "scale", "delta": 10**18},
    {"operation": "scale", "delta": "1"}],
    ("POST", "/v1/hooks/heat/demo?sig=x&exp=9&kid=1&nonce=0"): [{}, {"operation": "scale"}],
    ("POST", "/v1/rotation"): [{}, {"action": "destroy"}, {"action": "start", "ca": "x"}],
    ("POST", "/v1/check"): [{}, {"run": "../x"}, {"run": "x" * 5000}],
}  # fmt: skip


def bodies() -> Iterator[Case]:
    """What stands where a document should."""
    for name, raw in _RAW.items():
        yield Case(f"body: {name}", request(POST, b"content-type: application/json", body=raw))
    for (method, path), documents in _JSON.items():
        for number, document in enumerate(documents):
            said = request(f"{method} {path}", body=json.dumps(document).encode())
            yield Case(f"document: {method} {path} {number}", said)
    good = json.dumps({"role": "viewer", "password": "long enough it is"}).encode()
    for name in _NAMES:
        yield Case(f"user: {name[:20]}", request(f"PUT /v1/users/{name}", body=good))


def fields() -> Iterator[Case]:
    """Headers and queries that say something impossible."""
    change = json.dumps({"cordoned": True}).encode()
    for value in (
        b"5x",
        b"-1",
        b"0x5",
        b"1.5",
        b'"1", "2"',
        b"W/",
        b"9" * 5000,
        b"\xff",
        b"' OR 1=1",
        b'"999999999"',
        b'W/"1"',
    ):
        said = request("PATCH /v1/nodes/demo-2", b"if-match: " + value, body=change)
        yield Case(f"if-match: {value[:12]!r}", said)
    for value in (b"", b"x" * 5000, b"\xff\xfe", b"a\x01b", b"\xe2\x80\xae"):
        said = request("PATCH /v1/nodes/demo-2", b"idempotency-key: " + value, body=change)
        yield Case(f"idempotency-key: {value[:12]!r}", said)
    for query in (
        "since=-1", "since=x", "since=1e3", "since=%201", "since=" + "9" * 60, "since=1_0", "since=%EF%BC%95",
        "limit=0", "limit=-1",
        "limit=999999999", "limit=x", "since=0x10", "since=%00", "limit=1.5", "since=", "limit=true",
    ):  # fmt: skip
        yield Case(f"query: {query[:20]}", request(f"GET /v1/events?{query}"))
    for method in (
        "DELETE",
        "PATCH",
        "POST",
        "PUT",
        "TRACE",
        "OPTIONS",
        "PROPFIND",
        "MKCOL",
        "PURGE",
        "LOCK",
        "SEARCH",
        "LINK",
    ):
        yield Case(f"method: {method} /v1/cluster", request(f"{method} /v1/cluster"))
        yield Case(f"method: {method} /metrics", request(f"{method} /metrics", authorized=False))
    for trick in (b"x-http-method-override: DELETE", b"x-method-override: DELETE", b"x-original-url: /v1/users/otto"):
        yield Case(f"override: {trick!r}", request("POST /v1/users/otto", trick, body=b"{}"))
    for name in (
        b"x-forwarded-for: 127.0.0.1",
        b"forwarded: for=127.0.0.1",
        b"x-real-ip: ::1",
        b"x-aware-role: queen",
        b"x-user: ada",
    ):
        yield Case(f"claim: {name!r}", request("GET /v1/users", name, authorized=False))


def every(key: bytes, good: dict[str, Any]) -> dict[str, list[Case]]:
    """All of them by kind. ``good``: the claims of a good token."""
    kinds = {
        "tokens": tokens(key, good),
        "paths": paths(),
        "framing": framing(),
        "bodies": bodies(),
        "fields": fields(),
    }
    return {name: list(cases) for name, cases in kinds.items()}
