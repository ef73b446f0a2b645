"""A real etcd that is full takes writes again without anybody's help, and gives back what it does not use."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from store_support import until

from aware_agent.colony.errors import Deposed
from aware_agent.colony.event import Severity
from aware_agent.colony.maintenance import FIRST_S, LARGE, ROUND_S
from aware_agent.colony.seats import Candidate
from aware_agent.queen.maintenance import Maintenance
from aware_agent.store import ops
from aware_agent.store.client import EtcdClient
from aware_agent.store.connections import Credentials
from aware_agent.store.embedded import EmbeddedEtcd
from aware_agent.store.errors import StoreError
from aware_agent.store.fenced import FencedTransactions
from aware_agent.store.members import Members

pytestmark = pytest.mark.etcd
QUEEN = b"/aware/queen"
BIG = b"x" * 200_000
QUOTA = 8 << 20


class Reign:
    """A queen's proof of her term and her history, over the etcd itself."""

    def __init__(self, client: EtcdClient, term: int) -> None:
        self.me = "m0"
        self.client = client
        self.told: list[str] = []
        self._fenced = FencedTransactions(client, QUEEN, term)

    async def confirm(self) -> None:
        await self._fenced.confirm()

    async def tell(self, kind: str, sentence: str, severity: Severity) -> None:
        await self._fenced.commit([ops.put(b"/aware/events/%d" % len(self.told), sentence.encode())])
        self.told.append(f"{severity} {kind}: {sentence}")


class Room:
    """The queen's duty, on a clock of its own."""

    def __init__(self, etcd: EmbeddedEtcd, client: EtcdClient, term: int) -> None:
        self.hosts = {member.name: Candidate(id=member.name, name=member.name) for member in etcd.members}
        self.members = Members(etcd.endpoints, Credentials)
        self.reign = Reign(client, term)
        self.now = 0.0
        self.duty = Maintenance(self.reign, self.members, lambda: self.now)

    async def work(self, looks: int) -> None:
        """Look so often; between two looks etcd has a moment to do what it was asked for."""
        for _ in range(looks):
            self.now += await self.duty.work(quiet=True, hosts=self.hosts)
            if self.duty.holds:  # nothing is decided until then
                self.now = max(self.now, self.duty._state.rest_until)
            await asyncio.sleep(0.05)

    async def until_told(self, what: str) -> None:
        """Work until the history says ``what``."""
        for _ in range(600):
            await self.work(1)
            if any(what in line for line in self.reign.told):
                return
        raise AssertionError(f"never told {what!r}: {self.reign.told}, {self.duty._state}")

    async def sizes(self) -> list[int]:
        """Of every member's file."""
        return [status.size for status in (await self.members.statuses(await self.members.list())).values()]


@asynccontextmanager
async def a_reign(members: int, quota: int) -> AsyncIterator[tuple[EmbeddedEtcd, EtcdClient, Room]]:
    extra = ["--heartbeat-interval=100", "--election-timeout=1000", f"--quota-backend-bytes={quota}"]
    async with EmbeddedEtcd(members, extra=extra) as etcd, EtcdClient(etcd.endpoints, deadline_s=20.0) as client:
        room = Room(etcd, client, await client.put(QUEEN, b"m0"))
        try:
            yield etcd, client, room
        finally:
            await room.members.aclose()


async def write_on(client: EtcdClient, *, over: bool) -> None:
    for number in range(1000):
        await client.put(b"/fill/%d" % (0 if over else number), BIG)


async def fill(client: EtcdClient, *, over: bool) -> None:
    """Write until etcd refuses: ``over`` and over the same key, or new ones."""
    with pytest.raises(StoreError, match="full"):
        await write_on(client, over=over)


async def test_three_members_that_are_full_of_history_take_writes_again_by_themselves() -> None:
    async with a_reign(3, QUOTA) as (_, client, room):
        await fill(client, over=True)
        with pytest.raises(StoreError, match="full"):
            await room.reign.tell("any", "line", Severity.INFO)
        await room.until_told("etcd.cured")
        assert max(await room.sizes()) < QUOTA / 2
        assert await client.put(b"/after", b"") > 0
        stored = await client.get(b"/fill/0")
        assert stored is not None
        assert stored.value == BIG, "what lives is not touched"
        assert len(room.reign.told) == 1
        assert room.reign.told[0].startswith("warning etcd.cured: etcd was full for ")
        assert room.duty.holds, "the council does not change yet"
        await room.work(20)
        assert not room.duty.holds


