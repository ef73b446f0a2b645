"""A gateway's context over the etcd in memory: the real mirror, and a real reign that carries out its commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from aware_agent.agent.explanation import Explanation
from aware_agent.agent.member.link import Facts
from aware_agent.colony.event import Event, EventDraft
from aware_agent.colony.hook import Order
from aware_agent.colony.rotation import Trust
from aware_agent.colony.spec import CasteSpec
from aware_agent.colony.webhook import DeadLetter, WebhookRecord
from aware_agent.gateway.asking import asking, grant_for
from aware_agent.gateway.errors import AgentHangs, NoQueen
from aware_agent.gateway.idempotency import keyed
from aware_agent.gateway.mirror import Mirror
from aware_agent.gateway.rehearsed import Rehearsed, is_rehearsed
from aware_agent.queen import commands as do
from aware_agent.queen.rehearsal import Rehearsal
from aware_agent.queen.reign import Reign
from aware_agent.security.audit import public_keys
from aware_agent.security.jwt import token_key
from aware_agent.security.password import hash_password
from aware_agent.security.password_rules import PasswordRules
from aware_agent.security.providers import provider_keys
from aware_agent.security.records import UserRecord
from aware_agent.security.roles import Role
from aware_agent.security.rotating import NewTrust
from aware_agent.security.signed_url import Permit, signing_keys
from aware_agent.store.health import StoreState
from aware_agent.store.memory import MemoryEtcd, MemoryStore
from aware_agent.telemetry import gauge
from tests.explained import explanation
from tests.memory_colony import COLONY, SECRET, MemoryColony, colony_ca, node_id

PASSWORD = "correct horse battery"
CA = colony_ca().certificate
# One scrypt hash for all users: hashing is slow on purpose.
_HASH = hash_password(PASSWORD)


class MemoryContext(Mirror):
    """Implements GatewayContext. ``nodes`` ready nodes, of which the first reigns."""

    def __init__(self, nodes: int = 5) -> None:
        self.memory = MemoryColony()
        super().__init__(self.memory.store, self.memory.keys)
        self.projection = self.memory.projection
        self._open()  # the copy is there from the beginning
        self.me = node_id(0)
        self.ca_pem = CA
        self.council_ca_pem = CA
        self.colony = COLONY
        self.token_keys: tuple[bytes, ...] = (token_key(COLONY, SECRET),)
        self.url_keys: tuple[dict[str, bytes], ...] = (dict(signing_keys(SECRET)),)
        self.provider_keys = provider_keys(SECRET)
        self.password_rules = PasswordRules()
        self.audit_keys = public_keys(COLONY, (SECRET,))
        self.store_state = StoreState(looked=True, reachable=True, quorum=True)
        self.patience_s = 0.0  # a test that waits for a queen says so
        self.is_ready = True
        self.agent_hangs = False
        self.commands = MemoryCommands(self)
        self._found(nodes)

    def _found(self, nodes: int) -> None:
        memory = self.memory
        memory.put_ca()
        for number in range(nodes):
            memory.add_node(number)
        memory.put_spec(size=nodes, castes={"web": CasteSpec(count=2), "store": CasteSpec(count=1)})
        ids = [node_id(number) for number in range(nodes)]
        memory.put(self.keys.key("castes"), {"web": ids[1:3], "store": ids[3:4]})
        roles = {"vera": Role.VIEWER, "otto": Role.OPERATOR, "anna": Role.ADMIN, "ada": Role.SECURITY_ADMIN}
        for name, role in roles.items():
            record = UserRecord(name=name, role=role, password_hash=_HASH, created_at=1.0)
            memory.put(self.keys.key("users", name), record)
        self.emit("colony.founded", COLONY, "colony demo was founded")
        memory.begin_reign(0)
        self.emit("queen.elected", self.me, "demo-1 reigns")

    # What a test changes ---------------------------------------------------------------------------------------------

    def put(self, key: bytes, value: Any) -> int:
        """Somebody writes."""
        return self.memory.put(key, value)

    def delete(self, key: bytes) -> int:
        """Somebody deletes."""
        return self.memory.delete(key)

    def add_node(self, number: int, **changes: Any) -> str:
        """See :meth:`MemoryColony.add_node`."""
        return self.memory.add_node(number, **changes)

    def add_webhook(self, webhook_id: str, *, letters: Sequence[str] = ()) -> None:
        """A webhook that is at an address nobody may call, and dead letters of it with these ids."""
        record = WebhookRecord(
            id=webhook_id, url="https://192.0.2.7/", secrets=(), start=1, created_at=1.0, created_by="ada",
            changed_at=1.0, term=1,
        )  # fmt: skip
        self.put(self.keys.key("webhooks", webhook_id), record)
        for number, letter_id in enumerate(letters, 1):
            event = Event(id=letter_id, time=1.0, term=1, actor="ada", type="x", subject="demo-1", message="x")
            letter = DeadLetter(event=event, revision=7, attempts=number, reason="x", status=500, at=2.0)
            self.put(self.keys.key("webhook-dead", webhook_id, letter_id), letter)

    def emit(self, kind: str, subject: str, message: str) -> int:
        """Write an event."""
        return self.memory.emit(EventDraft(kind, subject, message))

    def trim(self, oldest: int) -> None:
        """History begins at revision ``oldest``, which is still to come."""
        while self.memory.etcd.revision < oldest - 1:
            self.memory.put(b"/somebody/else", 1)
        past = [kv.key for kv in self.projection.items(self.keys.key("events/"))]
        assert self.emit("colony.trimmed", COLONY, "what was before is forgotten") == oldest
        for key in past:
            self.memory.delete(key)

    def restore(self, revision: int) -> None:
        """etcd is put back to a backup of ``revision``."""
        old, new = self.memory.etcd, MemoryEtcd()
        for at, changes in old.history.since(2):
            if at <= revision:
                new.commit(changes)
        assert new.revision == revision
        self.memory.etcd, self.memory.store = new, MemoryStore(new)
        self._client = self.memory.store
        self.memory.projection.move(self.memory.store)

    # What a test looks at --------------------------------------------------------------------------------------------

    @property
    def history(self) -> list[tuple[int, Event]]:
        """All events kept."""
        return list(self.events(0, 1_000_000))

    @property
    def subscribers(self) -> int:
        """How many follow the events."""
        return len(self._subscribers)

    @property
    def trust(self) -> Trust:
        """What the colony believes in."""
        return self.reader.one("pki", Trust) or Trust()

    async def facts(self) -> Facts | None:
        if self.agent_hangs:
            return None
        reason = "reigns" if self.is_ready else "is starting"
        term = self.view().term if self.standing_queen() else 0
        families = [gauge("aware_up", "Always 1.", 1)]
        return Facts(id=0, ready=self.is_ready, reason=reason, term=term, families=families)

    async def explanation(self) -> Explanation:
        if self.agent_hangs:
            raise AgentHangs(5.0)
        return explanation(node=self.me)

    def standing_queen(self) -> bool:
        queen_record = self.queen()
        return queen_record is not None and queen_record.id == self.me

    def store(self) -> StoreState:
        return self.store_state


class MemoryCommands:
    """Implements Commands by a reign of this node, without its duties; fails with ``error`` when it is set."""

    def __init__(self, context: MemoryContext) -> None:
        self._context = context
        self._reign: Reign | None = None
        self.ran: list[tuple[Any, str]] = []
        self.wishes: list[Any] = []  # of resignation
        self.error: Exception | None = None

    @property
    def calls(self) -> list[tuple[str, str]]:
        """Commands and who gave them."""
        return [(type(command).__name__, actor) for command, actor in self.ran]

    @property
    def orders(self) -> list[tuple[Order, Permit | None]]:
        """What hooks were asked for."""
        return [(command.order, command.permit) for command, _ in self.ran if isinstance(command, do.AcceptHook)]

    @property
    def brought(self) -> NewTrust | None:
        """What the last rotation began with."""
        starts = [command.new for command, _ in self.ran if isinstance(command, do.StartRotation)]
        return starts[-1] if starts else None

    async def run(self, command: Any, *, actor: str, source: str = "") -> Any:
        """As over the socket: encoded, carried out under the term of now, decoded."""
        self.ran.append((command, actor))
        if self.error is not None:
            raise self.error
        if not self._context.standing_queen():  # as QueenClient
            raise NoQueen(self._context.store())
        memory = self._context.memory
        if self._reign is None or self._reign.term != memory.term:
            self._reign = memory.reign(resign=self.wishes.append)
        dry = is_rehearsed(command)
        request_key = None if dry else keyed()
        once = request_key.take(command) if request_key else None
        asker = asking().asker(self._context.me, source)
        done = await memory.execute(
            self._reign, command, actor=actor, asker=asker, once=once, dry=dry, grant=grant_for(actor)
        )
        if dry:
            raise Rehearsed(msgspec.msgpack.decode(done.result, type=Rehearsal))
        if request_key and done.replayed:
            request_key.replayed = True
        return memory.answer(command, done)


__all__ = ["CA", "COLONY", "PASSWORD", "SECRET", "MemoryContext", "node_id"]
