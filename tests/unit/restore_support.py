"""A colony with backups of it, for tests of what becomes of them."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from aware_agent.agent.found import found
from aware_agent.agent.material import make_material
from aware_agent.agent.settings import BackupSettings
from aware_agent.cli.backup_restore import Wish
from aware_agent.colony.election import Handover, QueenRecord
from aware_agent.colony.node import Report
from aware_agent.colony.retention import Keep
from aware_agent.colony.session import Session
from aware_agent.colony.spec import Spec
from aware_agent.queen.backup.passphrase import make_key_file, read_passphrase
from aware_agent.queen.backup.process import Answer, Job, run
from aware_agent.security.roles import Role
from aware_agent.security.service_account import ServiceAccount, ServiceToken
from aware_agent.store.client import EtcdClient
from aware_agent.store.connections import Credentials
from aware_agent.store.embedded import EmbeddedEtcd
from aware_agent.store.etcd_binary import TlsFiles
from aware_agent.store.keys import Keys
from aware_agent.store.snapshot_tools import PeerMember

KEYS = Keys("demo")
UNREADABLE = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
SESSION: dict[str, Any] = {"user": "admin", "user_id": "1", "begun_at": 1.0, "refreshed_at": 1.0}
ACCOUNT = ServiceAccount(
    name="deploy",
    id="2",
    role=Role.ADMIN,
    owner="admin",
    owner_id="1",
    created_at=1.0,
    tokens=(ServiceToken(id="0" * 16, verifier="0" * 64, created_at=1.0, created_by="admin", expires_at=9e9),),
)
MEMBER = PeerMember("m0", "https://127.0.0.1:2380")


class Made(NamedTuple):
    """One colony, its backups (oldest first) and what is needed to restore them."""

    directory: Path
    older: Path
    newer: Path
    passphrase: str
    founder: str
    term: int


async def make_colony(home: Path) -> Made:
    """A founded colony in a real etcd, with everything alive that must not look alive later; two backups of it.

    One node's record cannot be read: it is of a release that nobody here knows.
    """
    make_key_file(home / "key")
    (home / "backups").mkdir()
    files = TlsFiles(
        ca=home / "material/council-ca.crt", cert=home / "material/etcd.crt", key=home / "material/etcd.key"
    )
    etcd = EmbeddedEtcd(directory=home / "etcd", tls=files)
    material = make_material(
        "demo",
        home / "material",
        etcd_addresses=etcd.endpoints,
        founder_name="demo-1",
        founder_address="127.0.0.1",
        founder_state=home / "state",
        now=time.time(),
    )
    pair = material.founder
    root = etcd.credentials = Credentials(ca=material.council_ca.certificate, cert=pair.certificate, key=pair.key)
    async with etcd, EtcdClient(etcd.endpoints, root, deadline_s=20.0) as client:
        await found(client, KEYS, material, Spec(colony="demo", size=1), "long enough", now=time.time())
        lease = (await client.grant(600)).id
        queen_record = QueenRecord(id="q", name="q", url="https://127.0.0.1:1", incarnation="i", since=1.0)
        term = await client.put(KEYS.queen, msgspec.json.encode(queen_record), lease=lease)
        await client.put(KEYS.handover, msgspec.json.encode(Handover(term=1, to="", reason="")))
        report = Report(name="demo-1", address="127.0.0.1", url="https://127.0.0.1:1", incarnation="i")
        await client.put(KEYS.key("presence", material.founder_id), msgspec.json.encode(report), lease=lease)
        await client.put(KEYS.key("nodes", UNREADABLE), b'{"name": 1}')
        await client.put(KEYS.key("seats", material.founder_id), b'{"member": 7, "peers": {}}')
        await client.put(KEYS.key("council"), b'{"seats": []}')
        await client.put(KEYS.key("sessions", "s" * 32), msgspec.json.encode(Session(**SESSION)))
        await client.put(KEYS.key("service-accounts", "deploy"), msgspec.json.encode(ACCOUNT))
        await client.put(KEYS.key("service-account-uses", "deploy"), b'{"noted_at": 1.0}')
        older = await asyncio.to_thread(backup, home, tuple(etcd.endpoints), term, 0.0)
        await client.put(KEYS.key("config", "x"), b"{}")
        await asyncio.sleep(1.1)  # names tell whole seconds
        newer = await asyncio.to_thread(backup, home, tuple(etcd.endpoints), term, time.time())
    assert older.backup is not None
    assert newer.backup is not None
    paths = (home / "backups" / answer.backup.name for answer in (older, newer))
    return Made(home, *paths, read_passphrase(str(home / "key")), material.founder_id, term)


def backup(home: Path, endpoints: tuple[str, ...], term: int, not_before: float) -> Answer:
    return run(
        Job(
            colony="demo",
            state_dir=str(home / "state"),
            endpoints=endpoints,
            term=term,
            nodes=("demo-1",),
            node="demo-1",
            actor="colony",
            target="directory",
            keep=Keep(last=5),
            settings=BackupSettings(key_file=str(home / "key"), directory=str(home / "backups")),
            not_before=not_before,
        )
    )


def wish(made: Made, into: Path, **changes: object) -> Wish:
    whole = Wish(file=made.newer, into=into, passphrase=made.passphrase, colony="demo", members=(MEMBER,), lift_by=100)
    return msgspec.structs.replace(whole, **changes)
