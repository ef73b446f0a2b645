"""Rotation of CA and colony secret, performed: the steps that :mod:`aware_agent.colony.rotation` decides, fenced.

All of its state lies in etcd, so a queen who takes over goes on where the last one stopped. Keys: ``pki`` (what is
believed, public), ``ca`` and ``ca-other``, ``secret-other``, the latter sealed with the present secret. The present
secret itself is in no key: nodes hold it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import os
import time
from collections.abc import Iterator

import msgspec

from aware_agent.colony.errors import AwareError, Deposed, InvalidInput
from aware_agent.colony.event import Severity
from aware_agent.colony.node import Record
from aware_agent.colony.rotation import (
    Abort,
    Continue,
    Decision,
    Event,
    Forget,
    Look,
    Make,
    Phase,
    Promote,
    Start,
    Trust,
    decide,
)
from aware_agent.colony.verification import Evidence, RotationReport, verify
from aware_agent.queen.certificates import OTHER_CA, OTHER_SECRET, Certificates, encode_ca
from aware_agent.queen.etcd_probe import EtcdProbe
from aware_agent.queen.ledger import Ledger, Line, Written
from aware_agent.security import pki
from aware_agent.security.keyring import fingerprint, proof, share
from aware_agent.security.records import ColonyRecord
from aware_agent.security.rotating import SECRET_BYTES, NewTrust, check_new
from aware_agent.security.sealed import Sealer, colony_sealer, seal_key_id, sealed_with
from aware_agent.security.token import TokenRecord
from aware_agent.store import ops

log = logging.getLogger(__name__)

ACTOR = "colony"
MAX_PATIENCE_S = 7 * 86400.0
LOOK_S, RETRY_S = 0.5, 2.0
CHUNK = 40  # values in one transaction


class Rotation:
    """For one reign: the commands, and the duty that takes the steps."""

    def __init__(self, ledger: Ledger, certificates: Certificates, probe: EtcdProbe) -> None:
        self._ledger = ledger
        self._certificates = certificates
        self._probe = probe
        self._nudged = asyncio.Event()

    def nudge(self) -> None:
        """Something changed: look again."""
        self._nudged.set()

    async def start(self, actor: str, new: NewTrust, *, hold: bool, patience_s: float) -> Written:
        """Begin. Raises Conflict when one is under way, InvalidInput for what cannot be used."""
        if not 0 <= patience_s <= MAX_PATIENCE_S:
            raise InvalidInput(f"patience {patience_s:g} s is out of range", field="patience_s", hint="0 to 7 days")
        async with self._ledger.writing():
            # Raises while this queen has not got all that she would have to give on.
            secrets = frozenset(self._certificates.secrets().values())
            check_new(new, self._certificates.ca(), secrets)
            return await self._take(Start(actor, hold, patience_s), actor, new)

    async def go_on(self, actor: str) -> Written:
        """Allow the next step of a rotation that holds."""
        async with self._ledger.writing():
            return await self._take(Continue(), actor)

    async def abort(self, actor: str) -> Written:
        """Go back to what was before."""
        async with self._ledger.writing():
            return await self._take(Abort(), actor)

    async def report(self) -> RotationReport:
        """How far it is, node by node."""
        trust = self._certificates.trust()
        secrets = self._certificates.secrets()
        evidence = [self._evidence(trust, secrets, record) for record in self._ledger.reader.records().values()]
        unsealed = len(list(self._stale_tokens(secrets[trust.generation]))) if trust.other else 0
        problems = await self._probe.problems(trust)
        return RotationReport(trust, verify(trust, evidence, time.time()), problems, unsealed)

    async def run(self) -> None:
        """Take steps until cancelled or deposed."""
        while True:
            self._nudged.clear()
            pause: float | None = None
            try:
                if self._certificates.trust().phase is not Phase.SETTLED:
                    await self._look()
                    pause = LOOK_S
            except Deposed:
                raise
            except AwareError as error:
                log.warning("rotation: %s; trying again", error.message)
                pause = RETRY_S
            except Exception:  # a bug must not stop it half way in silence
                log.exception("the rotation broke; trying again")
                pause = RETRY_S
            if pause is not None:
                await asyncio.sleep(pause)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(60):
                    await self._nudged.wait()

    async def _look(self) -> None:
        report = await self.report()
        async with self._ledger.writing():
            if report.trust != self._certificates.trust():
                return  # somebody gave an order meanwhile
            if report.unsealed:
                await self._reseal(report.trust)
                return
            await self._take(Look(report.complete), ACTOR)

    # Steps; the pen is held ------------------------------------------------------------------------------------------

    async def _take(self, event: Event, actor: str, new: NewTrust | None = None) -> Written:
        before = self._certificates.trust()
        decision = decide(before, event, time.time())
        if decision.trust == before:
            return self._ledger.unchanged()
        trust, changes = decision.trust, []
        for effect in decision.effects:
            match effect:
                case Make(_):
                    trust, made = self._make(trust, new or NewTrust())
                case Promote(generation, _):
                    trust, made = self._promote(trust, generation)
                case Forget(_):
                    trust, made = self._forget(trust, before)
            changes += made
        stored = self._ledger.projection.get(self._key("pki"))
        guard = ops.modified(stored.key, stored.mod_revision) if stored else ops.absent(self._key("pki"))
        changes.append(ops.put(self._key("pki"), msgspec.json.encode(trust)))
        log.info(decision.sentence)
        return await self._ledger.commit(changes, [self._line(decision, before, actor)], actor, [guard])

    def _make(self, trust: Trust, new: NewTrust) -> tuple[Trust, list[ops.Op]]:
        ca = self._certificates.ca()
        other = ca if new.keep_ca else new.ca or pki.create_ca(self._ledger.reader.keys.colony, time.time())
        sealer = self._sealer(trust.generation)
        secret = new.secret or os.urandom(SECRET_BYTES)
        changes = [
            ops.put(self._key(OTHER_CA), encode_ca(other, sealer, self._key(OTHER_CA))),
            ops.put(self._key(OTHER_SECRET), sealer.seal(secret, self._key(OTHER_SECRET))),
        ]
        return _believing(trust, ca, other), changes

    def _promote(self, trust: Trust, generation: int) -> tuple[Trust, list[ops.Op]]:
        """The other CA and secret take the place of the present ones, sealed with the secret that signs from now on."""
        present, other = self._certificates.ca(), self._certificates.ca(OTHER_CA)
        secrets = self._certificates.secrets()
        sealer = self._sealer(generation)
        changes = [
            ops.put(self._key("ca"), encode_ca(other, sealer, self._key("ca"))),
            ops.put(self._key(OTHER_CA), encode_ca(present, sealer, self._key(OTHER_CA))),
            ops.put(self._key(OTHER_SECRET), sealer.seal(secrets[trust.other], self._key(OTHER_SECRET))),
        ]
        colony = self._ledger.reader.one("colony", ColonyRecord)
        if colony is not None:
            after = msgspec.structs.replace(colony, ca_pin=pki.ca_pin(other.certificate))
            changes.append(ops.put(self._key("colony"), msgspec.json.encode(after)))
        return _believing(trust, other, present), changes

    def _forget(self, trust: Trust, before: Trust) -> tuple[Trust, list[ops.Op]]:
        present, other = self._certificates.ca(), self._certificates.ca(OTHER_CA)
        changes = [ops.delete(self._key(OTHER_CA)), ops.delete(self._key(OTHER_SECRET))]
        if before.phase is Phase.SWITCHED and present.certificate != other.certificate:
            # They pin the CA that is forgotten: nobody can join with them any more.
            tokens = self._ledger.reader.many("tokens/", TokenRecord).values()
            stale = [token.id for token in tokens if token.created_at < before.since]
            changes += [ops.delete(self._key("tokens", token_id)) for token_id in stale[:CHUNK]]
        return _believing(trust, present), changes

    async def _reseal(self, trust: Trust) -> None:
        """Seal with the present secret what is still sealed with the other one."""
        sealer = self._sealer(trust.generation)
        changes, compares = [], []
        for token in list(self._stale_tokens(self._certificates.secrets()[trust.generation]))[:CHUNK]:
            key = self._key("tokens", token.id)
            stored = self._ledger.projection.get(key)
            if stored is None:
                continue
            fresh = sealer.seal(sealer.open(token.beacon_key, key), key)
            changes.append(ops.put(key, msgspec.json.encode(msgspec.structs.replace(token, beacon_key=fresh))))
            compares.append(ops.modified(key, stored.mod_revision))
        await self._ledger.commit(changes, [], ACTOR, compares)

    # Reading ---------------------------------------------------------------------------------------------------------

    def _evidence(self, trust: Trust, secrets: dict[int, bytes], record: Record) -> Evidence:
        shown = self._ledger.reader.presence().get(record.id)
        report = shown or record.report
        if report is None or report.trust is None:
            return Evidence(id=record.id, name=record.name, here=shown is not None, proved=frozenset())
        proved = {
            number
            for number, secret in secrets.items()
            if hmac.compare_digest(
                report.trust.proofs.get(number, ""),
                proof(share(secret, whole=record.candidate), record.id, report.incarnation),
            )
        }
        return Evidence(
            id=record.id,
            name=record.name,
            here=shown is not None,
            proved=frozenset(proved),
            signed_by=report.trust.signed_by,
            not_after=report.trust.not_after,
            bundle_fits=not trust.ca or report.trust.bundle == fingerprint(trust.ca.encode()),
        )

    def _stale_tokens(self, secret: bytes) -> Iterator[TokenRecord]:
        present = seal_key_id(secret)
        for token in self._ledger.reader.many("tokens/", TokenRecord).values():
            if sealed_with(token.beacon_key) != present:
                yield token

    def _sealer(self, generation: int) -> Sealer:
        """Seals with the secret of ``generation``, opens with any that is believed."""
        secrets = self._certificates.secrets()
        return colony_sealer(secrets.pop(generation), *secrets.values())

    def _key(self, *parts: str) -> bytes:
        return self._ledger.key(*parts)

    def _line(self, decision: Decision, before: Trust, actor: str) -> Line:
        after = decision.trust
        kind = "rotation.released" if after.phase is before.phase else f"rotation.{after.phase}"
        severity = Severity.INFO if after.phase is before.phase else Severity.NOTICE
        payload = {"generation": after.generation, "other": after.other, "by": actor}
        return Line(kind, self._ledger.reader.keys.colony, decision.sentence, severity, payload)


def _believing(trust: Trust, *cas: pki.Pair) -> Trust:
    """``trust`` with the CAs to believe, each once, the one that signs first."""
    texts = dict.fromkeys(ca.certificate.decode().strip() for ca in cas)
    return msgspec.structs.replace(trust, ca="".join(f"{text}\n" for text in texts))
