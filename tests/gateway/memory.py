"""A colony in memory behind the gateway's context: real views, real types, no etcd."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from aware_agent.colony.backup import BackupLog, due_at
from aware_agent.colony.election import Crown
from aware_agent.colony.errors import Conflict, NotFound
from aware_agent.colony.event import Event
from aware_agent.colony.hook import HookRecord, HookState, Order
from aware_agent.colony.ids import ulid
from aware_agent.colony.node import Capabilities, Config, Record, Report, Status
from aware_agent.colony.plan import plan
from aware_agent.colony.rotation import Abort, Continue, Start, Trust, decide
from aware_agent.colony.spec import CasteSpec, Spec
from aware_agent.colony.verification import Evidence, RotationReport, verify
from aware_agent.colony.view import ColonyData, ColonyView, Entry, build_view
from aware_agent.queen.backup.commands import BackupState
from aware_agent.security.joining import JoinAnswer, JoinRequest
from aware_agent.security.password import hash_password
from aware_agent.security.records import UserRecord
from aware_agent.security.renewing import NotAMember, RenewRequest
from aware_agent.security.roles import Role
from aware_agent.security.rotating import NewTrust
from aware_agent.security.signed_url import Permit
from aware_agent.security.token import (
    RANDOM_BYTES,
    TokenRecord,
    TokenRefused,
    beacon_key,
    check_token,
    make_token,
    verifier,
)
from aware_agent.store.keys import Keys
from aware_agent.store.model import KeyValue
from aware_agent.telemetry import Family, gauge

COLONY = "demo"
PASSWORD = "correct horse battery"
CA = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
# One scrypt hash for all users: hashing is slow on purpose.
_HASH = hash_password(PASSWORD)


def node_id(number: int) -> str:
    """A stable ULID."""
    return ulid(1_700_000_000.0 + number, number.to_bytes(10, "big"))


class Written(msgspec.Struct, frozen=True):
    revision: int
    term: int
    changed: bool


class MemoryProjection:
    """The projection's reading side over a dict."""

    def __init__(self) -> None:
        self.revision = 1
        self.kvs: dict[bytes, KeyValue] = {}

    def get(self, key: bytes) -> KeyValue | None:
        return self.kvs.get(key)

    def items(self, prefix: bytes) -> Iterable[KeyValue]:
        return [self.kvs[key] for key in sorted(self.kvs) if key.startswith(prefix)]

    def put(self, key: bytes, value: Any) -> int:
        self.revision += 1
        old = self.kvs.get(key)
        self.kvs[key] = KeyValue(
            key=key,
            value=msgspec.json.encode(value),
            create_revision=old.create_revision if old else self.revision,
            mod_revision=self.revision,
            version=(old.version if old else 0) + 1,
        )
        return self.revision

    def delete(self, key: bytes) -> int:
        self.revision += 1
        del self.kvs[key]
        return self.revision


