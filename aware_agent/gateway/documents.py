"""The JSON documents of the API. The same types encode the answers and describe them in OpenAPI."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from aware_agent.channel.frames import NodeOrder
from aware_agent.colony.audit import AuditLine, Head
from aware_agent.colony.breaker import OpenBreaker
from aware_agent.colony.capacity import Metrics
from aware_agent.colony.difference import Difference
from aware_agent.colony.event import Event
from aware_agent.colony.node import Config
from aware_agent.colony.scale import MAX_DEMAND
from aware_agent.colony.seats import Seat
from aware_agent.colony.spec import CouncilSpec, Spec
from aware_agent.colony.view import NodeView
from aware_agent.security.roles import Role
from aware_agent.store.health import StoreState


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """An answer."""


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request body: unknown members are refused, so that a typing error never looks like success."""


class NodeName(Document, frozen=True, kw_only=True):
    """A node by id and name."""

    id: str
    name: str


class MovingDocument(Document, frozen=True, kw_only=True):
    """An accepted move: ``to`` gets a seat, and then ``from`` gives up its own."""

    from_: NodeName = msgspec.field(name="from")
    to: NodeName


class CouncilMembersDocument(Document, frozen=True, kw_only=True):
    """Who carries the colony. ``trouble`` is what a person has to do something about, ``message`` what goes on.

    ``moving``: a seat that is to move, until it has.
    """

    wanted: CouncilSpec | None
    members: list[Seat]
    message: str
    trouble: str
    moving: MovingDocument | None = None


class TargetsDocument(Document, frozen=True, kw_only=True):
    """One thing to scrape: ``host:port``, and the labels its series get."""

    targets: list[str]
    labels: dict[str, str]


class MoveBody(Body, frozen=True, kw_only=True):
    """Whose seat shall move, and to whom: ids or names. Without ``to`` the queen chooses."""

    from_: str = msgspec.field(name="from")
    to: str = ""


class DemandBody(Body, frozen=True, kw_only=True):
    """How much there is to do: a queue's length, requests a second, or whatever ``per_node`` of the spec counts."""

    value: Annotated[float, msgspec.Meta(ge=0, le=MAX_DEMAND)]


class QueenDocument(Document, frozen=True, kw_only=True):
    """Who reigns, since when (Unix seconds), and who would follow."""

    id: str
    name: str
    url: str
    term: int
    since: float
    heir: NodeName | None = None


class Size(Document, frozen=True, kw_only=True):
    """How many nodes the spec wants and how many there are, by status. ``servers``: how many there shall be, which is
    more than the spec's size where castes that scale want more; ``missing``: so many there are too few for that."""

    wanted: int
    servers: int
    missing: int
    ready: int
    suspect: int
    dead: int
    left: int
    away: int
    cordoned: int
    total: int


class CasteDocument(Document, frozen=True, kw_only=True):
    """One caste; ``assigned`` are node names."""

    name: str
    wanted: int
    assigned: list[str]
    missing: int


class ClusterDocument(Document, frozen=True, kw_only=True):
    """The colony at a glance. ``breakers`` are those that are open: who is left alone outside, and why."""

    colony: str
    revision: int
    term: int
    status: Literal["healthy", "degraded", "forming"]
    reason: str
    queen: QueenDocument | None
    heir: NodeName | None
    size: Size
    castes: list[CasteDocument]
    metrics: Metrics
    breakers: tuple[OpenBreaker, ...]
    version: str


class SpecDocument(Document, frozen=True, kw_only=True):
    """The spec in force; ``revision`` is for If-Match, 0 when there is none yet."""

    revision: int
    spec: Spec | None


class SpecChange(Document, frozen=True, kw_only=True):
    """What putting a spec did, or would do when ``dry_run``."""

    changed: bool
    dry_run: bool
    revision: int
    term: int
    steps: list[str]
    missing_nodes: int
    surplus_nodes: int
    before: Spec | None
    after: Spec
    changes: list[Difference]


