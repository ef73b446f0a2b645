"""Secrets that people gave the colony: kept sealed, opened for the process of a job and nobody else."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator

import msgspec

from aware_agent.agent.reader import ColonyReader
from aware_agent.colony.decoding import from_json
from aware_agent.colony.errors import AwareError, NotFound
from aware_agent.colony.event import Severity
from aware_agent.colony.operation import Operation
from aware_agent.colony.quota import require_room
from aware_agent.queen.commands import PutSecret
from aware_agent.queen.writer import EventDraft, FencedWriter, Written, require_revision
from aware_agent.security.colony_secret import (
    KIND,
    MAX_SECRETS,
    CloudSecret,
    NamedSecret,
    SecretRecord,
    SecretValue,
    about,
    check_secret,
)
from aware_agent.security.sealed import SealBroken, Sealer, seal_key_id, sealed_with
from aware_agent.store import ops

log = logging.getLogger(__name__)


class SecretMissing(AwareError):
    """An operation uses a secret that the colony does not have, or that does not open any more."""

    code = "secret-missing"
    exit_code = 5
    status = 409


class SecretBook:
    """What is kept below ``secrets/``."""

    def __init__(self, reader: ColonyReader, sealer: Sealer) -> None:
        self._reader = reader
        self._sealer = sealer

    def record(self, name: str) -> SecretRecord | None:
        """What is kept of a secret."""
        return self._reader.one(f"{KIND}/{name}", SecretRecord)

    def require(self, operation: Operation) -> None:
        """Raise :class:`SecretMissing` unless all secrets are there that ``operation`` uses."""
        for name in operation.uses:
            if self.record(name) is None:
                raise SecretMissing(
                    f"{operation.name} uses secret {name}, which the colony does not have",
                    hint=f"aware secret set {name}",
                )

    def opened(self, operation: Operation) -> tuple[NamedSecret, ...]:
        """All secrets that ``operation`` uses. Raises :class:`SecretMissing`."""
        self.require(operation)
        return tuple(NamedSecret(name=name, value=self.value(name)) for name in operation.uses)

    def value(self, name: str) -> SecretValue:
        """A secret that is there, opened. Raises :class:`SecretMissing` when it does not open."""
        record = self.record(name)
        assert record is not None
        try:
            raw = self._sealer.open(record.sealed, self._reader.keys.key(KIND, name))
        except SealBroken as error:
            raise SecretMissing(f"secret {name} cannot be opened any more", hint=f"aware secret set {name}") from error
        found: SecretValue = from_json(raw, SecretValue)
        return found


class SecretCommands:
    """Writes about secrets, for one reign. ``wall`` shows Unix time."""

    def __init__(
        self, writer: FencedWriter, book: SecretBook, sealer: Sealer, wall: Callable[[], float] = time.time
    ) -> None:
        self._writer, self._book, self._sealer, self._wall = writer, book, sealer, wall

    async def put(self, command: PutSecret, *, actor: str) -> Written:
        """Keep a secret, or another value of it. Raises InvalidInput, Conflict, RevisionChanged."""
        name, value = command.name, command.value
        check_secret(name, value)
        async with self._writer.writing():
            key = self._writer.key(KIND, name)
            require_revision(self._writer.revision(key), command.if_revision)
            before = self._book.record(name)
            if before is not None and self._is(name, value):
                return self._writer.unchanged(self._writer.revision(key))
            if not self._writer.revision(key):
                kept = sum(1 for _ in self._writer.projection.items(self._writer.key(KIND, "")))
                require_room("secrets", kept, MAX_SECRETS, "remove one: aware secret remove")
            kind, shown = ("openstack" if isinstance(value, CloudSecret) else "text"), about(value)
            after = SecretRecord(
                kind=kind,
                about=shown,
                sealed=self._sealer.seal(msgspec.json.encode(value), key),
                changed_at=self._wall(),
                changed_by=actor,
            )
            verb = "changed" if before else "set"
            line = _told(name, f"{actor} {verb} secret {name} ({kind})")  # everybody reads events, admins ``about``
            return await self._writer.commit(
                [ops.put(key, msgspec.json.encode(after))], [line], actor, [self._writer.guard(key)]
            )

    async def delete(self, name: str, *, actor: str) -> Written:
        """Forget a secret. Jobs that need it fail from now on. Raises NotFound."""
        async with self._writer.writing():
            key = self._writer.key(KIND, name)
            if self._writer.projection.get(key) is None:
                raise NotFound(f"there is no secret {name[:64]!r}", hint="aware secret list shows them")
            line = _told(name, f"{actor} removed secret {name}")
            return await self._writer.commit([ops.delete(key)], [line], actor, [self._writer.guard(key)])

    def _is(self, name: str, value: SecretValue) -> bool:
        try:
            return self._book.value(name) == value
        except SecretMissing:  # whatever it was, it is lost
            return False


def stale_secrets(reader: ColonyReader, secret: bytes) -> Iterator[tuple[str, SecretRecord]]:
    """Names and records of those that are sealed with another colony secret than ``secret``."""
    for name, record in reader.many(f"{KIND}/", SecretRecord).items():
        if sealed_with(record.sealed) != seal_key_id(secret):
            yield name, record


def resealed(record: SecretRecord, key: bytes, sealer: Sealer) -> SecretRecord | None:
    """``record`` sealed anew; None when it does not open: it is lost, and a rotation goes on without it.

    Who drops it tells :func:`lost`.
    """
    try:
        return msgspec.structs.replace(record, sealed=sealer.seal(sealer.open(record.sealed, key), key))
    except SealBroken as error:
        log.warning("%s is lost, set it again: %s", key.decode(errors="replace"), error)
        return None


def lost(name: str) -> EventDraft:
    """Tells that a rotation dropped a secret that did not open, and what to do."""
    said = f"secret {name} could not be opened and was removed by the rotation: set it again: aware secret set {name}"
    return EventDraft("secret.changed", name, said, Severity.WARNING)


def _told(name: str, sentence: str) -> EventDraft:
    return EventDraft("secret.changed", name, sentence, Severity.NOTICE)
