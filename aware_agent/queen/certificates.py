"""What a queen hands to a node: its certificate, the CAs to believe, the secrets. For those who join and who renew."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from aware_agent.colony.addresses import Claim, Neighbour, certified, is_loopback
from aware_agent.colony.errors import Conflict
from aware_agent.colony.event import Severity
from aware_agent.colony.node import Record, Status
from aware_agent.colony.quota import Quotas, WriteKind
from aware_agent.colony.renewal import LIFETIME_S
from aware_agent.colony.rotation import Trust
from aware_agent.colony.urls import host_of
from aware_agent.discovery.replay import ReplayMemory
from aware_agent.queen.writer import EventDraft, FencedWriter
from aware_agent.security import pki
from aware_agent.security.joining import JoinAnswer, JoinRequest, Secrets
from aware_agent.security.keyring import Keyring, share
from aware_agent.security.pem import CsrRefused
from aware_agent.security.records import CaRecord, CouncilAccess
from aware_agent.security.refusals import NotAMember, RenewalRefused
from aware_agent.security.renewing import WINDOW_S, RenewRequest, check_request
from aware_agent.security.sealed import Sealer
from aware_agent.security.sealing import Purpose, seal_for
from aware_agent.store import ops
from aware_agent.store.access import ROOT
from aware_agent.store.connections import Credentials

DAY_S = 86400.0
ROOT_DAYS = 1 / 24
CA, COUNCIL_CA, OTHER_SECRET = "ca", "council-ca", "secret-other"


def other(ca: str) -> str:
    """Where the CA of another generation is kept while it is believed as well."""
    return f"{ca}-other"


class _Said(NamedTuple):
    """What the colony says, read at one moment: whoever signs in a thread reads nothing that the loop writes."""

    trust: Trust
    ca: pki.Pair
    council_ca: pki.Pair | None  # for who is eligible
    secrets: dict[int, bytes]
    channels: tuple[str, ...]
    etcd: tuple[str, ...]
    days: float  # a certificate lasts


class Certificates:
    """Signs for one reign. The CA key is opened for each signature and not kept."""

    def __init__(
        self,
        writer: FencedWriter,
        keyring: Keyring,
        sealer: Sealer,
        etcd: Callable[[], tuple[str, ...]],
        quotas: Quotas | None = None,
    ) -> None:
        self._quotas = quotas or Quotas({})
        self._writer = writer
        self._keyring = keyring
        self._sealer = sealer
        self._etcd = etcd
        self._seen = ReplayMemory(window_s=WINDOW_S)

    def count(self, node_id: str) -> None:
        """One more for a node that has proved who it is. Raises :class:`QuotaSpent`."""
        self._quotas.spend(WriteKind.NODE, node_id, time.monotonic())

    def trust(self) -> Trust:
        """What the colony believes in now."""
        return self._writer.reader.vital("pki", Trust) or Trust()

    def ca(self, name: str = CA) -> pki.Pair:
        """The node CA that signs, or the one kept as ``name``. Raises Conflict when there is none."""
        record = self._writer.reader.vital(name, CaRecord)
        if record is None:
            raise Conflict("this colony has no CA", hint="found it: aware colony found")
        return pki.Pair(record.certificate.encode(), self._sealer.open(record.key, self._writer.key(name)))

    def secrets(self) -> dict[int, bytes]:
        """The colony secret in all generations that are believed. Raises Conflict when this node lacks the present."""
        trust = self.trust()
        present = self._keyring.given.get(trust.generation)
        if present is None:
            raise Conflict("this queen has not got the present secret yet", hint="try again in a moment")
        secrets = {trust.generation: present}
        sealed = self._writer.projection.get(self._writer.key(OTHER_SECRET))
        if trust.other and sealed is not None:
            secrets[trust.other] = self._sealer.open(sealed.value, sealed.key)
        return secrets

    def addresses(self, record: Record, wanted: str, source: str) -> tuple[str, ...]:
        """What the certificate of ``record`` may name when it asks from ``source``. Raises AddressRefused."""
        claim = Claim(name=record.name, wanted=wanted, source=source, pinned=record.pinned, eligible=record.eligible)
        endpoints = [host_of(f"https://{endpoint}") for endpoint in self._etcd()]
        return certified(claim, neighbours(self._writer, record.id), endpoints, loopback=self._on_loopback())

    def _on_loopback(self) -> bool:
        """Whether this colony lives on one machine: then its queen does."""
        queen_record = self._writer.reader.queen_record()
        return queen_record is not None and is_loopback(host_of(queen_record.url))

    async def hand_out(
        self, record: Record, request: JoinRequest | RenewRequest, addresses: tuple[str, ...], now: float
    ) -> JoinAnswer:
        """Everything node ``record`` needs, with a fresh certificate. Raises CsrRefused, Conflict.

        What signs and encrypts runs in a thread: a queue of newcomers must not keep the loop from renewing the lease.
        """
        said = _Said(
            trust=self.trust(),
            ca=self.ca(),
            council_ca=self.ca(COUNCIL_CA) if record.eligible else None,
            secrets=self.secrets(),
            channels=self._channels(),
            etcd=self._etcd(),
            days=self._lifetime_s() / DAY_S,
        )
        return await asyncio.to_thread(self._certify, record, request, addresses, now, said)

    def _certify(
        self,
        record: Record,
        request: JoinRequest | RenewRequest,
        addresses: tuple[str, ...],
        now: float,
        said: _Said,
    ) -> JoinAnswer:
        trust, ca, secrets = said.trust, said.ca, said.secrets
        sans = pki.node_sans(self._writer.reader.keys.colony, record.name, addresses, eligible=record.eligible)

        def sign(issuer: pki.Pair) -> bytes:
            return pki.sign_csr(issuer, request.csr.encode(), node_id=record.id, sans=sans, now=now, days=said.days)

        certificate = sign(ca)
        given = {number: share(secret, whole=record.eligible) for number, secret in secrets.items()}
        kept = Secrets(
            colony_secret=given.pop(trust.generation),
            others=given,
            whole=record.eligible,
            council=_council_access(said.council_ca, trust, sign) if said.council_ca else None,
        )
        return JoinAnswer(
            certificate=certificate.decode(),
            ca=trust.ca or ca.certificate.decode(),
            sealed=self._seal(kept, request),
            addresses=addresses,
            etcd=said.etcd if record.eligible else (),
            channels=said.channels,
            joined_at=record.joined_at,
            generation=trust.generation,
            signed_by=trust.generation,
            issued_at=now,
        )

    def root_credentials(self, bundle: bytes) -> Credentials:
        """etcd's user root, for an hour and in memory only: who may add users and members. Raises Conflict."""
        pair = pki.issue(
            self.ca(COUNCIL_CA), pki.make_key(), common_name=ROOT, sans=[], now=time.time(), days=ROOT_DAYS
        )
        return Credentials(ca=bundle, cert=pair.certificate, key=pair.key)

    def _seal(self, secrets: Secrets, request: JoinRequest | RenewRequest) -> bytes:
        """For the node alone that signed ``request``, whoever ends its TLS. Raises CsrRefused for a bad key."""
        purpose: Purpose = "join" if isinstance(request, JoinRequest) else "renew"
        try:
            return seal_for(
                request.box_key,
                msgspec.json.encode(secrets),
                purpose=purpose,
                colony=request.colony,
                node_id=request.node_id,
            )
        except ValueError as error:
            raise CsrRefused("the request carries no key to encrypt for") from error

    def _channels(self) -> tuple[str, ...]:
        """Where members take channels, those first who would reign."""
        reader = self._writer.reader
        queen_record, presence = reader.queen_record(), reader.presence()
        found = [queen_record.channel if queen_record else "", *(presence[node].channel for node in reader.line())]
        return tuple(dict.fromkeys(channel for channel in found if channel))

    async def renew(self, request: RenewRequest, source_address: str) -> JoinAnswer:
        """A new certificate for a node that proves its key. Raises RenewalRefused, NotAMember, CsrRefused, Deposed."""
        async with self._writer.writing():
            now = time.time()
            record = self._writer.reader.records().get(request.node_id)
            if request.colony != self._writer.reader.keys.colony or record is None:
                raise NotAMember(
                    f"colony {self._writer.reader.keys.colony!r} has no node {request.node_id}",
                    hint="it was removed; join again with a token if that was wrong",
                )
            check_request(request, record.key_pin, now)
            self.count(record.id)
            key = (request.node_id + request.nonce).encode()
            if not self._seen.first_time(key, round(request.sent_at * 1000), now):
                raise RenewalRefused("this renewal was answered before", hint="make another request")
            addresses = self.addresses(record, request.address, source_address)
            answer = await self.hand_out(record, request, addresses, now)
            line = EventDraft(
                "node.renewed",
                record.id,
                f"{record.name} renewed its certificate from {source_address}",
                Severity.INFO,
                {"generation": answer.generation},
            )
            changes, guards = [], []
            if record.address != addresses[0]:
                record_key = self._writer.key("nodes", record.id)
                after = msgspec.structs.replace(record, address=addresses[0], term=self._writer.term)
                changes, guards = [ops.put(record_key, msgspec.json.encode(after))], [self._writer.guard(record_key)]
            # Fenced also when only history is written: a queen that was deposed hands out nothing.
            await self._writer.commit(changes, [line], record.id, guards)
        return answer

    def _lifetime_s(self) -> float:
        spec = self._writer.reader.data().spec
        return spec.policies.certificate_lifetime_s if spec else LIFETIME_S


def _council_access(ca: pki.Pair, trust: Trust, sign: Callable[[pki.Pair], bytes]) -> CouncilAccess:
    """For etcd: the key that the node proved, certified once more. So nothing secret has to travel."""
    return CouncilAccess(certificate=sign(ca), ca=trust.council_ca.encode() or ca.certificate)


def neighbours(writer: FencedWriter, but: str) -> list[Neighbour]:
    """Everybody's addresses except those of node ``but``."""
    return [
        Neighbour(
            name=other.name,
            address=other.address,
            pinned=other.pinned,
            here=other.away.here if other.away else other.status in (Status.READY, Status.SUSPECT),
        )
        for other in writer.reader.records().values()
        if other.id != but
    ]


def encode_ca(pair: pki.Pair, sealer: Sealer, key: bytes) -> bytes:
    """The value of ``key`` that keeps a CA."""
    return msgspec.json.encode(CaRecord(certificate=pair.certificate.decode(), key=sealer.seal(pair.key, key)))
