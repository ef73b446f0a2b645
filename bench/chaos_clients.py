"""The clients of ``aware check election`` on a lab's colony, while faults befall it."""

from __future__ import annotations

import uuid
from typing import Any

from aware_agent.check.workload import CHANGED, Answer, NoAnswer, Workload
from bench.client import ColonyClient, Unreachable
from bench.lab import Lab, LabError

PATIENCE_S = 90.0
_PAUSE_S = 0.05


class AcceptedWrites:
    """A second look at the register, by etcd's revisions and without any search: is what was accepted still there?"""

    def __init__(self) -> None:
        self.newest = 0
        self._value = 0
        self.lost: list[str] = []  # a sentence each

    def accepted(self, revision: int, value: int) -> None:
        """A write was."""
        if revision > self.newest:
            self.newest, self._value = revision, value

    def read(self, revision: int, value: int, known: int) -> None:
        """``known``: the newest revision that was accepted before the read began."""
        if revision < known:
            self.lost.append(f"revision {known} was accepted, and a later read found {revision}")
        elif revision == self.newest and value != self._value:
            self.lost.append(f"revision {revision} was accepted as {self._value}, and a read found {value}")


class LabSender:
    """A way to the queen of ``lab`` by ``client``. Raises :class:`LabError` for any answer that is none to go by."""

    def __init__(self, lab: Lab, client: ColonyClient, kept: AcceptedWrites) -> None:
        self._lab, self._client, self._kept = lab, client, kept

    async def ask(self, method: str, path: str, body: Any = None, *, if_match: int | None = None) -> Answer:
        """As :class:`aware_agent.check.workload.Sender` has it."""
        headers = {"idempotency-key": str(uuid.uuid4())} if method != "GET" else {}
        if if_match is not None:
            headers["if-match"] = f'"{if_match}"'
        known = self._kept.newest
        try:
            answer = await self._client.call(method, path, body, headers=headers, deadline_s=PATIENCE_S)
            if answer.status == 401:  # an access token is good for an hour
                await self._client.login("admin", self._lab.admin_password, PATIENCE_S)
                answer = await self._client.call(method, path, body, headers=headers, deadline_s=PATIENCE_S)
        except Unreachable:
            raise NoAnswer(maybe=True) from None
        if not answer.ok and answer.status != CHANGED:
            raise LabError(f"{method} {path} got {answer.status} {answer.body[:300]!r}")
        document = answer.json()
        if answer.ok and method == "PUT":
            self._kept.accepted(document["revision"], body["value"])
        elif answer.ok and method == "GET":
            self._kept.read(document["revision"], document["value"], known)
        return Answer(answer.status, document)

    def close(self) -> None:
        """Cut its connections."""
        self._client.close()


class Clients:
    """``count`` of them, at work from :meth:`start` to :meth:`stop`; see :class:`Workload` for what they saw."""

    def __init__(self, lab: Lab, count: int, seed: int) -> None:
        self._lab, self._count, self._seed = lab, count, seed
        self._senders: list[LabSender] = []
        self.kept = AcceptedWrites()
        self.workload: Workload

    async def start(self) -> None:
        """Begin. Raises NoAnswer."""
        admin = await self._lab.admin()
        clients = [self._lab.client(admin.token) for _ in range(self._count + 1)]
        self._senders = [LabSender(self._lab, client, self.kept) for client in clients]
        common, *senders = self._senders
        self.workload = Workload(senders, common, seed=self._seed, pause_s=_PAUSE_S)
        await self.workload.begin()
        self.workload.start()

    async def stop(self) -> None:
        """End them. Raises what ended one of them before."""
        try:
            await self.workload.stop()
        finally:
            for sender in self._senders:
                sender.close()
