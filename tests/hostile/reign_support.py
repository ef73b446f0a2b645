"""One reign without an agent round it: the real commands over a real etcd, for what only a queen decides."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import TracebackType

import msgspec

from aware_agent.agent.etcd_auth import enable_auth
from aware_agent.agent.found import found
from aware_agent.agent.material import Material, make_material
from aware_agent.agent.reader import ColonyReader
from aware_agent.colony.election import QueenRecord
from aware_agent.colony.ids import ulid
from aware_agent.colony.node import Record
from aware_agent.colony.spec import Spec
from aware_agent.queen import overview
from aware_agent.queen.access import AccessCommands
from aware_agent.queen.admission import Admission
from aware_agent.queen.certificates import Certificates
from aware_agent.queen.etcd_users import EtcdUsers
from aware_agent.queen.nodes import NodeCommands
from aware_agent.queen.sessions import SessionCommands
from aware_agent.queen.writer import FencedWriter
from aware_agent.security import pki
from aware_agent.security.joining import JOIN_CONTEXT, JoinAnswer, JoinRequest, Secrets, open_secrets
from aware_agent.security.keyring import Keyring
from aware_agent.security.renewing import RenewRequest, sign_request
from aware_agent.security.sealed import KeyringSealer
from aware_agent.security.sealing import Opener, Purpose
from aware_agent.security.signing import sign
from aware_agent.security.token import JoinToken, parse_token
from aware_agent.store.client import EtcdClient
from aware_agent.store.connections import Credentials
from aware_agent.store.embedded import EmbeddedEtcd
from aware_agent.store.etcd_binary import TlsFiles
from aware_agent.store.keys import Keys
from aware_agent.store.projection import Projection

ADDRESS = "127.0.0.1"


class Newcomer:
    """A node as far as joining is concerned: id, key and name."""

    def __init__(self, colony: str, name: str) -> None:
        self.colony, self.name = colony, name
        self.id = ulid(time.time(), os.urandom(10))
        self.key = pki.make_key()
        self.opener = Opener()

    def request(self, token: JoinToken, **changes: str) -> JoinRequest:
        """A signed join request with ``token``."""
        request = JoinRequest(
            colony=self.colony,
            token_id=token.id,
            secret=token.secret,
            csr=pki.make_csr(self.key, self.id, self.name).decode(),
            node_id=self.id,
            name=self.name,
            address=ADDRESS,
            url=f"https://{ADDRESS}:20999",
            box_key=self.opener.public,
        )
        return sign(msgspec.structs.replace(request, **changes), self.key, JOIN_CONTEXT)

    def renewal(self, **changes: str) -> RenewRequest:
        """A signed renewal."""
        request = RenewRequest(
            colony=self.colony,
            node_id=self.id,
            address=ADDRESS,
            csr=pki.make_csr(self.key, self.id, self.name).decode(),
            sent_at=time.time(),
            nonce=os.urandom(16).hex(),
            box_key=self.opener.public,
        )
        return sign_request(msgspec.structs.replace(request, **changes), self.key)

    def secrets(self, answer: JoinAnswer, purpose: Purpose = "join") -> Secrets:
        """What ``answer`` holds for this node alone."""
        return open_secrets(answer.sealed, self.opener, purpose=purpose, colony=self.colony, node_id=self.id)


class Reign:
    """A queen's commands over ``etcd`` in a colony of their own."""

    def __init__(
        self,
        etcd: EmbeddedEtcd,
        directory: Path,
        address: str = ADDRESS,
        *,
        colony: str = "",
        credentials: Credentials | None = None,
    ) -> None:
        self.address = address  # of the queen and of etcd, as far as names and addresses are concerned
        self.client = EtcdClient(etcd.endpoints, credentials, deadline_s=20.0)
        self.etcd = tuple(etcd.endpoints)
        self.directory = directory
        self.colony = colony or f"c{os.urandom(6).hex()}"
        self.keys = Keys(self.colony)

    async def __aenter__(self) -> Reign:
        """Found the colony and begin to reign."""
        await self.client.__aenter__()
        self.material: Material = make_material(
            self.colony,
            self.directory / "material",
            etcd_addresses=[f"{self.address}:2379"],
            founder_name="one",
            founder_address=self.address,
            founder_state=self.directory / "state",
            now=time.time(),
        )
        spec = Spec(colony=self.colony, size=3)
        await found(self.client, self.keys, self.material, spec, "correct horse battery", now=time.time())
        me = self.material.founder_id
        queen_record = QueenRecord(id=me, name="one", url=f"https://{self.address}:1", incarnation="i", since=1.0)
        term = await self.client.put(self.keys.queen, msgspec.json.encode(queen_record))
        self.projection = Projection(self.client, [self.keys.everything()])
        await self.projection.start()
        self.reader = ColonyReader(self.projection, self.keys)
        self.projection.listen(lambda batch: self.reader.changed(batch.revision, [c.kv.key for c in batch.changes]))
        keyring = Keyring(1, {1: self.material.secret})
        sealer, self.endpoints = KeyringSealer(keyring), (f"{self.address}:2379",)
        writer = FencedWriter(self.client, self.reader, term)
        certificates = Certificates(writer, keyring, sealer, lambda: self.endpoints)
        users = EtcdUsers(writer, certificates, lambda: self.etcd, lambda: self.material.council_ca.certificate)
        self.access = AccessCommands(writer, self.client, sealer, SessionCommands(writer))
        self.nodes = NodeCommands(writer, me, users)
        self.admission = Admission(writer, certificates, users, self.reader.presence)
        self.certificates = certificates
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop watching."""
        await self.projection.aclose()
        await self.client.__aexit__(kind, error, trace)

    def newcomer(self, name: str) -> Newcomer:
        """A node that wants in."""
        return Newcomer(self.colony, name)

    async def token(self, *, uses: int | None = 1, eligible: bool = False, addresses: Sequence[str] = ()) -> JoinToken:
        """A fresh join token."""
        made = await self.access.create_token(
            ttl_s=600, uses=uses, node_name=None, eligible=eligible, addresses=addresses, actor="ada"
        )
        return parse_token(made.text)

    async def remove(self, newcomer: Newcomer) -> None:
        """What ``aware nodes remove --force`` does."""
        await self.nodes.remove_node(newcomer.id, force=True, actor="ada")

    async def expire(self, token: JoinToken) -> None:
        """Let its time be over."""
        key = self.keys.key("tokens", token.id)
        record = next(record for record in overview.tokens(self.reader) if record.id == token.id)
        value = msgspec.json.encode(msgspec.structs.replace(record, expires_at=time.time() - 1))
        await self.projection.wait_revision(await self.client.put(key, value), 20.0)

    async def join(
        self, newcomer: Newcomer, token: JoinToken, source: str = ADDRESS, address: str = ADDRESS
    ) -> JoinAnswer:
        """Let ``newcomer`` join from ``source``; it says that it is at ``address``."""
        return await self.admission.join(newcomer.request(token, address=address), source)

    def record(self, newcomer: Newcomer) -> Record:
        """What the colony keeps of it."""
        return self.reader.records()[newcomer.id]


class Guarded:
    """A guarded colony with one worker and one eligible node, and what each has to show to etcd."""

    def __init__(self, reign: Reign, etcd: EmbeddedEtcd, worker: Credentials, member: Credentials) -> None:
        self.reign, self.etcd, self.worker, self.member = reign, etcd, worker, member


@contextlib.asynccontextmanager
async def guarded(directory: Path, colony: str) -> AsyncIterator[Guarded]:
    """Real etcd with the colony's real material and permissions; certificates are those the queen hands out."""
    material = make_material(
        colony,
        directory / "material",
        etcd_addresses=[f"{ADDRESS}:2379"],
        founder_name="one",
        founder_address=ADDRESS,
        founder_state=directory / "state",
        now=time.time(),
    )
    home = material.directory
    files = TlsFiles(ca=home / "council-ca.crt", cert=home / "etcd.crt", key=home / "etcd.key")
    bundle = material.council_ca.certificate
    root = Credentials(ca=bundle, cert=material.founder.certificate, key=material.founder.key)
    async with (
        EmbeddedEtcd(directory=directory / "etcd", tls=files, credentials=root) as etcd,
        Reign(etcd, directory, colony=colony, credentials=root) as reign,
    ):
        await enable_auth(reign.client, reign.keys)
        shown = []
        for name, eligible in (("drone", False), ("heir", True)):
            node = reign.newcomer(name)
            answer = await reign.join(node, await reign.token(eligible=eligible))
            access = node.secrets(answer).council
            assert (access is not None) is eligible, "only who may sit in the council gets a certificate for etcd"
            certificate = access.certificate if access else answer.certificate.encode()
            # The worker is even told the council CA, so that it is etcd who refuses, and not he.
            shown.append(Credentials(ca=bundle, cert=certificate, key=node.key))
        yield Guarded(reign, etcd, *shown)
