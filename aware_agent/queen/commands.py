"""Everything the gateway can ask a queen to do: one type a command, and what she answers.

A command is data: it crosses the socket between a gateway and the agent beside it, which carries it out under the
reign it names (:mod:`aware_agent.queen.dispatch`). Who asks travels beside it, not in it.
"""

from __future__ import annotations

from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from aware_agent.agent.channel_state import ChannelState
from aware_agent.channel.frames import NodeOrder
from aware_agent.colony.event_filter import EventFilter
from aware_agent.colony.hook import Order
from aware_agent.colony.node import Config
from aware_agent.colony.spec import Spec
from aware_agent.colony.verification import RotationReport
from aware_agent.colony.webhook import WebhookRecord
from aware_agent.security.colony_secret import SecretValue
from aware_agent.security.joining import JoinAnswer, JoinRequest
from aware_agent.security.providers import Provider
from aware_agent.security.renewing import RenewRequest
from aware_agent.security.roles import Role
from aware_agent.security.rotating import NewTrust
from aware_agent.security.service_account import ServiceToken
from aware_agent.security.signed_url import Permit
from aware_agent.security.token import TokenRecord

# Answers --------------------------------------------------------------------------------------------------------------


class Written(msgspec.Struct, frozen=True):
    """Outcome of a write: the revision it was written at (since when it is so, when nothing had to change)."""

    revision: int
    term: int
    changed: bool


class NewToken(msgspec.Struct, frozen=True):
    """A join token's text, which is in this answer and nowhere else, and what is kept of it."""

    text: str
    record: TokenRecord

    def __repr__(self) -> str:
        """Without the text."""
        return f"NewToken({self.record.id!r})"


class NewServiceToken(msgspec.Struct, frozen=True):
    """The text of a service account's token, which is in this answer and nowhere else, and what is kept of it."""

    text: str
    token: ServiceToken

    def __repr__(self) -> str:
        """Without the text."""
        return f"NewServiceToken({self.token.id!r})"


class JobAccepted(msgspec.Struct, frozen=True):
    """Id of a job and whether it is new; else it is the one this caller asked for before."""

    job: str
    new: bool


class OrderResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a node answered to an order that was put on record at ``revision``."""

    revision: int
    term: int
    answer: dict[str, Any]


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """The turn of a session whose tokens may be handed out, until when, and with which role. Times in Unix seconds."""

    session: str
    turn: int
    role: Role
    ends_at: float  # of the session
    idle_at: float  # it ends then unless it is refreshed before


class CheckValue(msgspec.Struct, frozen=True, kw_only=True):
    """What the register of a check held, since which revision, as the queen of ``term`` read it from etcd."""

    value: int
    revision: int
    term: int


class MovingSeat(msgspec.Struct, frozen=True):
    """Ids of the nodes that give and take a seat."""

    source: str
    target: str


class NewWebhook(msgspec.Struct, frozen=True):
    """A webhook's secret, which is in this answer and nowhere else, and what is kept of the webhook."""

    secret: str
    record: WebhookRecord

    def __repr__(self) -> str:
        """Without the secret."""
        return f"NewWebhook({self.record.id!r})"


class WebhookTest(msgspec.Struct, frozen=True, kw_only=True):
    """How a test call went: ``answer`` is the beginning of the receiver's, ``reason`` why there is none."""

    event: str
    delivered: bool
    status: int
    answer: str
    reason: str
    duration_s: float


# Commands -------------------------------------------------------------------------------------------------------------

A = TypeVar("A")


