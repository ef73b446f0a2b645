"""What the queen and the process that calls receivers say to each other, as frames of msgpack through its pipes."""

from __future__ import annotations

import msgspec

from aware_agent.colony.breaker import BreakerState
from aware_agent.colony.event import Event
from aware_agent.colony.reach import Reach
from aware_agent.colony.webhook import DeliveryResult


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to call and how to sign. The secrets are open here: this crosses a pipe and is kept nowhere."""

    id: str
    url: str
    secrets: tuple[bytes, ...]
    ca: str
    retry_s: float

    def __repr__(self) -> str:
        """Without secrets, and without the URL, which may be one."""
        return f"Target({self.id!r})"


class _ToSender(msgspec.Struct, frozen=True, kw_only=True, tag_field="say"):
    pass


class Begin(_ToSender, frozen=True, kw_only=True, tag="begin"):
    """The first message."""

    colony: str
    reach: Reach


class Adopt(_ToSender, frozen=True, kw_only=True, tag="adopt"):
    """All webhooks there are now; work for others ends."""

    targets: tuple[Target, ...]


class Hand(_ToSender, frozen=True, kw_only=True, tag="hand"):
    """Deliver one event. ``replay``: beside all others, in no order."""

    webhook: str
    event: Event
    revision: int
    replay: bool = False


class Trial(_ToSender, frozen=True, kw_only=True, tag="trial"):
    """Call once with an event that never happened, and tell what came back."""

    number: int
    target: Target
    event: Event


ToSender = Begin | Adopt | Hand | Trial


class _FromSender(msgspec.Struct, frozen=True, kw_only=True, tag_field="say"):
    pass


class Attempted(_FromSender, frozen=True, kw_only=True, tag="attempted"):
    """One call was made. ``at`` in Unix seconds."""

    webhook: str
    ok: bool
    reason: str
    breaker: BreakerState
    at: float


class Ended(_FromSender, frozen=True, kw_only=True, tag="ended"):
    """One event is done with: delivered, or given up."""

    webhook: str
    result: DeliveryResult
    replay: bool = False


class Tried(_FromSender, frozen=True, kw_only=True, tag="tried"):
    """How a trial went: the answer, or why there is none in ``failure``."""

    number: int
    status: int = 0
    body: str = ""
    duration_s: float = 0.0
    failure: str = ""


FromSender = Attempted | Ended | Tried
