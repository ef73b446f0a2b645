# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""HTTP client that finds the queen by itself, shared by the modules and the inventory plugin.

Rules it keeps: the token goes to listed endpoints and known members only, redirects are followed by hand and only
to those, one deadline bounds everything, and an answer is either whole or an error.
"""

from __future__ import annotations

import json
import socket
import time
import zlib
from dataclasses import dataclass
from typing import Any, Callable, Iterable
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from ansible.module_utils.common.text.converters import to_native
from ansible.module_utils.urls import open_url
from ansible_collections.aware.cluster.plugins.module_utils._context import Connection, ContextError, normal_url

MAX_BODY = 256 * 1024 * 1024
MAX_HOPS = 4
PAUSE_S = 0.3
QUIET_ROUNDS = 3  # rounds in which nobody even accepts a connection before giving up early


class GatewayError(Exception):
    """No usable answer. ``str()`` is one line for the user."""


class Unreachable(GatewayError):
    """No queen answered before the deadline."""


class OutcomeUnknown(GatewayError):
    """A request that must not be repeated was sent and its answer never came."""


class Refused(GatewayError):
    """The queen answered and said no."""

    def __init__(self, status: int, problem: dict) -> None:
        self.status = status
        self.code = str(problem.get("code") or "")
        detail = str(problem.get("detail") or problem.get("title") or "no reason given")
        hint = str(problem.get("hint") or "")
        super().__init__("the gateway answered %d: %s%s" % (status, detail, " (%s)" % hint if hint else ""))


class _Elsewhere(Exception):
    """This node cannot answer; ``alive`` tells whether something was there, ``sent`` whether it may have acted."""

    def __init__(self, reason: str, alive: bool, sent: bool = False, location: str = "", wait: float = 0.0) -> None:
        super().__init__(reason)
        self.alive, self.sent, self.location, self.wait = alive, sent, location, wait


@dataclass(frozen=True)
class Answer:
    """A whole answer. ``body`` are the decoded bytes, ``headers`` have lower-case names."""

    status: int
    headers: dict
    body: bytes
    base: str

    def document(self) -> Any:
        """Return the parsed JSON. Raises GatewayError when it is not JSON."""
        if not self.body:
            return {}
        try:
            return json.loads(self.body)
        except ValueError as exc:
            raise GatewayError("%s sent something that is not JSON" % self.base) from exc


class GatewayClient:
    """Asks endpoints, then members, until the queen answers or the deadline is over."""

    def __init__(
        self,
        connection: Connection,
        members: Iterable[str] = (),
        opener: Callable = open_url,
        clock: Callable = time.monotonic,
        sleep: Callable = time.sleep,
    ) -> None:
        self.connection = connection
        self._open, self._clock, self._sleep = opener, clock, sleep
        self._bases = list(connection.endpoints)
        for member in members:
            self._learn(member)
        self.problems: dict = {}

    def _learn(self, member: str) -> None:
        try:
            url = normal_url(member)
        except ContextError:
            return
        # Plain HTTP proves nothing about who answers: only the user may list such an endpoint.
        if url not in self._bases and url.startswith("https://") and self.connection.validate_certs:
            self._bases.append(url)

    def get(self, path: str) -> Any:
        """GET a document. Raises GatewayError."""
        return self.request("GET", path).document()

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict | None = None,
        once: bool = False,
        accept: Callable | None = None,
    ) -> Answer:
        """Send one request to the queen, whoever she is, and return her whole answer.

        ``once`` is for requests that must not happen twice. ``accept`` may look at an answer and return a reason
        to refuse it; then the next node is asked. Raises Refused, Unreachable or OutcomeUnknown.
        """
        end = self._clock() + self.connection.deadline
        quiet, self.problems = 0, {}
        while True:
            answer, alive, wait = self._round(end, once, (method, path, body, headers or {}, end, accept))
            if answer:
                return answer
            quiet = 0 if alive else quiet + 1
            if quiet >= QUIET_ROUNDS or self._clock() + wait >= end:
                why = "; ".join(["%s: %s" % told for told in self.problems.items()][:6] or ["time is up"])
                raise Unreachable("no gateway of the colony answered for its queen: %s" % why)
            self._sleep(wait)

    def _round(self, end: float, once: bool, question: tuple) -> tuple:
        """Ask each known node once: ``(answer or None, whether anything was alive, seconds to wait)``."""
        alive, wait = False, PAUSE_S
        queue, hops = [(base, 0) for base in self._bases], set()
        while queue:
            base, hop = queue.pop(0)
            if base in hops or self._clock() >= end:
                continue
            hops.add(base)
            try:
                return self._ask(base, *question), True, 0.0
            except _Elsewhere as problem:
                alive, wait = alive or problem.alive, max(wait, problem.wait)
                if self._clock() < end or base not in self.problems:  # "timed out" tells less than what came before
                    self.problems[base] = problem
                _check_unsent(base, problem, once)
                target = self._target(base, problem.location) if hop < MAX_HOPS else None
                if target:
                    hops.discard(target)  # a second visit is fine when a worker sends us there
                    queue.insert(0, (target, hop + 1))
        return None, alive, wait

    def _target(self, base: str, location: str) -> str | None:
        """Return the known member a redirect names, or None; the token never goes to a stranger."""
        if not location:
            return None
        try:
            parts = urlsplit(location)
            target = normal_url("%s://%s" % (parts.scheme, parts.netloc))
        except (ContextError, ValueError):
            target = ""
        if target in self._bases:
            return target
        self.problems[base] = "redirect to %s not followed, it is no known member" % (target or "a malformed URL")
        return None

    def _ask(
        self, base: str, method: str, path: str, body: Any, headers: dict, end: float, accept: Callable | None
    ) -> Answer:
        answer = self._send(base, method, path, body, headers, end)
        if accept:
            reason = accept(answer)
            if reason:
                raise _Elsewhere(reason, alive=True, sent=True)
        return answer

    def _send(self, base: str, method: str, path: str, body: Any, headers: dict, end: float) -> Answer:
        try:
            response = self._open(
                base + path,
                method=method,
                data=None if body is None else json.dumps(body),
                headers=self._headers(body, headers),
                timeout=max(0.05, min(self.connection.timeout, end - self._clock())),
                ca_path=self.connection.ca_path,
                validate_certs=self.connection.validate_certs,
                follow_redirects="none",
                http_agent="aware.cluster",
                # A .netrc entry would replace our token, and a proxy of the environment would be shown where it goes.
                use_netrc=False,
                use_proxy=False,
                decompress=False,
            )
            return Answer(response.getcode(), _lower(response.headers), self._read(response, end), base)
        except HTTPError as exc:
            return self._answered(exc, base, end)
        except _Elsewhere:
            raise
        except Exception as exc:  # open_url has its own classes for certificate and connection errors
            raise _failure(exc) from exc

    def _headers(self, body: Any, extra: dict) -> dict:
        """A literal gzip request: bodies are unpacked here, with a limit, and read against the deadline."""
        sent = {"Accept": "application/json", "Accept-Encoding": "gzip"}
        sent["Authorization"] = "Bearer %s" % self.connection.token
        if body is not None:
            sent["Content-Type"] = "application/json"
        return {**sent, **extra}

    def _answered(self, exc: HTTPError, base: str, end: float) -> Answer:
        """Sort an answer other than 2xx: unchanged, elsewhere, later, or no."""
        status, headers = exc.code, _lower(exc.headers)
        if status == 304:
            return Answer(304, headers, b"", base)
        if status in (301, 302, 303, 307, 308):
            raise _Elsewhere("redirect", alive=True, location=headers.get("location", ""))
        problem = self._problem(exc, end)
        if status in (429, 503):
            raise _Elsewhere(
                "%d %s" % (status, problem.get("detail") or "no queen now"), alive=True, wait=_retry_after(headers)
            )
        if status >= 500:
            raise _Elsewhere("%d %s" % (status, problem.get("detail") or ""), alive=True, sent=True)
        raise Refused(status, problem)

    def _problem(self, exc: HTTPError, end: float) -> dict:
        try:
            document = json.loads(self._read(exc, end, limit=65536))
        except (_Elsewhere, OSError, ValueError):
            return {}
        return document if isinstance(document, dict) else {}

    def _read(self, response: Any, end: float, limit: int = 0) -> bytes:
        """Read a whole body, unpacked, within limit and deadline; a short body is an error, never an answer."""
        limit = limit or MAX_BODY
        packed = "gzip" in str(response.headers.get("Content-Encoding") or "").lower()
        unpack = zlib.decompressobj(wbits=31) if packed else None
        parts, size, raw = [], 0, 0
        read = getattr(response, "read1", response.read)
        while True:
            chunk = read(262144)
            if not chunk:
                break
            raw += len(chunk)
            if unpack:
                try:
                    chunk = unpack.decompress(chunk, limit - size + 1)
                except zlib.error as exc:
                    raise _Elsewhere("damaged answer", alive=True, sent=True) from exc
            size += len(chunk)
            if size > limit:
                raise _Elsewhere("answer longer than %d bytes" % limit, alive=True, sent=True)
            if self._clock() >= end:
                raise _Elsewhere("answer too slow", alive=True, sent=True)
            parts.append(chunk)
        _check_whole(response, raw, unpack)
        return b"".join(parts)


def _check_whole(response: Any, raw: int, unpack: Any) -> None:
    promised = response.headers.get("Content-Length")
    if (promised is not None and promised.isdigit() and int(promised) != raw) or (unpack and raw and not unpack.eof):
        raise _Elsewhere("answer cut off", alive=True, sent=True)


def _check_unsent(base: str, problem: _Elsewhere, once: bool) -> None:
    if once and problem.sent:
        text = "%s was asked but did not answer (%s); look at the state before asking again"
        raise OutcomeUnknown(text % (base, problem))


def _failure(exc: Exception) -> _Elsewhere:
    """Sort a failed exchange: a refused connection was surely not acted on, a lost answer may have been."""
    reason = getattr(exc, "reason", exc)
    refused = isinstance(reason, (ConnectionRefusedError, socket.gaierror)) or (
        isinstance(reason, OSError)
        and not isinstance(reason, (socket.timeout, ConnectionResetError, BrokenPipeError))
        and isinstance(exc, URLError)
    )
    text = to_native(reason).splitlines()[0][:200] if to_native(reason) else type(exc).__name__
    return _Elsewhere(text, alive=isinstance(reason, (socket.timeout, ConnectionResetError)), sent=not refused)


def _lower(headers: Any) -> dict:
    return dict((name.lower(), value) for name, value in headers.items())


def _retry_after(headers: dict) -> float:
    text = headers.get("retry-after", "")
    return min(float(text), 10.0) if text.isdigit() else 0.0
