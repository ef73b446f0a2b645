"""Webhooks: whom a colony tells of its events, how far each is, and what could not be delivered. Pure."""

from __future__ import annotations

import msgspec

from aware_agent.colony.breaker import BreakerState
from aware_agent.colony.decoding import Count, Moment
from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.event import Event
from aware_agent.colony.event_filter import EventFilter, check_filter

MAX_WEBHOOKS = 64
MAX_SECRETS = 2  # the one that signs, and while it is new the one before
KEEP_DEAD = 100  # dead letters of one webhook; beyond them the oldest goes
KEEP_RESULTS = 10  # last deliveries that are shown
MAX_DESCRIPTION = 200
MAX_CA = 16384
RETRY_S = (10.0, 86400.0)  # how long one event may be tried
PAUSE_AFTER_S = (60.0, 30 * 86400.0)  # how long nothing may succeed before it is paused
KEEP_OLD_S = (0.0, 7 * 86400.0)  # how long the secret before signs as well
OWN_EVENTS = "webhook."  # a webhook is not told of itself: what fails would tell of its failure for ever


class SealedSecret(msgspec.Struct, frozen=True, kw_only=True):
    """One secret, sealed by the colony's sealer, and until when it signs (Unix seconds; None: as long as it is)."""

    sealed: bytes
    until: float | None = None


class WebhookRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants, as it is kept in ``webhooks/<id>``. The first secret is the newest."""

    id: str  # ULID
    url: str
    secrets: tuple[SealedSecret, ...]
    filter: EventFilter = EventFilter()
    description: str = ""
    ca: str = ""  # PEM; empty: the system's
    retry_s: float = 3600.0
    pause_after_s: float = 86400.0
    start: Count = 0  # events after this revision are delivered
    paused: str = ""  # why; empty while it is not
    paused_at: float = 0.0
    created_at: Moment
    created_by: str
    changed_at: Moment
    term: Count

    def __repr__(self) -> str:
        """Without the URL, which may be a secret, and without what is sealed."""
        return f"WebhookRecord({self.id!r})"


class DeliveryResult(msgspec.Struct, frozen=True, kw_only=True):
    """How the delivery of one event ended."""

    event: str
    type: str
    revision: int
    at: float  # Unix seconds
    delivered: bool
    attempts: int
    status: int = 0  # of the last answer; 0 when there was none
    reason: str = ""  # of the last failure
    duration_s: float = 0.0  # of the last attempt


class WebhookState(msgspec.Struct, frozen=True, kw_only=True):
    """How far it is, as it is kept in ``webhook-states/<id>``: written once for many events."""

    position: Count = 0  # everything up to this revision is settled
    delivered: Count = 0
    dead: Count = 0  # became dead letters, ever
    failed: Count = 0  # attempts
    dropped: Count = 0  # dead letters that had to go for newer ones
    missed: Count = 0  # times that history was trimmed before it was delivered
    failing_since: float = 0.0  # Unix seconds; 0 while the last attempt succeeded
    reason: str = ""  # of the last failed attempt, while it fails
    breaker: BreakerState = BreakerState.CLOSED
    results: tuple[DeliveryResult, ...] = ()  # the newest last
    term: Count = 0


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """An event that could not be delivered, kept in ``webhook-dead/<webhook>/<event>``."""

    event: Event
    revision: int
    attempts: int
    reason: str
    status: int
    at: float  # Unix seconds
    replay: bool = False  # somebody wants it tried again


def check_webhook(record: WebhookRecord) -> WebhookRecord:
    """``record``, when what a user says in it is within bounds. Raises :class:`InvalidInput`; the URL is not judged."""
    check_filter(record.filter, "filter.")
    if len(record.description) > MAX_DESCRIPTION or not record.description.isprintable():
        hint = f"at most {MAX_DESCRIPTION} printable characters"
        raise InvalidInput("this is no description", field="description", hint=hint)
    if len(record.ca) > MAX_CA:
        raise InvalidInput("the CA is too long", field="ca", hint=f"PEM of at most {MAX_CA} characters")
    check_span("retry_s", record.retry_s, RETRY_S)
    check_span("pause_after_s", record.pause_after_s, PAUSE_AFTER_S)
    return record


def check_span(field: str, seconds: float, bounds: tuple[float, float]) -> float:
    """``seconds``, when it is within ``bounds``. Raises :class:`InvalidInput`."""
    least, most = bounds
    if not least <= seconds <= most:
        raise InvalidInput(f"{field} is out of range", field=field, hint=f"{least:g} to {most:g} seconds")
    return seconds


def signing(secrets: tuple[SealedSecret, ...], now: float) -> tuple[SealedSecret, ...]:
    """Those that sign at ``now`` (Unix seconds)."""
    return tuple(secret for secret in secrets if secret.until is None or now < secret.until)


def rotated(secrets: tuple[SealedSecret, ...], new: bytes, until: float) -> tuple[SealedSecret, ...]:
    """``new`` signs from now on, the one before it as well until ``until``; older ones do not any more."""
    before = (msgspec.structs.replace(secret, until=until) for secret in secrets[:1])
    return (SealedSecret(sealed=new), *before)


def concerns(record: WebhookRecord, event: Event) -> bool:
    """Whether ``event`` is one that may be told to the webhook at all: not one about itself."""
    return not (event.type.startswith(OWN_EVENTS) and event.subject == record.id)


def pause_due(record: WebhookRecord, state: WebhookState) -> float | None:
    """When it is to be paused if nothing succeeds until then (Unix seconds); None while nothing fails.

    What failed before somebody changed or resumed it says nothing of how it is now.
    """
    if not state.failing_since:
        return None
    return max(state.failing_since, record.changed_at) + record.pause_after_s


def noted(state: WebhookState, result: DeliveryResult) -> WebhookState:
    """``state`` after one delivery ended."""
    return msgspec.structs.replace(
        state,
        delivered=state.delivered + result.delivered,
        dead=state.dead + (not result.delivered),
        results=(*state.results, result)[-KEEP_RESULTS:],
    )