class Command(msgspec.Struct, Generic[A], frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do"):
    """Base of all; ``A`` is the type of the answer."""


class ChangeNode(Command[Written], frozen=True, kw_only=True, tag="change-node"):
    """Merge ``labels`` (None removes one), set the cordon, replace the addresses ``pinned`` for its certificate.

    Who is ``drained`` is cordoned too, and who is open for work again is not drained any more.
    """

    node: str
    labels: dict[str, str | None] | None = None
    cordoned: bool | None = None
    drained: bool | None = None
    pinned: tuple[str, ...] | None = None
    if_revision: int | None = None


class SendAway(Command[Written], frozen=True, kw_only=True, tag="send-away"):
    """Nobody misses the node until it is brought back, or until Unix time ``until``."""

    node: str
    reason: str = ""
    until: float | None = None


class BringBack(Command[Written], frozen=True, kw_only=True, tag="bring-back"):
    """The node is expected to answer again."""

    node: str


class PutConfig(Command[Written], frozen=True, kw_only=True, tag="put-config"):
    """Replace a node's configuration. ``if_revision`` 0 means: only if it has none yet."""

    node: str
    config: Config
    if_revision: int | None = None


class RollBackConfig(Command[Written], frozen=True, kw_only=True, tag="roll-back-config"):
    """Put the configuration again that was in force at ``revision``."""

    node: str
    revision: int
    if_revision: int | None = None


class RemoveNode(Command[Written], frozen=True, kw_only=True, tag="remove-node"):
    """Forget a node; one that lives needs ``force``."""

    node: str
    force: bool = False


class AllowKey(Command[Written], frozen=True, kw_only=True, tag="allow-key"):
    """Let the key of a removed node in again."""

    key: str


class OrderNode(Command[OrderResult], frozen=True, kw_only=True, tag="order-node"):
    """Have a node do something; the answer is its own."""

    node: str
    order: NodeOrder


class ReadChannel(Command[ChannelState], frozen=True, kw_only=True, tag="read-channel"):
    """How the queen reaches a node: only she knows."""

    node: str


class PutSpec(Command[Written], frozen=True, kw_only=True, tag="put-spec"):
    """Want something else."""

    spec: Spec
    if_revision: int | None = None


class RollBackSpec(Command[Written], frozen=True, kw_only=True, tag="roll-back-spec"):
    """Want again what was wanted at ``revision``."""

    revision: int
    if_revision: int | None = None


class PutDemand(Command[Written], frozen=True, kw_only=True, tag="put-demand"):
    """Say how much there is to do for a caste that is scaled by it."""

    caste: str
    value: float


class StepDown(Command[Written], frozen=True, kw_only=True, tag="step-down"):
    """Hand over to the heir."""


class Transfer(Command[Written], frozen=True, kw_only=True, tag="transfer"):
    """Hand over to a named node."""

    node: str


class MoveSeat(Command[MovingSeat], frozen=True, kw_only=True, tag="move-seat"):
    """Move a seat of the council; without ``target`` the keeper's choice takes it."""

    source: str
    target: str = ""


class Join(Command[JoinAnswer], frozen=True, kw_only=True, tag="join"):
    """Let a newcomer in; the caller's source is the address its TLS connection came from."""

    request: JoinRequest


class Renew(Command[JoinAnswer], frozen=True, kw_only=True, tag="renew"):
    """A new certificate for a node that proves its key."""

    request: RenewRequest


class StartRotation(Command[Written], frozen=True, kw_only=True, tag="start-rotation"):
    """Begin a rotation of CA and secret."""

    new: NewTrust
    hold: bool
    patience_s: float


class ContinueRotation(Command[Written], frozen=True, kw_only=True, tag="continue-rotation"):
    """Allow the next step."""


class AbortRotation(Command[Written], frozen=True, kw_only=True, tag="abort-rotation"):
    """Go back to what was before."""


class ReportRotation(Command[RotationReport], frozen=True, kw_only=True, tag="report-rotation"):
    """How far it is, node by node. Only the queen can judge what nodes have proved."""


class CreateToken(Command[NewToken], frozen=True, kw_only=True, tag="create-token"):
    """Make a join token."""

    ttl_s: float | None = None
    uses: int | None = None
    node_name: str | None = None
    eligible: bool = False  # whether who joins with it may have a seat in the council
    addresses: tuple[str, ...] = ()  # pinned for who joins with it


class RevokeToken(Command[Written], frozen=True, kw_only=True, tag="revoke-token"):
    """Make a join token useless."""

    token: str


class PutUser(Command[Written], frozen=True, kw_only=True, tag="put-user"):
    """Create or change a user; without ``password_hash`` the password stays. A change ends the user's sessions."""

    name: str
    password_hash: str | None
    role: str
    keep_sessions: bool = False


class DeleteUser(Command[Written], frozen=True, kw_only=True, tag="delete-user"):
    """Delete a user; the last admin stays."""

    name: str


class CreateServiceAccount(Command[Written], frozen=True, kw_only=True, tag="create-service-account"):
    """Make a service account of who asks."""

    name: str
    role: Role
    scopes: tuple[str, ...] = ()


class DeleteServiceAccount(Command[Written], frozen=True, kw_only=True, tag="delete-service-account"):
    """Delete a service account and its tokens."""

    name: str


class CreateServiceToken(Command[NewServiceToken], frozen=True, kw_only=True, tag="create-service-token"):
    """Make a token of a service account."""

    account: str
    ttl_s: float
    scopes: tuple[str, ...] = ()


class RevokeServiceToken(Command[Written], frozen=True, kw_only=True, tag="revoke-service-token"):
    """Refuse one token of a service account."""

    account: str
    token: str


class NoteUses(Command[Written], frozen=True, kw_only=True, tag="note-uses"):
    """Keep when tokens were used, as a gateway saw it: account, id of the token, Unix seconds."""

    uses: dict[str, dict[str, float]]


class BeginSession(Command[Turn], frozen=True, kw_only=True, tag="begin-session"):
    """Begin a session of a user whose password was right; id and time of the password say for whom that was so."""

    user: str
    user_id: str
    password_at: float
    client: str = ""


class PutProvider(Command[Written], frozen=True, kw_only=True, tag="put-provider"):
    """Create or change an identity provider, and end the sessions of its users when that changes something.

    ``keep_secret``: the client secret stays; else it is what ``provider`` says, sealed by the gateway.
    """

    name: str
    provider: Provider
    keep_secret: bool = False
    if_revision: int | None = None


class DeleteProvider(Command[Written], frozen=True, kw_only=True, tag="delete-provider"):
    """Remove an identity provider, its users and their sessions."""

    name: str


class PutSecret(Command[Written], frozen=True, kw_only=True, tag="put-secret"):
    """Keep a secret for jobs, or another value of it."""

    name: str
    value: SecretValue
    if_revision: int | None = None

    def __repr__(self) -> str:
        """Without the value."""
        return f"PutSecret({self.name!r})"


class DeleteSecret(Command[Written], frozen=True, kw_only=True, tag="delete-secret"):
    """Forget a secret."""

    name: str


class BeginFederated(Command[Turn], frozen=True, kw_only=True, tag="begin-federated"):
    """Begin a session of whom an identity provider named, as its record of ``revision`` says."""

    provider: str
    revision: int
    subject: str
    role: Role
    display: str = ""
    client: str = ""


class RefreshSession(Command[Turn], frozen=True, kw_only=True, tag="refresh-session"):
    """Use up the refresh token of a turn."""

    session: str
    user: str
    turn: int


class EndSession(Command[Written], frozen=True, kw_only=True, tag="end-session"):
    """Refuse all tokens of a session from now on."""

    session: str


class EndSessions(Command[Written], frozen=True, kw_only=True, tag="end-sessions"):
    """The same for all sessions of a user; None: of everybody."""

    user: str | None


class RevokeAccess(Command[Written], frozen=True, kw_only=True, tag="revoke-access"):
    """Refuse what ``jti`` names from now on: a token without a session, a signed URL."""

    jti: str
    expires_at: float


class RunJob(Command[JobAccepted], frozen=True, kw_only=True, tag="run-job"):
    """Queue a job. ``hosts``: only these of those that the operation may touch."""

    operation: str
    parameters: dict[str, Any] = {}
    hosts: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Without parameters: some are secret."""
        return f"RunJob({self.operation!r})"


class RetryJob(Command[JobAccepted], frozen=True, kw_only=True, tag="retry-job"):
    """Queue a job that has ended again, as another one."""

    job: str
    if_revision: int | None = None


class CancelJob(Command[Written], frozen=True, kw_only=True, tag="cancel-job"):
    """End a job that waits or runs."""

    job: str
    if_revision: int | None = None


class AcceptHook(Command[JobAccepted], frozen=True, kw_only=True, tag="accept-hook"):
    """Take an order as a job, and spend the signed URL it came by."""

    order: Order
    permit: Permit | None = None


class RecordSigned(Command[Permit], frozen=True, kw_only=True, tag="record-signed"):
    """Put on record that a URL is signed; the answer is the permit to sign, an earlier one when this is repeated."""

    permit: Permit


class RequestBackup(Command[Written], frozen=True, kw_only=True, tag="request-backup"):
    """Want a backup now."""


class NoteIntrusion(Command[Written], frozen=True, kw_only=True, tag="note-intrusion"):
    """Have the history tell what a gateway refused lately: how often, by sign, and from where most."""

    counts: dict[str, int]
    sources: dict[str, int]


class CreateWebhook(Command[NewWebhook], frozen=True, kw_only=True, tag="create-webhook"):
    """Tell a receiver of events from now on. Without ``secret`` one is made."""

    url: str
    filter: EventFilter = EventFilter()
    secret: str | None = None
    description: str = ""
    ca: str = ""
    retry_s: float = 3600.0
    pause_after_s: float = 86400.0

    def __repr__(self) -> str:
        """Without the secret, and without the URL, which may be one."""
        return "CreateWebhook()"


class ChangeWebhook(Command[Written], frozen=True, kw_only=True, tag="change-webhook"):
    """Change what is given of a webhook."""

    webhook: str
    url: str | None = None
    filter: EventFilter | None = None
    description: str | None = None
    ca: str | None = None
    retry_s: float | None = None
    pause_after_s: float | None = None
    paused: bool | None = None
    if_revision: int | None = None

    def __repr__(self) -> str:
        """Without the URL, which may be a secret."""
        return f"ChangeWebhook({self.webhook!r})"


class RemoveWebhook(Command[Written], frozen=True, kw_only=True, tag="remove-webhook"):
    """Forget a webhook and all that is kept of it."""

    webhook: str


class RotateWebhookSecret(Command[NewWebhook], frozen=True, kw_only=True, tag="rotate-webhook-secret"):
    """Give a webhook a new secret; the one before signs as well for ``keep_old_s`` seconds."""

    webhook: str
    secret: str | None = None
    keep_old_s: float = 86400.0

    def __repr__(self) -> str:
        """Without the secret."""
        return f"RotateWebhookSecret({self.webhook!r})"


class TestWebhook(Command[WebhookTest], frozen=True, kw_only=True, tag="test-webhook"):
    """Call a receiver once, with an event that is in no history."""

    __test__: ClassVar[bool] = False  # pytest would take it for one of its own
    webhook: str


class ReplayDead(Command[Written], frozen=True, kw_only=True, tag="replay-dead"):
    """Try a dead letter of a webhook again; without ``event`` all of them."""

    webhook: str
    event: str | None = None


class DropDead(Command[Written], frozen=True, kw_only=True, tag="drop-dead"):
    """Forget a dead letter of a webhook; without ``event`` all of them."""

    webhook: str
    event: str | None = None


class BeginCheck(Command[Written], frozen=True, kw_only=True, tag="begin-check"):
    """Make the register of a check of the election, with the value 0."""

    run: str


class WriteCheck(Command[Written], frozen=True, kw_only=True, tag="write-check"):
    """Put a value into it."""

    run: str
    value: int
    if_revision: int | None = None


class ReadCheck(Command[CheckValue], frozen=True, kw_only=True, tag="read-check"):
    """Read it from etcd under the fence of every write."""

    run: str


class EndCheck(Command[Written], frozen=True, kw_only=True, tag="end-check"):
    """Remove it."""

    run: str


AnyCommand = (
    ChangeNode
    | SendAway
    | BringBack
    | PutConfig
    | RollBackConfig
    | RemoveNode
    | AllowKey
    | OrderNode
    | ReadChannel
    | PutSpec
    | RollBackSpec
    | StepDown
    | Transfer
    | MoveSeat
    | Join
    | Renew
    | StartRotation
    | ContinueRotation
    | AbortRotation
    | ReportRotation
    | CreateToken
    | RevokeToken
    | PutUser
    | DeleteUser
    | CreateServiceAccount
    | DeleteServiceAccount
    | CreateServiceToken
    | RevokeServiceToken
    | NoteUses
    | PutDemand
    | BeginSession
    | PutProvider
    | DeleteProvider
    | PutSecret
    | DeleteSecret
    | BeginFederated
    | RefreshSession
    | EndSession
    | EndSessions
    | RevokeAccess
    | RunJob
    | RetryJob
    | CancelJob
    | AcceptHook
    | RecordSigned
    | RequestBackup
    | NoteIntrusion
    | CreateWebhook
    | ChangeWebhook
    | RemoveWebhook
    | RotateWebhookSecret
    | TestWebhook
    | ReplayDead
    | DropDead
    | BeginCheck
    | WriteCheck
    | ReadCheck
    | EndCheck
)

ANSWERS: dict[type, type] = {
    Join: JoinAnswer,
    Renew: JoinAnswer,
    ReportRotation: RotationReport,
    CreateToken: NewToken,
    CreateServiceToken: NewServiceToken,
    BeginSession: Turn,
    BeginFederated: Turn,
    RefreshSession: Turn,
    RunJob: JobAccepted,
    RetryJob: JobAccepted,
    AcceptHook: JobAccepted,
    RecordSigned: Permit,
    OrderNode: OrderResult,
    ReadChannel: ChannelState,
    MoveSeat: MovingSeat,
    CreateWebhook: NewWebhook,
    RotateWebhookSecret: NewWebhook,
    TestWebhook: WebhookTest,
    ReadCheck: CheckValue,
}
"""What a command is answered with, where that is not :class:`Written`."""


def tag_of(command: Command[Any] | AnyCommand) -> str:
    """The name of its kind: ``put-spec``."""
    return str(command.__struct_config__.tag)
