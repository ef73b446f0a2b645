"""A reign and a gateway in one process, over a store that can be raced; and a request for every route that writes."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import httpx
import msgspec

from aware_agent.agent.found import found
from aware_agent.agent.material import make_material
from aware_agent.agent.member.channels import MemberChannels
from aware_agent.agent.member.link import Do
from aware_agent.agent.member.operations import MemberOperations
from aware_agent.agent.orders import Orders
from aware_agent.agent.reader import ColonyReader
from aware_agent.agent.settings import ChannelSettings, JobSettings, Settings
from aware_agent.colony.backup import BackupPolicy
from aware_agent.colony.election import QueenRecord
from aware_agent.colony.event import Event
from aware_agent.colony.ids import ulid
from aware_agent.colony.jobs import Job, JobState
from aware_agent.colony.node import Record, Report
from aware_agent.colony.scale import DemandTarget, Scale
from aware_agent.colony.session import Session
from aware_agent.colony.spec import CasteSpec, Policies, Spec
from aware_agent.colony.webhook import DeadLetter
from aware_agent.gateway.agent_link import answer_of
from aware_agent.gateway.app import create_gateway
from aware_agent.gateway.asking import asking
from aware_agent.gateway.mirror import Mirror
from aware_agent.queen.history import History
from aware_agent.queen.reign import Reign
from aware_agent.security import pki
from aware_agent.security.joining import JOIN_CONTEXT, JoinRequest
from aware_agent.security.jwt import token_key
from aware_agent.security.keyring import Keyring
from aware_agent.security.password_rules import PasswordRules
from aware_agent.security.providers import provider_keys
from aware_agent.security.records import DeniedRecord, UserRecord
from aware_agent.security.roles import Role
from aware_agent.security.sealing import Opener
from aware_agent.security.signed_url import signing_keys
from aware_agent.security.signing import sign
from aware_agent.store import ops
from aware_agent.store.keys import Keys
from aware_agent.store.memory import MemoryStore
from aware_agent.store.model import TxnResult
from aware_agent.store.projection import Projection
from aware_agent.store.protocol import Cluster

NODE = "01JT0000000000000000000002"
SESSION = "5e" * 16
CHECK = "c" * 32
SPEC = Spec(
    colony="demo",
    size=2,
    castes={
        "web": CasteSpec(count=1),
        "batch": CasteSpec(count=1, scale=Scale(min=1, max=3, demand=DemandTarget(per_node=10.0))),
    },
    policies=Policies(backup=BackupPolicy(every="1d")),
)
PASSWORD = "correct horse battery"
CONFIG = {"config": {"vars": {"a": 2}}}

# Every route that writes to etcd, and a request that changes something.
CORP = {"kind": "keystone", "url": "https://cloud:5000/v3", "rules": [{"role": "viewer", "values": ["a"]}]}
CLOUD = {
    "auth": {"auth_url": "https://cloud:5000/v3", "username": "aware", "password": "not the right one"},
}
WRITES: dict[str, tuple[str, Any]] = {
    "PATCH /v1/nodes/{node}": (f"/v1/nodes/{NODE}", {"labels": {"rack": "r2"}}),
    "PUT /v1/nodes/{node}/away": (f"/v1/nodes/{NODE}/away", {"reason": "a new disk"}),
    "DELETE /v1/nodes/{node}/away": (f"/v1/nodes/{NODE}/away", None),
    "PUT /v1/nodes/{node}/config": (f"/v1/nodes/{NODE}/config", CONFIG),
    "DELETE /v1/nodes/{node}": (f"/v1/nodes/{NODE}?force=true", None),
    "PUT /v1/castes/{name}/demand": ("/v1/castes/batch/demand", {"value": 25.0}),
    "PUT /v1/spec": ("/v1/spec", {"colony": "demo", "size": 4}),
    "POST /v1/spec/rollback": ("/v1/spec/rollback", {}),
    "POST /v1/nodes/{node}/config/rollback": (f"/v1/nodes/{NODE}/config/rollback", {}),
    "PUT /v1/users/{name}": ("/v1/users/vera", {"role": "operator"}),
    "DELETE /v1/users/{name}": ("/v1/users/vera", None),
    "PUT /v1/identity-providers/{name}": ("/v1/identity-providers/corp", CORP),
    "DELETE /v1/identity-providers/{name}": ("/v1/identity-providers/corp", None),
    "PUT /v1/secrets/{name}": ("/v1/secrets/lab", {"kind": "openstack", "cloud": CLOUD}),
    "DELETE /v1/secrets/{name}": ("/v1/secrets/lab", None),
    "POST /v1/service-accounts": ("/v1/service-accounts", {"name": "deploy"}),
    "DELETE /v1/service-accounts/{name}": ("/v1/service-accounts/ci", None),
    "POST /v1/service-accounts/{name}/tokens": ("/v1/service-accounts/ci/tokens", {"ttl_s": 600}),
    "DELETE /v1/service-accounts/{name}/tokens/{token_id}": ("/v1/service-accounts/ci/tokens/{service}", None),
    "POST /v1/tokens": ("/v1/tokens", {"uses": 2}),
    "DELETE /v1/tokens/{token_id}": ("/v1/tokens/{token}", None),
    "DELETE /v1/denied-keys/{key}": ("/v1/denied-keys/{denied}", None),
    "POST /v1/auth/refresh": ("/v1/auth/refresh", {"refresh_token": "{refresh}"}),
    "POST /v1/auth/token": ("/v1/auth/token", {"username": "admin", "password": PASSWORD}),
    "DELETE /v1/auth/token": ("/v1/auth/token", None),
    "DELETE /v1/sessions": ("/v1/sessions", None),
    "DELETE /v1/sessions/{session_id}": ("/v1/sessions/{session}", None),
    "DELETE /v1/users/{name}/sessions": ("/v1/users/admin/sessions", None),
    "POST /v1/backups": ("/v1/backups", None),
    "POST /v1/webhooks": ("/v1/webhooks", {"url": "https://hooks.example/"}),
    "PATCH /v1/webhooks/{webhook_id}": ("/v1/webhooks/{webhook}", {"paused": True}),
    "DELETE /v1/webhooks/{webhook_id}": ("/v1/webhooks/{webhook}", None),
    "POST /v1/webhooks/{webhook_id}/secret": ("/v1/webhooks/{webhook}/secret", {}),
    "DELETE /v1/webhooks/{webhook_id}/dead": ("/v1/webhooks/{webhook}/dead", None),
    "POST /v1/webhooks/{webhook_id}/dead/replay": ("/v1/webhooks/{webhook}/dead/replay", None),
    "DELETE /v1/webhooks/{webhook_id}/dead/{event_id}": ("/v1/webhooks/{webhook}/dead/e1", None),
    "POST /v1/webhooks/{webhook_id}/dead/{event_id}/replay": ("/v1/webhooks/{webhook}/dead/e1/replay", None),
    "POST /v1/rotation": ("/v1/rotation", {"action": "start"}),
    "POST /v1/hooks/sign": ("/v1/hooks/sign", {"operation": "scale", "ttl_s": 60, "delta": 1, "max_size": 9}),
    "POST /v1/hooks/heat/{cluster}": ("{signed}", {"reference": "r"}),
    "POST /v1/jobs": ("/v1/jobs", {"operation": "scale", "parameters": {"delta": 1}}),
    "POST /v1/jobs/{job_id}/cancel": ("/v1/jobs/{job}/cancel", None),
    "POST /v1/jobs/{job_id}/retry": ("/v1/jobs/{ended}/retry", None),
    "POST /v1/check": ("/v1/check", {"run": CHECK}),
    "PUT /v1/check/{run}": (f"/v1/check/{CHECK}", {"value": 1}),
    "DELETE /v1/check/{run}": (f"/v1/check/{CHECK}", None),
    "POST /v1/join": ("/v1/join", "{join}"),
}
NO_WRITES = {
    "POST /v1/auth/ticket",
    "POST /v1/auth/exchange",  # begins nothing when its provider changes at that moment: test_queen_providers
    "POST /v1/queen/step-down",
    "POST /v1/queen/transfer",
    "POST /v1/council/move",  # of two at once the second is told what is under way
    "POST /v1/nodes/{node}/commands",  # history only
    "POST /v1/webhooks/{webhook_id}/test",  # a call, of which nothing is kept
    "POST /v1/renew",  # history only, under keys nobody else can know
}


class Raced(MemoryStore):
    """A store whose transactions find that somebody else wrote their keys just now.

    ``races`` says how often: what a key had is written again, so that only its revision is another; ``instead`` is
    written for keys that are named there.
    """

    races = 0
    raced = 0
    instead: Mapping[bytes, bytes] = MappingProxyType({})

    async def txn(
        self, compares: Sequence[ops.Compare], success: Sequence[ops.Op], failure: Sequence[ops.Op] = ()
    ) -> TxnResult:
        """One race, then the transaction."""
        if self.races:
            self.races -= 1
            keys = {compare.key for compare in compares[1:]}  # the first one is the fence
            for key in sorted(keys | self.instead.keys()):
                stored = await self.get(key)
                if key in self.instead or stored:
                    await self.put(key, self.instead.get(key, stored.value if stored else b""))
                    self.raced += 1
        return await super().txn(compares, success, failure)


class Member(Mirror):
    """A gateway's mirror and a reign in one process, with commands that are encoded between them all the same."""

    def __init__(self, client: Cluster, keys: Keys, secret: bytes, ca: bytes, reign: Reign, me: str) -> None:
        super().__init__(client, keys)
        self.me, self.colony, self.ca_pem, self.commands = me, keys.colony, ca, self
        self.council_ca_pem = b""
        self.token_keys = (token_key(keys.colony, secret),)
        self.url_keys = (dict(signing_keys(secret)),)
        self.provider_keys, self.password_rules = provider_keys(secret), PasswordRules()
        self._reign = reign

    async def run(self, command: Any = None, *, actor: str = "", source: str = "") -> Any:
        if command is None:
            return await super().run()
        raw = msgspec.Raw(msgspec.msgpack.encode(command))
        done = await self._reign.execute(
            Do(id=1, term=self._reign.term, actor=actor, asker=asking().asker(self.me, source), command=raw)
        )
        await self.wait_revision(done.revision)
        return msgspec.msgpack.decode(done.result, type=answer_of(command))


