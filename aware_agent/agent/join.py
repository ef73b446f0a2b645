"""The newcomer's side of joining: find a way in, know the colony by its pin, get certificate and secret.

The join token is shown to nobody before two things are sure: the CA certificate offered has the pin the token names,
and the TLS connection is to a holder of a certificate which that CA signed for this colony.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol

from aware_agent.agent.https import Unreachable
from aware_agent.agent.join_client import JoinClient, NotNow
from aware_agent.agent.state import Membership, NodeState, StateCorrupted, StateDir
from aware_agent.colony.errors import AwareError
from aware_agent.colony.names import Kind, check_name
from aware_agent.discovery.errors import ClockSkew, NoColonyFound
from aware_agent.security import pki
from aware_agent.security.joining import (
    JOIN_CONTEXT,
    CaPinMismatch,
    JoinAnswer,
    JoinFailed,
    JoinRequest,
    Secrets,
    open_secrets,
)
from aware_agent.security.sealing import Opener
from aware_agent.security.signing import sign
from aware_agent.security.token import JoinToken

DEADLINE_S = 30.0
REQUEST_TIMEOUT_S = 5.0
_PAUSE_S = 0.5
_MAX_PAUSE_S = 5.0


class Way(Protocol):
    """Where to ask, as discovery found it."""

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
    check_name(Kind.NODE, newcomer.name)
    state.prepare()
    identity = state.ensure_identity(newcomer.name, now=wall())
    key, csr = _key_and_csr(state, identity.id, newcomer)
    opener = Opener()
    request = JoinRequest(
        colony=newcomer.colony,
        token_id=token.id,
        secret=token.secret,
        csr=csr.decode(),
        node_id=identity.id,
        name=newcomer.name,
        address=newcomer.address,
        url=newcomer.url,
        box_key=opener.public,
    )
    request = sign(request, key, JOIN_CONTEXT)
    state.reserve()
    try:
        search = _Search(JoinClient(request, token, key, wall), ways, clock() + deadline_s, clock, sleep)
        answer, origin = await search.run()
        secrets = open_secrets(answer.sealed, opener, purpose="join", colony=newcomer.colony, node_id=identity.id)
        check_council(secrets, key, identity.id)
        membership = membership_of(newcomer.colony, answer, secrets)
        certificate, ca = answer.certificate.encode(), answer.ca.encode()
        state.save(membership, certificate=certificate, ca=ca, council=secrets.council)
    finally:
        state.release()
    joined = state.load()
    if joined is None:
        raise StateCorrupted(f"{state.membership_path} vanished while joining", hint="is another agent using it?")
    return Joined(joined, origin)


def check_council(secrets: Secrets, key: bytes, node_id: str) -> None:
    """Raise :class:`JoinFailed` when what was given to get to etcd with is of no use to this node."""
    if secrets.council is None:
        return
    try:
        issuer = pki.first_of(secrets.council.ca)
        pki.check_certificate(secrets.council.certificate, key=key, ca=issuer, common_name=node_id)
    except ValueError as error:
        raise JoinFailed(f"the certificate for etcd does not fit: {error}", hint="which version runs there?") from error


def membership_of(colony: str, answer: JoinAnswer, secrets: Secrets) -> Membership:
    """What is kept of the queen's answer, beside certificate and CAs."""
    return Membership(
        colony=colony,
        secret=secrets.colony_secret,
        etcd=answer.etcd,
        channels=answer.channels,
        joined_at=answer.joined_at,
        generation=answer.generation,
        others=secrets.others,
        signed_by=answer.signed_by,
        issued_at=answer.issued_at,
        whole=secrets.whole,
        addresses=answer.addresses,
    )


def _key_and_csr(state: StateDir, node_id: str, newcomer: Newcomer) -> tuple[bytes, bytes]:
    key = state.load_key()
    if key is None:
        key = pki.make_key()
        state.save_key(key)
    try:
        return key, pki.make_csr(key, node_id, newcomer.name)
    except ValueError as error:
        raise StateCorrupted(f"{state.key_path} is damaged", hint="move it away and join again") from error


class _Search:
    """Rounds over all ways until one leads in or the time is over."""

    def __init__(
        self,
        join_client: JoinClient,
        ways: Callable[[], AsyncIterator[Way]],
        deadline: float,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._client, self._ways, self._deadline, self._clock, self._sleep = join_client, ways, deadline, clock, sleep
        self._suspicion: AwareError | None = None  # why somebody who answered is not our colony, or our clock is off
        self._delay: NotNow | None = None  # of this round
        self._answer: NotNow | None = None  # what somebody said last who could be heard to the end

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
                answer = await self._join_at(url)
                if answer:
                    return answer, way.origin
        return None

    async def _join_at(self, url: str) -> JoinAnswer | None:
        remaining = self._deadline - self._clock()
        if remaining <= 0:
            return None
        try:
            return await asyncio.to_thread(self._client.join_at, url, min(REQUEST_TIMEOUT_S, remaining))
        except (CaPinMismatch, ClockSkew) as error:
            self._suspicion = error
        except NotNow as error:
            if not isinstance(error.__cause__, Unreachable):
                self._delay = self._answer = error
            elif self._delay is None:
                self._delay = error
        return None

    def _given_up(self) -> AwareError:
        if self._suspicion:
            return self._suspicion
        # What somebody answered tells more than that a later try was cut off, by the deadline at the latest.
        if why := self._answer or self._delay:
            return JoinFailed(f"the colony could not take this node in: {why}", hint="is its queen up? try again")
        return NoColonyFound(
            "no node of the colony answered",
            hint="is a queen up, is the join token still good, do broadcasts pass? if not, set discovery.seeds",
        )
