"""What the queen and the process that sends syslog say to each other, as frames of msgpack through its pipes."""

from __future__ import annotations

import msgspec

from aware_agent.colony.audit import AuditLine, Head
from aware_agent.colony.reach import Reach


class _ToCourier(msgspec.Struct, frozen=True, kw_only=True, tag_field="say"):
    pass


class Begin(_ToCourier, frozen=True, kw_only=True, tag="begin"):
    """The first message: where to, as whom, whom to believe. Files are read anew for each connection."""

    host: str
    port: int
    node: str  # name of the node that sends
    reach: Reach
    ca_file: str  # empty: the system's CAs
    certificate_file: str  # empty: without one
    key_file: str


class Hand(_ToCourier, frozen=True, kw_only=True, tag="hand"):
    """Send these lines, after those that were handed before."""

    lines: tuple[AuditLine, ...]


ToCourier = Begin | Hand


class _FromCourier(msgspec.Struct, frozen=True, kw_only=True, tag_field="say"):
    pass


class Settled(_FromCourier, frozen=True, kw_only=True, tag="settled"):
    """All lines up to this one are with the receiver, as far as that can be known."""

    head: Head


class Failing(_FromCourier, frozen=True, kw_only=True, tag="failing"):
    """Lines wait and cannot be sent now; it is tried again."""

    reason: str


FromCourier = Settled | Failing
