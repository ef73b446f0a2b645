# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""HTTP client that finds the queen by itself, shared by the modules and the inventory plugin.

Rules it keeps: the token goes to those alone that TLS proves to be of the colony's council (a worker given as endpoint is
asked without any token who that is); where no CA of a colony is given, to listed endpoints and known members only.
Redirects are followed by hand and only to those, one deadline bounds everything, and an answer is either whole or an error.
"""

from __future__ import annotations

import json
import time
import uuid
import zlib
from http.client import HTTPException
from typing import Any, Callable, Iterable
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from ansible.module_utils.urls import open_url
from ansible_collections.aware.cluster.plugins.module_utils._believed import follow
from ansible_collections.aware.cluster.plugins.module_utils._context import (
    Connection,
    ContextError,
    check_authority,
    normal_url,
)
from ansible_collections.aware.cluster.plugins.module_utils._council import MAX_DOCUMENT, NamedOpener, council_name, members_in
from ansible_collections.aware.cluster.plugins.module_utils._council import PATH as COUNCIL_PATH
from ansible_collections.aware.cluster.plugins.module_utils._input import json_of
from ansible_collections.aware.cluster.plugins.module_utils._outcomes import (
    Answer,
    Elsewhere,
    Refused,
    Unreachable,
    check_whole,
    failure_of,
    lost_answer,
    lower_names,
    retry_after,
)
from ansible_collections.aware.cluster.plugins.module_utils._reasons import STALE_CA, listed
from ansible_collections.aware.cluster.plugins.module_utils._tracing import trace_headers

MAX_BODY = 256 * 1024 * 1024
MAX_HOPS = 4
MAX_BASES = 4096  # a member of a large colony names them all
PAUSE_S = 0.3
QUIET_ROUNDS = 3  # rounds in which nobody even accepts a connection before giving up early


class GatewayClient:
    """Asks endpoints, then members, until the queen answers or the deadline is over."""

    def __init__(
        self,
        connection: Connection,
        members: Iterable[str] = (),
        opener: Callable | None = None,
        clock: Callable = time.monotonic,
        sleep: Callable = time.sleep,
    ) -> None:
        check_authority(connection)
        self.connection = connection
        self._council = council_name(connection)
        named = NamedOpener(connection.ca_path or "", self._council) if self._council else open_url
        self._open, self._clock, self._sleep = opener or named, clock, sleep
        self._bases = list(connection.endpoints)
        for member in (*connection.members, *members):
            self._learn(member)
        self.problems: dict = {}
        self._lost: tuple | None = None  # the first node that may have carried out what was asked, and what happened

    def _learn(self, member: str) -> None:
        try:
            url = normal_url(member)
        except ContextError:
            return
        # Plain HTTP proves nothing about who answers: only the user may list such an endpoint.
        wanted = url not in self._bases and len(self._bases) < MAX_BASES
        if wanted and url.startswith("https://") and self.connection.validate_certs:
            self._bases.append(url)

    def _prefer(self, base: str) -> None:
        """Ask it first from now on: the queen shows at once what she wrote, other members a moment later."""
        self._bases = [base] + [other for other in self._bases if other != base]

    def get(self, path: str) -> Any:
        """GET a document. Raises GatewayError."""
        return self.request("GET", path).document()

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict | None = None,
        accept: Callable | None = None,
    ) -> Answer:
        """Send one request to the queen, whoever she is, and return her whole answer.

        A write is named by a key of its own, so it is sent until somebody answers, and done once. ``accept`` may look at
        an answer and return a reason to refuse it; then the next node is asked. Raises Refused, Unreachable, and
        OutcomeUnknown when nobody tells what became of a write that a node may have made.
        """
        end = self._clock() + self.connection.deadline
        quiet, self.problems, self._lost = 0, {}, None
        sent = dict(headers or {})
        if method != "GET":
            sent.setdefault("Idempotency-Key", str(uuid.uuid4()))
        while True:
            answer, alive, wait = self._round(end, (method, path, body, sent, end, accept))
            if answer:
                if method != "GET":
                    self._prefer(answer.base)
                return answer
            quiet = 0 if alive else quiet + 1
            if quiet >= QUIET_ROUNDS or self._clock() + wait >= end:
                raise lost_answer(*self._lost) if self._lost and method != "GET" else self._unreachable()
            self._sleep(wait)

    def _unreachable(self) -> Unreachable:
        """Every host with its reason; those that were not asked before the time was over say so."""
        told = dict((base, self.problems.get(base, "not asked in time")) for base in self._bases)
        spoke = any(getattr(problem, "answered", False) for problem in told.values())
        hints = [problem.hint for problem in told.values() if getattr(problem, "hint", "")]
        hints += [STALE_CA % self.connection.ca_path for p in told.values() if self._council and getattr(p, "stranger", 0)]
        what = "no queen of the colony was found" if spoke else "no gateway of the colony answered"
        return Unreachable("%s: %s%s" % (what, listed(told), " (%s)" % hints[0] if hints else ""))

    def _round(self, end: float, question: tuple) -> tuple:
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
            except Elsewhere as problem:
                alive, wait = alive or problem.alive, max(wait, problem.wait)
                if self._clock() < end or base not in self.problems:  # "timed out" tells less than what came before
                    self.problems[base] = problem
                if problem.sent and self._lost is None:
                    self._lost = base, problem
                target = self._target(base, problem.location) if hop < MAX_HOPS else None
                if target:
                    hops.discard(target)  # a second visit is fine when a worker sends us there
                    queue.insert(0, (target, hop + 1))
                if problem.worker:
                    queue.extend((member, 0) for member in self._ask_worker(base, end))
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
        if target in self._bases or (self._council and target.startswith("https://")):
            return target
        reason = "redirect to %s not followed, it is no known member" % (target or "a malformed URL")
        self.problems[base] = Elsewhere(reason, alive=True)
        return None

    def _ask_worker(self, base: str, end: float) -> list:
        """Ask a node that is not of the council who is. It is shown no token, and what it says proves nothing."""
        before = len(self._bases)
        try:
            response = NamedOpener(self.connection.ca_path or "", "")(
                base + COUNCIL_PATH, "GET", None, {}, max(0.05, min(self.connection.timeout, end - self._clock()))
            )
            members = members_in(self._read(response, end, limit=MAX_DOCUMENT))
        except HTTPError:
            members = []
        except (Elsewhere, URLError, OSError, HTTPException) as exc:
            self.problems[base] = failure_of(exc) if not isinstance(exc, Elsewhere) else exc
            return []
        for member in members:
            self._learn(member)
        reason = "it is a worker and names %s as council" % (", ".join(members) or "nobody")
        self.problems[base] = Elsewhere(reason, alive=True)
        return self._bases[before:]

    def _ask(
        self, base: str, method: str, path: str, body: Any, headers: dict, end: float, accept: Callable | None
    ) -> Answer:
        answer = self._send(base, method, path, body, headers, end)
        if self._council:
            follow(self.connection, answer, self._open, end - self._clock())
        if accept:
            reason = accept(answer)
            if reason:
                raise Elsewhere(reason, alive=True, sent=True)
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
            return Answer(response.getcode(), lower_names(response.headers), self._read(response, end), base)
        except HTTPError as exc:
            return self._answered(exc, base, end)
        except Elsewhere:
            raise
        except Exception as exc:  # open_url has its own classes for certificate and connection errors
            raise failure_of(exc) from exc

    def _headers(self, body: Any, extra: dict) -> dict:
        """A literal gzip request: bodies are unpacked here, with a limit, and read against the deadline."""
        sent = {"Accept": "application/json", "Accept-Encoding": "gzip"}
        sent["Authorization"] = "Bearer %s" % self.connection.token
        if body is not None:
            sent["Content-Type"] = "application/json"
        return {**sent, **trace_headers(), **extra}

    def _answered(self, exc: HTTPError, base: str, end: float) -> Answer:
        """Sort an answer other than 2xx: unchanged, elsewhere, later, or no."""
        status, headers = exc.code, lower_names(exc.headers)
        if status == 304:
            return Answer(304, headers, b"", base)
        if status in (301, 302, 303, 307, 308):
            exc.close()
            raise Elsewhere("redirect", alive=True, location=headers.get("location", ""))
        problem = self._problem(exc, end)
        if status in (429, 503):
            later = Elsewhere(str(problem.get("detail") or "no queen now"), alive=True, wait=retry_after(headers))
            later.hint = str(problem.get("hint") or "")
            raise later
        if status >= 500:
            raise Elsewhere("%d %s" % (status, problem.get("detail") or ""), alive=True, sent=True)
        raise Refused(status, problem)

    def _problem(self, exc: HTTPError, end: float) -> dict:
        try:
            document = json_of(self._read(exc, end, limit=65536))
        except (Elsewhere, OSError, ValueError):
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
                    raise Elsewhere("damaged answer", alive=True, sent=True) from exc
            size += len(chunk)
            if size > limit:
                raise Elsewhere("answer longer than %d bytes" % limit, alive=True, sent=True)
            if self._clock() >= end:
                raise Elsewhere("answer too slow", alive=True, sent=True)
            parts.append(chunk)
        check_whole(response, raw, unpack)
        return b"".join(parts)
