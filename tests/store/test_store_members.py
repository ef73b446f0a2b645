"""Members of a real etcd: what is refused is said in one sentence, and what is lost is told by the next list."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from store_support import until

from aware_agent.store.connections import Credentials
from aware_agent.store.embedded import EmbeddedEtcd
from aware_agent.store.errors import MembershipRefused, StoreError, StoreUnreachable
from aware_agent.store.members import Members, PeerEntry, PeerStatus, client_address, newest

pytestmark = pytest.mark.etcd

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
async def cluster() -> AsyncIterator[EmbeddedEtcd]:
    async with EmbeddedEtcd(3) as etcd:
        yield etcd


@pytest.fixture
async def members(cluster: EmbeddedEtcd) -> AsyncIterator[Members]:
    members = Members(cluster.endpoints, Credentials)
    yield members
    await members.aclose()


async def test_list_status_and_leader(cluster: EmbeddedEtcd, members: Members) -> None:
    entries = await members.list()
    assert {e.name for e in entries} == {"m0", "m1", "m2"}
    assert {client_address(e) for e in entries} == set(cluster.endpoints)
    assert all(e.started and not e.learner for e in entries)
    said = await members.statuses(entries)
    assert len(said) == 3
    leader = said[entries[0].id].leader
    other = next(e for e in entries if e.id != leader)
    await members.move_leader(other.id, entries)

    async def moved() -> bool:
        return {s.leader for s in (await members.statuses(entries)).values()} == {other.id}

    await until(moved, "the other one leads")
    await members.move_leader(other.id, entries)  # it leads already: as good


async def test_refusals_have_a_sentence_and_say_whether_later_helps(members: Members) -> None:
    entries = await members.list()
    with pytest.raises(MembershipRefused, match="has no such member") as refused:
        await members.remove(4711)
    assert not refused.value.later
    said: list[MembershipRefused] = []

    async def added() -> bool:
        try:
            await members.add_learner(NOWHERE)
        except MembershipRefused as error:
            said.append(error)
            return False
        return True

    await until(added, "a learner is taken once all are connected for long enough")
    assert all(error.later for error in said)
    with pytest.raises(MembershipRefused, match=r"has this peer URL already|another learner is there already"):
        await members.add_learner(entries[0].peer_urls[0])
    learner = next(e for e in await members.list() if e.learner)
    assert (learner.name, learner.started, client_address(learner)) == ("", False, "")
    assert await members.status(learner) is None
    with pytest.raises(MembershipRefused, match="has not got all data yet") as early:
        await members.promote(learner.id)
    assert early.value.later
    with pytest.raises(MembershipRefused, match="another learner is there already"):
        await members.add_learner("http://127.0.0.1:10")
    await members.remove(learner.id)
    assert len(await members.list()) == 3


async def test_without_a_majority_there_is_no_list_but_the_survivor_speaks(
    cluster: EmbeddedEtcd, members: Members
) -> None:
    entries = await members.list()
    cluster.members[0].kill()
    cluster.members[1].kill()
    with pytest.raises(StoreUnreachable):
        await members.list()
    said = await members.statuses(entries)
    assert list(said) == [e.id for e in entries if e.name == "m2"]

    async def leaderless() -> bool:
        return all(s.leader == 0 for s in (await members.statuses(entries)).values())

    await until(leaderless, "the survivor has noticed")
    with pytest.raises(StoreError, match="no member of etcd leads"):
        await members.move_leader(entries[0].id, entries)


def test_the_newest_survivor_is_the_one_to_recover_from() -> None:
    def status(member: int, term: int, index: int) -> PeerStatus:
        return PeerStatus(id=member, version="3.5.16", leader=0, learner=False, term=term, index=index, applied=index)

    assert newest({1: status(1, 3, 90), 2: status(2, 3, 91), 3: status(3, 2, 200)}) == 2
    with pytest.raises(ValueError, match=r"empty"):
        newest({})


async def test_somebody_else_at_a_members_address_is_not_that_member(members: Members) -> None:
    entry = (await members.list())[0]
    assert await members.status(PeerEntry(id=4711, name="m0", client_urls=entry.client_urls)) is None
