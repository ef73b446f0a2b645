"""Letting newcomers in: token checked, certificate signed, record written, all or nothing."""

from __future__ import annotations

import time

import msgspec

from aware_agent.colony.errors import Conflict, InvalidInput
from aware_agent.colony.event import Severity
from aware_agent.colony.node import Record, Status
from aware_agent.queen.certificates import Certificates
from aware_agent.queen.etcd_users import EtcdUsers
from aware_agent.queen.ledger import Ledger, Line
from aware_agent.security import pki
from aware_agent.security.joining import JoinAnswer, JoinRequest, NameTaken
from aware_agent.security.token import TokenRecord, TokenRefused, check_token, spend
from aware_agent.store import ops


class Admission:
    """Signs newcomers in."""

    def __init__(self, ledger: Ledger, certificates: Certificates, users: EtcdUsers) -> None:
        self._ledger = ledger
        self._certificates = certificates
        self._users = users

    async def join(self, request: JoinRequest, source_address: str) -> JoinAnswer:
        """Admit a node. Raises TokenRefused, NameTaken, Conflict, CsrRefused, Deposed."""
        async with self._ledger.writing():
            now = time.time()
            before = self._returning(request)
            token = self._token(request, now, again=before is not None)
            self._refuse_others(request, before)
            record = self._record(request, before, before.joined_at if before else now)
            answer = self._certificates.hand_out(record, request.csr, request.address, now)
            await self._users.admit(record, before)
            line = Line(
                "node.joined",
                request.node_id,
                f"{request.name} joined from {source_address} with token {token.id}",
                Severity.NOTICE,
                {"address": request.address, "token": token.id},
            )
            await self._ledger.commit(
                [
                    ops.put(self._ledger.key("nodes", request.node_id), msgspec.json.encode(record)),
                    ops.put(self._ledger.key("tokens", token.id), msgspec.json.encode(token)),
                ],
                [line],
                request.node_id,
            )
        return answer

    def _token(self, request: JoinRequest, now: float, *, again: bool) -> TokenRecord:
        """The token's record after this use. ``again``: a node that was let in before costs no second use."""
        if request.colony != self._ledger.reader.keys.colony:
            raise InvalidInput(
                f"this is colony {self._ledger.reader.keys.colony!r}, not {request.colony!r}", field="colony"
            )
        record = self._ledger.reader.many("tokens/", TokenRecord).get(request.token_id)
        check_token(record, request.token_id, request.secret, name=request.name, now=now, again=again)
        if record is None:  # check_token has refused it already; this tells the type checker
            raise TokenRefused("the join token is unknown or wrong")
        return record if again else spend(record)

    def _returning(self, request: JoinRequest) -> Record | None:
        """The record of an earlier join of the same node: same id, same key."""
        known = self._ledger.reader.records().get(request.node_id)
        return known if known and known.key_pin == pki.csr_pin(request.csr.encode()) else None

    def _refuse_others(self, request: JoinRequest, before: Record | None) -> None:
        """Raise :class:`NameTaken` or Conflict. Only who has shown a good token may learn which names exist."""
        records = self._ledger.reader.records()
        for record in records.values():
            if record.name == request.name and record.id != request.node_id:
                raise NameTaken(
                    f"the name {request.name!r} belongs to node {record.id}, which is {record.status}",
                    hint="choose another name, or remove that node first: aware nodes remove",
                )
        if before is None and request.node_id in records:
            raise NameTaken(f"node id {request.node_id} belongs to a node with another key")
        if before and before.status is Status.READY and request.node_id in self._ledger.reader.presence():
            raise Conflict(f"node {before.name} is alive already", hint="stop its agent before it joins again")

    def _record(self, request: JoinRequest, before: Record | None, joined_at: float) -> Record:
        """A newcomer is suspect until its presence is seen, so that it is dead if it never shows up."""
        return Record(
            id=request.node_id,
            name=request.name,
            joined_at=joined_at,
            status=Status.SUSPECT,
            status_since=time.time(),
            cordoned=before.cordoned if before else False,
            labels=before.labels if before else {},
            candidate=request.candidate,
            key_pin=pki.csr_pin(request.csr.encode()),
            term=self._ledger.term,
        )
