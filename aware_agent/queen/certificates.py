"""What a queen hands to a node: its certificate, the CAs to believe, the secrets. For those who join and who renew."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from aware_agent.colony.errors import Conflict
from aware_agent.colony.event import Severity
from aware_agent.colony.node import Record
from aware_agent.colony.renewal import LIFETIME_S
from aware_agent.colony.rotation import Trust
from aware_agent.discovery.guard import ReplayMemory
from aware_agent.queen.ledger import Ledger, Line
from aware_agent.security import pki
from aware_agent.security.joining import JoinAnswer
from aware_agent.security.keyring import Keyring, share
from aware_agent.security.records import CaRecord
from aware_agent.security.renewing import WINDOW_S, NotAMember, RenewalRefused, RenewRequest, check_request
from aware_agent.security.sealed import Sealer

DAY_S = 86400.0
OTHER_CA, OTHER_SECRET = "ca-other", "secret-other"


class Certificates:
    """Signs for one reign. The CA key is opened for each signature and not kept."""

    def __init__(self, ledger: Ledger, keyring: Keyring, sealer: Sealer, etcd: Callable[[], tuple[str, ...]]) -> None:
        self._ledger = ledger
        self._keyring = keyring
        self._sealer = sealer
        self._etcd = etcd
        self._seen = ReplayMemory(window_s=WINDOW_S)

    def trust(self) -> Trust:
        """What the colony believes in now."""
        return self._ledger.reader.one("pki", Trust) or Trust()

    def ca(self, name: str = "ca") -> pki.Pair:
        """The CA that signs (``ca``), or the other one. Raises Conflict when there is none."""
        record = self._ledger.reader.one(name, CaRecord)
        if record is None:
            raise Conflict("this colony has no CA", hint="found it: aware colony found")
        return pki.Pair(record.certificate.encode(), self._sealer.open(record.key, self._ledger.key(name)))

    def secrets(self) -> dict[int, bytes]:
        """The colony secret in all generations that are believed. Raises Conflict when this node lacks the present."""
        trust = self.trust()
        present = self._keyring.given.get(trust.generation)
        if present is None:
            raise Conflict("this queen has not got the present secret yet", hint="try again in a moment")
        secrets = {trust.generation: present}
        sealed = self._ledger.projection.get(self._ledger.key(OTHER_SECRET))
        if trust.other and sealed is not None:
            secrets[trust.other] = self._sealer.open(sealed.value, sealed.key)
        return secrets

    def hand_out(self, record: Record, csr: str, address: str, now: float) -> JoinAnswer:
        """Everything node ``record`` needs, with a fresh certificate. Raises CsrRefused, Conflict."""
        trust, ca, secrets = self.trust(), self.ca(), self.secrets()
        sans = pki.node_sans(self._ledger.reader.keys.colony, record.name, [address])
        days = self._lifetime_s() / DAY_S
        certificate = pki.sign_csr(ca, csr.encode(), node_id=record.id, sans=sans, now=now, days=days)
        given = {number: share(secret, whole=record.candidate) for number, secret in secrets.items()}
        return JoinAnswer(
            certificate=certificate.decode(),
            ca=trust.ca or ca.certificate.decode(),
            colony_secret=given.pop(trust.generation),
            etcd=self._etcd(),
            joined_at=record.joined_at,
            generation=trust.generation,
            others=given,
            signed_by=trust.generation,
            issued_at=now,
            whole=record.candidate,
        )

    async def renew(self, request: RenewRequest, source_address: str) -> JoinAnswer:
        """A new certificate for a node that proves its key. Raises RenewalRefused, NotAMember, CsrRefused, Deposed."""
        async with self._ledger.writing():
            now = time.time()
            record = self._ledger.reader.records().get(request.node_id)
            if request.colony != self._ledger.reader.keys.colony or record is None:
                raise NotAMember(
                    f"colony {self._ledger.reader.keys.colony!r} has no node {request.node_id}",
                    hint="it was removed; join again with a token if that was wrong",
                )
            check_request(request, record.key_pin, now)
            key = (request.node_id + request.nonce).encode()
            if not self._seen.first_time(key, round(request.sent_at * 1000), now):
                raise RenewalRefused("this renewal was answered before", hint="make another request")
            answer = self.hand_out(record, request.csr, request.address, now)
            line = Line(
                "node.renewed",
                record.id,
                f"{record.name} renewed its certificate from {source_address}",
                Severity.INFO,
                {"generation": answer.generation},
            )
            # Fenced although only history is written: a queen that was deposed hands out nothing.
            await self._ledger.commit([], [line], record.id)
        return answer

    def _lifetime_s(self) -> float:
        spec = self._ledger.reader.data().spec
        return spec.policies.certificate_lifetime_s if spec else LIFETIME_S


def encode_ca(pair: pki.Pair, sealer: Sealer, key: bytes) -> bytes:
    """The value of ``key`` that keeps a CA."""
    return msgspec.json.encode(CaRecord(certificate=pair.certificate.decode(), key=sealer.seal(pair.key, key)))
