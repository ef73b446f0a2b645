"""One immutable line of a colony's history."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec


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
    ``config.changed``, ``spec.changed``, ``caste.assigned``, ``token.created``, ``token.revoked``,
    ``user.changed``, ``hook.signed``, ``hook.accepted``, ``hook.done``, ``hook.failed``,
    ``node.renewed``, ``rotation.distributing``, ``rotation.released``, ``rotation.switched``,
    ``rotation.returning``, ``rotation.settled``,
    ``backup.requested``, ``backup.done``, ``backup.failed``, ``colony.restored``.
    """

    id: str  # ULID
    time: float  # Unix seconds on the writer's clock; for people, never for order
    term: int
    actor: str  # node id, user name, or "colony"
    type: str
    subject: str  # id or name of what it happened to
    message: str  # one human sentence
    severity: Severity = Severity.INFO
    payload: dict[str, Any] = {}
