"""What the gateway needs from the agent it runs in. The agent implements it; tests serve it from memory.

:class:`NodeContext` is all a worker's signpost needs, :class:`GatewayContext` what the queen's gateway needs.
Nothing here is heavy: a worker imports this file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from aware_agent.colony.backup import BackupLog, BackupPolicy
from aware_agent.colony.event import Event
from aware_agent.colony.hook import HookRecord, Order
from aware_agent.colony.node import Config
from aware_agent.colony.spec import Spec
from aware_agent.colony.verification import RotationReport
from aware_agent.colony.view import ColonyView
from aware_agent.security.joining import JoinAnswer, JoinRequest
from aware_agent.security.renewing import RenewRequest
from aware_agent.security.rotating import NewTrust
from aware_agent.security.signed_url import Permit
from aware_agent.security.token import TokenRecord
from aware_agent.telemetry import Family

EventBatch = Sequence[tuple[int, Event]]
"""Events with their revisions, in order. All events of one revision are in one batch."""


class NodeContext(Protocol):
    """What every node can say of itself."""

    @property
    def me(self) -> str:
        """Id of this node."""

    @property
    def ca_pem(self) -> bytes:
        """The colony's CA certificates, PEM."""

    def queen_url(self) -> str | None:
        """Base URL of the queen; None when nobody reigns as far as this node knows, or when it is the queen itself."""

    def ready(self) -> tuple[bool, str]:
        """Whether this node does its work, and one sentence why (not)."""

    def families(self) -> Iterable[Family]:
        """Metrics of the agent, for ``/metrics``."""


class Stored(Protocol):
    """A key's value in the projection."""

    @property
    def key(self) -> bytes: ...

    @property
    def value(self) -> bytes: ...

    @property
    def mod_revision(self) -> int: ...


class Projection(Protocol):
    """The read model; :class:`aware_agent.store.projection.Projection` is one."""

    @property
    def revision(self) -> int: ...

    def get(self, key: bytes) -> Stored | None: ...

    def items(self, prefix: bytes) -> Iterable[Stored]: ...


class Written(Protocol):
    """Outcome of a fenced write. ``changed`` is False when everything was like that already."""

    @property
    def revision(self) -> int: ...

    @property
    def term(self) -> int: ...

    @property
    def changed(self) -> bool: ...


class Planned(Protocol):
    """What a spec would do; :class:`aware_agent.colony.plan.Plan` is one."""

    @property
    def changed(self) -> bool: ...

    @property
    def steps(self) -> Sequence[str]: ...

    @property
    def missing_nodes(self) -> int: ...

    @property
    def surplus_nodes(self) -> int: ...


class BackupState(Protocol):
    """Policy, record and next time; :class:`aware_agent.queen.backup.commands.BackupState` is one."""

    @property
    def policy(self) -> BackupPolicy | None: ...

    @property
    def log(self) -> BackupLog: ...

    @property
    def next_at(self) -> float | None: ...


class Commands(Protocol):
    """Everything the gateway can change. Each call is one fenced write and raises AwareError subclasses."""

    async def change_node(
        self,
        node_id: str,
        *,
        labels: Mapping[str, str | None] | None,
        cordoned: bool | None,
        if_revision: int | None,
        actor: str,
    ) -> Written:
        """Merge ``labels`` (None removes one) and set the cordon."""

    async def put_config(self, node_id: str, config: Config, *, if_revision: int | None, actor: str) -> Written: ...

    async def remove_node(self, node_id: str, *, force: bool, actor: str) -> Written: ...

    async def put_spec(self, spec: Spec, *, if_revision: int | None, actor: str) -> Written: ...

    def plan_spec(self, spec: Spec) -> Planned: ...

    async def step_down(self, *, actor: str) -> Written: ...

    async def transfer(self, node_id: str, *, actor: str) -> Written: ...

    async def join(self, request: JoinRequest, source_address: str) -> JoinAnswer: ...

    async def renew(self, request: RenewRequest, source_address: str) -> JoinAnswer: ...

    async def start_rotation(self, actor: str, new: NewTrust, *, hold: bool, patience_s: float) -> Written: ...

    async def continue_rotation(self, actor: str) -> Written: ...

    async def abort_rotation(self, actor: str) -> Written: ...

    async def rotation_report(self) -> RotationReport: ...

    async def create_token(
        self, *, ttl_s: float | None, uses: int | None, node_name: str | None, actor: str
    ) -> tuple[str, TokenRecord]:
        """Return the join token's text, shown once, and what is kept of it."""

    async def revoke_token(self, token_id: str, *, actor: str) -> Written: ...

    def list_tokens(self) -> Sequence[TokenRecord]: ...

    async def put_user(self, name: str, *, password_hash: str | None, role: str, actor: str) -> Written: ...

    async def delete_user(self, name: str, *, actor: str) -> Written: ...

    async def revoke_access(self, jti: str, expires_at: float, *, actor: str) -> Written: ...

    async def accept_hook(self, order: Order, *, actor: str, permit: Permit | None) -> tuple[HookRecord, bool]:
        """Take an order and spend the signed URL it came by; False: it is the one this caller gave before."""

    async def tell_signed(self, permit: Permit, *, actor: str) -> Written:
        """Put on record that a URL was signed."""

    def list_hooks(self) -> Sequence[HookRecord]: ...

    def hook(self, hook_id: str) -> HookRecord:
        """One order. Raises :class:`NotFound`."""

    def backups(self) -> BackupState:
        """How backups stand."""

    async def request_backup(self, *, actor: str) -> BackupState:
        """Want a backup now."""


class GatewayContext(NodeContext, Protocol):
    """What the queen's gateway reads and commands."""

    @property
    def projection(self) -> Projection: ...

    @property
    def commands(self) -> Commands: ...

    @property
    def colony_secret(self) -> bytes: ...

    @property
    def colony_secrets(self) -> tuple[bytes, ...]:
        """All generations that are believed, the one that signs first; the same object until they change."""

    @property
    def settings(self) -> Any: ...

    @property
    def oldest_event_revision(self) -> int:
        """Revision of the oldest event still kept; 0 when there are no events."""

    def view(self) -> ColonyView:
        """The picture at the projection's revision; the same object until that changes."""

    async def wait_revision(self, revision: int) -> None:
        """Return once the projection has reached ``revision``; raises an AwareError (503) after a bounded time."""

    def events(self, since: int, limit: int) -> EventBatch:
        """At most ``limit`` events after revision ``since`` (exclusive), oldest first."""

    def subscribe_events(self, callback: Callable[[EventBatch], None]) -> Callable[[], None]:
        """Call ``callback`` (must not block) with each batch of new events; returns how to end that."""
