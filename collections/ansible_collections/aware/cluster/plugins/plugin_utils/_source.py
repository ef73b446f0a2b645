# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Getting the inventory document: cache, queen, last complete answer, and the guards between them."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, Callable

from ansible_collections.aware.cluster.plugins.module_utils._client import GatewayClient
from ansible_collections.aware.cluster.plugins.module_utils._outcomes import Answer, Unreachable
from ansible_collections.aware.cluster.plugins.module_utils._context import Connection
from ansible_collections.aware.cluster.plugins.plugin_utils._document import DocumentError, Inventory, parse_document
from ansible_collections.aware.cluster.plugins.plugin_utils._lastgood import Head, LastGood


class SourceError(Exception):
    """There is no inventory to give. One line."""


@dataclass(frozen=True)
class Guards:
    """What may be given to the user. ``stale_max_age`` in seconds, ``max_shrink`` in percent."""

    stale: bool = True
    stale_max_age: int = 86400
    min_hosts: int = 0
    max_shrink: int = 100
    hostname: str = "aware_name"


@dataclass(frozen=True)
class Fetched:
    """An inventory and how fresh it is. ``body`` is what it was made from."""

    inventory: Inventory
    body: bytes
    head: Head
    stale: bool = False
    age_s: int = 0


class Source:
    """One colony's inventory. ``warn`` gets sentences for the user."""

    def __init__(
        self,
        connection: Connection,
        store: LastGood,
        guards: Guards,
        warn: Callable,
        fresh: bool = False,
        client: Any = None,
    ) -> None:
        self._connection, self._store, self._guards, self._warn = connection, store, guards, warn
        self._known = store.head()
        if self._known and connection.colony and self._known.colony != connection.colony:
            self._known = None  # the context was pointed at another colony
        self._fresh = fresh  # the user asked to look anew: do not settle for "unchanged"
        members = self._known.members if self._known else ()
        self._client = client or GatewayClient(connection, members=members)
        self._parsed: Any = None

    def fetch(self) -> Fetched:
        """Return the newest inventory there is. Raises SourceError, or GatewayError when the queen says no."""
        headers = {}
        kept = None
        if self._known and self._known.etag and not self._fresh:
            kept = self._store.body(self._known)
            if kept is not None:
                headers["If-None-Match"] = self._known.etag
        try:
            answer = self._client.request("GET", "/v1/inventory", headers=headers, accept=self._reason_against)
        except Unreachable as exc:
            return self._last(str(exc))
        if answer.status == 304:
            return self._unchanged(kept)
        return self._new(answer)

    def _reason_against(self, answer: Answer) -> str:
        """Why another node should be asked instead; empty when the answer is good. Old, foreign and torn ones are not."""
        if answer.status == 304:
            return ""
        try:
            parsed = parse_document(answer.body, self._guards.hostname)
        except DocumentError as exc:
            return str(exc)
        colony, known = self._connection.colony or (self._known.colony if self._known else ""), self._known
        if colony and parsed.colony != colony:
            return "it speaks for colony %.80r, not %r" % (parsed.colony, colony)
        if known and (parsed.term < known.term or parsed.revision < known.revision):
            self._warn(
                "%s answered with term %d revision %d, older than term %d revision %d seen before; not used"
                % (answer.base, parsed.term, parsed.revision, known.term, known.revision)
            )
            return (
                "its answer is older than one seen before (remove %s if the colony was restored from a backup)"
                % self._store.path
            )
        self._parsed = parsed
        return ""

    def _new(self, answer: Answer) -> Fetched:
        parsed = self._parsed
        self._guard(parsed)
        verified = answer.base.startswith("https://") and self._connection.validate_certs
        head = Head(
            colony=parsed.colony,
            revision=parsed.revision,
            term=parsed.term,
            etag=answer.headers.get("etag", ""),
            saved_at=time.time(),
            hosts=len(parsed.hosts),
            members=tuple(parsed.members) if verified else (),
        )
        self._save(head, answer.body)
        return Fetched(parsed, answer.body, head)

    def _unchanged(self, kept: bytes | None) -> Fetched:
        if kept is None or self._known is None:
            raise SourceError("the gateway says 'unchanged' although nothing was named")
        parsed = self._parse(kept)
        self._guard(parsed)
        head = replace(self._known, saved_at=time.time())
        # Rewriting ten megabytes to note the time is waste while the age on disk is nowhere near its limit.
        if self._known.age_s() > 60:
            self._save(head, kept)
        return Fetched(parsed, kept, head)

    def _last(self, problem: str) -> Fetched:
        """The colony does not answer: give the last complete answer if that is wanted and there is one."""
        if not self._guards.stale:
            raise SourceError(problem)
        body = self._store.body(self._known) if self._known else None
        if body is None or self._known is None:
            homeless = "" if self._store.path else " (there is no home directory to keep one in: set stale_path)"
            raise SourceError("%s; and no earlier answer is at hand%s" % (problem, homeless))
        age = self._known.age_s()
        if self._guards.stale_max_age and age > self._guards.stale_max_age:
            raise SourceError(
                "%s; and the last answer is %d s old, older than stale_max_age %d s"
                % (problem, age, self._guards.stale_max_age)
            )
        parsed = self._parse(body)
        self._warn("%s. Using the last complete answer: %d s old, revision %d." % (problem, age, self._known.revision))
        return Fetched(parsed, body, self._known, stale=True, age_s=age)

    def _parse(self, body: bytes) -> Inventory:
        try:
            return parse_document(body, self._guards.hostname)
        except DocumentError as exc:
            raise SourceError("the last answer in %s cannot be used: %s" % (self._store.path, exc)) from exc

    def _guard(self, parsed: Inventory) -> None:
        count, before = len(parsed.hosts), self._known.hosts if self._known else 0
        if count < self._guards.min_hosts:
            raise SourceError("the colony has %d hosts, fewer than min_hosts %d" % (count, self._guards.min_hosts))
        if before and (before - count) * 100 > self._guards.max_shrink * before:
            raise SourceError(
                "the colony shrank from %d to %d hosts, by more than max_shrink %d %%; raise max_shrink once if that is meant"
                % (before, count, self._guards.max_shrink)
            )

    def _save(self, head: Head, body: bytes) -> None:
        try:
            self._store.save(head, body)
        except OSError as exc:
            self._warn("cannot remember this answer in %s: %s" % (self._store.path, exc.strerror or exc))
