"""Letting newcomers in: token checked, certificate signed, record written, all or nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Container

import msgspec

from aware_agent.colony.errors import Conflict, InvalidInput
from aware_agent.colony.event import Severity
from aware_agent.colony.liveness import was_here
from aware_agent.colony.node import Record, Status
from aware_agent.colony.quota import require_room
from aware_agent.queen.certificates import Certificates
from aware_agent.queen.etcd_users import EtcdUsers
from aware_agent.queen.writer import EventDraft, FencedWriter
from aware_agent.security import pki
from aware_agent.security.joining import JOIN_CONTEXT, JoinAnswer, JoinRequest, KeyDenied, NameTaken
from aware_agent.security.pem import CsrRefused
from aware_agent.security.signing import is_signed
from aware_agent.security.token import TokenRecord, TokenRefused, check_token, spend
from aware_agent.store import ops

MAX_NODES = 20_000


class Admission:
    """Signs newcomers in."""

    def __init__(
        self,
        writer: FencedWriter,
        certificates: Certificates,
        users: EtcdUsers,
        present: Callable[[], Container[str]],
    ) -> None:
        self._writer = writer
        self._certificates = certificates
        self._users = users
        self._present = present

    async def join(self, request: JoinRequest, source_address: str) -> JoinAnswer:
        """Admit a node. Raises TokenRefused, NameTaken, Conflict, CsrRefused, Deposed."""
        async with self._writer.writing():
            now = time.time()
            if not is_signed(request, request.csr.encode(), request.signature, JOIN_CONTEXT):
                raise CsrRefused("the signature of the join is wrong")
            before = self._returning(request)
            # The answer to its last join may have been lost: the same token once more costs no second use.
            again = before is not None and before.joined_with == request.token_id
            token = self._token(request, now, again=again)
            denied = self._refuse_denied(request)
            self._refuse_others(request, before)
            self._certificates.count(request.node_id)
            record = self._record(request, before, token, again=again, now=now)
            addresses = self._certificates.addresses(record, request.address, source_address)
            record = msgspec.structs.replace(record, address=addresses[0])
            answer = await self._certificates.hand_out(record, request, addresses, now)
            await self._users.admit(record, before)
            line = EventDraft(
                "node.joined",
                request.node_id,
                f"{request.name} joined from {source_address} with token {token.id}",
                Severity.NOTICE,
                {"address": request.address, "token": token.id},
            )
            values = {
                self._writer.key("nodes", request.node_id): record,
                self._writer.key("tokens", token.id): token,
            }
            await self._writer.commit(
                [ops.put(key, msgspec.json.encode(value)) for key, value in values.items()],
                [line],
                request.node_id,
                [*(self._writer.guard(key) for key in values), ops.absent(denied)],
            )
        return answer

    def _token(self, request: JoinRequest, now: float, *, again: bool) -> TokenRecord:
        """The token's record after this use. ``again``: this node was let in with it before, and uses no more of it."""
        if request.colony != self._writer.reader.keys.colony:
            raise InvalidInput(
                f"this is colony {self._writer.reader.keys.colony!r}, not {request.colony!r}", field="colony"
            )
        record = self._writer.reader.many("tokens/", TokenRecord).get(request.token_id)
        check_token(record, request.token_id, request.secret, name=request.name, now=now, again=again)
        if record is None:  # check_token has refused it already; this tells the type checker
            raise TokenRefused("the join token is unknown or wrong")
        return record if again else spend(record)

    def _refuse_denied(self, request: JoinRequest) -> bytes:
        """Raise :class:`KeyDenied` for the key of a node that was removed; gives the place where that would be noted.

        A token that lets in any number would otherwise undo every removal.
        """
        key = self._writer.key("denied", pki.csr_pin(request.csr.encode()))
        if self._writer.projection.get(key) is not None:
            raise KeyDenied(
                f"{request.name} was removed from colony {request.colony}, and its key with it",
                hint="give it a new key: aware-agent rejoin; or let the old one in again: aware nodes allow",
            )
        return key

    def _returning(self, request: JoinRequest) -> Record | None:
        """The record of an earlier join of the same node: same id, same key."""
        known = self._writer.reader.records().get(request.node_id)
        return known if known and known.key_pin == pki.csr_pin(request.csr.encode()) else None

    def _refuse_others(self, request: JoinRequest, before: Record | None) -> None:
        """Raise :class:`NameTaken` or Conflict. Only who has shown a good token may learn which names exist."""
        records = self._writer.reader.records()
        for record in records.values():
            if record.name == request.name and record.id != request.node_id:
                raise NameTaken(
                    f"the name {request.name!r} belongs to node {record.id}, which is {record.status}",
                    hint="choose another name, or remove that node first: aware nodes remove",
                )
        spec = self._writer.reader.data().spec
        if spec and request.name in spec.castes:
            raise NameTaken(
                f"the name {request.name!r} is that of a caste, and Ansible could not tell them apart",
                hint="choose another name for the node",
            )
        if before is None:
            require_room("nodes", len(records), MAX_NODES, "remove those that are gone: aware nodes remove")
        if before is None and request.node_id in records:
            raise NameTaken(f"node id {request.node_id} belongs to a node with another key")
        if before and was_here(before) and request.node_id in self._present():
            raise Conflict(f"node {before.name} is alive already", hint="stop its agent before it joins again")

    def _record(
        self, request: JoinRequest, before: Record | None, token: TokenRecord, *, again: bool, now: float
    ) -> Record:
        """A newcomer is suspect until its presence is seen, so that it is dead if it never shows up.

        What it may is what an admin said: of its token, or of the token or record it had before. Joining again takes
        nothing of that away, and gives only what a token grants of which a use was spent for it just now.
        """
        away = before.away if before else None
        return Record(
            id=request.node_id,
            name=request.name,
            joined_at=before.joined_at if before else now,
            status=Status.AWAY if away else Status.SUSPECT,
            status_since=now,
            cordoned=before.cordoned if before else False,
            drained=before.drained if before else False,
            away=away,
            labels=before.labels if before else {},
            eligible=(before is not None and before.eligible) or (token.eligible and not again),
            pinned=tuple(dict.fromkeys((*(before.pinned if before else ()), *(() if again else token.addresses)))),
            joined_with=token.id,
            key_pin=pki.csr_pin(request.csr.encode()),
            term=self._writer.term,
        )
