"""Clients that change one thing all the time while faults befall a colony, and what each of them was answered.

The thing is the configuration of a node: a register, of which every value is written once. A write is a plain PUT, or
one with If-Match, which is a compare-and-set. Each carries an Idempotency-Key and is repeated until somebody answers,
so that nearly every outcome is known; what is not known by the end is in the history as that.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
import uuid

from bench.client import Answer, ColonyClient, Unreachable
from bench.lab import Lab, LabError
from bench.linear import Operation

PATIENCE_S = 90.0
_PAUSE_S = 0.05


class Clients:
    """``count`` of them. :func:`bench.linear.violation` judges ``history``; ``accepted``: when and by which term."""

    def __init__(self, lab: Lab, node: str, count: int, seed: int) -> None:
        self._lab, self._path, self._count = lab, f"/v1/nodes/{node}/config", count
        self._dice = random.Random(seed)
        self._values = itertools.count(1)
        self._tasks: list[asyncio.Task[None]] = []
        self._over = asyncio.Event()
        self._known: dict[int, int] = {0: 0}  # revision and the value it gave
        self.history: list[Operation] = []
        self.accepted: list[tuple[float, int]] = []

    async def start(self) -> None:
        """Begin. Raises :class:`Unreachable`."""
        admin = await self._lab.admin()
        for _ in range(self._count):
            self._tasks.append(asyncio.create_task(self._work(self._lab.client(admin.token))))

    async def stop(self) -> None:
        """End them, each after its operation, and read what is there. Raises what ended one of them before."""
        self._over.set()
        for done in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(done, Exception):
                raise done
        self._tasks.clear()
        began = time.monotonic()
        answer = await self._lab.ask("GET", self._path, deadline_s=PATIENCE_S)
        value = int(answer.json()["config"]["vars"].get("value", 0))
        self.history.append(Operation("read", value, began, time.monotonic()))

    def check(self) -> None:
        """Raise what ended one of them."""
        for task in self._tasks:
            if task.done() and not task.cancelled() and (error := task.exception()):
                raise error

    async def _work(self, client: ColonyClient) -> None:
        try:
            while not self._over.is_set():
                revision = self._dice.choice([0, *list(self._known)[-3:]]) if self._dice.random() < 0.6 else 0
                await self._operation(client, revision)
                await asyncio.sleep(_PAUSE_S * self._dice.uniform(0.5, 1.5))
        finally:
            client.close()

    async def _operation(self, client: ColonyClient, revision: int) -> None:
        value, began = next(self._values), time.monotonic()
        headers = {"idempotency-key": str(uuid.uuid4()), **({"if-match": f'"{revision}"'} if revision else {})}
        body = {"config": {"vars": {"value": value}}}
        expected = self._known[revision]
        try:
            answer = await self._answered(client, body, headers)
        except Unreachable:
            self.history.append(_operation(value, revision, expected, began))
            return
        now = time.monotonic()
        if answer.status == 412:
            self.history.append(Operation("cas", value, began, now, "refused", expected))
            return
        if not answer.ok:
            raise LabError(f"a write got {answer.status} {answer.body[:300]!r}")
        told = answer.json()
        self._known[told["revision"]] = value
        self.accepted.append((now, told["term"]))
        self.history.append(_operation(value, revision, expected, began, now))

    async def _answered(self, client: ColonyClient, body: object, headers: dict[str, str]) -> Answer:
        answer = await client.call("PUT", self._path, body, headers=headers, deadline_s=PATIENCE_S)
        if answer.status == 401:  # an access token is good for an hour
            client.token = (await self._lab.admin()).token
            await client.login("admin", self._lab.admin_password, PATIENCE_S)
            answer = await client.call("PUT", self._path, body, headers=headers, deadline_s=PATIENCE_S)
        return answer


def _operation(value: int, revision: int, expected: int, began: float, now: float | None = None) -> Operation:
    end, outcome = (now, "ok") if now is not None else (float("inf"), "unknown")
    if revision:
        return Operation("cas", value, began, end, outcome, expected)  # type: ignore[arg-type]
    return Operation("write", value, began, end, outcome)  # type: ignore[arg-type]
