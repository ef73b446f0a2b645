# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Requests to OpenStack that keep their head: bounded repeats, Retry-After, and the truth about lost answers.

Every request goes through openstacksdk's adapters, so catalogue, authentication and microversions are its business.
What is done here is what a loop of the SDK's calls would not do: a request that may have acted is never blindly
repeated, it is reported as :class:`Unanswered` and the caller looks what is there before it tries again.
"""

from __future__ import annotations

import random
import re
import threading
import time
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Callable
from urllib.parse import parse_qs, urlsplit

from ansible_collections.aware.cluster.plugins.module_utils._paths import path_of

COMPUTE_MICROVERSION = "2.64"  # tags at creation (2.52) and server groups with a policy (2.64); OpenStack Rocky, 2018
TRANSIENT = (500, 502, 503, 504)
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 8.0
LOOK_AGAIN_S = 2.0  # after a lost answer, before looking what came of the request
MOST_PAGES = 1000
_QUOTA = re.compile("quota exceeded|maximum number of .* exceeded", re.IGNORECASE)


class CloudError(Exception):
    """Something in the cloud is not as it must be. ``str()`` is one line for the user."""


class LockLost(CloudError):
    """Another run took the colony over while this one was away."""


class Refused(CloudError):
    """A service answered and said no."""

    def __init__(self, status: int, request: str, detail: str) -> None:
        self.status, self.detail = status, detail
        self.quota = status in (403, 409, 413) and bool(_QUOTA.search(detail))  # nothing else is in the way
        super().__init__("%s: %d %s" % (request, status, detail))


class Unanswered(CloudError):
    """No usable answer within the time allowed. ``sent`` tells whether the request may have acted."""

    def __init__(self, message: str, sent: bool = True) -> None:
        self.sent = sent
        super().__init__(message)


def at(*segments: str) -> str:
    """Return the path of these segments, each quoted. Raises CloudError for what cannot be one."""
    return path_of(segments, CloudError)


class Cloud:
    """The services of one project. Safe to use from several threads."""

    def __init__(
        self, connection: Any, retry_s: float = 60.0, clock: Callable = time.monotonic, sleep: Callable = time.sleep
    ) -> None:
        self.connection = connection
        self.retry_s = retry_s
        self.clock, self.sleep = clock, sleep
        self.guard: Callable = lambda: None  # called before each request that changes something; may raise
        self.foreign: set = set()  # (kind, id) of what was listed and belongs to another project
        self._project = ""
        self._ahead_s = 0.0  # the cloud's clock minus ours
        self._local = threading.local()

    @property
    def project(self) -> str:
        """Id of the project the credentials are for. Raises CloudError when they are for none."""
        if not self._project:
            self._project = self.connection.current_project_id or ""
        if not self._project:
            raise CloudError(
                "the credentials are for no project, so nothing can be told to be its own: name one (project_name, OS_PROJECT_NAME)"
            )
        return self._project

    def now(self) -> datetime:
        """The time by the cloud's own clock, as far as its answers told it."""
        return datetime.fromtimestamp(time.time() + self._ahead_s, tz=timezone.utc)

    def get(self, service: str, path: str, params: Any = None) -> Any:
        """GET one document."""
        return self.request(service, "GET", path, params=params)

    def pages(self, service: str, path: str, key: str, params: Any = None) -> list:
        """GET a list, page after page, to its end."""
        found: list = []
        query = dict(params or {})
        for unused in range(MOST_PAGES):
            document = self.get(service, path, query)
            found += document.get(key) or []
            link = [entry["href"] for entry in document.get(key + "_links") or [] if entry.get("rel") == "next"]
            following = link[0] if link else document.get("next")
            if not following:
                return found
            query = parse_qs(urlsplit(following).query, keep_blank_values=True)
        raise CloudError("GET %s: more than %d pages" % (path, MOST_PAGES))

    def request(
        self,
        service: str,
        method: str,
        path: str,
        body: Any = None,
        params: Any = None,
        headers: Any = None,
        busy: tuple = (),
    ) -> Any:
        """Send one request and return the parsed answer; ``{}`` when it has no body.

        Statuses in ``busy`` are repeated like an overload. Raises Refused, Unanswered, and what the guard raises.
        """
        name, end, pause = "%s %s" % (method, path), None, FIRST_PAUSE_S
        while True:
            if method != "GET":
                self.guard()
            answer, reason = self._once(service, method, path, body, params, headers)
            if answer is not None and 200 <= answer.status_code < 300:
                return _document(answer)
            unsure = answer is None or answer.status_code in TRANSIENT
            self._check_worth_repeating(name, answer, reason, unsure and method == "POST", busy)
            end = self.clock() + self.retry_s if end is None else end
            wait = max(_retry_after(answer, self.now()), pause * random.uniform(0.7, 1.3))
            if self.clock() + wait > end:
                if unsure:
                    text = "%s: still failing after %d s: %s" % (name, self.retry_s, reason)
                    raise Unanswered(text, sent=method != "GET")
                raise Refused(answer.status_code, name, "%s (repeated for %d s)" % (reason, self.retry_s))
            self.sleep(wait)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    @staticmethod
    def _check_worth_repeating(name: str, answer: Any, reason: str, lost: bool, busy: tuple) -> None:
        """Raise Unanswered for a request that may have acted and must not act twice, Refused for a plain no."""
        if lost:
            raise Unanswered("%s: %s" % (name, reason))
        if answer is not None and answer.status_code not in (429,) + TRANSIENT + busy:
            raise Refused(answer.status_code, name, reason)

    def delete(self, service: str, path: str, still: Callable = lambda: False, busy: tuple = ()) -> None:
        """DELETE. That it is gone already is fine, unless ``still()`` sees it. Raises as request does."""
        try:
            self.request(service, "DELETE", path, busy=busy)
        except Refused as exc:
            if exc.status != 404 or still():
                raise

    def create(self, service: str, path: str, body: Any, there: Callable = lambda: None) -> Any:
        """POST until it is answered. After each lost answer ``there()`` tells what the request made after all, or None.

        The caller must be able to live with a second one, for the cloud may act after it was looked at. Raises as request does.
        """
        end = self.clock() + self.retry_s
        while True:
            try:
                return self.request(service, "POST", path, body)
            except Unanswered:
                self.sleep(LOOK_AGAIN_S)
                found = there()
                if found is not None:
                    return found
                if self.clock() > end:
                    raise

    def _once(self, service: str, method: str, path: str, body: Any, params: Any, headers: Any) -> tuple:
        """One attempt: ``(response, reason)``; the response is None when none came."""
        from keystoneauth1 import exceptions as auth  # its presence was checked when the connection was made

        options: dict = dict(params=params, headers=headers, raise_exc=False, connect_retries=0, status_code_retries=0)
        if body is not None:
            options["json"] = body
        if service == "compute":
            options["microversion"] = COMPUTE_MICROVERSION
        try:
            answer = getattr(self.connection, service).request(path, method, **options)
        except (
            auth.ConnectFailure,
            auth.RetriableConnectionFailure,
            auth.UnknownConnectionError,
            auth.InternalServerError,
            auth.ServiceUnavailable,
            auth.BadGateway,
            auth.GatewayTimeout,
        ) as exc:
            return None, " ".join(str(exc).split())
        self._note_clock(answer)
        return answer, "" if answer.status_code < 300 else detail_of(answer)

    def _note_clock(self, answer: Any) -> None:
        try:
            there = parsedate_to_datetime(answer.headers["Date"])
        except (KeyError, TypeError, ValueError):
            return
        if there.tzinfo is not None:
            self._ahead_s = there.timestamp() - time.time()


def detail_of(answer: Any) -> str:
    """The sentence in an error body, whatever shape the service gave it; one line."""
    try:
        document = answer.json()
    except ValueError:
        document = None
    text = _sentence(document) or (answer.reason or "")
    return " ".join(text.split())[:500]


def _sentence(document: Any) -> str:
    if not isinstance(document, dict):
        return ""
    for value in [document] + [value for value in document.values() if isinstance(value, dict)]:
        for key in ("message", "detail", "title"):
            if isinstance(value.get(key), str) and value[key]:
                return value[key]
    return ""


def _document(answer: Any) -> Any:
    if not answer.content:
        return {}
    try:
        return answer.json()
    except ValueError:
        return {}


def _retry_after(answer: Any, now: datetime) -> float:
    """Seconds asked for in Retry-After, given as seconds or as a date; 0 when nothing is asked for."""
    value = "" if answer is None else str(answer.headers.get("Retry-After") or "")
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - now).total_seconds())
    except (TypeError, ValueError, IndexError):
        return 0.0