class NodesDocument(Document, frozen=True, kw_only=True, omit_defaults=True):
    """Nodes, sorted by name; in pages by id. ``next``, here and in all lists: the cursor of the next page, if any."""

    revision: int
    term: int
    nodes: tuple[NodeView, ...]
    next: str | None = None


class NodePatch(Body, frozen=True, kw_only=True):
    """Labels are merged; null removes one. ``pinned`` are addresses for its certificate, for an admin to say.

    ``cordoned``: it gets no new work. ``drained``: that too, and others take over its reign, its seat in the council
    and its place in a caste. ``cordoned: false`` ends both.
    """

    labels: dict[str, str | None] | None = None
    cordoned: bool | None = None
    drained: bool | None = None
    pinned: tuple[str, ...] | None = None


class AwayBody(Body, frozen=True, kw_only=True):
    """Why a node is away, and until when (Unix seconds; left out: until it is told to come back)."""

    reason: str = ""
    until: float | None = None


class Change(Document, frozen=True, kw_only=True):
    """Outcome of a write: ``changed`` is false when everything was like that already."""

    changed: bool
    revision: int
    term: int


class NodeChange(Change, frozen=True, kw_only=True):
    """Outcome of a change of one node, and the node after it."""

    node: NodeView


class CommandBody(Body, frozen=True, kw_only=True):
    """What the node shall do, by ``type``: restart, log-level (``level``), diagnostics, check-upgrade (``version``)."""

    command: NodeOrder


class CommandAnswer(Document, frozen=True, kw_only=True):
    """The node's own answer; the order is on record as event ``node.ordered`` of ``revision``."""

    revision: int
    term: int
    node: NodeName
    answer: dict[str, object]


class ConfigDocument(Document, frozen=True, kw_only=True):
    """A node's configuration; ``applied`` when the node says it runs this version."""

    revision: int
    version: int
    applied: bool
    config: Config


class ConfigBody(Body, frozen=True, kw_only=True):
    """The whole new configuration; what is missing falls back to its default."""

    config: Config


class ConfigChange(Change, frozen=True, kw_only=True):
    """Outcome of putting a configuration; ``version`` 0: the gateway that answers has not seen it yet."""

    version: int


class TransferBody(Body, frozen=True, kw_only=True):
    """Who shall reign next: id or name."""

    node: str


class HandOver(Document, frozen=True, kw_only=True):
    """An accepted hand-over: the queen of ``term`` resigns, ``to`` is expected to follow."""

    from_: NodeName = msgspec.field(name="from")
    to: NodeName | None
    term: int


class EventDocument(Event, frozen=True, kw_only=True):
    """An event and the revision it was written at."""

    revision: int


class EventsDocument(Document, frozen=True, kw_only=True, omit_defaults=True):
    """Events after a revision. ``more`` says that there are more than the limit let through; ``next`` goes on there."""

    revision: int
    oldest: int
    more: bool
    events: list[EventDocument]
    next: str | None = None


class StreamEnd(Document, frozen=True, kw_only=True):
    """The last message of a stream; resume after ``resume``."""

    reason: str
    resume: int


class StreamAlive(Document, frozen=True, kw_only=True):
    """A sign of life on a WebSocket: what the filter wants up to ``revision`` was sent."""

    type: str = "aware.alive"
    revision: int


class Login(Body, frozen=True, kw_only=True):
    """Who wants in."""

    username: str
    password: str


class Refresh(Body, frozen=True, kw_only=True):
    """Trade a refresh token for new tokens."""

    refresh_token: str


class Tokens(Document, frozen=True, kw_only=True):
    """Access for ``expires_in`` seconds; the refresh token gets new ones and is then used up.

    A login while nobody reigns has neither refresh token nor session: both are empty.
    """

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of a scheme, not a secret
    expires_in: int
    refresh_token: str
    role: Role
    session: str


class Me(Document, frozen=True, kw_only=True):
    """Who the presented token speaks for. ``expires_at`` in Unix seconds."""

    name: str
    role: Role
    expires_at: float
    session: str  # id; empty for a service account, and a token that was made with the colony's secret
    scopes: tuple[str, ...]  # what it may do of its role; none: all


