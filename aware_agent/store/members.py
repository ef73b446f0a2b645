"""etcd's members: who they are, how each is, the changes a council makes, one at a time, and what gives room back.

Every change is asked for once. When its answer is lost the caller looks at :meth:`Members.list` again, which tells.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from aware_agent.store import rpc
from aware_agent.store.client import EtcdClient
from aware_agent.store.connections import Credentials
from aware_agent.store.errors import Compacted, StoreError

STATUS_S = 1.0
CHANGE_S = 7.0  # etcd gives a change of members up after its own request time-out
ROOM_S = 120.0  # etcd copies some 50 MiB a second when it defragments; its largest sensible file has 8 GiB
_ALARM = re.compile(r"memberID:(\d+) alarm:([A-Z]+)")


class PeerEntry(Struct, frozen=True, kw_only=True):
    """A member as etcd lists it. One that was added and never started has neither name nor client URLs."""

    id: int
    name: str = ""
    peer_urls: tuple[str, ...] = ()
    client_urls: tuple[str, ...] = ()
    learner: bool = False

    @property
    def started(self) -> bool:
        """Whether it ever came up."""
        return bool(self.name)


class PeerStatus(Struct, frozen=True, kw_only=True):
    """What a member says of itself; ``leader`` 0: it knows none. It answers without a majority, too."""

    id: int
    version: str
    leader: int
    learner: bool
    term: int  # of raft, not of a queen
    index: int  # of raft: what it knows to be committed
    applied: int
    revision: int = 0
    size: int = 0  # bytes of its file
    in_use: int = 0
    alarms: frozenset[tuple[int, str]] = frozenset()  # member and kind; every member knows all of them


class Members:
    """Speaks to the members of one etcd. ``endpoints``: where it is reached at first. Close it."""

    def __init__(
        self, endpoints: Sequence[str], credentials: Callable[[], Credentials], *, status_s: float = STATUS_S
    ) -> None:
        self._credentials = credentials
        self._status_s = status_s
        self._all = EtcdClient(endpoints, credentials(), deadline_s=CHANGE_S)
        self._each: dict[str, EtcdClient] = {}  # by client URL

    async def aclose(self) -> None:
        """Closes all connections."""
        await asyncio.gather(self._all.aclose(), *(client.aclose() for client in self._each.values()))
        self._each.clear()

    async def list(self) -> tuple[PeerEntry, ...]:
        """All members, by id: as a majority knows them, never an older list. Raises StoreError."""
        answer = await self._all.call(rpc.MEMBER_LIST, rpc.pb.MemberListRequest(linearizable=True))
        return _entries(answer.members)

    async def status(self, member: PeerEntry) -> PeerStatus | None:
        """What ``member`` says of itself; None when it does not answer in time, or another one does (id 0: any)."""
        for url in member.client_urls:
            try:
                answer = await self._client(url).call(
                    rpc.STATUS, rpc.pb.StatusRequest(), repeatable=False, deadline_s=self._status_s
                )
            except StoreError:
                continue
            if member.id in (0, answer.header.member_id):
                return _status(answer)
        return None

    async def statuses(self, members: Sequence[PeerEntry]) -> dict[int, PeerStatus]:
        """Of those that answer, by id. Forgets connections to members that are gone."""
        await self._forget({url for member in members for url in member.client_urls})
        found = await asyncio.gather(*(self.status(member) for member in members))
        return {member.id: said for member, said in zip(members, found, strict=True) if said is not None}

    async def add_learner(self, peer_url: str) -> tuple[PeerEntry, tuple[PeerEntry, ...]]:
        """A new member that does not vote yet, and the list with it. Raises MembershipRefused, StoreError."""
        answer = await self._change(rpc.MEMBER_ADD, rpc.pb.MemberAddRequest(peerURLs=[peer_url], isLearner=True))
        return _entry(answer.member), _entries(answer.members)

    async def promote(self, member: int) -> None:
        """Let a learner vote. Raises MembershipRefused (``later``: it lags behind), StoreError."""
        await self._change(rpc.MEMBER_PROMOTE, rpc.pb.MemberPromoteRequest(ID=member))

    async def remove(self, member: int) -> None:
        """Remove a member; its process ends by itself. Raises MembershipRefused, StoreError."""
        await self._change(rpc.MEMBER_REMOVE, rpc.pb.MemberRemoveRequest(ID=member))

    async def move_leader(self, to: int, members: Sequence[PeerEntry]) -> None:
        """Let voter ``to`` lead. Only the leader does that, so it is looked for among ``members``. Raises StoreError.

        Every lease gets its full time-to-live anew: none becomes shorter by it.
        """
        said = await self.statuses(members)
        leader = next((m for m in members if m.id in said and said[m.id].leader == m.id), None)
        if leader is None:
            raise StoreError("no member of etcd leads")
        if leader.id == to:
            return
        client = self._client(leader.client_urls[0])
        request = rpc.pb.MoveLeaderRequest(targetID=to)
        await client.call(rpc.MOVE_LEADER, request, repeatable=False, deadline_s=CHANGE_S)

    async def compact(self, revision: int) -> None:
        """Forget the history before ``revision``, and return when one member has done so. Raises StoreError."""
        request = rpc.pb.CompactionRequest(revision=revision, physical=True)
        try:
            await self._all.call(rpc.COMPACT, request, timeout_s=ROOM_S, deadline_s=ROOM_S)
        except Compacted:
            return

    async def defragment(self, member: PeerEntry) -> None:
        """Have ``member`` write its file anew; it serves nobody until that is done. Raises StoreError."""
        client = self._client(member.client_urls[0])
        request = rpc.pb.DefragmentRequest()
        await client.call(rpc.DEFRAGMENT, request, repeatable=False, timeout_s=ROOM_S, deadline_s=ROOM_S)

    async def disarm(self, members: Sequence[int]) -> None:
        """Take the alarm NOSPACE of these members back. Raises StoreError."""
        for member in members:
            request = rpc.pb.AlarmRequest(action=rpc.pb.AlarmRequest.DEACTIVATE, memberID=member, alarm=rpc.pb.NOSPACE)
            await self._change(rpc.ALARM, request)

    async def _change(self, method: rpc.Method, request: object) -> Any:
        return await self._all.call(method, request, repeatable=False, deadline_s=CHANGE_S)

    def _client(self, url: str) -> EtcdClient:
        client = self._each.get(url)
        if client is None:
            creds = self._credentials()
            client = self._each[url] = EtcdClient([url], creds, timeout_s=self._status_s, deadline_s=self._status_s)
        return client

    async def _forget(self, known: set[str]) -> None:
        gone = [self._each.pop(url) for url in set(self._each) - known]
        await asyncio.gather(*(client.aclose() for client in gone))


def client_address(member: PeerEntry) -> str:
    """``host:port`` of a member for clients; '' when it never started."""
    return urlsplit(member.client_urls[0]).netloc if member.client_urls else ""


def newest(statuses: dict[int, PeerStatus]) -> int:
    """The member that knows most: from which a lost majority is recovered. Raises ``ValueError`` without any."""
    return max(statuses.values(), key=lambda said: (said.term, said.index, said.applied, -said.id)).id


def _entries(members: Sequence[Any]) -> tuple[PeerEntry, ...]:
    return tuple(sorted((_entry(member) for member in members), key=lambda entry: entry.id))


def _entry(member: Any) -> PeerEntry:
    return PeerEntry(
        id=member.ID,
        name=member.name,
        peer_urls=tuple(member.peerURLs),
        client_urls=tuple(member.clientURLs),
        learner=member.isLearner,
    )


def _status(answer: Any) -> PeerStatus:
    return PeerStatus(
        id=answer.header.member_id,
        version=answer.version,
        leader=answer.leader,
        learner=answer.isLearner,
        term=answer.raftTerm,
        index=answer.raftIndex,
        applied=answer.raftAppliedIndex,
        revision=answer.header.revision,
        size=answer.dbSize,
        in_use=answer.dbSizeInUse,
        alarms=frozenset((int(member), kind) for member, kind in _ALARM.findall(" ".join(answer.errors))),
    )