async def test_the_only_member_is_cured_as_well() -> None:
    async with a_reign(1, QUOTA) as (_, client, room):
        await fill(client, over=True)
        await room.until_told("etcd.cured")
        assert await client.put(b"/after", b"") > 0


async def test_with_one_member_away_the_others_are_cured() -> None:
    async with a_reign(3, QUOTA) as (etcd, client, room):
        await fill(client, over=True)
        etcd.members[2].kill()
        await room.until_told("etcd.cured")
        assert await client.put(b"/after", b"") > 0


async def restart(etcd: EmbeddedEtcd, quota: int) -> None:
    """With another quota, as somebody does who changes its settings."""
    (member,) = etcd.members
    member.kill()
    member.argv = [arg for arg in member.argv if "quota" not in arg] + [f"--quota-backend-bytes={quota}"]
    member.start()
    await etcd.wait_ready(member)


async def test_living_data_above_the_quota_are_told_once_and_cured_when_somebody_made_room(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with a_reign(1, QUOTA) as (etcd, client, room):
        for number in range(30):
            await client.put(b"/fill/%d" % number, BIG)
        await restart(etcd, QUOTA // 2)
        await fill(client, over=False)
        began = room.now
        await room.work(40)
        assert room.now - began > 6 * ROUND_S, "several rounds"
        assert room.reign.told == []
        said = [record.message for record in caplog.records if "etcd's room" in record.message]
        assert len(said) == 2, said
        assert "raise council.quota_mib" in said[1]
        assert room.duty.holds
        for number in range(20):
            # Not how many were deleted: a call that is repeated on a busy machine finds its work done.
            await client.delete(b"/fill/%d" % number)
            assert await client.get(b"/fill/%d" % number) is None, "deletions are taken also by a full one"
        await room.until_told("etcd.cured")
        assert await client.put(b"/after", b"") > 0
        assert await client.get(b"/fill/25") is not None


async def test_living_data_above_the_quota_are_no_trouble_when_the_quota_was_raised() -> None:
    async with a_reign(1, QUOTA) as (etcd, client, room):
        for number in range(30):
            await client.put(b"/fill/%d" % number, BIG)
        await restart(etcd, QUOTA // 2)
        await fill(client, over=False)
        await room.work(20)
        await restart(etcd, QUOTA)
        with pytest.raises(StoreError, match="full"):
            await client.put(b"/after", b"")
        await room.until_told("etcd.cured")
        assert await client.put(b"/after", b"") > 0


async def test_who_reigns_no_more_touches_nothing() -> None:
    async with a_reign(1, QUOTA) as (_, client, room):
        await fill(client, over=True)
        await room.work(1)
        await client.delete(QUEEN)
        with pytest.raises(Deposed):
            await room.work(5)
        with pytest.raises(StoreError, match="full"):
            await client.put(b"/after", b"")


async def test_an_etcd_with_members_of_somebody_else_is_left_alone() -> None:
    async with a_reign(1, QUOTA) as (_, client, room):
        await fill(client, over=True)
        await room.work(1)
        assert room.duty.holds
        room.hosts = {"another": Candidate(id="another", name="another")}
        room.now += 60.0
        await room.work(20)
        assert not room.duty.holds, "the council's keeper alone can do something about that member"
        with pytest.raises(StoreError, match="full"):
            await client.put(b"/after", b"")


async def test_files_that_are_mostly_unused_are_given_back_one_after_the_other() -> None:
    async with a_reign(3, 1 << 30) as (_, client, room):
        for number in range(LARGE // len(BIG) + 30):
            await client.put(b"/fill/0", BIG + b"%d" % number)
        kept = await client.get(b"/fill/0")
        assert kept is not None
        await room.work(1)
        assert min(await room.sizes()) > LARGE
        await room.members.compact(kept.mod_revision)

        async def unused() -> bool:
            await client.put(b"/tick", b"")  # members count what they forgot as unused after further writes
            said = await room.members.statuses(await room.members.list())
            return all(status.in_use < status.size / 2 for status in said.values())

        await until(unused, "all members forgot")
        room.now += FIRST_S
        for _ in range(1000):
            await room.work(1)
            if max(await room.sizes()) < LARGE / 2:
                break
        assert max(await room.sizes()) < LARGE / 2
        gave = [line for line in room.reign.told if "gives back" in line]
        assert sorted(line.split()[2] for line in gave) == ["m0", "m1", "m2"]
        assert await client.get(b"/fill/0") == kept
