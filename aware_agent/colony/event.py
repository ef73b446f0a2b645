"""One immutable line of a colony's history."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from aware_agent.colony.decoding import Count, Moment
from aware_agent.colony.ids import ulid

COLONY = "colony"  # the actor of what nobody asked for


class Severity(StrEnum):
    """How much a human should care."""

    INFO = "info"
    NOTICE = "notice"
    WARNING = "warning"
    ERROR = "error"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What happened. Its revision is the etcd revision it was written at, so order is the order of writes.

    ``type`` is a dotted noun and verb: ``queen.elected``, ``queen.stepped-down``, ``node.joined``,
    ``node.ready``, ``node.suspect``, ``node.dead``, ``node.left``, ``node.changed``, ``node.removed``,
    ``node.away``, ``node.back``, ``node.ordered``, ``node.duplicate``, ``node.unreadable``, ``node.load-refused``,
    ``node.over-limit``, ``node.within-limit``,
    ``caste.scaled``, ``caste.blind``, ``caste.seeing``, ``servers.missing``,
    ``config.changed``, ``spec.changed``, ``caste.assigned``, ``token.created``, ``token.revoked``,
    ``user.changed``, ``secret.changed``, ``identity-provider.changed``, ``session.reused``, ``session.ended``,
    ``hook.signed``, ``job.queued``, ``job.started``, ``job.requeued``, ``job.cancelling``, ``job.succeeded``,
    ``job.failed``, ``job.cancelled``, ``job.timed-out``, ``job.lost``, ``operations.changed``,
    ``intrusion.noticed``, ``node.renewed``, ``rotation.distributing``, ``rotation.released``, ``rotation.switched``,
    ``rotation.returning``, ``rotation.finishing``, ``rotation.settled``,
    ``backup.requested``, ``backup.done``, ``backup.failed``, ``colony.restored``,
    ``etcd.cured``, ``etcd.maintained``,
    ``webhook.created``, ``webhook.changed``, ``webhook.removed``, ``webhook.paused``, ``webhook.resumed``,
    ``webhook.failing``, ``webhook.missed``, and in test calls only ``webhook.test``.

    What is wanted can be had at any revision out of these payloads, oldest first: ``changes`` of ``colony.founded``
    and ``spec.changed`` (:class:`colony.difference.Difference`, of the spec), ``changes`` of ``config.changed`` (of the
    configuration of ``subject``, which ``node.removed`` ends), ``castes`` of ``caste.assigned``
    (:func:`colony.castes.moves`).
    """

    id: str  # ULID
    time: Moment  # Unix seconds on the writer's clock; for people, never for order
    term: Count
    actor: str  # node id, user name, or "colony"
    type: str
    subject: str  # id or name of what it happened to
    message: str  # one human sentence
    severity: Severity = Severity.INFO
    payload: dict[str, Any] = {}


class EventDraft(msgspec.Struct, frozen=True):
    """What an event tells, without what its writer fills in: when, in which term, by whom."""

    type: str
    subject: str
    message: str
    severity: Severity = Severity.INFO
    payload: dict[str, Any] = {}


def event(line: EventDraft, *, term: int, actor: str, now: float, randomness: bytes) -> Event:
    """The event that tells ``line``. ``now`` in Unix seconds; takes 10 bytes of randomness."""
    return Event(id=ulid(now, randomness), time=now, term=term, actor=actor, **msgspec.structs.asdict(line))