class SessionDocument(Document, frozen=True, kw_only=True):
    """What one login began. Times in Unix seconds; ``client`` is what the client said of itself."""

    id: str
    user: str
    begun_at: float
    refreshed_at: float
    ends_at: float  # at the latest
    source: str  # address of the login or of the last refresh
    client: str
    current: bool  # whether it is the one that asks


class SessionsDocument(Document, frozen=True, kw_only=True, omit_defaults=True):
    """Sessions, the newest first: your own, or for an admin those of everybody."""

    revision: int
    sessions: list[SessionDocument]
    next: str | None = None


class Ticket(Document, frozen=True, kw_only=True):
    """Opens one WebSocket, once, within ``expires_in`` seconds."""

    ticket: str
    expires_in: int


class UserDocument(Document, frozen=True, kw_only=True):
    """A user, without anything secret. ``provider``: the identity provider it comes by, empty for a local user."""

    name: str
    role: Role
    provider: str = ""
    display: str = ""  # what the provider calls it


class UsersDocument(Document, frozen=True, kw_only=True, omit_defaults=True):
    """All users, sorted by name."""

    revision: int
    users: list[UserDocument]
    next: str | None = None


class UserBody(Body, frozen=True, kw_only=True):
    """A user's role, and a new password where it shall change. A new user needs one."""

    role: Role
    password: str | None = None
    keep_sessions: bool = False  # when something changes; without it the user has to log in again


class JoinTokenBody(Body, frozen=True, kw_only=True):
    """Limits of a new join token; without them it works for ever, for everybody."""

    ttl_s: float | None = 3600.0
    uses: int | None = 1
    node_name: str | None = None
    eligible: bool = False  # whether nodes it lets in may reign
    addresses: tuple[str, ...] = ()  # pinned for the node it lets in


class JoinTokenDocument(Document, frozen=True, kw_only=True):
    """A join token as it is kept: nobody can join with this. Times in Unix seconds."""

    id: str
    created_at: float
    created_by: str
    expires_at: float | None
    uses_left: int | None
    node_name: str | None
    eligible: bool
    addresses: tuple[str, ...]


class NewJoinToken(JoinTokenDocument, frozen=True, kw_only=True):
    """A join token, whose text is shown only this once."""

    token: str


class JoinTokensDocument(Document, frozen=True, kw_only=True, omit_defaults=True):
    """All join tokens."""

    tokens: list[JoinTokenDocument]
    next: str | None = None


class DeniedKey(Document, frozen=True, kw_only=True):
    """The key of a node that was removed: nobody joins with it. ``key`` is its fingerprint."""

    key: str
    node_id: str
    name: str
    removed_at: float
    removed_by: str


class DeniedKeysDocument(Document, frozen=True, kw_only=True, omit_defaults=True):
    """All denied keys, the last one first."""

    keys: list[DeniedKey]
    next: str | None = None


class AuditDocument(Document, frozen=True, kw_only=True):
    """Lines of the audit log. ``keys`` check the seals: public keys in base64, the one that seals now first."""

    lines: list[AuditLine]
    next: str | None  # cursor of the next page; None when nothing is left
    first: int  # the oldest line that etcd still holds; older ones are in the archives
    head: Head
    keys: list[str]


class Health(Document, frozen=True, kw_only=True):
    """The process answers."""

    status: Literal["ok"]
    store: StoreState


class Readiness(Document, frozen=True, kw_only=True):
    """Whether the node does its work, and how etcd is as it sees it."""

    ready: bool
    reason: str
    store: StoreState


class InventoryDocument(Document, frozen=True, kw_only=True):
    """The colony as Ansible sees it; see docs of the inventory plugin ``aware.cluster.gateway``."""

    revision: int
    term: int
    colony: str
    complete: bool
    queen: str | None
    members: list[str]
    hosts: dict[str, dict[str, Any]]
    groups: dict[str, list[str]]
