"""What an agent and its gateway say to each other.

Two ways: a pipe, the gateway's standard input, carries :class:`Start` and then :class:`Material` whenever that changes.
Keys go there and nowhere else, and its end tells the gateway that its agent is gone. A Unix socket in the state
directory carries requests of the gateway and their answers.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from aware_agent.agent.explanation import Explanation
from aware_agent.agent.member.remote_error import RemoteError
from aware_agent.agent.settings import AuditSettings, GatewaySettings, LogSettings, PasswordSettings, TracingSettings
from aware_agent.colony.audit import Asker, Entry
from aware_agent.colony.load import Row
from aware_agent.colony.trace import Parent, Span
from aware_agent.security.grant import Grant
from aware_agent.telemetry import Family

VERSION = 1  # of these messages; both sides are of one installation, except while it is being upgraded

# The pipe -------------------------------------------------------------------------------------------------------------


class Material(msgspec.Struct, frozen=True, kw_only=True, tag="material"):
    """Keys and certificates (PEM). The gateway never holds the colony secret, only what is derived for its purposes."""

    ca: bytes  # the CAs the colony believes
    council_ca: bytes  # those it believes of etcd
    tls_certificate: bytes
    tls_key: bytes
    etcd_certificate: bytes
    etcd_key: bytes
    token_keys: tuple[bytes, ...]  # of access tokens; the first signs
    url_keys: tuple[dict[str, bytes], ...]  # of signed URLs; the first signs
    provider_keys: tuple[tuple[str, bytes], ...]  # of identity providers' client secrets, by id; the first seals
    audit_keys: tuple[str, ...] = ()  # public ones, of the audit log

    def __repr__(self) -> str:
        """Without keys."""
        return "Material()"


class Start(msgspec.Struct, frozen=True, kw_only=True, tag="start"):
    """The first frame."""

    version: int
    colony: str
    node: str  # id
    name: str
    socket: str
    listener: int  # file descriptor, inherited
    endpoints: tuple[str, ...]  # of etcd
    gateway: GatewaySettings
    audit_directory: str  # of this member's archive of the audit log
    audit: AuditSettings
    log: LogSettings
    passwords: PasswordSettings
    tracing: TracingSettings
    material: Material


ToGateway = Start | Material

# The socket -----------------------------------------------------------------------------------------------------------


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag="hello"):
    """First word of the gateway."""

    version: int


class Serving(msgspec.Struct, frozen=True, kw_only=True, tag="serving"):
    """The gateway answers requests."""


class AskFacts(msgspec.Struct, frozen=True, kw_only=True, tag="ask"):
    """How is the agent?"""

    id: int


class AskElection(msgspec.Struct, frozen=True, kw_only=True, tag="explain"):
    """What has the agent decided in the election, and why?"""

    id: int


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a client gave with a write so that it may repeat it: its ``Idempotency-Key``, and what the request is."""

    key: str
    mark: bytes  # a hash of method, target, precondition and body: with the same key they are the same


class Do(msgspec.Struct, frozen=True, kw_only=True, tag="do"):
    """Carry out a command under the reign of ``term``, and no other."""

    id: int
    term: int
    actor: str
    asker: Asker = Asker()
    once: Asked | None = None
    dry: bool = False  # rehearse it: the answer is a Rehearsal
    grant: Grant | None = None  # None: what is asked proves itself
    trace: Parent = ""  # the span that it is done for, if that is recorded
    command: msgspec.Raw


class Noted(msgspec.Struct, frozen=True, kw_only=True, tag="noted"):
    """What the gateway saw for the audit log: refusals, counted."""

    notes: tuple[Entry, ...]


class Archived(msgspec.Struct, frozen=True, kw_only=True, tag="archived"):
    """The audit log is on this member's disk up to that line."""

    line: int


FromGateway = Hello | Serving | AskFacts | AskElection | Do | Noted | Archived


class Facts(msgspec.Struct, frozen=True, kw_only=True, tag="facts"):
    """How the agent is."""

    id: int
    ready: bool
    reason: str
    term: int  # it reigns under, 0 for none
    families: list[Family]


class Explained(msgspec.Struct, frozen=True, kw_only=True, tag="explained"):
    """The agent's part in the election."""

    id: int
    explanation: Explanation


class Done(msgspec.Struct, frozen=True, kw_only=True, tag="done"):
    """The outcome of a command; ``revision``: the newest write of this reign, which the gateway waits to see."""

    id: int
    revision: int
    result: msgspec.Raw
    replayed: bool = False  # it was carried out before, for the same Idempotency-Key


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    """A request was refused, or broke."""

    id: int
    error: RemoteError


class LoadTable(msgspec.Struct, frozen=True, kw_only=True, tag="loads"):
    """How busy nodes are and when they were heard; nobody asked, it comes every few seconds and is the whole table."""

    rows: tuple[Row, ...]


class Traced(msgspec.Struct, frozen=True, kw_only=True, tag="traced"):
    """Spans that ended in the agent; nobody asked. There are none unless the gateway asked for what they are of."""

    spans: tuple[Span, ...]


Answer = Facts | Explained | Done | Failed
FromAgent = Answer | LoadTable | Traced


@contextlib.contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """A name for ``path`` that fits into a socket address, which takes 107 bytes, however deep the directory lies."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
