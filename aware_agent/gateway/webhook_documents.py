"""The JSON documents of ``/v1/webhooks``."""

from __future__ import annotations

from aware_agent.colony.breaker import BreakerState
from aware_agent.colony.event_filter import EventFilter
from aware_agent.colony.webhook import DeliveryResult
from aware_agent.gateway.documents import Body, Document, EventDocument


class WebhookBody(Body, frozen=True, kw_only=True):
    """A receiver. ``secret`` is ``whsec_`` and base64, made when it is left out; ``ca`` is PEM, for private CAs."""

    url: str
    filter: EventFilter = EventFilter()
    secret: str | None = None
    description: str = ""
    ca: str = ""
    retry_s: float = 3600.0  # how long one event is tried
    pause_after_s: float = 86400.0  # how long nothing may succeed before the webhook is paused

    def __repr__(self) -> str:
        """Without the secret, and without the URL, which may be one."""
        return "WebhookBody()"


class WebhookPatch(Body, frozen=True, kw_only=True):
    """What is to be changed. ``paused`` stops and starts it; events of the time between are delivered then."""

    url: str | None = None
    filter: EventFilter | None = None
    description: str | None = None
    ca: str | None = None
    retry_s: float | None = None
    pause_after_s: float | None = None
    paused: bool | None = None


class SecretBody(Body, frozen=True, kw_only=True):
    """A new secret, made when it is left out; deliveries carry both signatures for ``keep_old_s`` seconds."""

    secret: str | None = None
    keep_old_s: float = 86400.0

    def __repr__(self) -> str:
        """Without the secret."""
        return "SecretBody()"


class WebhookDocument(Document, frozen=True, kw_only=True):
    """A webhook and how it is, as it was written last. ``position``: all events up to this revision are settled."""

    id: str
    url: str
    filter: EventFilter
    description: str
    ca: str
    retry_s: float
    pause_after_s: float
    paused: str  # why; empty while it is not
    created_at: float
    created_by: str
    changed_at: float
    revision: int  # for If-Match
    signatures: int  # how many each delivery carries
    position: int
    delivered: int
    failed_attempts: int
    dead: int  # letters that wait for somebody
    dropped: int
    missed: int
    failing_since: float  # 0 while the last attempt succeeded
    reason: str
    breaker: BreakerState


class NewWebhookDocument(Document, frozen=True, kw_only=True):
    """The secret is in this answer and nowhere else."""

    id: str
    secret: str
    revision: int


class WebhooksDocument(Document, frozen=True, kw_only=True, omit_defaults=True):
    """All webhooks, oldest first."""

    webhooks: list[WebhookDocument]
    next: str | None = None


class WebhookTestDocument(Document, frozen=True, kw_only=True):
    """What came back: ``answer`` is the beginning of the receiver's; ``reason`` says why there is none."""

    event: str
    delivered: bool
    status: int
    answer: str
    reason: str
    duration_s: float


class DeliveriesDocument(Document, frozen=True, kw_only=True, omit_defaults=True):
    """The last deliveries that ended, the newest last."""

    deliveries: list[DeliveryResult]
    next: str | None = None


class DeadLetterDocument(Document, frozen=True, kw_only=True):
    """An event that was given up. ``replay``: it is tried again now."""

    event: EventDocument
    attempts: int
    reason: str
    status: int
    at: float
    replay: bool


class DeadLettersDocument(Document, frozen=True, kw_only=True, omit_defaults=True):
    """What could not be delivered, oldest first."""

    dead: list[DeadLetterDocument]
    next: str | None = None
