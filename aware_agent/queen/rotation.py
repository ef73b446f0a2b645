"""Rotation of CAs and colony secret, performed: the steps that :mod:`aware_agent.colony.rotation` decides, fenced.

All of its state lies in etcd, so a queen who takes over goes on where the last one stopped. Keys: ``pki`` (what is
believed, public), ``ca`` and ``council-ca``, each with its ``-other``, and ``secret-other``; keys and secret are sealed
with the present secret, which itself is in no key: nodes hold it.
"""

from __future__ import annotations

import hmac
import itertools
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping

import msgspec

from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.event import Severity
from aware_agent.colony.node import Record, Report, TrustReport
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
from aware_agent.queen.certificates import CA, COUNCIL_CA, OTHER_SECRET, Certificates, encode_ca, other
from aware_agent.queen.etcd_probe import EtcdProbe
from aware_agent.queen.loop import Loop
from aware_agent.queen.providers import lost_secret, sealed_anew, stale_providers
from aware_agent.queen.rehearsal import about_to
from aware_agent.queen.resealing import reseal, stale
from aware_agent.queen.secrets import lost, resealed, stale_secrets
from aware_agent.queen.writer import EventDraft, FencedWriter, Written
from aware_agent.security import pki
from aware_agent.security.colony_secret import KIND as SECRETS
from aware_agent.security.keyring import fingerprint, proof, share
from aware_agent.security.providers import KIND as PROVIDERS
from aware_agent.security.providers import provider_sealer
from aware_agent.security.records import ColonyRecord
from aware_agent.security.rotating import SECRET_BYTES, NewTrust, check_new
from aware_agent.security.sealed import Sealer, colony_sealer
from aware_agent.security.token import TokenRecord
from aware_agent.store import ops

log = logging.getLogger(__name__)

ACTOR = "colony"
MAX_PATIENCE_S = 7 * 86400.0
LOOK_S, RETRY_S, IDLE_S = 0.5, 2.0, 60.0
CHUNK = 40  # values in one transaction
Authorities = Mapping[str, pki.Pair]  # CA and COUNCIL_CA


