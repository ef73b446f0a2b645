"""What lies sealed in etcd beside the CAs, and how it is sealed anew when a rotation changed the secret."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from aware_agent.colony.webhook import WebhookRecord
from aware_agent.queen.webhooks import records
from aware_agent.queen.writer import FencedWriter
from aware_agent.security.sealed import Sealer, seal_key_id, sealed_with
from aware_agent.security.token import TokenRecord
from aware_agent.store import ops


class Stale(NamedTuple):
    """A record with something that is sealed with another secret than the present one, and its key."""

    key: bytes
    record: TokenRecord | WebhookRecord


def stale(writer: FencedWriter, secret: bytes) -> Iterator[Stale]:
    """All that ``secret`` does not seal yet."""
    present = seal_key_id(secret)
    for token in writer.reader.many("tokens/", TokenRecord).values():
        if sealed_with(token.beacon_key) != present:
            yield Stale(writer.key("tokens", token.id), token)
    for webhook in records.webhooks(writer.reader):
        if any(sealed_with(kept.sealed) != present for kept in webhook.secrets):
            yield Stale(writer.key(records.WEBHOOKS, webhook.id), webhook)


def reseal(
    writer: FencedWriter, sealer: Sealer, some: Iterator[Stale], most: int
) -> tuple[list[ops.Op], list[ops.Compare]]:
    """Writes that seal up to ``most`` of them anew, and what must hold for that. Raises SealBroken."""
    changes, compares = [], []
    for key, record in itertools.islice(some, most):
        stored = writer.projection.get(key)
        if stored is None:
            continue
        changes.append(ops.put(key, msgspec.json.encode(_sealed_anew(record, sealer, key))))
        compares.append(ops.modified(key, stored.mod_revision))
    return changes, compares


def _sealed_anew(record: TokenRecord | WebhookRecord, sealer: Sealer, key: bytes) -> TokenRecord | WebhookRecord:
    def anew(sealed: bytes) -> bytes:
        return sealer.seal(sealer.open(sealed, key), key)

    if isinstance(record, TokenRecord):
        return msgspec.structs.replace(record, beacon_key=anew(record.beacon_key))
    secrets = tuple(msgspec.structs.replace(kept, sealed=anew(kept.sealed)) for kept in record.secrets)
    return msgspec.structs.replace(record, secrets=secrets)
