"""Founding in a real etcd that insists on the certificates founding made."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from security_support import NOW, etcd_binary, free_port, tls_etcd

from aware_agent.agent.found import ADMIN, found
from aware_agent.agent.material import Material, make_material
from aware_agent.agent.state import StateDir
from aware_agent.colony.errors import Conflict, InvalidInput
from aware_agent.colony.event import Event
from aware_agent.colony.node import Record
from aware_agent.colony.spec import CasteSpec, Spec
from aware_agent.security import pki
from aware_agent.security.password import verify_password
from aware_agent.security.records import CaRecord, ColonyRecord, UserRecord
from aware_agent.security.sealed import colony_sealer
from aware_agent.security.token import TokenRecord, beacon_key, check_token
from aware_agent.store.client import EtcdClient
from aware_agent.store.connections import Credentials
from aware_agent.store.errors import StoreError
from aware_agent.store.keys import Keys

pytestmark = [
    pytest.mark.etcd,
    pytest.mark.skipif(not etcd_binary(), reason="no etcd on this machine: install the extra [dev]"),
]
PASSWORD = "correct horse battery"
Etcd = tuple[str, Path]


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    root = tmp_path_factory.mktemp("found")
    port = free_port()
    make_material(
        "base",
        root / "material",
        etcd_addresses=[f"127.0.0.1:{port}"],
        founder_name="base-1",
        founder_address="127.0.0.1",
        founder_state=root / "state",
        now=time.time(),
    )
    with tls_etcd(root, root / "material", port) as endpoint:
        yield endpoint, root / "material"


def client(etcd: Etcd, *, key: str = "founder") -> EtcdClient:
    endpoint, directory = etcd
    credentials = Credentials(
        ca=(directory / "council-ca.crt").read_bytes(),
        cert=(directory / f"{key}.crt").read_bytes(),
        key=(directory / f"{key}.key").read_bytes(),
    )
    return EtcdClient([endpoint], credentials, deadline_s=10.0, timeout_s=5.0)


def material(root: Path, colony: str) -> Material:
    return make_material(
        colony,
        root / "material",
        etcd_addresses=["127.0.0.1:2379"],
        founder_name="n-1",
        founder_address="127.0.0.1",
        founder_state=root / "state",
        now=NOW,
    )


def spec(colony: str) -> Spec:
    return Spec(colony=colony, size=3, castes={"web": CasteSpec(count=2)})


async def everything(store: EtcdClient, keys: Keys) -> dict[str, tuple[bytes, int]]:
    result = await store.range(*keys.everything())
    return {keys.relative(kv.key): (kv.value, kv.mod_revision) for kv in result.kvs}


async def test_founding_writes_all_in_one_revision_and_a_second_time_nothing(etcd: Etcd, tmp_path: Path) -> None:
    base, keys = material(tmp_path, "one"), Keys("one")
    async with client(etcd) as store:
        token = await found(store, keys, base, spec("one"), PASSWORD, now=NOW, token_ttl_s=60, token_uses=5)
        kept = await everything(store, keys)
        again = await found(store, keys, base, spec("one"), "another password", now=NOW + 1)
        assert await everything(store, keys) == kept
    assert token == base.token
    assert again is None
    assert len({revision for _, revision in kept.values()}) == 1
    event = next(name for name in kept if name.startswith("events/"))
    founder = f"nodes/{base.founder_id}"
    assert set(kept) == {
        "colony", "ca", "council-ca", "spec", "versions/spec/0000000001", "users/admin", f"tokens/{base.token.id}",
        founder, event,
    }  # fmt: skip
    check_values(keys, base, {name: value for name, (value, _) in kept.items()}, event)


def check_values(keys: Keys, base: Material, values: dict[str, bytes], event: str) -> None:
    def read(name: str, kind: Any) -> Any:
        return msgspec.json.decode(values[name], type=kind)

    sealer = colony_sealer(base.secret)
    assert read("colony", ColonyRecord) == ColonyRecord(name="one", founded_at=NOW, ca_pin=base.token.ca_pin)
    for name, ca in (("ca", base.ca), ("council-ca", base.council_ca)):
        assert sealer.open(read(name, CaRecord).key, keys.key(name)) == ca.key
    assert read("spec", Spec) == spec("one")
    admin = read(f"users/{ADMIN}", UserRecord)
    assert verify_password(PASSWORD, admin.password_hash)
    record = read(f"tokens/{base.token.id}", TokenRecord)
    check_token(record, base.token.id, base.token.secret, name="any", now=NOW + 59)
    assert (record.uses_left, record.expires_at) == (5, NOW + 60)
    assert sealer.open(record.beacon_key, keys.key("tokens", record.id)) == beacon_key(base.token)
    node = read(f"nodes/{base.founder_id}", Record)
    state = StateDir(base.directory.parent / "state").load()
    assert state is not None
    assert (node.id, node.name, node.status) == (state.identity.id, "n-1", "suspect")
    assert node.key_pin == pki.csr_pin(pki.make_csr(state.key, node.id, node.name))
    told = read(event, Event)
    assert (told.type, told.term, f"events/{told.id}") == ("colony.founded", 0, event)
    everything = b"".join(values.values())
    for secret in (b"PRIVATE KEY", base.token.secret.encode(), PASSWORD.encode(), base.secret):
        assert secret not in everything


async def test_of_many_founders_at_once_exactly_one_founds(etcd: Etcd, tmp_path: Path) -> None:
    base, keys = material(tmp_path, "race"), Keys("race")
    async with client(etcd) as store:
        tries = [found(store, keys, base, spec("race"), PASSWORD, now=NOW) for _ in range(8)]
        outcomes = await asyncio.gather(*tries)
        kept = await everything(store, keys)
    assert sorted(outcome is not None for outcome in outcomes) == [False] * 7 + [True]
    assert len([name for name in kept if name.startswith("events/")]) == 1


async def test_another_colony_of_that_name_is_left_alone(etcd: Etcd, tmp_path: Path) -> None:
    keys = Keys("taken")
    async with client(etcd) as store:
        await found(store, keys, material(tmp_path / "a", "taken"), spec("taken"), PASSWORD, now=NOW)
        before = await everything(store, keys)
        with pytest.raises(Conflict, match="another CA"):
            await found(store, keys, material(tmp_path / "b", "taken"), spec("taken"), PASSWORD, now=NOW)
        assert await everything(store, keys) == before


@pytest.mark.parametrize(
    ("wrong", "password"), [(spec("other"), PASSWORD), (Spec(colony="bad", size=0), PASSWORD), (spec("bad"), "short")]
)
async def test_bad_input_writes_nothing(etcd: Etcd, tmp_path: Path, wrong: Spec, password: str) -> None:
    keys = Keys("bad")
    async with client(etcd) as store:
        with pytest.raises(InvalidInput):
            await found(store, keys, material(tmp_path, "bad"), wrong, password, now=NOW)
        assert await everything(store, keys) == {}


async def test_a_foreign_value_in_the_colonys_place_is_not_overwritten(etcd: Etcd, tmp_path: Path) -> None:
    keys = Keys("foreign")
    async with client(etcd) as store:
        await store.put(keys.key("colony"), b"\xff not ours")
        with pytest.raises(Conflict, match="not a colony's record"):
            await found(store, keys, material(tmp_path, "foreign"), spec("foreign"), PASSWORD, now=NOW)
        assert set(await everything(store, keys)) == {"colony"}


async def test_without_a_certificate_of_this_ca_etcd_lets_nobody_in(etcd: Etcd, tmp_path: Path) -> None:
    strangers = material(tmp_path, "strange").directory
    endpoint, directory = etcd
    credentials = Credentials(
        ca=(directory / "council-ca.crt").read_bytes(),
        cert=(strangers / "founder.crt").read_bytes(),
        key=(strangers / "founder.key").read_bytes(),
    )
    async with EtcdClient([endpoint], credentials, timeout_s=0.5, deadline_s=1.5) as store:
        with pytest.raises(StoreError):
            await store.get(b"x")


async def test_unreachable_etcd_is_one_line(tmp_path: Path) -> None:
    base, keys = material(tmp_path, "gone"), Keys("gone")
    async with EtcdClient([f"127.0.0.1:{free_port()}"], timeout_s=0.3, deadline_s=1.0) as store:
        with pytest.raises(StoreError) as caught:
            await found(store, keys, base, spec("gone"), PASSWORD, now=NOW)
    assert caught.value.exit_code == 15
    assert "\n" not in str(caught.value)


def test_etcds_own_gateway_works_with_the_server_certificate(etcd: Etcd) -> None:
    """etcd's JSON gateway dials itself with its server certificate: it must be good for a client, too."""
    import http.client

    endpoint, directory = etcd
    context = ssl.create_default_context(cafile=str(directory / "council-ca.crt"))
    context.load_cert_chain(directory / "etcd.crt", directory / "etcd.key")
    host, _, port = endpoint.partition(":")
    connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=10)
    try:
        connection.request("GET", "/health")
        assert json.loads(connection.getresponse().read()) == {"health": "true", "reason": ""}
    finally:
        connection.close()
