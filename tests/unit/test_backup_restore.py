"""Restoring: what is refused before anything is touched, and what a restored colony must not believe any more."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec
import pytest
from restore_support import KEYS, UNREADABLE, Made, backup, make_colony, wish

from aware_agent.agent.state import StateDir
from aware_agent.cli.backup_restore import restore
from aware_agent.colony.errors import AwareError, Conflict, InvalidInput, NotFound
from aware_agent.colony.node import Record
from aware_agent.queen.backup.contents import verify
from aware_agent.queen.backup.format import MAGIC, BackupDamaged, WrongKey
from aware_agent.security import pki
from aware_agent.security.token import TokenRecord, parse_token, verifier
from aware_agent.store.client import EtcdClient
from aware_agent.store.connections import Credentials
from aware_agent.store.embedded import EmbeddedEtcd
from aware_agent.store.etcd_binary import TlsFiles

pytestmark = pytest.mark.etcd


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return asyncio.run(make_colony(tmp_path_factory.mktemp("colony")))


def snapshot_of(path: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def harmed(made: Made, to: Path, position: int) -> Path:
    raw = bytearray(made.newer.read_bytes())
    raw[position] ^= 1
    to.write_bytes(bytes(raw))
    return to


def test_what_cannot_be_restored_is_refused_in_one_line_and_nothing_is_touched(made: Made, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"PK not a backup")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious").write_text("mine")
    cases: list[tuple[dict[str, object], type[AwareError], str]] = [
        ({"colony": "prod"}, Conflict, "is a backup of colony 'demo', not of 'prod'"),
        ({"passphrase": "another key that is long enough"}, WrongKey, "does not open this backup"),
        ({"file": harmed(made, tmp_path / "a", -1000)}, BackupDamaged, "content was damaged"),
        ({"file": harmed(made, tmp_path / "b", 3)}, BackupDamaged, "not a backup"),
        ({"file": harmed(made, tmp_path / "c", len(MAGIC) + 1)}, BackupDamaged, "header is damaged"),
        ({"file": tmp_path / "other"}, BackupDamaged, "not a backup"),
        ({"file": tmp_path / "none"}, InvalidInput, "cannot read backup"),
        ({"into": tmp_path / "full"}, Conflict, "holds something else"),
        ({"nodes": {"nobody": "127.0.0.1"}}, NotFound, "knows no node nobody"),
    ]
    before = snapshot_of(tmp_path)
    for changes, kind, says in cases:
        with pytest.raises(kind, match=says) as caught:
            restore(msgspec.structs.replace(wish(made, tmp_path / "into"), **changes))
        assert "\n" not in str(caught.value)
        assert made.passphrase not in str(caught.value)
        assert snapshot_of(tmp_path) == before, says
        assert not (tmp_path / "into").exists()


def test_an_older_backup_does_not_replace_a_newer_restore(made: Made, tmp_path: Path) -> None:
    into = tmp_path / "into"
    first = restore(wish(made, into))
    assert first.changed
    before = snapshot_of(into)
    assert not restore(wish(made, into)).changed, "once more is nothing more"
    with pytest.raises(Conflict, match="is older than what was restored"):
        restore(wish(made, into, file=made.older))
    assert snapshot_of(into) == before
    again = restore(wish(made, into, file=made.older, older=True))
    assert again.changed
    assert again.from_revision < first.from_revision
    assert (tmp_path / ".into.previous" / "restore.json").exists()


async def test_nothing_in_a_restored_colony_claims_to_be_alive(made: Made, tmp_path: Path) -> None:
    """No queen, no hand-over, no presence, none of their leases; a new key for the node, and terms that grow."""
    into = tmp_path / "into"
    done = await asyncio.to_thread(restore, wish(made, into, nodes={"demo-1": "127.0.0.2"}, above=made.term + 5000))
    material = into / "material"
    tls = TlsFiles(ca=material / "council-ca.crt", cert=material / "etcd.crt", key=material / "etcd.key")
    root = Credentials(
        ca=tls.ca.read_bytes(),
        cert=(material / "founder.crt").read_bytes(),
        key=(material / "founder.key").read_bytes(),
    )
    async with (
        EmbeddedEtcd(directory=into / "etcd", tls=tls, credentials=root) as etcd,
        EtcdClient(etcd.endpoints, root, deadline_s=20.0) as client,
    ):
        found = {kv.key: kv for kv in (await client.range(*KEYS.everything())).kvs}
        queen_record = await client.put(KEYS.queen, b"{}")
    dead = (KEYS.queen, KEYS.handover, KEYS.key("council"))
    alive = [key for key in found if key.startswith((KEYS.key("presence/"), KEYS.key("seats/"))) or key in dead]
    assert alive == []
    # Who was cut off after the backup does not come back: neither sessions nor tokens of programs are believed.
    credentials = tuple(KEYS.key(kind) for kind in ("sessions/", "service-accounts/", "service-account-uses/"))
    assert [key for key in found if key.startswith(credentials)] == []
    assert KEYS.key("users", "admin") in found
    # A record that nobody here can read comes back as it is, and is said.
    assert found[KEYS.key("nodes", UNREADABLE)].value == b'{"name": 1}'
    assert done.unreadable == (f"nodes/{UNREADABLE}",)
    assert done.eligible == ("demo-1",)
    assert (into / "ca.crt").read_bytes() == (made.directory / "material" / "ca.crt").read_bytes()
    assert all(kv.lease == 0 for kv in found.values())
    assert queen_record > done.to_revision > made.term + 5000
    assert KEYS.key("config", "x") in found
    state = StateDir(into / "nodes" / "demo-1").load()
    assert state is not None
    assert state.identity.id == made.founder
    assert "127.0.0.2" in pki.facts(state.certificate).sans
    assert pki.is_issued_by(state.certificate, (made.directory / "material" / "ca.crt").read_bytes())
    assert state.council is not None
    assert pki.is_issued_by(state.council.certificate, (made.directory / "material" / "council-ca.crt").read_bytes())
    record = msgspec.json.decode(found[KEYS.key("nodes", made.founder)].value, type=Record)
    assert record.key_pin == pki.key_pin(state.key)
    token = parse_token((into / "join-token").read_text())
    kept = msgspec.json.decode(found[KEYS.key("tokens", token.id)].value, type=TokenRecord)
    assert kept.verifier == verifier(token)
    assert not (into / "raw.db").exists()
    assert not (into / "private").exists()
    secrets = ("material/ca.key", "material/council-ca.key", "material/material.json", "join-token", "snapshot.db")
    secrets += ("nodes/demo-1/node.key",)
    assert all((into / name).stat().st_mode & 0o077 == 0 for name in secrets)


def test_the_backup_tells_nothing_without_its_key(made: Made) -> None:
    raw = made.newer.read_bytes()
    material = made.directory / "material"
    secret = msgspec.json.decode((material / "material.json").read_bytes())["secret"]
    for hidden in (b"PRIVATE KEY", secret.encode(), made.passphrase.encode(), b"/aware/demo/"):
        assert hidden not in raw
    header, contents = verify(made.newer, made.passphrase)
    assert header.nodes == ("demo-1",)
    for sealed in (contents.ca, contents.council_ca):
        assert b"PRIVATE KEY" not in sealed, "the CA's key is sealed inside as well"
    assert secret not in repr(contents)


def test_a_backup_nobody_put_on_record_is_found_instead_of_made_again(made: Made) -> None:
    """The queen died between storing a backup and recording it. No etcd is asked: it is gone by now."""
    answer = backup(made.directory, ("127.0.0.1:1",), made.term, time.time() - 3600)
    assert answer.backup is not None
    assert answer.backup.adopted
    assert answer.backup.name == made.newer.name
