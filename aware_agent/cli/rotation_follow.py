"""Follows a rotation to its end, and starts the first one: that which makes a founding key worthless."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aware_agent.cli.errors import NotLoggedIn, Unreachable
from aware_agent.colony.errors import Conflict

if TYPE_CHECKING:
    from aware_agent.cli.client import Gateway

LOOK_S = 0.5
FIRST_GENERATION = 1  # what is derived from the founding key
Tell = Callable[[str], None]


def waiting(data: dict[str, Any]) -> list[str]:
    """Names of nodes that have not all they need."""
    return [node["name"] for node in data["nodes"] if node["standing"] in ("waiting", "away")]


def rests(data: dict[str, Any]) -> bool:
    """Nothing happens any more without a word: all is done, or it holds."""
    if data["phase"] == "settled":
        return not waiting(data)
    return bool(data["complete"] and data["hold"] and not data["released"])


def followed(
    client: Gateway, limit_s: float, tell: Tell = lambda _: None, login: Callable[[], Any] | None = None
) -> dict[str, Any]:
    """What ``/v1/rotation`` says when it rests, or after ``limit_s`` seconds; ``tell`` hears of each phase.

    The CA file of the context follows meanwhile. All tokens end with the secret that is given up: ``login`` gets new
    ones. Members restart etcd one after the other: the queen may be out of reach for moments. Raises Unreachable when
    she is at the end, and NotLoggedIn without ``login``.
    """
    end, phase = time.monotonic() + limit_s, ""
    while True:
        try:
            data: dict[str, Any] = client.get("/v1/rotation").data
        except Unreachable:
            if time.monotonic() >= end:
                raise
        except NotLoggedIn:
            if login is None or time.monotonic() >= end:
                raise
            login()
        else:
            if data["phase"] != phase:
                phase = str(data["phase"])
                tell(phase)
            if rests(data) or time.monotonic() >= end:
                return data
        time.sleep(LOOK_S)


def council_full(client: Gateway, limit_s: float) -> str:
    """Waits for a full council of voters. Returns what is missing after ``limit_s`` seconds, "" for nothing.

    A founder that has not joined yet knows the first CAs only: after a rotation it would be left outside.
    """
    end = time.monotonic() + limit_s
    while True:
        data = client.get("/v1/council/members").data
        size = (data["wanted"] or {"size": 0})["size"]
        votes = sum(one["healthy"] and not one["learner"] for one in data["members"])
        if votes >= size:
            return ""
        if time.monotonic() >= end:
            return f"{votes} of {size} members of the council are there"
        time.sleep(LOOK_S)


def make_key_worthless(client: Gateway, limit_s: float, tell: Tell, login: Callable[[], Any]) -> str:
    """Rotates CAs and secret of a colony that was founded from a key. Returns why that is not done yet, or "".

    May be repeated: one that is under way is followed. Raises Unreachable, and what the gateway refuses.
    """
    end = time.monotonic() + limit_s
    if missing := council_full(client, limit_s):
        return missing
    if client.get("/v1/rotation").data["generation"] == FIRST_GENERATION:
        # A conflict: this was run before, or somebody else was faster. What is under way does the same.
        with contextlib.suppress(Conflict):
            client.request("POST", "/v1/rotation", body={"action": "start", "hold": False})
    data = followed(client, max(0.0, end - time.monotonic()), tell, login)
    if data["phase"] == "settled" and data["generation"] > FIRST_GENERATION:
        return ""
    slow = waiting(data)
    return f"the rotation is {data['phase']}" + (f" and waits for {', '.join(slow[:5])}" if slow else "")
