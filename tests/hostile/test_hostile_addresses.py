"""Attack 5: a node asks for a certificate that names somebody else's address."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from aware_agent.colony.addresses import AddressRefused
from aware_agent.colony.errors import InvalidInput
from aware_agent.security import pki
from aware_agent.store.embedded import EmbeddedEtcd
from tests.hostile.reign_support import Newcomer, Reign

pytestmark = pytest.mark.etcd
QUEEN, WORKER, OTHER, NOBODY = "192.0.2.1", "192.0.2.7", "192.0.2.8", "192.0.2.99"


@pytest.fixture
async def spread(etcd: EmbeddedEtcd, tmp_path: Path) -> AsyncIterator[Reign]:
    """A colony whose hosts have addresses of their own; etcd is where the queen is."""
    async with Reign(etcd, tmp_path / "spread", QUEEN) as reign:
        yield reign


async def joined(reign: Reign, name: str, address: str) -> Newcomer:
    newcomer = reign.newcomer(name)
    answer = await reign.join(newcomer, await reign.token(), address, address)
    assert addresses(answer.certificate) == {address}
    return newcomer


async def pin(reign: Reign, node: str, addresses: Sequence[str]) -> None:
    await reign.nodes.change_node(node, labels=None, cordoned=None, pinned=addresses, if_revision=None, actor="ada")


def addresses(certificate: str) -> set[str]:
    return {name for name in pki.facts(certificate.encode()).sans if not name.endswith(".aware")}


@pytest.mark.parametrize("claimed", [QUEEN, OTHER, NOBODY, "127.0.0.1"])
async def test_neither_join_nor_renewal_gets_an_address_it_does_not_come_from(spread: Reign, claimed: str) -> None:
    await joined(spread, "other", OTHER)
    liar = spread.newcomer("liar")
    with pytest.raises(AddressRefused):
        await spread.join(liar, await spread.token(), WORKER, claimed)
    assert liar.id not in spread.reader.records()
    later = await joined(spread, "later", WORKER)
    with pytest.raises(AddressRefused):
        await spread.certificates.renew(later.renewal(address=claimed), WORKER)
    assert spread.record(later).address == WORKER


async def test_who_comes_from_where_another_lives_gets_nothing(spread: Reign) -> None:
    """Behind one NAT, or by stealing an address: the first one keeps it while it lives."""
    await joined(spread, "other", OTHER)
    with pytest.raises(AddressRefused, match="is the address of other"):
        await spread.join(spread.newcomer("liar"), await spread.token(), OTHER, OTHER)


async def test_a_worker_gets_no_address_of_etcd(spread: Reign) -> None:
    spread.endpoints = (f"{WORKER}:2379", "[2001:db8::1]:2379", "etcd.example:2379")
    for address in (WORKER, "2001:db8::1"):
        with pytest.raises(AddressRefused, match="is an address of etcd"):
            await spread.join(spread.newcomer("liar"), await spread.token(), address, address)
        member = spread.newcomer(f"member-{len(address)}")
        answer = await spread.join(member, await spread.token(eligible=True), address, address)
        assert addresses(answer.certificate) == {address}


async def test_loopback_counts_on_one_machine_only(spread: Reign, reign: Reign) -> None:
    with pytest.raises(AddressRefused, match="other hosts cannot reach it"):
        await spread.join(spread.newcomer("near"), await spread.token())
    for name in ("near", "beside"):
        answer = await reign.join(reign.newcomer(name), await reign.token())
        assert addresses(answer.certificate) == {"127.0.0.1"}


async def test_an_admin_pins_by_token_and_by_record(spread: Reign) -> None:
    behind = spread.newcomer("behind")
    answer = await spread.join(behind, await spread.token(addresses=[NOBODY]), WORKER, NOBODY)
    assert addresses(answer.certificate) == {NOBODY}
    plain = await joined(spread, "plain", OTHER)
    with pytest.raises(InvalidInput, match="pinned for behind already"):
        await pin(spread, plain.id, [NOBODY])
    with pytest.raises(InvalidInput, match="not an IP address"):
        await pin(spread, plain.id, ["web.example"])
    await pin(spread, plain.id, ["2001:DB8::7"])
    answer = await spread.certificates.renew(plain.renewal(address=OTHER), OTHER)
    assert addresses(answer.certificate) == {OTHER, "2001:db8::7"}


async def test_a_node_that_moved_is_where_it_is_seen(spread: Reign) -> None:
    mover = await joined(spread, "mover", OTHER)
    answer = await spread.certificates.renew(mover.renewal(address=NOBODY), f"::ffff:{NOBODY}")
    assert addresses(answer.certificate) == {NOBODY}
    assert spread.record(mover).address == NOBODY
