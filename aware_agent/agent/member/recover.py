"""A lost majority: one surviving member goes on alone, and the colony fills its council from there.

What only lost members had is lost: a write is acknowledged when a majority has it, and the survivors may be the
minority that had not. So the newest of them is taken, and a person decides; nothing here happens by itself.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from msgspec.structs import replace

from aware_agent.agent.member.etcd_access import etcd_credentials, etcd_pair
from aware_agent.agent.member.etcd_home import EtcdPlan
from aware_agent.agent.member.etcd_unit import EtcdUnit
from aware_agent.agent.state import NodeState, StateDir
from aware_agent.colony.errors import Conflict, NotFound
from aware_agent.store.members import Members, PeerEntry, PeerStatus

__all__ = ["load_member", "point_to", "recover", "survey"]


async def survey(state_dir: Path) -> dict[str, PeerStatus | None]:
    """What every member this node knows says of itself, by endpoint; None for one that does not answer."""
    state = load_member(StateDir(state_dir))
    credentials = etcd_credentials(state)
    members = Members(state.membership.etcd, lambda: credentials)
    asked = [PeerEntry(id=0, client_urls=(f"https://{endpoint}",)) for endpoint in state.membership.etcd]
    try:
        said = await asyncio.gather(*(members.status(entry) for entry in asked))
    finally:
        await members.aclose()
    return dict(zip(state.membership.etcd, said, strict=True))


async def recover(path: Path, *, production: bool = True, systemd: bool = False) -> str:
    """Make this node's etcd forget all other members and serve alone; returns its endpoint. The agent must not run.

    May be repeated. Raises StateUnusable while the agent runs, NotFound on a node without a seat, Conflict when a
    majority answers, StoreError with what kept etcd from starting.
    """
    state_dir = StateDir(path)
    with state_dir.hold():
        state = load_member(state_dir)
        await _refuse_if_not_lost(path, state)
        unit = EtcdUnit(path, production=production, systemd=systemd)
        plan = unit.home.plan()
        if plan is None or not unit.home.begun:
            raise NotFound(
                f"{unit.home.path} holds no data of etcd",
                hint="run it on a member that survived; on hosts with --systemd",
            )
        alone = replace(plan, peers={plan.name: plan.peer_url}, joins=True)
        await _alone_once(unit, alone, state)
        endpoint = plan.client_url.removeprefix("https://")
        point_to(state_dir, state, endpoint)
    return endpoint


async def _alone_once(unit: EtcdUnit, plan: EtcdPlan, state: NodeState) -> None:
    """One start in which etcd rewrites its member list; afterwards it starts as any other."""
    pair = etcd_pair(state)
    try:
        await unit.run(plan, pair, force_new=True)
        await unit.wait_ready(etcd_credentials(state))
    finally:
        await unit.stop()
        unit.home.install(plan, pair)


async def _refuse_if_not_lost(path: Path, state: NodeState) -> None:
    """Two members that go on alone would be two colonies: where a majority is, nobody may."""
    said = [status for status in (await survey(path)).values() if status is not None]
    led = [status for status in said if status.leader]
    if led and len(state.membership.etcd) > 1:
        raise Conflict(
            f"{len(led)} of {len(state.membership.etcd)} members of etcd have a leader: the majority is not lost",
            hint="the queen replaces lost members by herself: council.replace_after_s",
        )


def point_to(state_dir: StateDir, state: NodeState, endpoint: str) -> None:
    """At its next start the node finds etcd at this one member; the others are told to it by the colony."""
    state_dir.save_membership(replace(state.membership, etcd=(endpoint,)))


def load_member(state_dir: StateDir) -> NodeState:
    """What a node that has joined knows. Raises NotFound for another."""
    state = state_dir.load()
    if state is None:
        raise NotFound(f"{state_dir.path} is of no node that has joined", hint="name the agent's state_dir")
    return state
