"""What the HTTP servers of a node need to know. Nothing here is heavy: a worker imports this file.

:class:`NodeContext` is all a worker's signpost needs. :class:`GatewayContext` is a council member's gateway: its own
mirror of the colony, and the agent beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

from aware_agent.colony.council_document import CouncilDocument
from aware_agent.store.health import StoreState
from aware_agent.telemetry import Family

if TYPE_CHECKING:
    from aware_agent.agent.explanation import Explanation
    from aware_agent.agent.member.link import Facts
    from aware_agent.agent.reader import ColonyReader
    from aware_agent.colony.election import QueenRecord
    from aware_agent.colony.event import Event
    from aware_agent.colony.load import Loads
    from aware_agent.colony.view import ColonyView
    from aware_agent.gateway.queen_client import Commands
    from aware_agent.security.password_rules import PasswordRules
    from aware_agent.store.projection import Projection

EventBatch: TypeAlias = "Sequence[tuple[int, Event]]"
"""Events with their revisions, in order. All events of one revision are in one batch."""


class NodeContext(Protocol):
    """What a worker can say of itself."""

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

    def store(self) -> StoreState:
        """How etcd is as this node sees it; known without a majority and without a queen."""

    def council(self) -> CouncilDocument:
        """Who may reign, as far as this node knows."""

    def families(self) -> Iterable[Family]:
        """Metrics of the agent, for ``/metrics``."""


class GatewayContext(Protocol):
    """What the gateway of a council member reads and commands; :class:`aware_agent.gateway.member.Member` is one."""

    @property
    def me(self) -> str:
        """Id of this node."""

    @property
    def colony(self) -> str:
        """Name of the colony."""

    @property
    def ca_pem(self) -> bytes:
        """The colony's CA certificates, PEM."""

    @property
    def council_ca_pem(self) -> bytes:
        """Those that etcd and its clients believe, PEM."""

    @property
    def token_keys(self) -> tuple[bytes, ...]:
        """Keys of access tokens that are believed, the one that signs first; the same object until they change."""

    @property
    def url_keys(self) -> tuple[dict[str, bytes], ...]:
        """Keys of signed URLs by id, the set that signs first."""

    @property
    def provider_keys(self) -> tuple[tuple[str, bytes], ...]:
        """Keys of sealed client secrets by id, the one that seals first; the same object until they change."""

    @property
    def password_rules(self) -> PasswordRules:
        """What passwords have to be when they are set here."""

    @property
    def audit_keys(self) -> tuple[str, ...]:
        """Public keys that check the seals of the audit log, in base64, the one that seals now first."""

    @property
    def commands(self) -> Commands:
        """What only a queen can do."""

    @property
    def projection(self) -> Projection:
        """The copy of etcd."""

    @property
    def reader(self) -> ColonyReader:
        """Typed access to it. Raises NotMirrored before the colony was read for the first time."""

    @property
    def loads(self) -> Loads:
        """How busy nodes are and when they were heard, by node id; another object whenever something is new."""

    @property
    def oldest_event_revision(self) -> int:
        """Revision of the oldest event still kept; 0 when there are no events."""

    def queen(self) -> QueenRecord | None:
        """Who reigns as far as this node can know."""

    async def next_queen(self) -> QueenRecord | None:
        """As :meth:`queen`; while nobody reigns and an election may be under way, it waits for it, a moment."""

    def view(self) -> ColonyView:
        """The picture at the projection's revision; the same object until that changes. Raises NotMirrored."""

    def store(self) -> StoreState:
        """How etcd is as this node sees it; known without a majority and without a queen."""

    async def facts(self) -> Facts | None:
        """How the agent is; None when it does not answer."""

    async def explanation(self) -> Explanation:
        """The agent's part in the election. Raises what the agent raised, and AgentHangs."""

    async def wait_revision(self, revision: int) -> None:
        """Return once the projection has reached ``revision``; raises an AwareError (503) after a bounded time."""

    async def has_been(self, revision: int) -> bool:
        """Whether etcd has reached ``revision``; after a restore it may not have. True when etcd cannot be asked."""

    def events(self, since: int, limit: int) -> EventBatch:
        """At most ``limit`` events after revision ``since`` (exclusive), oldest first."""

    def subscribe_events(self, callback: Callable[[EventBatch], None]) -> Callable[[], None]:
        """Call ``callback`` (must not block) with each batch of new events; returns how to end that."""