class Queen:
    """A reign and a gateway, without the agent round it."""

    def __init__(self, client: Raced, directory: Path) -> None:
        self.client, self.directory, self.keys = client, directory, Keys(f"c{os.urandom(6).hex()}")

    async def begin(self) -> Queen:
        name, now = self.keys.colony, time.time()
        spec = msgspec.structs.replace(SPEC, colony=name)
        self.material = make_material(
            name,
            self.directory / "material",
            etcd_addresses=["127.0.0.1:2379"],
            founder_name="demo-1",
            founder_address="127.0.0.1",
            founder_state=self.directory / "state",
            now=now,
        )
        await found(self.client, self.keys, self.material, spec, PASSWORD, now=now)
        report = Report(name="demo-2", address="127.0.0.1", url="https://127.0.0.1:2", incarnation="i")
        record = Record(id=NODE, name="demo-2", joined_at=now, report=report, eligible=True)
        await self.client.put(self.keys.key("nodes", NODE), msgspec.json.encode(record))
        await self.client.put(self.keys.key("config", NODE), b'{"vars":{"a":1}}')
        queen_record = QueenRecord(
            id=self.material.founder_id, name="demo-1", url="https://127.0.0.1:1", incarnation="i", since=now
        )
        term = await self.client.put(self.keys.queen, msgspec.json.encode(queen_record))
        stored = await self.client.get(self.keys.key("users", "admin"))
        assert stored is not None
        user_id = msgspec.json.decode(stored.value, type=UserRecord).id
        # Begun so long ago that the next refresh is a new turn.
        session = Session(user="admin", user_id=user_id, begun_at=now - 3600, refreshed_at=now - 3600)
        await self.client.put(self.keys.key("sessions", SESSION), msgspec.json.encode(session))
        self.projection = Projection(self.client, [self.keys.everything()])
        await self.projection.start()
        self.reader = ColonyReader(self.projection, self.keys)
        self.projection.listen(lambda batch: self.reader.changed(batch.revision, [c.kv.key for c in batch.changes]))
        await self._rule(term)
        return self

    async def _rule(self, term: int) -> None:
        me, ca = self.material.founder_id, self.material.ca.certificate
        orders = Orders(SimpleNamespace())  # type: ignore[arg-type]
        node: Any = SimpleNamespace(
            id=me,
            client=self.client,
            ca_pem=ca,
            council_ca_pem=self.material.council_ca.certificate,
            keyring=Keyring(1, {1: self.material.secret}),
            etcd=("127.0.0.1:2379",),
            settings=Settings(colony=self.keys.colony, state_dir=str(self.directory)),
            resign=lambda _: None,
            # No listener: orders to others find no channel.
            operations=MemberOperations(JobSettings()),
            loads=None,
            member=MemberChannels(me, ChannelSettings(), (Path(), Path()), lambda: self.reader, orders),
        )
        self.reign = Reign(node, self.reader, History(self.projection, self.keys), term)
        member = Member(self.client, self.keys, self.material.secret, ca, self.reign, me)
        self._following = asyncio.create_task(member.run())
        async with asyncio.timeout(20):
            while member.queen() is None:
                await asyncio.sleep(0.01)
        self.app = create_gateway(member)

    async def end(self) -> None:
        self._following.cancel()
        await asyncio.gather(self._following, return_exceptions=True)
        await self.projection.aclose()

    def http(self) -> httpx.AsyncClient:
        """A client that is logged in as admin."""
        signer, now = self.app.gateway.authority.signer, time.time()
        issued = signer.issue("admin", Role.SECURITY_ADMIN, now=now, session=SESSION)
        self.refresh = signer.issue("admin", Role.SECURITY_ADMIN, now=now, kind="refresh", session=SESSION).token
        headers = {"authorization": f"Bearer {issued.token}"}
        return httpx.AsyncClient(transport=httpx.ASGITransport(app=self.app), base_url="https://queen", headers=headers)

    def join_request(self) -> dict[str, Any]:
        key, node_id, token = pki.make_key(), ulid(time.time(), os.urandom(10)), self.material.token
        request = JoinRequest(
            colony=self.keys.colony,
            token_id=token.id,
            secret=token.secret,
            csr=pki.make_csr(key, node_id, "demo-3").decode(),
            node_id=node_id,
            name="demo-3",
            address="127.0.0.1",
            url="https://127.0.0.1:3",
            box_key=Opener().public,
        )
        return dict(msgspec.json.decode(msgspec.json.encode(sign(request, key, JOIN_CONTEXT))))

    async def request(self, http: httpx.AsyncClient, route: str) -> dict[str, Any]:
        """Arguments of a request by which ``route`` changes something."""
        path, body = WRITES[route]
        if path == "{signed}":
            order = {"operation": "scale", "ttl_s": 60, "delta": 1, "max_size": 9, "uses": 3}
            path = (await http.post("/v1/hooks/sign", json=order)).json()["path"]
        if body == "{join}":
            body = self.join_request()
        elif body:
            body = msgspec.json.decode(msgspec.json.encode(body).replace(b"{refresh}", self.refresh.encode()))
        if route == "PUT /v1/spec":
            body["colony"] = self.keys.colony
        if route.endswith("/rollback"):
            body = {"revision": await self._left(http, path.removesuffix("/rollback"))}
        if route.startswith(("PUT /v1/users", "DELETE /v1/users")):
            await http.put("/v1/users/vera", json={"role": "viewer", "password": PASSWORD})
        if route == "DELETE /v1/nodes/{node}/away":
            await http.put(path, json={})
        if "/check/" in route:
            await http.post("/v1/check", json={"run": CHECK})
        if route.startswith("DELETE /v1/identity-providers"):
            await http.put("/v1/identity-providers/corp", json=CORP)
        if route.startswith("DELETE /v1/secrets"):
            await http.put("/v1/secrets/lab", json={"kind": "text", "text": "swordfish"})
        if "/service-accounts/ci" in path:
            await http.post("/v1/service-accounts", json={"name": "ci"})
            made = await http.post("/v1/service-accounts/ci/tokens", json={"ttl_s": 600})
            path = path.replace("{service}", made.json()["id"])
        if "{job}" in path or "{ended}" in path:
            path = path.format(job=await self._job(JobState.QUEUED), ended=await self._job(JobState.FAILED))
        path = path.replace("{token}", self.material.token.id).replace("{session}", SESSION)
        if "{denied}" in path:
            pin = "p" * 43
            denied = DeniedRecord(key_pin=pin, node_id=NODE, name="demo-9", removed_at=1.0, removed_by="admin")
            put = await self.client.put(self.keys.key("denied", pin), msgspec.json.encode(denied))
            await self.projection.wait_revision(put, 20.0)
            path = path.replace("{denied}", pin)
        if "{webhook}" in path:
            made = (await http.post("/v1/webhooks", json={"url": "https://hooks.example/"})).json()["id"]
            event = Event(id="e1", time=1.0, term=1, actor="ada", type="node.dead", subject="demo-1", message="x")
            letter = DeadLetter(event=event, revision=7, attempts=3, reason="x", status=500, at=2.0)
            key = self.keys.key("webhook-dead", made, event.id)
            await self.projection.wait_revision(await self.client.put(key, msgspec.json.encode(letter)), 20.0)
            path = path.replace("{webhook}", made)
        return {"method": route.split(" ", maxsplit=1)[0], "url": path, "json": body}

    async def _job(self, state: JobState) -> str:
        """Id of a job in that state."""
        job = Job(
            id=ulid(time.time(), os.urandom(10)), operation="scale", parameters={"delta": 1}, state=state, term=1,
            actor="admin", created_at=1.0, changed_at=1.0,
        )  # fmt: skip
        put = await self.client.put(self.keys.key("jobs", job.id), msgspec.json.encode(job))
        await self.projection.wait_revision(put, 20.0)
        return job.id

    async def _left(self, http: httpx.AsyncClient, path: str) -> int:
        """A revision at which something else was put than what is in force now."""
        puts: list[Any] = [{"config": {"vars": {"a": number}}} for number in (5, 6)]
        if path == "/v1/spec":
            puts = [{"colony": self.keys.colony, "size": size} for size in (5, 6)]
        revisions = [(await http.put(path, json=put)).json()["revision"] for put in puts]
        await self.projection.wait_revision(revisions[-1], 20.0)
        return int(revisions[0])
