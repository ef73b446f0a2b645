"""The process that calls receivers: ``python -m aware_agent.queen.webhooks.sender``, a child of the queen's agent.

Why a process of its own, and why this one: receivers are slow, many and chosen by users, so their calls belong neither
on the agent's loop, which has an election to keep, nor into its memory (HTTP, TLS and DNS in threads). The gateway's
process faces the public and runs on every member; the secrets that sign are to be known where the queen is and nowhere
else. So this one is started with the first webhook, told secrets through its pipe, and ends with the reign: its
standard input is the string it hangs on. It decides nothing that lasts: it tells what happened, and the queen writes.
"""

from __future__ import annotations

import asyncio
import os
import sys
import traceback

import msgspec

from aware_agent.agent.member.frames import frame, read_frame
from aware_agent.background import Background
from aware_agent.colony.breaker import BreakerPolicy
from aware_agent.colony.decoding import from_msgpack
from aware_agent.colony.errors import AwareError
from aware_agent.outgoing import Outgoing
from aware_agent.program import give_way
from aware_agent.queen.webhooks.lane import Lane, Tell, call
from aware_agent.queen.webhooks.messages import Adopt, Begin, FromSender, Hand, ToSender, Trial, Tried

_NICE = 5
_MAX_SHOWN = 1000  # characters of an answer


class Sender:
    """All lanes."""

    def __init__(self, begin: Begin, tell: Tell, policy: BreakerPolicy) -> None:
        self._begin, self._tell, self._policy = begin, tell, policy
        self._lanes: dict[str, Lane] = {}
        self._tasks = Background("a call of a webhook")

    def take(self, said: ToSender) -> None:
        """Do what the queen says."""
        if isinstance(said, Adopt):
            self._adopt(said)
        elif isinstance(said, Hand):
            lane = self._lanes.get(said.webhook)
            if lane is not None:
                lane.hand(said)
        elif isinstance(said, Trial):
            self._tasks.start(self._try(said))

    async def close(self) -> None:
        """End all of it."""
        await self._tasks.close()
        for lane in self._lanes.values():
            await lane.close()

    def _adopt(self, said: Adopt) -> None:
        targets = {target.id: target for target in said.targets}
        for gone in self._lanes.keys() - targets.keys():
            self._tasks.start(self._lanes.pop(gone).close())
        for webhook, target in targets.items():
            if webhook in self._lanes:
                self._lanes[webhook].adopt(target)
            else:
                self._lanes[webhook] = Lane(self._begin.colony, target, self._begin.reach, self._tell, self._policy)

    async def _try(self, trial: Trial) -> None:
        """One call that counts for nothing."""
        outgoing: Outgoing | AwareError
        try:
            outgoing = Outgoing(trial.target.url, self._begin.reach, ca=trial.target.ca, at_once=1)
        except AwareError as error:
            outgoing = error
        attempt = await call(outgoing, self._begin.colony, trial.target, trial.event)
        if isinstance(outgoing, Outgoing):
            await outgoing.aclose()
        if attempt.answer is None:
            self._tell(Tried(number=trial.number, failure=attempt.reason, duration_s=attempt.duration_s))
            return
        body = attempt.answer.body.decode(errors="replace")[:_MAX_SHOWN]
        answer = attempt.answer
        self._tell(Tried(number=trial.number, status=answer.status, body=body, duration_s=answer.duration_s))


def _tell(said: FromSender) -> None:
    """Into the pipe. It blocks when nobody reads: a queen that hangs is told nothing and no more is sent."""
    sys.stdout.buffer.write(frame(msgspec.msgpack.encode(said)))
    sys.stdout.buffer.flush()


async def _serve() -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    sender: Sender | None = None
    while (raw := await read_frame(reader)) is not None:
        said: ToSender = from_msgpack(raw, ToSender)
        if isinstance(said, Begin):
            sender = Sender(said, _tell, BreakerPolicy())
        elif sender is not None:
            sender.take(said)


def main() -> int:
    """Serve until standard input ends; then whatever is under way ends with us, at once."""
    give_way(_NICE)
    asyncio.run(_leashed())
    return 0


async def _leashed() -> None:
    code = 1
    try:
        await _serve()
        code = 0
    except Exception:
        traceback.print_exc()  # on standard error, as the agent's own log
    finally:
        os._exit(code)  # what is under way shall not outlive the reign: not even to say goodbye


if __name__ == "__main__":
    sys.exit(main())
