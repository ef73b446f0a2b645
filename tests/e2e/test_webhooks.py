"""Webhooks through the fall of a queen: nothing is lost, and events of a subject come first in their order."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from pathlib import Path

import pytest

from bench.lab import Lab
from bench.processes import descendants
from tests.patience import UNHURRIED
from tests.receiver import HANG, RESET, Call, Receiver

pytestmark = pytest.mark.e2e

LIMIT_S = 240.0
NODES = ("lab-1", "lab-2", "lab-3")


class Moody:
    """Takes most calls, and fails the others in every way there is."""

    def __init__(self) -> None:
        self.chance = random.Random(7)
        self.hung = 0

    def __call__(self, _: Call) -> int:
        mood = self.chance.random()
        if mood > 0.98 and self.hung < 2:  # each costs the sender's whole patience
            self.hung += 1
            return HANG
        return 500 if mood < 0.15 else RESET if mood < 0.25 else 204


def _command(pid: int) -> str:
    """The command line of a process; empty when it has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


async def _change(lab: Lab, first: int, count: int) -> None:
    for number in range(first, first + count):
        body = {"labels": {"number": str(number)}}
        answer = await lab.ask("PATCH", f"/v1/nodes/{NODES[number % 3]}", body, deadline_s=LIMIT_S)
        assert answer.ok, answer


async def test_a_queen_is_killed_in_a_burst_of_events_and_a_moody_receiver_gets_them_all() -> None:
    with Receiver(Moody()).running() as receiver:
        async with Lab(3, settings={**UNHURRIED, "outgoing": {"http_to_loopback": True}}) as lab:
            await lab.form()
            await lab.wait_serving()
            wish = {"url": receiver.url, "filter": {"type": ["node.changed"]}}
            made = await lab.ask("POST", "/v1/webhooks", wish, deadline_s=LIMIT_S)
            assert made.status == 201, made
            await _change(lab, 0, 40)
            queen = await lab.queen()
            agent = lab.agent(queen["name"])
            (sender,) = [pid for pid in descendants(agent.pid) if "webhooks.sender" in _command(pid)]
            agent.signal(signal.SIGKILL)  # of what she started, nothing goes on
            await _change(lab, 40, 40)
            assert (await lab.new_queen(queen["term"]))["name"] != queen["name"]
            async with asyncio.timeout(LIMIT_S):
                while "webhooks.sender" in _command(sender):
                    await asyncio.sleep(0.1)
            history = await lab.ask("GET", f"/v1/events?since={made.json()['revision']}&limit=1000&type=node.changed")
            wanted = {event["id"]: event for event in history.json()["events"]}
            assert len(wanted) >= 80
            async with asyncio.timeout(LIMIT_S):
                while not set(receiver.ids()) >= wanted.keys():
                    await asyncio.sleep(0.2)
            first = [wanted[event] for event in receiver.ids() if event in wanted]
            for subject in {event["subject"] for event in first}:
                revisions = [event["revision"] for event in first if event["subject"] == subject]
                assert revisions == sorted(revisions)
            terms = {call.data["term"] for call in receiver.taken}
            assert len(terms) == 2, "what both queens wrote arrived"
            shown = (await lab.ask("GET", f"/v1/webhooks/{made.json()['id']}", deadline_s=LIMIT_S)).json()
            assert shown["dead"] == 0
