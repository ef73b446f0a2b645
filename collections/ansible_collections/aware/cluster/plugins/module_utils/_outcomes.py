# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What can come of a request to a gateway: a whole answer, or why there is none."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any
from urllib.error import URLError

from ansible_collections.aware.cluster.plugins.module_utils._council import is_worker
from ansible_collections.aware.cluster.plugins.module_utils._input import json_of
from ansible_collections.aware.cluster.plugins.module_utils._reasons import is_stranger, reason_of


class GatewayError(Exception):
    """No usable answer. ``str()`` is one line for the user."""


class Unreachable(GatewayError):
    """No queen answered before the deadline."""


class OutcomeUnknown(GatewayError):
    """A write was sent, and until the deadline nobody told what became of it."""


class Refused(GatewayError):
    """The queen answered and said no."""

    def __init__(self, status: int, problem: dict) -> None:
        self.status = status
        self.code = str(problem.get("code") or "")
        detail = str(problem.get("detail") or problem.get("title") or "no reason given")
        hint = str(problem.get("hint") or "")
        super().__init__("the gateway answered %d: %s%s" % (status, detail, " (%s)" % hint if hint else ""))


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
            return json_of(self.body)
        except ValueError as exc:
            raise GatewayError("%s sent something that is not JSON" % self.base) from exc


class Elsewhere(Exception):
    """This node cannot answer; ``alive`` tells whether something was there, ``sent`` whether it may have acted.

    ``answered`` says that it spoke HTTP with us, and ``hint`` what it says to do.
    """

    answered = True
    hint = ""
    stranger = False  # its certificate is of a CA that is not believed
    worker = False  # of the colony, but not of its council: it was shown nothing

    def __init__(self, reason: str, alive: bool, sent: bool = False, location: str = "", wait: float = 0.0) -> None:
        super().__init__(reason)
        self.alive, self.sent, self.location, self.wait = alive, sent, location, wait


def failure_of(exc: Exception) -> Elsewhere:
    """Sort a failed exchange: a refused connection was surely not acted on, a lost answer may have been."""
    reason = getattr(exc, "reason", exc)
    refused = isinstance(reason, (ConnectionRefusedError, socket.gaierror)) or (
        isinstance(reason, OSError)
        and not isinstance(reason, (socket.timeout, ConnectionResetError, BrokenPipeError))
        and isinstance(exc, URLError)
    )
    problem = Elsewhere(
        reason_of(exc), alive=isinstance(reason, (socket.timeout, ConnectionResetError)), sent=not refused
    )
    problem.answered = False
    problem.worker = is_worker(exc)
    problem.stranger = is_stranger(exc)
    return problem


def lower_names(headers: Any) -> dict:
    """Return headers by their names in lower case."""
    return dict((name.lower(), value) for name, value in headers.items())


def retry_after(headers: dict) -> float:
    """Return the seconds an answer asks to wait, at most 10."""
    text = headers.get("retry-after", "")
    return min(float(text), 10.0) if text.isdigit() else 0.0


def check_whole(response: Any, raw: int, unpack: Any) -> None:
    promised = response.headers.get("Content-Length")
    if (promised is not None and promised.isdigit() and int(promised) != raw) or (unpack and raw and not unpack.eof):
        raise Elsewhere("answer cut off", alive=True, sent=True)


def lost_answer(base: str, problem: Elsewhere) -> OutcomeUnknown:
    text = "%s was asked but did not answer (%s), and nobody tells what became of it; look at the state before asking again"
    return OutcomeUnknown(text % (base, problem))