class MemoryContext:
    """Implements GatewayContext. ``nodes`` ready nodes, of which the first reigns."""

    def __init__(self, nodes: int = 5) -> None:
        self.me = node_id(0)
        self.ca_pem = CA
        self.colony_secret = b"s" * 32
        self.colony_secrets = (self.colony_secret,)
        self.settings = None
        self.keys = Keys(COLONY)
        self.projection = MemoryProjection()
        self.castes: dict[str, list[str]] = {}
        self.presence: dict[str, Report] = {}
        self.history: list[tuple[int, Event]] = []
        self.trimmed = 0
        self.queen: str | None = None
        self.is_ready = True
        self.subscribers: list[Callable[[Any], None]] = []
        self._view: tuple[int, ColonyView] | None = None
        for number in range(nodes):
            self.add_node(number)
        self.commands = MemoryCommands(self)
        spec = Spec(colony=COLONY, size=nodes, castes={"web": CasteSpec(count=2), "store": CasteSpec(count=1)})
        self.projection.put(self.keys.key("spec"), spec)
        ids = [node_id(number) for number in range(nodes)]
        self.castes = {"web": ids[1:3], "store": ids[3:4]}
        for name, role in (("vera", Role.VIEWER), ("otto", Role.OPERATOR), ("ada", Role.ADMIN)):
            record = UserRecord(name=name, role=role, password_hash=_HASH, created_at=1.0)
            self.projection.put(self.keys.key("users", name), record)
        self.emit("colony.founded", COLONY, "colony demo was founded")
        crown = Crown(id=self.me, name="demo-1", url="https://127.0.0.1:20101", incarnation="x", since=1.7e9)
        self.projection.put(self.keys.queen, crown)
        self.emit("queen.elected", self.me, "demo-1 reigns")

    def add_node(self, number: int, **changes: Any) -> str:
        """A ready node; ``changes`` are of its report, ``record`` of its record."""
        node = node_id(number)
        record_changes = changes.pop("record", {})
        name = f"demo-{number + 1}"
        report = Report(
            name=name,
            address="127.0.0.1",
            url=f"https://127.0.0.1:{20101 + number}",
            incarnation="i",
            version="0.1.0",
            joined_at=1.7e9 + number,
            capabilities=Capabilities(vcpus=2, ram_mib=2048, disk_gib=20, zone="a"),
        )
        report = msgspec.structs.replace(report, **changes)
        record = Record(id=node, name=name, joined_at=report.joined_at, report=report)
        record = msgspec.structs.replace(record, **record_changes)
        if record.status is Status.READY:
            self.presence[node] = report
        self.projection.put(self.keys.key("nodes", node), record)
        return node

    def emit(self, *event: str, revision: int | None = None, tell: bool = True) -> int:
        """Write an event (type, subject, message)."""
        kind, subject, message = event
        revision = revision or self.projection.put(self.keys.key("events", str(self.projection.revision)), {})
        made = Event(
            id=ulid(time.time(), os.urandom(10)),
            time=time.time(),
            term=self.view().term if self.queen else 0,
            actor="colony",
            type=kind,
            subject=subject,
            message=message,
        )
        self.history.append((revision, made))
        if tell:
            self.publish([(revision, made)])
        return revision

    def publish(self, batch: list[tuple[int, Event]]) -> None:
        for callback in tuple(self.subscribers):
            callback(batch)

    def queen_url(self) -> str | None:
        return None

    def ready(self) -> tuple[bool, str]:
        return self.is_ready, "reigns" if self.is_ready else "is starting"

    def families(self) -> Iterable[Family]:
        return [gauge("aware_up", "Always 1.", 1)]

    def view(self) -> ColonyView:
        revision = self.projection.revision
        if self._view is None or self._view[0] != revision:
            self._view = (revision, build_view(self.data()))
        return self._view[1]

    def data(self) -> ColonyData:
        queen = self.projection.get(self.keys.queen)
        spec = self.projection.get(self.keys.key("spec"))
        records = {}
        for kv in self.projection.items(self.keys.key("nodes/")):
            record = msgspec.json.decode(kv.value, type=Record)
            stored = self.projection.get(self.keys.key("config", record.id))
            config = msgspec.json.decode(stored.value, type=Config) if stored else Config()
            records[record.id] = Entry(
                record=record,
                revision=kv.mod_revision,
                config_version=stored.version if stored else 0,
                config_revision=stored.mod_revision if stored else 0,
                vars=config.vars,
            )
        return ColonyData(
            colony=COLONY,
            revision=self.projection.revision,
            spec=msgspec.json.decode(spec.value, type=Spec) if spec else None,
            spec_revision=spec.mod_revision if spec else 0,
            crown=msgspec.json.decode(queen.value, type=Crown) if queen else None,
            term=queen.create_revision if queen else 0,
            entries=records,
            presence=self.presence,
            castes=self.castes,
        )

    async def wait_revision(self, revision: int) -> None:
        assert revision <= self.projection.revision

    @property
    def oldest_event_revision(self) -> int:
        return self.trimmed or (1 if self.history else 0)

    def events(self, since: int, limit: int) -> list[tuple[int, Event]]:
        return [item for item in self.history if item[0] > since][:limit]

    def subscribe_events(self, callback: Callable[[Any], None]) -> Callable[[], None]:
        self.subscribers.append(callback)
        return lambda: self.subscribers.remove(callback)