class Rotation:
    """For one reign: the commands, and the duty that takes the steps."""

    def __init__(
        self,
        writer: FencedWriter,
        certificates: Certificates,
        probe: EtcdProbe,
        present: Callable[[], Mapping[str, Report]],
    ) -> None:
        self._writer = writer
        self._certificates = certificates
        self._probe = probe
        self._present = present
        self._loop = Loop("rotation", self._step, retry_s=RETRY_S, broken_s=RETRY_S, least_s=LOOK_S)

    def refresh(self) -> None:
        """Something changed: look again."""
        self._loop.refresh()

    async def start(self, actor: str, new: NewTrust, *, hold: bool, patience_s: float) -> Written:
        """Begin. Raises Conflict when one is under way, InvalidInput for what cannot be used."""
        if not 0 <= patience_s <= MAX_PATIENCE_S:
            raise InvalidInput(f"patience {patience_s:g} s is out of range", field="patience_s", hint="0 to 7 days")
        async with self._writer.writing():
            # Raises while this queen has not got all that she would have to give on.
            secrets = frozenset(self._certificates.secrets().values())
            check_new(new, tuple(self._authorities().values()), secrets)
            return await self._take(Start(actor, hold, patience_s), actor, new)

    async def resume(self, actor: str) -> Written:
        """Allow the next step of a rotation that holds."""
        async with self._writer.writing():
            return await self._take(Continue(), actor)

    async def abort(self, actor: str) -> Written:
        """Go back to what was before."""
        async with self._writer.writing():
            return await self._take(Abort(), actor)

    async def report(self) -> RotationReport:
        """How far it is, node by node."""
        trust = self._certificates.trust()
        secrets = self._certificates.secrets()
        present = self._present()
        evidence = [
            self._evidence(trust, secrets, record, present.get(record.id))
            for record in self._writer.reader.records().values()
        ]
        secret = secrets[trust.generation]
        reader = self._writer.reader
        left = [*stale(self._writer, secret), *stale_providers(reader, secret), *stale_secrets(reader, secret)]
        unsealed = len(left) if trust.other else 0
        problems = await self._probe.problems(trust)
        return RotationReport(trust, verify(trust, evidence, time.time()), problems, unsealed)

    async def run(self) -> None:
        """Take steps until cancelled or deposed (which it raises)."""
        await self._loop.run()

    async def _step(self) -> float:
        if self._certificates.trust().phase is Phase.SETTLED:
            return IDLE_S
        await self._look()
        return LOOK_S

    async def _look(self) -> None:
        report = await self.report()
        async with self._writer.writing():
            if report.trust != self._certificates.trust():
                return  # somebody gave an order meanwhile
            if report.unsealed:
                await self._reseal(report.trust)
                return
            await self._take(Look(report.complete), ACTOR)

    # Steps; the write lock is held -------------------------------------------------------------------------------

    async def _take(self, event: Event, actor: str, new: NewTrust | None = None) -> Written:
        before = self._certificates.trust()
        decision = decide(before, event, time.time())
        if decision.trust == before:
            return self._writer.unchanged(self._writer.revision(self._key("pki")))
        about_to(decision.message)  # a rehearsal makes no CA and no secret
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
        stored = self._writer.projection.get(self._key("pki"))
        guard = ops.modified(stored.key, stored.mod_revision) if stored else ops.absent(self._key("pki"))
        changes.append(ops.put(self._key("pki"), msgspec.json.encode(trust)))
        log.info(decision.message)
        return await self._writer.commit(changes, [self._line(decision, before, actor)], actor, [guard])

    def _make(self, trust: Trust, new: NewTrust) -> tuple[Trust, list[ops.Op]]:
        sealer = self._sealer(trust.generation)
        secret = new.secret or os.urandom(SECRET_BYTES)
        present = self._authorities()
        made = present if new.keep_ca else self._new_authorities(new)
        changes = [
            *self._keep(made, sealer, others=True),
            ops.put(self._key(OTHER_SECRET), sealer.seal(secret, self._key(OTHER_SECRET))),
        ]
        return _believing(trust, present, made), changes

    def _promote(self, trust: Trust, generation: int) -> tuple[Trust, list[ops.Op]]:
        """The other CAs and secret take the place of the present ones, sealed with the secret that signs from now."""
        present, others = self._authorities(), self._authorities(others=True)
        secrets = self._certificates.secrets()
        sealer = self._sealer(generation)
        changes = [
            *self._keep(others, sealer),
            *self._keep(present, sealer, others=True),
            ops.put(self._key(OTHER_SECRET), sealer.seal(secrets[trust.other], self._key(OTHER_SECRET))),
        ]
        colony = self._writer.reader.vital("colony", ColonyRecord)
        if colony is not None:
            after = msgspec.structs.replace(colony, ca_pin=pki.ca_pin(others[CA].certificate))
            changes.append(ops.put(self._key("colony"), msgspec.json.encode(after)))
        return _believing(trust, others, present), changes

    def _forget(self, trust: Trust, before: Trust) -> tuple[Trust, list[ops.Op]]:
        present, others = self._authorities(), self._authorities(others=True)
        changes = [ops.delete(self._key(OTHER_SECRET)), *(ops.delete(self._key(other(name))) for name in others)]
        if before.phase is Phase.SWITCHED and present[CA].certificate != others[CA].certificate:
            # They pin the CA that is forgotten: nobody can join with them any more.
            tokens = self._writer.reader.many("tokens/", TokenRecord).values()
            stale = [token.id for token in tokens if token.created_at < before.since]
            changes += [ops.delete(self._key("tokens", token_id)) for token_id in stale[:CHUNK]]
        return _believing(trust, present), changes

    def _authorities(self, *, others: bool = False) -> Authorities:
        """Both CAs of the generation that signs, or of the other one."""
        return {name: self._certificates.ca(other(name) if others else name) for name in (CA, COUNCIL_CA)}

    def _new_authorities(self, new: NewTrust) -> Authorities:
        colony, now = self._writer.reader.keys.colony, time.time()
        return {
            CA: new.ca or pki.create_ca(colony, now),
            COUNCIL_CA: new.council_ca or pki.create_council_ca(colony, now),
        }

    def _keep(self, authorities: Authorities, sealer: Sealer, *, others: bool = False) -> Iterator[ops.Op]:
        for name, ca in authorities.items():
            key = self._key(other(name) if others else name)
            yield ops.put(key, encode_ca(ca, sealer, key))

    async def _reseal(self, trust: Trust) -> None:
        """Seal with the present secret what is still sealed with the other one."""
        secrets = self._certificates.secrets()
        left = stale(self._writer, secrets[trust.generation])
        changes, compares = reseal(self._writer, self._sealer(trust.generation), left, CHUNK)
        providers = stale_providers(self._writer.reader, secrets[trust.generation])
        lines = []
        others = [secret for number, secret in secrets.items() if number != trust.generation]
        secrets_sealer = provider_sealer(secrets[trust.generation], *others)
        for name, record in providers.items():
            key = self._key(PROVIDERS, name)
            compares.append(self._writer.guard(key))
            after = sealed_anew(record, key, secrets_sealer)
            changes.append(ops.put(key, msgspec.json.encode(after)))
            lines += lost_secret(name, after)
        for name, kept in itertools.islice(stale_secrets(self._writer.reader, secrets[trust.generation]), CHUNK):
            key = self._key(SECRETS, name)
            fresh = resealed(kept, key, self._sealer(trust.generation))
            compares.append(self._writer.guard(key))
            changes.append(ops.put(key, msgspec.json.encode(fresh)) if fresh else ops.delete(key))
            lines += [] if fresh else [lost(name)]
        await self._writer.commit(changes, lines, ACTOR, compares)

    # Reading ---------------------------------------------------------------------------------------------------------

    def _evidence(self, trust: Trust, secrets: dict[int, bytes], record: Record, shown: Report | None) -> Evidence:
        report = shown or record.report
        if report is None or report.trust is None:
            return Evidence(
                id=record.id, name=record.name, here=shown is not None, away=record.away is not None, proved=frozenset()
            )
        proved = {
            number
            for number, secret in secrets.items()
            if hmac.compare_digest(
                report.trust.proofs.get(number, ""),
                proof(share(secret, whole=record.eligible), record.id, report.incarnation),
            )
        }
        return Evidence(
            id=record.id,
            name=record.name,
            here=shown is not None,
            away=record.away is not None,
            proved=frozenset(proved),
            signed_by=report.trust.signed_by,
            not_after=report.trust.not_after,
            bundle_fits=not trust.ca or report.trust.bundle == fingerprint(trust.ca.encode()),
            council_fits=not record.eligible or _council_fits(trust, report.trust),
            etcd_fits=_etcd_fits(trust, report),
        )

    def _sealer(self, generation: int) -> Sealer:
        """Seals with the secret of ``generation``, opens with any that is believed."""
        secrets = self._certificates.secrets()
        return colony_sealer(secrets.pop(generation), *secrets.values())

    def _key(self, *parts: str) -> bytes:
        return self._writer.key(*parts)

    def _line(self, decision: Decision, before: Trust, actor: str) -> EventDraft:
        after = decision.trust
        kind = "rotation.released" if after.phase is before.phase else f"rotation.{after.phase}"
        severity = Severity.INFO if after.phase is before.phase else Severity.NOTICE
        payload = {"generation": after.generation, "other": after.other, "by": actor}
        return EventDraft(kind, self._writer.reader.keys.colony, decision.message, severity, payload)


def _etcd_fits(trust: Trust, report: Report) -> bool:
    believes = report.etcd.believes if report.etcd else ""
    return not believes or not trust.council_ca or believes == fingerprint(trust.council_ca.encode())


def _council_fits(trust: Trust, said: TrustReport) -> bool:
    return not trust.council_ca or said.council_bundle == fingerprint(trust.council_ca.encode())


def _believing(trust: Trust, *generations: Authorities) -> Trust:
    """``trust`` with the CAs to believe, each once, the one that signs first."""

    def bundle(name: str) -> str:
        texts = dict.fromkeys(each[name].certificate.decode().strip() for each in generations)
        return "".join(f"{text}\n" for text in texts)

    return msgspec.structs.replace(trust, ca=bundle(CA), council_ca=bundle(COUNCIL_CA))
