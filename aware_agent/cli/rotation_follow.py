"""Follows a rotation to its end, and starts the first one: that which makes a founding key worthless."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aware_agent.cli.errors import NotLoggedIn, Unreachable
from aware_agent.colony.errors import Conflict
from aware_agent.security.files import read_public

if TYPE_CHECKING:
    from aware_agent.cli.client import Gateway

LOOK_S = 0.5
FIRST_GENERATION = 1  # what is derived from the founding key
Tell = Callable[[str], None]


def waiting(data: dict[str, Any]) -> list[str]:
    """Names of nodes that have not all they need."""
    return [node["name"] for node in data["nodes"] if node["standing"] in ("waiting", "silent")]


def rests(data: dict[str, Any]) -> bool:
    """Nothing happens any more without a word: all is done, or it holds."""
    if data["phase"] == "settled":
        return not waiting(data)
    return bool(data["complete"] and data["hold"] and not data["released"])


def followed(
    client: Gateway,
    limit_s: float,
    tell: Tell = lambda _: None,
    login: Callable[[], Any] | None = None,
    over: Callable[[dict[str, Any]], bool] = rests,
) -> dict[str, Any]:
    """What ``/v1/rotation`` says when it is ``over``, or after ``limit_s`` seconds; ``tell`` hears of each phase.

    The CA file of the context follows meanwhile. All tokens end with the secret that is given up: ``login`` gets new
    ones. Members restart etcd one after the other: the queen may be out of reach for moments. Raises Unreachable when
    she is at the end, and NotLoggedIn without ``login`` or when that is refused.
    """
    end, phase, stale, fresh = time.monotonic() + limit_s, "", False, False
    while True:
        late = time.monotonic() >= end
        try:
            if stale and login is not None:
                login()
                stale, fresh = False, True
            data: dict[str, Any] = client.get("/v1/rotation").data
            if data["phase"] != phase:
                phase = str(data["phase"])
                tell(phase)
            if over(data) or late:
                return data
        except Unreachable:
            if late:
                raise
        except NotLoggedIn:
            if login is None or stale or (late and fresh):
                raise
            stale = True
        time.sleep(LOOK_S)


def council_lacks(client: Gateway) -> str:
    """What is missing for a full council of voters, "" for nothing.

    A founder that has not joined yet knows the first CAs only: after a rotation it would be left outside.
    """
    data = client.get("/v1/council/members").data
    size = (data["wanted"] or {"size": 0})["size"]
    votes = sum(one["healthy"] and not one["learner"] for one in data["members"])
    return "" if votes >= size else f"{votes} of {size} members of the council are there"


def worthless(data: dict[str, Any], ca_pin: str) -> bool:
    """Whether nobody believes any more what is derived from the founding key: its secret, and its CA ``ca_pin``."""
    from aware_agent.security.pki import find_pinned

    if FIRST_GENERATION in (data["generation"], data["other"]) or data["phase"] == "finishing":
        return False
    return find_pinned(str(data["ca"]).encode(), ca_pin) is None  # a rotation may have kept the CAs


def make_key_worthless(client: Gateway, ca_pin: str, limit_s: float, tell: Tell, login: Callable[[], Any]) -> str:
    """Rotates CAs and secret of a colony that was founded from a key whose CA has the pin ``ca_pin``. Returns why that
    is not done yet, or "".

    May be ended at any moment and repeated. Raises Unreachable, and what ``login`` and the gateway refuse.
    """
    first = _First(client, ca_pin)
    return first.trouble(followed(client, limit_s, tell, login, first.over))


class _First:
    """The first rotation, which waits in each phase until the context believes what the colony does.

    So whoever is stopped on the way still believes somebody when the rotation has gone on.
    """

    def __init__(self, client: Gateway, ca_pin: str) -> None:
        self._client, self._ca_pin = client, ca_pin
        self._last = 0  # highest generation before this one began
        self._why = ""

    def over(self, data: dict[str, Any]) -> bool:
        """Whether there is nothing left to do here; gives the order that is due."""
        if worthless(data, self._ca_pin):
            return True
        if data["phase"] == "settled":
            self._last = self._last or data["last"]
            if data["last"] > self._last:
                self._why = "the rotation was aborted"
                return True
            self._why = council_lacks(self._client)
            if not self._why:
                self._order({"action": "start", "hold": True})
        elif rests(data) and self._believes(data):
            self._order({"action": "continue"})
        return False

    def trouble(self, data: dict[str, Any]) -> str:
        """Why it is not done, or ""."""
        if worthless(data, self._ca_pin):
            return ""
        if data["phase"] == "settled":
            return self._why or "the rotation has only begun"
        slow = waiting(data)
        told = f"the rotation is {data['phase']}" + (f" and waits for {', '.join(slow[:5])}" if slow else "")
        return told if self._believes(data) else f"{told}, and {self._client.context.ca_file} lacks its CAs"

    def _order(self, body: dict[str, Any]) -> None:
        try:
            self._client.request("POST", "/v1/rotation", body=body)
        except Conflict as error:  # somebody else was faster, or the queen is not ready for it
            self._why = error.message

    def _believes(self, data: dict[str, Any]) -> bool:
        file = self._client.context.ca_file
        return file is not None and read_public(file) == str(data["ca"]).encode()
