"""What is said on a channel: one value per frame, in msgpack behind one byte with the version of all this.

A frame that cannot be read is a :class:`BadFrame`, whatever is wrong with it, and ends the channel: the other side is
another program, another version, or hostile, and what it says next means nothing.
"""

from __future__ import annotations

import contextlib
import re
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from aware_agent.colony.audit import Entry
from aware_agent.colony.decoding import UNDECODABLE, Count, Line, Word, from_msgpack
from aware_agent.colony.errors import AwareError, one_line
from aware_agent.colony.load import Row
from aware_agent.colony.node import Config, LogLevel, Record, Report
from aware_agent.colony.rotation import Trust
from aware_agent.colony.trace import Parent

VERSION = 1
MAX_FRAME = 256 * 1024  # nothing longer is read off the wire
MAX_NODE_FRAME = 64 * 1024  # what a node may say without being asked
MAX_TEXT = 500  # characters of a reason or a sentence
MAX_NOTES = 32  # of the audit log in one frame
MAX_SEATS = 1000  # members in one announcement
MAX_ROWS = 200  # nodes in one frame of loads: 13 KiB, so that no heartbeat waits long behind it
# A release as Python's packages are numbered: 1.4.2, 1.5.0rc1, 2.0.dev3, 1.4.2.post1+site.2.
_RELEASE = re.compile(
    r"[0-9]{1,9}(\.[0-9]{1,9}){0,4}((a|b|rc)[0-9]{1,9})?(\.post[0-9]{1,9})?(\.dev[0-9]{1,9})?(\+[a-z0-9.]{1,64})?"
)


class Fault(StrEnum):
    """What is wrong with a frame."""

    TEXT = "text"  # channels carry binary frames only
    CUT = "cut"  # empty, or it ends too early
    HUGE = "huge"
    VERSION = "version"
    UNREADABLE = "unreadable"  # not msgpack, or none of the values below
    PLACE = "place"  # a value this side does not send, or not now
    ORDER = "order"  # a count that does not grow


class BadFrame(AwareError):
    """A frame that cannot be used; the channel it came on is closed."""

    code = "bad-frame"
    exit_code = 70
    status = 502

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


class Why(StrEnum):
    """Why a channel is closed by the side that says so."""

    STOPPING = "stopping"  # this process ends cleanly
    LEAVING = "leaving"  # this node leaves: it is expected to be away
    UNNEEDED = "unneeded"  # another member is queen or heir now
    REPLACED = "replaced"  # the same agent has a newer channel
    REMOVED = "removed"  # the colony does not know this node
    UNREADABLE = "unreadable"  # what the colony keeps of this node cannot be decoded
    TWIN = "twin"  # another process with this identity is connected
    BAD_FRAME = "bad-frame"
    SILENT = "silent"
    LOST = "lost"  # the connection broke, without a word
    SLOW = "slow"  # it does not read what it is sent
    FLOOD = "flood"  # it sends more than anybody needs
    RENEWED = "renewed"  # certificates changed: connect again


# A node hears these when trying again at once makes no sense.
REFUSALS = frozenset({Why.REMOVED, Why.UNREADABLE, Why.TWIN, Why.BAD_FRAME, Why.FLOOD})


class Seat(msgspec.Struct, frozen=True, kw_only=True):
    """A council member, and where it listens for channels (host:port)."""

    id: Word
    name: Word
    url: Word
    channel: Word


# Orders of a queen, as the content of a Command ------------------------------------------------------------------


class RestartAgent(msgspec.Struct, frozen=True, tag="restart"):
    """End the agent so that whoever supervises it starts it again."""


class SetLogLevel(msgspec.Struct, frozen=True, tag="log-level"):
    """Log at ``level`` until the agent restarts or its configuration changes."""

    level: LogLevel


class CollectDiagnostics(msgspec.Struct, frozen=True, tag="diagnostics"):
    """Tell what helps to find out what is wrong; without secrets."""


class CheckUpgrade(msgspec.Struct, frozen=True, kw_only=True, tag="check-upgrade"):
    """Whether this node could change to ``version``."""

    version: Word

    def __post_init__(self) -> None:
        """A decoder refuses what this refuses, so every door does: the gateway, and the node itself."""
        if not _RELEASE.fullmatch(self.version):
            raise ValueError(f"{self.version[:64]!r} is no version such as 1.4.2 or 1.5.0rc1")


NodeOrder = RestartAgent | SetLogLevel | CollectDiagnostics | CheckUpgrade


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why an order was not carried out."""

    code: Word
    message: Line
    hint: Line = ""


# Frames ----------------------------------------------------------------------------------------------------------


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag="hello"):
    """First frame of a node. Who it is stands in its certificate; this is only what it says of itself."""

    incarnation: Word
    report: Report


class Welcome(msgspec.Struct, frozen=True, kw_only=True, tag="welcome"):
    """First frame of a member: who it is, and how often it wants to hear from the node."""

    member: Word
    beat_s: float


class Heartbeat(msgspec.Struct, frozen=True, tag="beat", omit_defaults=True):
    """A sign of life; the member answers with the same count. Counts only grow.

    ``load`` is a :class:`~aware_agent.colony.load.Load` in msgpack, now and then: apart from the frame, so that one
    that makes no sense is refused and the sign of life counts all the same.
    """

    count: Count
    load: bytes = b""


class NewReport(msgspec.Struct, frozen=True, tag="report"):
    """The node's report changed."""

    report: Report


