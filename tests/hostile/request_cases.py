"""Requests that nobody honest sends, as the bytes that go over the wire. Each has to be refused.

A line ``@`` stands for the header of an admin's good token, so that what is wrong is the rest.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

DEEP, LONG = 20_000, 200_000
POST = "POST /v1/tokens"


class Case(NamedTuple):
    """One request, and what it is called."""

    name: str
    said: bytes


def request(
    line: str | bytes, *headers: bytes, body: bytes | None = None, authorized: bool = True, host: bool = True
) -> bytes:
    """A request with what honest clients send, and what this one adds."""
    start = line if isinstance(line, bytes) else line.encode("latin-1")
    lines = [start + b" HTTP/1.1"]
    lines += [b"host: queen"] if host else []
    lines += [b"@"] if authorized else []
    lines += headers
    lines += [b"content-length: %d" % len(body)] if body is not None else []
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")


# Tokens ---------------------------------------------------------------------------------------------------------------


def _part(data: Any) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def forged(header: Any, claims: Any, key: bytes | None) -> str:
    """A token with any header and any claims; without a key it has no signature."""
    signed = f"{_part(header)}.{_part(claims)}"
    mark = hmac.new(key, signed.encode(), hashlib.sha256).digest() if key is not None else b""
    return f"{signed}.{_part(mark) if mark else ''}"


def tokens(key: bytes, good: dict[str, Any]) -> Iterator[Case]:
    """``key`` is the colony's own: what is signed with it is wrong in something else."""
    plain = {"alg": "HS256", "typ": "JWT"}

    def case(name: str, token: str, scheme: str = "Bearer") -> Case:
        header = f"authorization: {scheme} {token}".encode("latin-1")
        return Case(f"token: {name}", request("GET /v1/cluster", header, authorized=False))

    for alg in ("none", "None", "NONE", "nOnE", "", None, "HS0", 5, ["HS256"]):
        yield case(f"alg {alg!r} unsigned", forged({**plain, "alg": alg}, good, None))
        yield case(f"alg {alg!r} signed", forged({**plain, "alg": alg}, good, key))
    for alg in ("RS256", "ES256", "EdDSA", "PS512", "HS384", "HS512", "dir", "A128KW"):
        yield case(f"alg {alg} over HMAC", forged({**plain, "alg": alg}, good, key))
    for name, wrong in (("empty", b""), ("other", b"k" * 32), ("longer", key + b"x"), ("hex", key.hex().encode())):
        yield case(f"key {name}", forged(plain, good, wrong))
    for kid in ("../../../../dev/null", "/dev/null", "' OR 1=1 --", "\0", "x" * 4000, {"k": 1}):
        yield case(f"kid {str(kid)[:12]!r}", forged({**plain, "kid": kid}, good, b""))
    for name in ("jku", "x5u"):
        yield case(name, forged({**plain, name: "http://127.0.0.1:9/keys"}, good, b"attacker"))
    yield case("jwk of one's own", forged({**plain, "jwk": {"kty": "oct", "k": _part(b"mine")}}, good, b"mine"))
    yield case("crit", forged({**plain, "crit": ["exp"]}, good, b"mine"))
    wrong_claims: dict[str, Any] = {
        "iss": "somebody", "aud": "other", "sub": "", "role": "queen", "kind": "refresh", "exp": 1.0, "jti": None,
        "iat": 9e12, "nbf": 9e12, "sid": "f" * 32, "turn": "x", "scopes": "all", "account": 7,
    }  # fmt: skip
    for claim, value in wrong_claims.items():
        yield case(f"claim {claim}", forged(plain, {**good, claim: value}, key))
    for claim, value in {"role": "node", "exp": "9e99", "sub": None, "aud": ["x"], "sid": 5, "iss": {}}.items():
        yield case(f"claim {claim} again", forged(plain, {**good, claim: value}, key))
    for claim in ("iss", "aud", "sub", "role", "kind", "jti", "iat", "nbf", "exp"):
        yield case(f"no claim {claim}", forged(plain, {k: v for k, v in good.items() if k != claim}, key))
    yield case("no session", forged(plain, {**good, "sid": ""}, key))
    yield case("a list of claims", forged(plain, [good], key))
    yield case("deep claims", forged(plain, b"[" * 3000 + b"]" * 3000, key))
    yield case("a header that is no object", forged([plain], good, key))
    for name, text in {
        "nothing": "", "dots": "..", "many dots": "a.b.c.d.e", "one part": "abc", "not base64": "%%%.%%%.%%%",
        "high bytes": "\xff\xfe.\xff.\xff", "spaces": "a b c", "long": "a" * 9000, "nul": "a\x01b",
    }.items():  # fmt: skip
        yield case(name, text)
    for scheme in ("Basic", "Digest", "Negotiate", "Token", "Bearer,", "bearerbearer", ""):
        yield case(f"scheme {scheme!r}", forged(plain, good, key), scheme)


