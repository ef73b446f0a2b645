"""Keeps this node's certificate and secrets fresh: waits until they are due, has a short process renew them, adopts.

What is due, and when, is decided by :mod:`aware_agent.colony.renewal`; the work is done by
:mod:`aware_agent.agent.renew`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from aware_agent.agent.certificate_fields import not_after
from aware_agent.agent.child import ask_child
from aware_agent.agent.renewal_task import Outcome, RenewalFailed, Task
from aware_agent.agent.state import NodeState, StateDir
from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.errors import AwareError
from aware_agent.colony.node import TrustReport
from aware_agent.colony.renewal import Holding, due, retry_in, worrying
from aware_agent.colony.rotation import Trust
from aware_agent.security.keyring import Keyring, fingerprint
from aware_agent.security.refusals import NotAMember

log = logging.getLogger(__name__)

CHILD_S = 60.0  # a starved machine takes its time to start an interpreter
_CLOSE_S = 2.0  # a certificate with no more left than this is not worth a connection
LOOK_S = 3600.0  # the longest sleep: the clock may be set meanwhile


def holding(state: NodeState) -> Holding:
    """What the state says this node has."""
    membership, council = state.membership, state.council
    certificates = [state.certificate, *([council.certificate] if council else [])]
    return Holding(
        issued_at=membership.issued_at,
        not_after=min(not_after(certificate) for certificate in certificates),
        signed_by=membership.signed_by,
        generations=frozenset({membership.generation, *membership.others}),
        current=membership.generation,
        bundle=state.ca.decode(),
        council_bundle=council.ca.decode() if council else None,
        addresses=membership.addresses,
    )


def trust_report(keyring: Keyring, state: NodeState, incarnation: str) -> TrustReport:
    """What this node can prove to the queen: secrets it has, and the certificate it shows."""
    have = holding(state)
    return TrustReport(
        proofs=keyring.proofs(state.identity.id, incarnation),
        signed_by=have.signed_by,
        not_after=have.not_after,
        bundle=fingerprint(state.ca),
        council_bundle=fingerprint(state.council.ca) if state.council else "",
    )


async def renew_once(state_dir: StateDir, address: str, urls: Sequence[str]) -> NodeState:
    """Renew through one of ``urls`` and return the new state. Raises AwareError; NotAMember when it was removed."""
    task = Task(state_dir=str(state_dir.path), address=address, urls=tuple(urls))
    try:
        out, err = await ask_child("aware_agent.agent.renew", msgspec.json.encode(task), CHILD_S)
    except TimeoutError:
        raise RenewalFailed(f"the renewal took longer than {CHILD_S:.0f} s") from None
    _raise_problem(out, err)
    state = state_dir.load()
    if state is None:
        raise RenewalFailed("the state directory vanished while renewing", hint="is another agent using it?")
    return state


def _raise_problem(out: bytes, err: bytes) -> None:
    try:
        outcome = from_json(out, Outcome)
    except UNDECODABLE:
        last = err.decode(errors="replace").strip().rpartition("\n")[2]
        raise RenewalFailed(f"the process that renews broke: {last[:300]}") from None
    if outcome.code == NotAMember.code:
        raise NotAMember(outcome.message, hint=outcome.hint)
    if outcome.code:
        raise RenewalFailed(outcome.message, hint=outcome.hint)


class CertificateExpired(AwareError):
    """This node's certificate ran out or its address changed while it was away, and no queen renewed it."""

    code = "certificate-expired"
    exit_code = 21


async def revive(state_dir: StateDir, state: NodeState, address: str, urls: Sequence[str], limit_s: float) -> NodeState:
    """The state of a node that starts; renewed first if its certificate is of no use any more.

    One that ran out etcd would refuse; one that does not name ``address`` its clients would, so the node must not be
    announced there. Raises :class:`CertificateExpired` when no queen renews it within ``limit_s``, NotAMember when it
    was removed.
    """
    end = time.monotonic() + limit_s
    failures = 0
    while flaw := _flaw(state, address):
        try:
            return await renew_once(state_dir, address, urls)
        except RenewalFailed as error:
            failures += 1
            pause = retry_in(failures, 0.0, random.random())  # noqa: S311 - spreads load, keeps no secret
            if time.monotonic() + pause >= end:
                raise CertificateExpired(
                    f"this node's certificate {flaw}, and it was not renewed: {error.message}",
                    hint=error.hint
                    or "is a queen up and in discovery.seeds? else: aware-agent rejoin, with a new join token",
                ) from error
            log.info("certificate %s; not renewed yet: %s", flaw, error.message)
            await asyncio.sleep(pause)
    return state


def _flaw(state: NodeState, address: str) -> str:
    """Why a node cannot start with its certificate; empty when it can."""
    ran_out = holding(state).not_after
    if ran_out <= time.time() + _CLOSE_S:
        return f"ran out at {time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime(ran_out))}"
    named = state.membership.addresses
    return f"names {', '.join(named)}, not {address}" if named and address not in named else ""


class Renewal:
    """A duty of the node. ``adopt`` takes what was renewed into use; the certificate shall name ``address``."""

    def __init__(
        self,
        state: NodeState,
        renew: Callable[[], Awaitable[NodeState]],
        adopt: Callable[[NodeState], None],
        *,
        address: str = "",
        wall: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._holding, self._address, self._pinned = holding(state), address, tuple[str, ...]()
        self._renew, self._adopt, self._wall, self._chance = renew, adopt, wall, chance
        self._trust, self._size = Trust(), 1
        self._changed = asyncio.Event()
        self._spread = chance()

    def post(self, trust: Trust, size: int, pinned: Sequence[str] = ()) -> None:
        """What the colony believes in now; ``size`` nodes hear it at this moment. An admin ``pinned`` addresses."""
        if (trust, tuple(pinned)) != (self._trust, self._pinned):
            self._trust, self._size, self._pinned = trust, size, tuple(pinned)
            self._changed.set()

    async def run(self) -> None:
        """Renew whenever it is due, until cancelled. Failures are tried again; nothing here ends the node."""
        failures = 0
        while True:
            self._changed.clear()
            addresses = tuple(one for one in (self._address, *self._pinned) if one)
            wish = due(self._holding, self._trust, self._wall(), self._spread, self._size, addresses=addresses)
            if await self._wait(wish.at - self._wall()):
                continue
            try:
                state = await self._renew()
            except (AwareError, OSError) as error:
                failures += 1
                left = self._holding.not_after - self._wall()
                pause = retry_in(failures, left, self._chance())
                level = logging.WARNING if worrying(failures, left) else logging.INFO
                log.log(
                    level,
                    "certificate not renewed yet, %.1f days left: %s; again in %.0f s",
                    left / 86400,
                    error,
                    pause,
                )
                await self._wait(pause)
                continue
            failures = 0
            self._holding, self._spread = holding(state), self._chance()
            self._adopt(state)
            left = self._holding.not_after - self._wall()
            log.info("certificate renewed for %.0f s: %s", left, wish.reason)

    async def _wait(self, seconds: float) -> bool:
        """Sleep; returns True when it has to be looked at again before the time."""
        if seconds <= 0:
            return False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, LOOK_S)):
                await self._changed.wait()
                return True
        return seconds > LOOK_S
