"""One line of a colony's audit log, and the chain the lines make. Pure; :mod:`aware_agent.queen.audit` writes it.

Each line holds the hash of the line before it and its own, so that no line can be changed, left out or moved without a
trace. Its hash is the SHA-256 of its JSON without ``hash`` and ``seal``, the keys sorted, no blanks: RFC 8785, for all
values are texts and whole numbers. What seals the hash is in :mod:`aware_agent.security.audit`.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from aware_agent.colony.decoding import Count, from_plain
from aware_agent.colony.errors import one_line

MAX_TEXT = 120  # characters of who, where and what
MAX_CHANGE = 300
NOTHING = "0" * 64  # stands for the line before the first one
HASH = "^[0-9a-f]{64}$"

BEGAN = "audit.began"  # the first line
RESTORED = "colony.restored"  # what follows continues the chain of a backup
TAMPERED = "audit.tampered"  # what etcd held was not what the queen had written
DROPPED = "audit.dropped"  # so many lines there was no room for
TRIMMED = "audit.trimmed"  # the oldest lines left etcd
REFUSED = "refused"

Text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]
Hash = Annotated[str, msgspec.Meta(pattern=HASH)]


class Kind(StrEnum):
    """What the one is who did it."""

    USER = "user"
    SERVICE = "service"
    NODE = "node"
    COLONY = "colony"  # the queen herself, in her duties
    ANONYMOUS = "anonymous"


class Result(StrEnum):
    """What came of it."""

    DONE = "done"
    REFUSED = "refused"


class Asker(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, from where, by what right, in which request. Never a secret: ids of sessions and URLs are none."""

    kind: Kind = Kind.ANONYMOUS
    role: Text = ""
    source: Text = ""  # address
    credential: Text = ""  # session:<id>, url:<nonce>, token:<id>
    request: Text = ""  # id of the request
    route: Text = ""  # method and route
    member: Text = ""  # id of the council member that was asked


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What a line tells, before it has its place in the chain."""

    time: Count  # Unix milliseconds, on the clock of who saw it; for people, never for order
    action: Text  # a command's name, the type of an event, or "refused"
    actor: Text = ""  # name of a user, id of a node, "colony"
    kind: Kind = Kind.ANONYMOUS
    role: Text = ""
    source: Text = ""
    credential: Text = ""
    request: Text = ""
    route: Text = ""
    member: Text = ""
    subject: Text = ""
    result: Result = Result.DONE
    status: Count = 200
    code: Text = ""  # of the problem
    change: Annotated[str, msgspec.Meta(max_length=MAX_CHANGE)] = ""
    count: Count = 1  # so many of the same in a short time


class AuditLine(Entry, frozen=True, kw_only=True):
    """Value of ``audit/<seq>``."""

    seq: Count
    term: Count
    prev: Hash
    hash: str = ""
    key: Text = ""  # id of the key that sealed the hash
    seal: Annotated[str, msgspec.Meta(max_length=128)] = ""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The newest line, or one that was noted earlier: value of ``audit-head``."""

    seq: Count = 0
    hash: Hash = NOTHING


def short(text: str, most: int = MAX_TEXT) -> str:
    """``text`` in one line that is not too long, whoever wrote it."""
    return text if len(text) <= most and text.isprintable() else one_line(text, most)


def entry(asker: Asker, *, now: float, action: str, actor: str, **told: Any) -> Entry:
    """What ``asker`` did or was refused. Texts are cut to what a line takes; ``now`` in Unix seconds."""
    change = short(told.pop("change", ""), MAX_CHANGE)
    texts = {name: short(value) if isinstance(value, str) else value for name, value in told.items()}
    who = {name: short(value) for name, value in msgspec.structs.asdict(asker).items() if name != "kind"}
    made = Entry(time=max(0, int(now * 1000)), action=short(action), actor=short(actor), kind=asker.kind, change=change)
    return msgspec.structs.replace(made, **who, **texts)


def canonical(line: AuditLine) -> bytes:
    """What is hashed."""
    fields: dict[str, Any] = msgspec.to_builtins(line)
    del fields["hash"], fields["seal"]
    return msgspec.json.encode(fields, order="sorted")


def digest(line: AuditLine) -> str:
    """The hash a line has to have."""
    return hashlib.sha256(canonical(line)).hexdigest()


def chained(told: Entry, head: Head, *, term: int, key: str = "") -> AuditLine:
    """The line that follows ``head``, without its seal; ``key`` is the id of the key that will seal it."""
    draft = AuditLine(
        **{name: getattr(told, name) for name in Entry.__struct_fields__},
        seq=head.seq + 1,
        term=term,
        prev=head.hash,
        key=key,
    )
    return msgspec.structs.replace(draft, hash=digest(draft))


def head_of(line: AuditLine) -> Head:
    """The chain up to ``line``."""
    return Head(seq=line.seq, hash=line.hash)


def head_text(head: Head) -> str:
    """``SEQ:HASH``, as :func:`parse_head` reads it."""
    return f"{head.seq}:{head.hash}"


def parse_head(text: str) -> Head:
    """``SEQ:HASH`` as a head. Raises ``ValueError``."""
    seq, _, value = text.partition(":")
    if not seq.isascii() or not seq.isdecimal() or len(seq) > 15:
        raise ValueError("it is a line's number, a colon and its hash")
    try:
        return from_plain({"seq": int(seq), "hash": value.lower()}, Head)
    except msgspec.ValidationError:
        raise ValueError("it is a line's number, a colon and its hash of 64 hexadecimal digits") from None