class NewConfig(msgspec.Struct, frozen=True, kw_only=True, tag="config"):
    """What an operator set for the node; version 0 means nothing yet."""

    version: Count
    config: Config


class NewRecord(msgspec.Struct, frozen=True, tag="record"):
    """What the queen keeps of the node."""

    record: Record


class NewTrust(msgspec.Struct, frozen=True, tag="trust"):
    """What the colony believes in changed, or where its rotation stands."""

    trust: Trust


class Announcement(msgspec.Struct, frozen=True, kw_only=True, tag="announcement"):
    """Who reigns and who would follow. ``size``: nodes in the colony, of many rounded up to a power of two."""

    term: Count
    queen: Seat | None
    heir: Seat | None
    members: Annotated[tuple[Seat, ...], msgspec.Meta(max_length=MAX_SEATS)] = ()
    size: Count = 1


class Loads(msgspec.Struct, frozen=True, kw_only=True, tag="loads"):
    """What the queen of ``term`` knows of some nodes: when she heard them, and how busy they are. For members only."""

    term: Count
    rows: Annotated[tuple[Row, ...], msgspec.Meta(max_length=MAX_ROWS)]


class Command(msgspec.Struct, frozen=True, kw_only=True, tag="command", omit_defaults=True):
    """An order of the queen of ``term``; the node answers with a :class:`Result` of the same id."""

    id: Word
    term: Count  # a node that knows of a later queen does not obey
    order: NodeOrder
    trace: Parent = ""  # what it is done for, if that is traced: named in the node's log lines


class Result(msgspec.Struct, frozen=True, kw_only=True, tag="result"):
    """The node's own answer to a command."""

    id: Word
    answer: dict[str, Any] = {}
    problem: Problem | None = None


class AuditNotes(msgspec.Struct, frozen=True, kw_only=True, tag="audit"):
    """What a council member has for the audit log; the queen answers when it stands there."""

    number: Count
    notes: Annotated[tuple[Entry, ...], msgspec.Meta(max_length=MAX_NOTES)]


class AuditTaken(msgspec.Struct, frozen=True, kw_only=True, tag="audit-taken"):
    """The notes of that number stand in the log."""

    number: Count


class Goodbye(msgspec.Struct, frozen=True, kw_only=True, tag="goodbye"):
    """Last frame of a side that closes."""

    why: Why
    text: Line = ""


FromNode = Hello | Heartbeat | NewReport | Result | AuditNotes | Goodbye
FromMember = (
    Welcome | Heartbeat | NewConfig | NewRecord | NewTrust | Announcement | Loads | Command | AuditTaken | Goodbye
)
Frame = FromNode | FromMember

_ENCODER = msgspec.msgpack.Encoder()
_HEAD = bytes([VERSION])


def encode(frame: Frame) -> bytes:
    """``frame`` as it goes over the wire. Raises :class:`BadFrame` for one that nobody would read."""
    raw = _HEAD + _ENCODER.encode(frame)
    if len(raw) > MAX_FRAME:
        raise BadFrame(Fault.HUGE, f"a frame of {len(raw)} bytes is too long, {MAX_FRAME} is the limit")
    return raw


def from_node(raw: bytes | str) -> FromNode:
    """What a node said. Raises :class:`BadFrame`."""
    frame: FromNode = _decode(raw, FromNode)
    if len(raw) > MAX_NODE_FRAME and not isinstance(frame, Result):
        raise BadFrame(Fault.HUGE, f"a frame of {len(raw)} bytes that nobody asked for")
    return frame


def from_member(raw: bytes | str) -> FromMember:
    """What a member said. Raises :class:`BadFrame`.

    A good-bye means the same in every version, so that a node hears why a member of another one will not have it.
    """
    if len(raw) > 1 and isinstance(raw, bytes) and raw[0] != VERSION:
        with contextlib.suppress(BadFrame):
            goodbye: Goodbye = _decode(_HEAD + raw[1:], Goodbye)
            return goodbye
    frame: FromMember = _decode(raw, FromMember)
    return frame


def _decode(raw: bytes | str, kind: Any) -> Any:
    if isinstance(raw, str):
        raise BadFrame(Fault.TEXT, "a text frame; channels are binary")
    if len(raw) < 2:
        raise BadFrame(Fault.CUT, f"a frame of {len(raw)} bytes")
    if len(raw) > MAX_FRAME:
        raise BadFrame(Fault.HUGE, f"a frame of {len(raw)} bytes, {MAX_FRAME} is the limit")
    if raw[0] != VERSION:
        raise BadFrame(Fault.VERSION, f"a frame of version {raw[0]}; this is version {VERSION}")
    try:
        return from_msgpack(memoryview(raw)[1:], kind)
    except msgspec.ValidationError as error:
        raise BadFrame(Fault.UNREADABLE, f"a frame that means nothing here: {one_line(str(error), MAX_TEXT)}") from None
    except UNDECODABLE as error:
        fault = Fault.CUT if "truncated" in str(error) else Fault.UNREADABLE
        raise BadFrame(fault, f"a frame that is not msgpack: {one_line(str(error), MAX_TEXT)}") from None