# Paths ----------------------------------------------------------------------------------------------------------------

_PATHS = (
    "/v1/../v1/users", "/v1/%2e%2e/v1/users", "/v1/..%2fv1%2fusers", "/v1/nodes/../users", "/v1/nodes/%2e%2e/users",
    "/v1/nodes/..%2f..%2fusers", "/v1/nodes/..%5c..%5cusers", "/v1/nodes/%252e%252e%252fusers", "//v1/users",
    "/v1//users", "/v1/users/", "/v1/users;admin=1", "/v1/users;/../cluster", "/v1/users%3bx", "/v1/users%00",
    "/v1/users%00.json", "/v1/users%20", "/v1/users%09", "/v1/users%0a", "/v1/users%0d%0aset-cookie:x",
    "/v1/users.json",
    "/v1/users%2f", "/v1/%75sers/%2e", "/V1/USERS", "/v1/Users", "/v1\\users", "/%5cv1%5cusers", "/./v1/users",
    "/v1/nodes/%ff%fe", "/v1/nodes/%c0%ae%c0%ae", "/v1/nodes/%00", "/v1/nodes/%e2%80%ae", "/v1/nodes/%",
    "/v1/nodes/%zz",
    "/v1/nodes/" + "a" * 5000, "/v1/nodes/a/b/c/d", "/v1/nodes/~root", "/v1/nodes/$(id)", "/v1/nodes/`id`",
    "/v1/nodes/{{7*7}}", "/v1/nodes/%7b%7b7*7%7d%7d", "/v1/nodes/'%20OR%201=1--", "/docs/../v1/users",
    "/docs/..%2f..%2fetc%2fpasswd",
    "/assets/..%2f..%2fapp.py", "/..%2f..%2fetc%2fpasswd", "/etc/passwd", "/.git/config", "/.env", "/admin",
    "/metrics/..",
    "/metrics%2f", "/healthz/%2e%2e/v1/users", "/openapi.json%00", "/v1/events/stream/..", "/v1/sessions/..%2f..",
    "/v1/check/..%2f..", "/v1/hooks/heat/..%2f..", "/v1/users/%2e%2e", "/server-status", "/actuator/env",
    "/v1/users/ada/",
)  # fmt: skip


def paths() -> Iterator[Case]:
    """Ways round the router; what is asked for exists, or is nothing."""
    for path in _PATHS:
        yield Case(f"path: {path[:40]}", request(f"GET {path}"))
    for line in (
        "GET http://evil.example/v1/users", "GET evil.example:443", "GET *", "GET v1/users", "GET ", "GET ?x",
        "GET #x",
        "CONNECT 127.0.0.1:2379", "CONNECT queen:443", "GET http://", "GET ///", "GET /v1/users#x /v1/cluster",
    ):  # fmt: skip
        said = request(line, authorized=False)
        yield Case(f"target: {line}", said)


# Framing --------------------------------------------------------------------------------------------------------------

_HIDDEN = b"DELETE /v1/users/otto HTTP/1.1\r\nhost: queen\r\n@\r\n\r\n"