class MemoryCommands:
    """Implements Commands over the memory; fails with ``error`` when it is set."""

    def __init__(self, context: MemoryContext) -> None:
        self.context = context
        self.calls: list[tuple[str, str]] = []
        self.error: Exception | None = None
        self.orders: list[tuple[Order, Permit | None]] = []
        self.trust = Trust()
        self.brought: NewTrust | None = None

    def _begin(self, name: str, actor: str, key: bytes = b"", if_revision: int | None = None) -> None:
        if self.error is not None:
            raise self.error
        self.calls.append((name, actor))
        stored = self.context.projection.get(key)
        if if_revision is not None and if_revision != (stored.mod_revision if stored else 0):
            raise Conflict("it changed")

    def _written(self, revision: int | None) -> Written:
        term = self.context.view().term
        return Written(revision or self.context.projection.revision, term, revision is not None)

    async def change_node(
        self,
        node: str,
        *,
        labels: Mapping[str, str | None] | None,
        cordoned: bool | None,
        if_revision: int | None,
        actor: str,
    ) -> Written:
        key = self.context.keys.key("nodes", node)
        self._begin("change_node", actor, key, if_revision)
        stored = self.context.projection.get(key)
        assert stored is not None
        before = msgspec.json.decode(stored.value, type=Record)
        merged = {**before.labels, **(labels or {})}
        after = msgspec.structs.replace(
            before,
            labels={name: value for name, value in merged.items() if value is not None},
            cordoned=before.cordoned if cordoned is None else cordoned,
        )
        return self._written(None if after == before else self.context.projection.put(key, after))

    async def put_config(self, node: str, config: Config, *, if_revision: int | None, actor: str) -> Written:
        key = self.context.keys.key("config", node)
        self._begin("put_config", actor, key, if_revision)
        stored = self.context.projection.get(key)
        if stored and msgspec.json.decode(stored.value, type=Config) == config:
            return self._written(None)
        return self._written(self.context.projection.put(key, config))

    async def remove_node(self, node: str, *, force: bool, actor: str) -> Written:
        self._begin("remove_node", actor)
        if not force:
            raise Conflict("it is ready", hint="use force")
        return self._written(self.context.projection.delete(self.context.keys.key("nodes", node)))

    def plan_spec(self, spec: Spec) -> Any:
        data = self.context.data()
        records = {node: entry.record for node, entry in data.entries.items()}
        return plan(data.spec, spec, records, data.castes)

    async def put_spec(self, spec: Spec, *, if_revision: int | None, actor: str) -> Written:
        key = self.context.keys.key("spec")
        self._begin("put_spec", actor, key, if_revision)
        if self.context.view().spec == spec:
            return self._written(None)
        return self._written(self.context.projection.put(key, spec))

    async def step_down(self, *, actor: str) -> Written:
        self._begin("step_down", actor)
        return self._written(None)

    async def transfer(self, node: str, *, actor: str) -> Written:
        self._begin("transfer", actor)
        return self._written(None)

    async def join(self, request: JoinRequest, source_address: str) -> JoinAnswer:
        self._begin("join", source_address)
        tokens = {record.id: record for record in self.list_tokens()}
        check_token(tokens.get(request.token_id), request.token_id, request.secret, name=request.name, now=time.time())
        return JoinAnswer(certificate="c", ca="ca", colony_secret=b"s" * 32, etcd=("127.0.0.1:2379",), joined_at=1.0)

    async def renew(self, request: RenewRequest, source_address: str) -> JoinAnswer:
        self._begin("renew", source_address)
        if request.node_id not in self.context.presence:
            raise NotAMember("no such node")
        return JoinAnswer(certificate="c", ca="ca", colony_secret=b"s" * 32, etcd=("127.0.0.1:2379",), joined_at=1.0)

    async def start_rotation(self, actor: str, new: NewTrust, *, hold: bool, patience_s: float) -> Written:
        self._begin("start_rotation", actor)
        return self._rotate(Start(actor, hold, patience_s), new)

    async def continue_rotation(self, actor: str) -> Written:
        self._begin("continue_rotation", actor)
        return self._rotate(Continue())

    async def abort_rotation(self, actor: str) -> Written:
        self._begin("abort_rotation", actor)
        return self._rotate(Abort())

    async def rotation_report(self) -> RotationReport:
        evidence = [
            Evidence(id=node, name=report.name, here=True, proved=frozenset({1}), signed_by=1, bundle_fits=True)
            for node, report in self.context.presence.items()
        ]
        return RotationReport(self.trust, verify(self.trust, evidence, time.time()), [], 0)

    def _rotate(self, event: Start | Continue | Abort, new: NewTrust | None = None) -> Written:
        self.brought = new
        self.trust = decide(self.trust, event, time.time()).trust
        return self._written(self.context.projection.put(self.context.keys.key("pki"), self.trust))

    async def create_token(
        self, *, ttl_s: float | None, uses: int | None, node_name: str | None, actor: str
    ) -> tuple[str, TokenRecord]:
        self._begin("create_token", actor)
        token = make_token("A" * 43, os.urandom(RANDOM_BYTES))
        record = TokenRecord(
            id=token.id,
            verifier=verifier(token),
            beacon_key=beacon_key(token),
            created_at=time.time(),
            created_by=actor,
            expires_at=time.time() + ttl_s if ttl_s else None,
            uses_left=uses,
            node_name=node_name,
        )
        self.context.projection.put(self.context.keys.key("tokens", token.id), record)
        return str(token), record

    async def revoke_token(self, token_id: str, *, actor: str) -> Written:
        self._begin("revoke_token", actor)
        key = self.context.keys.key("tokens", token_id)
        if self.context.projection.get(key) is None:
            raise NotFound("no such token")
        return self._written(self.context.projection.delete(key))

    def list_tokens(self) -> list[TokenRecord]:
        prefix = self.context.keys.key("tokens/")
        return [msgspec.json.decode(kv.value, type=TokenRecord) for kv in self.context.projection.items(prefix)]

    async def put_user(self, name: str, *, password_hash: str | None, role: str, actor: str) -> Written:
        self._begin("put_user", actor)
        record = UserRecord(name=name, role=Role(role), password_hash=password_hash or _HASH, created_at=1.0)
        return self._written(self.context.projection.put(self.context.keys.key("users", name), record))

    async def delete_user(self, name: str, *, actor: str) -> Written:
        self._begin("delete_user", actor)
        key = self.context.keys.key("users", name)
        if self.context.projection.get(key) is None:
            raise NotFound("no such user")
        return self._written(self.context.projection.delete(key))

    async def revoke_access(self, jti: str, expires_at: float, *, actor: str) -> Written:
        self._begin("revoke_access", actor)
        return self._written(self.context.projection.put(self.context.keys.key("revoked", jti), {}))

    async def accept_hook(self, order: Order, *, actor: str, permit: Permit | None) -> tuple[HookRecord, bool]:
        self._begin("accept_hook", actor)
        self.orders.append((order, permit))
        now = time.time()
        record = HookRecord(
            id=ulid(now, os.urandom(10)),
            order=order,
            state=HookState.ACCEPTED,
            term=self.context.view().term,
            actor=actor,
            created_at=now,
            changed_at=now,
        )
        self.context.projection.put(self.context.keys.key("hooks", record.id), record)
        return record, True

    async def tell_signed(self, permit: Permit, *, actor: str) -> Written:
        self._begin("tell_signed", actor)
        return self._written(None)

    def list_hooks(self) -> list[HookRecord]:
        prefix = self.context.keys.key("hooks/")
        return [msgspec.json.decode(kv.value, type=HookRecord) for kv in self.context.projection.items(prefix)]

    def backups(self) -> BackupState:
        spec = self.context.view().spec
        stored = self.context.projection.get(self.context.keys.key("backups"))
        log = msgspec.json.decode(stored.value, type=BackupLog) if stored else BackupLog()
        policy = spec.policies.backup if spec else None
        return BackupState(policy=policy, log=log, next_at=due_at(log, policy) if policy else None)

    async def request_backup(self, *, actor: str) -> BackupState:
        self._begin("request_backup", actor)
        log = msgspec.structs.replace(self.backups().log, requested_at=time.time(), requested_by=actor)
        self.context.projection.put(self.context.keys.key("backups"), log)
        return self.backups()

    def hook(self, hook_id: str) -> HookRecord:
        for record in self.list_hooks():
            if record.id == hook_id:
                return record
        raise NotFound("no such hook")


__all__ = ["COLONY", "PASSWORD", "MemoryContext", "TokenRefused", "node_id"]
