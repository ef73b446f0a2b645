"""etcd's users follow the colony's records: over a real etcd that asks who comes, with the colony itself in memory."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from store_support import WAIT_S

from aware_agent.colony.errors import Deposed
from aware_agent.queen import commands as do
from aware_agent.queen.reign import Reign
from aware_agent.security import pki
from aware_agent.security.records import ColonyRecord
from aware_agent.security.token import parse_token
from aware_agent.store.access import ROOT, Access, NodeAccess
from aware_agent.store.client import EtcdClient
from aware_agent.store.connections import Credentials
from aware_agent.store.embedded import EmbeddedEtcd, TlsFiles
from aware_agent.store.errors import StoreError
from tests.memory_colony import MemoryColony, colony_ca, council_ca, join_request, node_id

pytestmark = pytest.mark.etcd


def certificate_of(user: str) -> Credentials:
    pair = pki.issue(council_ca(), pki.make_key(), common_name=user, sans=["127.0.0.1"], now=time.time(), days=1)
    return Credentials(ca=council_ca().certificate, cert=pair.certificate, key=pair.key)


@pytest.fixture
async def etcd(tmp_path: Path) -> AsyncIterator[EmbeddedEtcd]:
    """It believes the council CA, and every connection is a user."""
    files = TlsFiles(ca=tmp_path / "ca.crt", cert=tmp_path / "etcd.crt", key=tmp_path / "etcd.key")
    own = certificate_of("etcd")
    for path, content in ((files.ca, own.ca), (files.cert, own.cert), (files.key, own.key)):
        path.write_bytes(content or b"")
    root = certificate_of(ROOT)
    async with EmbeddedEtcd(tls=files, credentials=root) as etcd:
        async with EtcdClient(etcd.endpoints, root, deadline_s=WAIT_S) as client:
            access = Access(client)
            await access.add_user(ROOT)
            await access.assign(ROOT, ROOT)
            await access.enable()
        yield etcd


class Guarded:
    """A colony in memory whose queen keeps the users of a real etcd."""

    def __init__(self, etcd: EmbeddedEtcd) -> None:
        self.colony = MemoryColony()
        self.colony.put_ca()
        self.colony.add_node(0)
        self.colony.put_spec(size=3)
        record = ColonyRecord(name="demo", founded_at=1.0, ca_pin=pki.ca_pin(colony_ca().certificate), etcd_auth=True)
        self.colony.put(self.colony.keys.key("colony"), record)
        self.colony.begin_reign(0)
        self._etcd = etcd
        self.reign: Reign = self.colony.reign(etcd=tuple(etcd.endpoints))

    async def known(self) -> set[str]:
        async with EtcdClient(self._etcd.endpoints, certificate_of(ROOT), deadline_s=WAIT_S) as client:
            return await NodeAccess(client, self.colony.keys).known()

    async def compare(self) -> None:
        await self.reign._users._compare()

    async def may_read(self, number: int) -> bool:
        """Whether node ``number`` may read the colony's spec in etcd."""
        async with EtcdClient(self._etcd.endpoints, certificate_of(node_id(number)), deadline_s=WAIT_S) as client:
            try:
                await client.get(self.colony.keys.key("spec"))
            except StoreError:
                return False
        return True


@pytest.fixture
def guarded(etcd: EmbeddedEtcd) -> Guarded:
    return Guarded(etcd)


async def test_users_are_made_and_taken_away_until_they_are_as_the_records_say(guarded: Guarded) -> None:
    await guarded.compare()
    assert await guarded.known() == {node_id(0)}
    guarded.colony.add_node(1)
    await guarded.compare()
    await guarded.compare()
    assert await guarded.known() == {node_id(0), node_id(1)}
    assert await guarded.may_read(1)
    guarded.colony.delete(guarded.colony.keys.key("nodes", node_id(1)))
    await guarded.compare()
    assert await guarded.known() == {node_id(0)}
    assert not await guarded.may_read(1), "at once, with a certificate that is good for a day"


async def test_who_may_reign_has_its_user_before_it_is_told_and_none_after_its_removal(guarded: Guarded) -> None:
    made = await guarded.colony.carry_out(guarded.reign, do.CreateToken(eligible=True))
    token = parse_token(made.text)
    await guarded.colony.carry_out(guarded.reign, do.Join(request=join_request(token.id, token.secret)))
    assert node_id(9) in await guarded.known()
    assert await guarded.may_read(9)
    await guarded.colony.carry_out(guarded.reign, do.RemoveNode(node=node_id(9), force=True))
    assert node_id(9) not in await guarded.known()
    assert not await guarded.may_read(9)


async def test_a_join_that_etcd_cannot_be_told_of_is_none(guarded: Guarded, etcd: EmbeddedEtcd) -> None:
    made = await guarded.colony.carry_out(guarded.reign, do.CreateToken(eligible=True, uses=1))
    token = parse_token(made.text)
    etcd.members[0].kill()
    with pytest.raises(StoreError):
        await guarded.colony.carry_out(guarded.reign, do.Join(request=join_request(token.id, token.secret)))
    assert node_id(9) not in guarded.colony.reader.records()
    kept = guarded.colony.projection.get(guarded.colony.keys.key("tokens", token.id))
    assert kept is not None
    assert msgspec.json.decode(kept.value)["uses_left"] == 1


async def test_a_closed_reign_touches_no_user(guarded: Guarded) -> None:
    guarded.reign.close()
    with pytest.raises(Deposed):
        await guarded.compare()
    assert await guarded.known() == set()