def framing() -> Iterator[Case]:
    """Requests whose length two parsers could see differently, and what is no HTTP."""
    for name, headers in {
        "length and chunked": (b"content-length: 4", b"transfer-encoding: chunked"),
        "chunked and length": (b"transfer-encoding: chunked", b"content-length: 4"),
        "two lengths": (b"content-length: 0", b"content-length: 97"),
        "two equal lengths": (b"content-length: 2", b"content-length: 2"),
        "a list of lengths": (b"content-length: 0, 97",),
        "length -1": (b"content-length: -1",),
        "length +2": (b"content-length: +2",),
        "length 0x2": (b"content-length: 0x2",),
        "length 2.0": (b"content-length: 2.0",),
        "length nothing": (b"content-length: ",),
        "length of twenty digits": (b"content-length: 99999999999999999999",),
        "length in words": (b"content-length: two",),
        "length with a space inside": (b"content-length: 1 2",),
        "length_": (b"content-length : 2",),
        "chunked twice": (b"transfer-encoding: chunked", b"transfer-encoding: chunked"),
        "xchunked": (b"transfer-encoding: xchunked",),
        "identity": (b"transfer-encoding: identity",),
        "chunked, identity": (b"transfer-encoding: chunked, identity",),
        "gzip, chunked": (b"transfer-encoding: gzip, chunked",),
        "quoted chunked": (b'transfer-encoding: "chunked"',),
        "chunked after a tab": (b"transfer-encoding:\tchunked\x0b",),
        "space before the colon": (b"transfer-encoding : chunked",),
        "folded": (b"transfer-encoding:\r\n chunked",),
        "folded header": (b"x-a: b\r\n c",),
        "two hosts": (b"host: other",),
        "no colon": (b"no colon here",),
        "empty name": (b": value",),
        "space in a name": (b"x a: b",),
        "nul in a name": (b"x\0a: b",),
        "nul in a value": (b"x: a\0b",),
        "cr in a value": (b"x: a\rb",),
        "high byte in a name": (b"x\xff: a",),
        "bracket in a name": (b"x(a): b",),
    }.items():  # fmt: skip
        yield Case(f"framing: {name}", request(POST, *headers) + b"0\r\n\r\n" + _HIDDEN)
    chunked = request(POST, b"transfer-encoding: chunked")
    for name, chunks in {
        "size garbage": b"zz\r\n", "size negative": b"-1\r\n", "size huge": b"fffffffffffffffff\r\n",
        "size empty": b"\r\n",
        "size with 0x": b"0x2\r\n{}\r\n0\r\n\r\n", "size with a space": b"2 \n{}\n0\n\n",
        "no line end": b"2\r\n{}XX0\r\n\r\n",
        "bare lf": b"2\n{}\n0\n\n", "longer than said": b"1\r\n{}\r\n0\r\n\r\n",
    }.items():  # fmt: skip
        yield Case(f"chunk: {name}", chunked + chunks + _HIDDEN)
    for name, said in {
        "no host": b"GET /v1/cluster HTTP/1.1\r\n\r\n",
        "http/0.9": b"GET /v1/cluster\r\n\r\n",
        "http/2.0": b"GET /v1/cluster HTTP/2.0\r\nhost: x\r\n\r\n",
        "http/1.2": b"GET /v1/cluster HTTP/1.2\r\nhost: x\r\n\r\n",
        "http/11": b"GET /v1/cluster HTTP/11\r\nhost: x\r\n\r\n",
        "preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "lower case method": b"get /v1/cluster HTTP/1.1\r\nhost: x\r\n\r\n",
        "unknown method": b"HACK /v1/cluster HTTP/1.1\r\nhost: x\r\n\r\n",
        "long method": b"A" * 5000 + b" / HTTP/1.1\r\nhost: x\r\n\r\n",
        "two spaces": b"GET  /v1/cluster  HTTP/1.1\r\nhost: x\r\n\r\n",
        "tab": b"GET\t/v1/cluster\tHTTP/1.1\r\nhost: x\r\n\r\n",
        "bare lf": b"GET /v1/cluster HTTP/1.1\nhost: x\n\n",
        "bare cr": b"GET /v1/cluster HTTP/1.1\rhost: x\r\r",
        "nul in the path": b"GET /v1/\0cluster HTTP/1.1\r\nhost: x\r\n\r\n",
        "high bytes in the path": b"GET /v1/\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
        "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64,
        "ssh": b"SSH-2.0-OpenSSH_9.6\r\n",
        "smtp": b"EHLO evil\r\n",
        "redis": b"*1\r\n$4\r\nINFO\r\n",
        "proxy v1": b"PROXY TCP4 10.1.2.3 10.0.0.1 1 2\r\nGET / HTTP/1.1\r\n\r\n",
        "proxy v2": b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"\0" * 12 + b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        "zeros": b"\0" * 200,
        "line ends": b"\r\n" * 200 + b"x\r\n\r\n",
        "h2c": request("GET /v1/users", b"connection: upgrade", b"upgrade: h2c", authorized=False),
        "long line": b"GET /" + b"a" * LONG + b" HTTP/1.1\r\nhost: x\r\n\r\n",
        "long header": b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"a" * LONG + b"\r\n\r\n",
        "many headers": b"GET / HTTP/1.1\r\nhost: x\r\n" + b"x: y\r\n" * 20_000 + b"\r\n",
        "half a head": b"GET /v1/cluster HTTP/1.1\r\nhost: x\r\n",
        "half a body": b"POST /v1/auth/token HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n{",
        "nothing": b"",
    }.items():  # fmt: skip
        yield Case(f"wire: {name}", said)
