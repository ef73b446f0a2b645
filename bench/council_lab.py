"""A colony as it stands on hosts: founded by its own nodes from one key, with etcd beside every agent.

As :class:`bench.lab.Lab` otherwise, whose etcd is a program of its own: here ``kill -9`` of a node's processes takes a
member of etcd as well.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable
from typing import Any

from aware_agent.agent.member.etcd_access import etcd_credentials
from aware_agent.agent.state import StateDir
from aware_agent.ports import free_ports
from aware_agent.security.founding_key import make_founding_key
from aware_agent.store.client import EtcdClient
from bench.client import Answer, ColonyClient, Unreachable
from bench.lab import Document, Lab, LabError

FORM_S = 120.0


class CouncilLab(Lab):
    """As many of ``nodes`` sit in the council as it has ``seats``: all, when nothing is said."""

    def __init__(self, nodes: int = 5, *, seats: int = 0, quota_mib: int = 0, **options: Any) -> None:
        """``quota_mib``: how large etcd's file may be; 0: as an agent has it."""
        super().__init__(nodes, **options)
        self.seats = seats or nodes
        self._quota = {"quota_mib": quota_mib} if quota_mib else {}

    async def __aenter__(self) -> CouncilLab:
        """Write every agent's settings; no agent runs yet, and nothing is founded."""
        key = self.directory / "founding.key"
        key.touch(mode=0o600)
        key.write_text(make_founding_key(self.colony, os.urandom(32)).text())
        ports = free_ports(2 * self._nodes)
        for number in range(self._nodes):
            listening = {"client_port": ports[2 * number], "peer_port": ports[2 * number + 1]}
            council = {"size": self.seats, **listening, **self._quota}
            agent = self.add_agent(f"{self.colony}-{number + 1}", founding_key_file="", council=council)
            own = agent.directory / "founding.key"  # each node deletes its own after the founding
            own.touch(mode=0o600)
            own.write_text(key.read_text())
            del agent.settings["token_file"]
            agent.write_settings(founding_key_file=str(own))
        return self

    async def form(self, timeout_s: float = FORM_S) -> Document:
        """Start all agents, and wait until they have founded the colony and all sit; returns the cluster document."""
        for agent in self.agents.values():
            agent.start()
        end = time.monotonic() + timeout_s
        while not self._founder_files():
            self._raise_if_dead()
            if time.monotonic() > end:
                raise LabError(f"nobody founded within {timeout_s:g} s\n{self.tails()}")
            await asyncio.sleep(0.1)
        document = await self.wait_ready(self._nodes, timeout_s, strict=True)
        await self.wait_whole(timeout_s)
        return document

    async def members(self, timeout_s: float = FORM_S) -> list[Document]:
        """The members of etcd as the colony tells them. Raises Unreachable."""
        answer = await self.ask("GET", "/v1/council/members", deadline_s=timeout_s)
        members: list[Document] = answer.json()["members"] if answer.ok else []
        return members

    async def wait_whole(self, timeout_s: float = FORM_S, without: str = "") -> None:
        """Return when every seat is taken by a member of etcd that votes and is well, none of them ``without``, and
        none is to move."""
        end = time.monotonic() + timeout_s
        said = "nothing"
        while time.monotonic() < end:
            try:
                answer: Answer = await self.ask("GET", "/v1/council/members")
            except Unreachable as error:
                said = str(error)
                continue
            said = f"{answer.status} {answer.body[:400]!r}"
            council = answer.json() if answer.ok else {"members": []}
            seats = council["members"]
            well = [seat for seat in seats if seat["healthy"] and not seat["learner"] and seat["name"] != without]
            if len(seats) == len(well) == self.seats and not council["moving"]:
                return
            await asyncio.sleep(0.2)
        raise LabError(f"the council is not whole after {timeout_s:g} s: {said}\n{self.tails()}")

    def member_client(self, name: str, seats: Iterable[str]) -> EtcdClient:
        """A client of the etcd at ``seats`` with the rights of a member. Raises LabError when it has joined nothing."""
        state = StateDir(self.agent(name).state_dir).load()
        if state is None:
            raise LabError(f"{name} has joined no colony")
        settings = [self.agent(seat).settings for seat in seats]
        endpoints = [f"{its['address']}:{its['council']['client_port']}" for its in settings]
        return EtcdClient(endpoints, etcd_credentials(state), deadline_s=30.0)

    def client(self, token: str = "") -> ColonyClient:
        """A client that knows all agents, running or not."""
        ca = (next(iter(self.agents.values())).state_dir / "ca.crt").read_bytes()
        return ColonyClient([agent.url for agent in self.agents.values()], ca, token)

    def _founder_files(self) -> bool:
        """Whether one node founded and all have joined; learns the first password from it."""
        states = [agent.state_dir for agent in self.agents.values()]
        password = next((state / "admin.password" for state in states if (state / "admin.password").exists()), None)
        if password is None or not all((state / "ca.crt").exists() for state in states):
            return False
        self.admin_password = password.read_text().strip()
        return bool(self.admin_password)
