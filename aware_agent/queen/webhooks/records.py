"""Webhooks on record, read from a mirror of the colony: the same for the queen and for every gateway."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from aware_agent.agent.reader import ColonyReader
from aware_agent.colony.errors import NotFound
from aware_agent.colony.webhook import DeadLetter, WebhookRecord, WebhookState, signing
from aware_agent.queen.webhooks.messages import Target
from aware_agent.security.sealed import SealBroken, Sealer
from aware_agent.store.keys import Keys

log = logging.getLogger(__name__)

WEBHOOKS, STATES, DEAD = "webhooks", "webhook-states", "webhook-dead"


def webhooks(reader: ColonyReader) -> Sequence[WebhookRecord]:
    """All there are, oldest first."""
    return sorted(reader.many(f"{WEBHOOKS}/", WebhookRecord).values(), key=lambda record: record.id)


def webhook(reader: ColonyReader, webhook_id: str) -> WebhookRecord:
    """One. Raises :class:`NotFound`."""
    found = reader.one(f"{WEBHOOKS}/{webhook_id}", WebhookRecord) if "/" not in webhook_id else None
    if found is None:
        raise NotFound(f"there is no webhook {webhook_id[:40]!r}", hint="aware webhooks list, or GET /v1/webhooks")
    return found


def state(reader: ColonyReader, record: WebhookRecord) -> WebhookState:
    """How far it is, as it was written last."""
    found = reader.one(f"{STATES}/{record.id}", WebhookState)
    return found or WebhookState(position=record.start)


def dead_letters(reader: ColonyReader, webhook_id: str) -> Sequence[DeadLetter]:
    """What could not be delivered to it, oldest first."""
    letters = reader.many(f"{DEAD}/{webhook_id}/", DeadLetter).values()
    return sorted(letters, key=lambda letter: (letter.revision, letter.event.id))


def secret_context(keys: Keys, webhook_id: str) -> bytes:
    """What the secrets of a webhook are sealed for."""
    return keys.key(WEBHOOKS, webhook_id)


def target(record: WebhookRecord, keys: Keys, sealer: Sealer) -> Target | None:
    """Whom to call, with what signs now. None when its secrets do not open, which is logged."""
    context = secret_context(keys, record.id)
    try:
        secrets = tuple(sealer.open(secret.sealed, context) for secret in signing(record.secrets, time.time()))
    except SealBroken as error:
        log.error("webhook %s is left out: %s", record.id, error)
        return None
    return Target(id=record.id, url=record.url, secrets=secrets, ca=record.ca, retry_s=record.retry_s)
