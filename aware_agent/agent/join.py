"""The newcomer's side of joining: find a way in, know the colony by its pin, get certificate and secret.

The join token is shown to nobody before two things are sure: the CA certificate offered has the pin the token names,
and the TLS connection is to a holder of a certificate which that CA signed for this colony.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol

from aware_agent.agent.door import Door, NotNow
from aware_agent.agent.state import Membership, NodeState, StateCorrupted, StateDir
from aware_agent.colony.errors import AwareError
from aware_agent.discovery.errors import ClockSkew, NoColonyFound
from aware_agent.security import pki
from aware_agent.security.joining import CaPinMismatch, JoinAnswer, JoinFailed, JoinRequest, check_node_name
from aware_agent.security.token import JoinToken

DEADLINE_S = 30.0
REQUEST_TIMEOUT_S = 5.0
_PAUSE_S = 0.5
_MAX_PAUSE_S = 5.0


class Way(Protocol):
    """Where to knock, as discovery found it."""

    @property
    def urls(self) -> Sequence[str]:
        """Base URLs of gateways, best first."""

    @property
    def queen_url(self) -> str:
        """Base URL of the queen's gateway, empty when unknown."""

    @property
    def origin(self) -> str:
        """Which layer found it."""


class Newcomer(NamedTuple):
    """Who wants to join which colony."""

    colony: str
    name: str
    address: str
    url: str
    candidate: bool = True


class Joined(NamedTuple):
    """The outcome: what is in the state directory now, and how the colony was found."""

    state: NodeState
    origin: str


async def join(
    newcomer: Newcomer,
    state: StateDir,
    token: JoinToken,
    ways: Callable[[], AsyncIterator[Way]],
    *,
    deadline_s: float = DEADLINE_S,
    wall: Callable[[], float] = time.time,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Joined:
    """Join through the first way that leads in; ``ways`` is asked anew each round until ``deadline_s`` is over.

    A repetition after any failure uses the same node id and key. Raises TokenRefused, NameTaken, CaPinMismatch,
    ClockSkew, NoColonyFound, JoinFailed, DiskFull, StateUnusable, StateCorrupted; the colony did not take the node in
    then, or will recognise it next time.
    """
    check_node_name(newcomer.name)
    state.prepare()
    identity = state.ensure_identity(newcomer.name, now=wall())
    key, csr = _key_and_csr(state, identity.id, newcomer)
    request = JoinRequest(
        colony=newcomer.colony,
        token_id=token.id,
        secret=token.secret,
        csr=csr.decode(),
        node_id=identity.id,
        name=newcomer.name,
        address=newcomer.address,
        url=newcomer.url,
        candidate=newcomer.candidate,
    )
    state.reserve()
    try:
        search = _Search(Door(request, token, key, wall), ways, clock() + deadline_s, clock, sleep)
        answer, origin = await search.run()
        membership = membership_of(newcomer.colony, answer)
        state.save(membership, certificate=answer.certificate.encode(), ca=answer.ca.encode())
    finally:
        state.release()
    joined = state.load()
    if joined is None:
        raise StateCorrupted(f"{state.membership_path} vanished while joining", hint="is another agent using it?")
    return Joined(joined, origin)


def membership_of(colony: str, answer: JoinAnswer) -> Membership:
    """What is kept of the queen's answer, beside certificate and CAs."""
    return Membership(
        colony=colony,
        secret=answer.colony_secret,
        etcd=answer.etcd,
        joined_at=answer.joined_at,
        generation=answer.generation,
        others=answer.others,
        signed_by=answer.signed_by,
        issued_at=answer.issued_at,
        whole=answer.whole,
    )


def _key_and_csr(state: StateDir, node_id: str, newcomer: Newcomer) -> tuple[bytes, bytes]:
    key = state.load_key()
    if key is None:
        key = pki.make_key()
        state.save_key(key)
    try:
        return key, pki.make_csr(key, node_id, newcomer.name, [newcomer.address])
    except ValueError as error:
        raise StateCorrupted(f"{state.key_path} is damaged", hint="move it away and join again") from error


class _Search:
    """Rounds over all ways until one leads in or the time is over."""

    def __init__(
        self,
        door: Door,
        ways: Callable[[], AsyncIterator[Way]],
        deadline: float,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._door, self._ways, self._deadline, self._clock, self._sleep = door, ways, deadline, clock, sleep
        self._suspicion: AwareError | None = None  # why somebody who answered is not our colony, or our clock is off
        self._delay: NotNow | None = None

    async def run(self) -> tuple[JoinAnswer, str]:
        while True:
            self._delay = None
            joined = await self._round()
            if joined:
                return joined
            # Somebody of the colony may still be about to get a queen; a stranger stays a stranger.
            if self._suspicion and not self._delay:
                raise self._suspicion
            pause = min(max(_PAUSE_S, self._delay.retry_after_s if self._delay else 0.0), _MAX_PAUSE_S)
            if self._clock() + pause >= self._deadline:
                raise self._given_up()
            await self._sleep(pause)

    async def _round(self) -> tuple[JoinAnswer, str] | None:
        async for way in self._ways():
            for url in dict.fromkeys([way.queen_url, *way.urls] if way.queen_url else way.urls):
                answer = await self._knock(url)
                if answer:
                    return answer, way.origin
        return None

    async def _knock(self, url: str) -> JoinAnswer | None:
        remaining = self._deadline - self._clock()
        if remaining <= 0:
            return None
        try:
            return await asyncio.to_thread(self._door.knock, url, min(REQUEST_TIMEOUT_S, remaining))
        except (CaPinMismatch, ClockSkew) as error:
            self._suspicion = error
        except NotNow as error:
            self._delay = error
        return None

    def _given_up(self) -> AwareError:
        if self._suspicion:
            return self._suspicion
        if self._delay:
            return JoinFailed(
                f"the colony could not take this node in: {self._delay}", hint="is its queen up? try again"
            )
        return NoColonyFound(
            "no node of the colony answered",
            hint="is a queen up, is the join token still good, do broadcasts pass? if not, set discovery.seeds",
        )
