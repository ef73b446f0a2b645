"""A colony comes back out of a backup, on one host: its first member begins out of the snapshot, alone; on every other
host nothing of the lost etcd may run any more. The agents and the council's keeper do the rest, as after any loss.

One restore has one *token*: of the new cluster of etcd, so that members of another one are refused, and of what was
done here, so that a run that was killed is repeated and one that came to its end changes nothing. Data that was there
is moved aside and kept.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from aware_agent.agent.member.etcd_access import etcd_pair
from aware_agent.agent.member.etcd_home import EtcdPlan
from aware_agent.agent.member.etcd_unit import EtcdUnit
from aware_agent.agent.member.recover import load_member, point_to
from aware_agent.agent.state import NodeState, StateDir
from aware_agent.colony.errors import NotFound
from aware_agent.security.files import read_public, write_atomic
from aware_agent.store.etcd_binary import find_etcd
from aware_agent.store.snapshot_tools import PeerMember, find_etcdutl, make_data_dir

__all__ = ["Beginning", "Return", "come_back"]

MARK = "restored"


class Beginning(msgspec.Struct, frozen=True, kw_only=True):
    """This host's member is the first."""

    snapshot: Path  # as ``aware backup restore`` made it
    peer_url: str  # where other members will reach it


class Return(msgspec.Struct, frozen=True, kw_only=True):
    """What one host does in a restore."""

    token: str
    client_url: str  # of the first member's etcd, on this host or another
    beginning: Beginning | None = None
    systemd: bool = False


async def come_back(path: Path, wanted: Return) -> bool:
    """Do it for the state directory ``path``; false when it was done before. The agent must not run.

    A node that has not joined only gets rid of the data of etcd. Raises StateUnusable while the agent runs, NotFound
    for a first member that may not sit in the council, StoreError with the last word of etcd's tool, DiskFull.
    """
    state_dir = StateDir(path)
    mark = path / MARK
    with state_dir.hold():
        if read_public(mark) == _mark(wanted):
            return False
        unit = EtcdUnit(path, production=True, systemd=wanted.systemd)  # nothing is started here
        if wanted.beginning is None:
            await _clear(unit, wanted.token)
            state = state_dir.load()
        else:
            state = load_member(state_dir)
            await _begin(unit, wanted, wanted.beginning, state)
        if state is not None and state.council is not None:
            point_to(state_dir, state, wanted.client_url.removeprefix("https://"))
        write_atomic(mark, _mark(wanted))
    return True


async def _clear(unit: EtcdUnit, token: str) -> None:
    await unit.stop()
    unit.home.retire(restored=token)


async def _begin(unit: EtcdUnit, wanted: Return, beginning: Beginning, state: NodeState) -> None:
    """May be cut off anywhere: without its data, an etcd that is said to join does not begin an empty one."""
    if state.council is None:
        raise NotFound(
            f"{state.identity.name} is a worker: it cannot be the first member of etcd",
            hint="choose a node that may sit in the council",
        )
    me = state.identity.id
    plan = EtcdPlan(
        name=me,
        client_url=wanted.client_url,
        peer_url=beginning.peer_url,
        peers={me: beginning.peer_url},
        token=wanted.token,
        joins=True,
    )
    if unit.home.plan() == plan and unit.home.begun:
        return
    tool = find_etcdutl(find_etcd())
    await _clear(unit, wanted.token)
    unit.home.install(plan, etcd_pair(state))
    member = PeerMember(me, beginning.peer_url)

    def make(data_dir: Path) -> None:
        make_data_dir(tool, beginning.snapshot, data_dir, member=member, members=[member], token=wanted.token)

    unit.home.fill(make)


def _mark(wanted: Return) -> bytes:
    return f"{wanted.token}\n".encode()
