"""The deliveries to one receiver: in order for each subject, a few at once, tried again until they are given up."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from aware_agent import __version__
from aware_agent.background import Background
from aware_agent.colony.breaker import Breaker, BreakerEvent, BreakerPolicy, decide
from aware_agent.colony.delivery import pause_after
from aware_agent.colony.errors import AwareError
from aware_agent.colony.event import Event
from aware_agent.colony.reach import Reach
from aware_agent.colony.webhook import DeliveryResult
from aware_agent.outgoing import Answer, CallFailed, Outgoing
from aware_agent.queen.webhooks.messages import Attempted, Ended, FromSender, Hand, Target
from aware_agent.security.webhook_signature import signed_headers

log = logging.getLogger(__name__)

AT_ONCE = 4  # calls to one receiver
MAX_REASON = 200
_REPLAYS = "\0replays"  # no subject has a control character

Tell = Callable[[FromSender], None]


class Attempt(NamedTuple):
    """One call: the answer, or why there is none."""

    answer: Answer | None
    reason: str  # empty when the receiver took it
    duration_s: float


class Lane:
    """One receiver. ``tell`` is called with what happened."""

    def __init__(self, colony: str, target: Target, reach: Reach, tell: Tell, policy: BreakerPolicy) -> None:
        self._colony, self._reach, self._tell, self._policy = colony, reach, tell, policy
        self._target = target
        self._outgoing: Outgoing | None = None
        self._breaker = Breaker()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._queues: dict[str, deque[Hand]] = {}
        self._tasks = Background("deliveries of a webhook")

    def adopt(self, target: Target) -> None:
        """The webhook was changed: the next attempt is made as it is now."""
        if target == self._target:
            return
        if (target.url, target.ca) != (self._target.url, self._target.ca):
            self._breaker = Breaker()
            self._forget_connections()
        self._target = target

    def hand(self, hand: Hand) -> None:
        """Deliver one event, behind those of its subject."""
        subject = _REPLAYS if hand.replay else hand.event.subject
        queue = self._queues.get(subject)
        if queue is not None:
            queue.append(hand)
            return
        self._queues[subject] = deque([hand])
        self._tasks.start(self._work(subject))

    async def close(self) -> None:
        """End all of it."""
        await self._tasks.close()
        if self._outgoing is not None:
            await self._outgoing.aclose()

    async def _work(self, subject: str) -> None:
        """One subject, one event after the other."""
        queue = self._queues[subject]
        try:
            while queue:
                await self._deliver(queue[0])
                queue.popleft()
        finally:
            del self._queues[subject]

    async def _deliver(self, hand: Hand) -> None:
        attempts, first = 0, 0.0
        while True:
            await self._may_call()
            async with self._room:
                attempt = await call(self._connected(), self._colony, self._target, hand.event, hand.revision)
            attempts += 1
            first = first or time.monotonic()
            self._note(attempt)
            over = time.monotonic() - first >= self._target.retry_s
            if not attempt.reason or over:
                self._tell(Ended(webhook=self._target.id, result=_result(hand, attempt, attempts), replay=hand.replay))
                return
            asked = attempt.answer.retry_after_s if attempt.answer else 0.0
            pause = pause_after(attempts, random.random(), asked)  # noqa: S311 - spreads calls, hides nothing
            # The last attempt is made when the time is over, not a whole pause later.
            await asyncio.sleep(min(pause, max(0.0, first + self._target.retry_s - time.monotonic())))

    async def _may_call(self) -> None:
        while True:
            verdict = decide(self._breaker, BreakerEvent.ASKED, time.monotonic(), self._policy)
            self._breaker = verdict.breaker
            if verdict.allowed:
                return
            await asyncio.sleep(verdict.wait_s)

    def _note(self, attempt: Attempt) -> None:
        said = BreakerEvent.FAILED if attempt.reason else BreakerEvent.SUCCEEDED
        self._breaker = decide(self._breaker, said, time.monotonic(), self._policy).breaker
        self._tell(
            Attempted(
                webhook=self._target.id,
                ok=not attempt.reason,
                reason=attempt.reason,
                breaker=self._breaker.state,
                at=time.time(),
            )
        )

    def _connected(self) -> Outgoing | AwareError:
        """The connections, or why there can be none."""
        if self._outgoing is None:
            try:
                self._outgoing = Outgoing(self._target.url, self._reach, ca=self._target.ca, at_once=AT_ONCE)
            except AwareError as error:  # what was allowed where it was registered need not be where we are
                return error
        return self._outgoing

    def _forget_connections(self) -> None:
        if self._outgoing is not None:
            self._tasks.start(self._outgoing.aclose())
            self._outgoing = None


async def call(
    outgoing: Outgoing | AwareError, colony: str, target: Target, event: Event, revision: int = 0
) -> Attempt:
    """Call the receiver once."""
    began = time.monotonic()
    if isinstance(outgoing, AwareError):
        return Attempt(None, outgoing.message[:MAX_REASON], 0.0)
    body = document(colony, event, revision)
    headers = signed_headers(target.secrets, event.id, int(time.time()), body)
    headers |= {"content-type": "application/json", "user-agent": f"aware/{__version__}", "accept": "*/*"}
    try:
        answer = await outgoing.post(body, headers)
    except CallFailed as error:
        return Attempt(None, error.message[:MAX_REASON], time.monotonic() - began)
    except Exception:  # a bug here must not keep an event for ever: it is tried again, and given up in the end
        log.exception("a call of webhook %s broke", target.id)
        return Attempt(None, "this is a bug; the queen's log says more", time.monotonic() - began)
    return Attempt(answer, "" if answer.ok else f"the receiver answered {answer.status}", answer.duration_s)


def document(colony: str, event: Event, revision: int) -> bytes:
    """The body of a delivery: type, time and data, as Standard Webhooks recommends it."""
    data = {"revision": revision, **msgspec.structs.asdict(event)}
    moment = datetime.fromtimestamp(event.time, UTC).isoformat(timespec="milliseconds")
    return msgspec.json.encode({"type": event.type, "timestamp": moment, "colony": colony, "data": data})


def _result(hand: Hand, attempt: Attempt, attempts: int) -> DeliveryResult:
    return DeliveryResult(
        event=hand.event.id,
        type=hand.event.type,
        revision=hand.revision,
        at=time.time(),
        delivered=not attempt.reason,
        attempts=attempts,
        status=attempt.answer.status if attempt.answer else 0,
        reason=attempt.reason,
        duration_s=round(attempt.duration_s, 3),
    )
